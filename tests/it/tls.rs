//! HTTPS from the plan to the report: whom it believes, what it counts, and what it makes of a wire that is
//! cut, split, damaged or not TLS at all.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::date_time_ymd;
use rustls::SupportedProtocolVersion;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::version::{TLS12, TLS13};

use crate::run::{Ended, RunDir, run};
use crate::script::{Script, Step, response, send};
use crate::secure_target::{Authority, Pair, Peer, SecureTarget, config, for_clients};

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::new("the test's CA"));
static OTHER: LazyLock<Authority> = LazyLock::new(|| Authority::new("somebody else's CA"));
static GOOD: LazyLock<Pair> = LazyLock::new(|| AUTHORITY.sign(&["localhost", "127.0.0.1"]));

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const EACH: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

/// Run the plan of one scenario with this `tls:` beside files named as in it.
fn run_tls(target: &str, tls: &str, args: &[&str]) -> Ended {
    let dir = dir();
    let plan = format!("base_url: {target}\ntls: {tls}\nscenarios: [{{name: a, path: /a, timeout: 2s}}]\n");
    let path = dir.write("plan.yaml", plan);
    run(&[&["--plan", path.as_str()], args].concat())
}

/// A folder with everybody's certificates.
fn dir() -> RunDir {
    let dir = RunDir::new();
    dir.write("ca.pem", AUTHORITY.pem());
    dir.write("other.pem", OTHER.pem());
    let client = AUTHORITY.sign_with(&["a client"], for_clients);
    let unrelated = OTHER.sign_with(&["an unrelated client"], for_clients);
    for (name, pair) in [("client", client), ("unrelated", unrelated)] {
        dir.write(&format!("{name}.pem"), pair.certificate);
        dir.write(&format!("{name}.key"), pair.key);
    }
    dir
}

/// Passed: so many requests, all well.
#[track_caller]
fn all_well(ended: Ended, requests: u64) -> Ended {
    assert_eq!((ended.code, ended.outcomes()), (Some(0), vec![("ok".to_owned(), requests)]), "{ended:#?}");
    ended.lawful()
}

fn handshakes(ended: &Ended) -> (u64, u64) {
    (ended.number("tls.handshakes_full"), ended.number("tls.handshakes_resumed"))
}

fn hello() -> String {
    response("200 OK", "hello")
}

#[test]
fn both_versions_are_spoken_and_every_request_counts_once() {
    for versions in EACH {
        let target = SecureTarget::answer(config(&GOOD, versions, None), usize::MAX, hello());
        let ended = all_well(run_tls(&target.url(), "{ca: ca.pem}", &["-n", "500", "-c", "5"]), 500);
        let (full, resumed) = handshakes(&ended);
        assert_eq!((full + resumed, ended.number("totals.connections_opened")), (5, 5));
        assert_eq!((ended.number("tls_time.count"), ended.number("connect_time.count")), (5, 5));
        assert_eq!(ended.number("totals.bytes_received"), 500 * hello().len() as u64, "plaintext is counted");
        assert!(ended.seconds("tls_time.max") > 0.0);
        assert!(ended.stdout.contains("\ntls             "), "{}", ended.stdout);
    }
}

#[test]
fn the_open_model_and_several_threads_speak_it_too() {
    let target = SecureTarget::answer(config(&GOOD, BOTH, None), usize::MAX, hello());
    let args = ["-r", "200/s", "-d", "1s", "-c", "4", "--threads", "2"];
    let ended = all_well(run_tls(&target.url(), "{ca: ca.pem}", &args), 200);
    assert!(ended.number("instrument.receive_delay.count") > 0, "the kernel's stamps are there: {ended:#?}");
    assert_eq!(ended.number("instrument.absurd_stamps"), 0);
}

#[test]
fn a_session_is_taken_up_again_unless_that_is_not_wanted() {
    let closing = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    for versions in EACH {
        let part = move |_, peer: &mut Peer| {
            peer.request()?;
            peer.send(closing)?;
            peer.close_notify()
        };
        let target = SecureTarget::play(config(&GOOD, versions, None), part);
        let args = ["-n", "20", "-c", "1"];
        let ended = all_well(run_tls(&target.url(), "{ca: ca.pem}", &args), 20);
        assert_eq!(handshakes(&ended), (1, 19), "{ended:#?}");
        let ended = all_well(run_tls(&target.url(), "{ca: ca.pem, resumption: false}", &args), 20);
        assert_eq!(handshakes(&ended), (20, 0), "{ended:#?}");
    }
}

#[test]
fn certificates_that_cannot_be_trusted_are_refused() {
    let expired = AUTHORITY.sign_with(&["localhost"], |p| p.not_after = date_time_ymd(2020, 1, 1));
    let early = AUTHORITY.sign_with(&["localhost"], |p| p.not_before = date_time_ymd(3000, 1, 1));
    let for_clients_only = AUTHORITY.sign_with(&["localhost"], for_clients);
    let elsewhere = AUTHORITY.sign(&["elsewhere.example"]);
    let nameless = AUTHORITY.sign(&[]);
    let cases: [(&Pair, &str, &str); 7] = [
        (&nameless, "{ca: ca.pem}", "no subjectAltName"),
        (&GOOD, "{ca: other.pem}", "`tls.ca` (--cacert)"),
        (&GOOD, "{}", "`tls.ca` (--cacert)"),
        (&expired, "{ca: ca.pem}", ""),
        (&early, "{ca: ca.pem}", ""),
        (&elsewhere, "{ca: ca.pem}", "`tls.server_name`"),
        (&for_clients_only, "{ca: ca.pem}", ""),
    ];
    let mut by_case = Vec::new();
    for (own, tls, expected) in cases {
        let mut messages = Vec::new();
        for versions in EACH {
            let target = SecureTarget::answer(config(own, versions, None), usize::MAX, hello());
            let ended = run_tls(&target.url(), tls, &["-n", "10"]);
            assert_eq!(ended.code, Some(3), "{ended:#?}");
            let output = &ended.stderr;
            assert!(output.contains("localhost:") && output.contains(expected), "{output}");
            messages.push(output.replace(target.url().trim_start_matches("https://"), ""));
            // `insecure` gets through, with a warning.
            let ended = all_well(run_tls(&target.url(), "{insecure: true}", &["-n", "10"]), 10);
            assert!(ended.stderr.contains("insecure") && ended.stdout.contains("insecure"), "{ended:#?}");
            assert_eq!(ended.report["tls"]["insecure"], true);
        }
        by_case.push(messages[0].clone());
    }
    by_case.sort();
    by_case.dedup();
    assert!(by_case.len() >= 5, "each case reads differently: {by_case:#?}");
    let target = SecureTarget::answer(config(&elsewhere, BOTH, None), usize::MAX, hello());
    all_well(run_tls(&target.url(), "{ca: ca.pem, server_name: elsewhere.example}", &["-n", "10"]), 10);
}

#[test]
fn a_self_signed_certificate_is_trusted_when_it_is_named() {
    let dir = dir();
    let own = Authority::of_itself(&["localhost"]);
    let (named, other) = (dir.write("self.pem", &own.certificate), dir.file("ca.pem"));
    for versions in EACH {
        let target = SecureTarget::answer(config(&own, versions, None), usize::MAX, hello());
        all_well(run(&[&target.url(), "-n", "10", "--cacert", &named]), 10);
        let by_address = target.url().replace("localhost", "127.0.0.1");
        for (url, ca, expected) in
            [(target.url(), &other, "`tls.ca` (--cacert)"), (by_address, &named, "`tls.server_name`")]
        {
            let ended = run(&[&url, "-n", "10", "--cacert", ca]);
            assert_eq!(ended.code, Some(3), "{ended:#?}");
            assert!(ended.stderr.contains(expected), "{ended:#?}");
        }
    }
    let expired = Authority::of_itself_until(2020, &["localhost"]);
    let named = dir.write("expired.pem", &expired.certificate);
    let target = SecureTarget::answer(config(&expired, BOTH, None), usize::MAX, hello());
    let ended = run(&[&target.url(), "-n", "10", "--cacert", &named]);
    assert_eq!(ended.code, Some(3), "{ended:#?}");
}

#[test]
fn flags_set_tls_for_a_url() {
    let dir = dir();
    let target = SecureTarget::answer(config(&GOOD, BOTH, Some(&AUTHORITY)), usize::MAX, hello());
    let (ca, cert, key) = (dir.file("ca.pem"), dir.file("client.pem"), dir.file("client.key"));
    let by_address = target.url().replace("localhost", "127.0.0.1");
    let args = [&by_address, "-n", "10", "--cacert", &ca, "--cert", &cert, "--key", &key];
    all_well(run(&args), 10);
    all_well(run(&[&target.url(), "-n", "10", "-k", "--cert", &cert, "--key", &key]), 10);
}

#[test]
fn a_target_that_wants_a_client_certificate_gets_it_or_says_what_is_missing() {
    for versions in EACH {
        let target = SecureTarget::answer(config(&GOOD, versions, Some(&AUTHORITY)), usize::MAX, hello());
        let run =
            |own: &str| run_tls(&target.url(), &format!("{{ca: ca.pem{own}}}"), &["-n", "20", "-c", "2"]);
        all_well(run(", cert: client.pem, key: client.key"), 20);
        for (own, expected) in [
            ("", "client_certificate_required"),
            (", cert: unrelated.pem, key: unrelated.key", "client_certificate_refused"),
        ] {
            let ended = run(own);
            // TLS 1.3 reports it after the handshake (RFC 8446, section 4.4.2.4): then each request fails.
            if versions[0].version == TLS13.version {
                assert_eq!(ended.outcomes(), [("tls_failed".to_owned(), 20)], "{ended:#?}");
                assert_eq!(ended.number(&format!("tls.failures.{expected}")), 20, "{ended:#?}");
                drop(ended.lawful());
            } else {
                assert_eq!(ended.code, Some(3), "{ended:#?}");
                assert_eq!(ended.stderr.contains("`tls.key`"), own.is_empty(), "{ended:#?}");
            }
        }
    }
}

#[test]
fn records_may_be_split_at_any_byte() {
    for versions in EACH {
        for piece in [1, 2, 3, 7, 100] {
            let target = SecureTarget::answer(
                config(&GOOD, versions, None),
                piece,
                response("200 OK", &"x".repeat(300)),
            );
            all_well(run_tls(&target.url(), "{ca: ca.pem}", &["-n", "10", "-c", "2"]), 10);
        }
    }
}

#[test]
fn large_bodies_pass_both_ways() {
    let seen = Arc::new(AtomicU64::new(0));
    let (body, received) = ("x".repeat(3_000_000), seen.clone());
    let target = SecureTarget::play(config(&GOOD, BOTH, None), move |_, peer| {
        loop {
            received.fetch_add(peer.request()?.len() as u64, SeqCst);
            peer.send(response("200 OK", &body))?;
        }
    });
    let dir = dir();
    let (ca, file) = (dir.file("ca.pem"), dir.write("body", vec![b'y'; 2_000_000]));
    let body = format!("@{file}");
    let ended = run(&[&target.url(), "--cacert", &ca, "-m", "POST", "-b", &body, "-n", "6", "-c", "2"]);
    let ended = all_well(ended, 6);
    assert_eq!(ended.number("totals.bytes_sent"), seen.load(SeqCst), "every byte arrives and is counted");
    assert_eq!(
        ended.number("totals.bytes_received"),
        6 * response("200 OK", &"x".repeat(3_000_000)).len() as u64
    );
}

#[test]
fn a_body_until_close_ends_with_close_notify_and_not_with_a_cut() {
    for (notifies, outcome) in [(true, "ok"), (false, "closed_early")] {
        for versions in EACH {
            let target = SecureTarget::play(config(&GOOD, versions, None), move |_, peer| {
                peer.request()?;
                peer.send("HTTP/1.1 200 OK\r\n\r\nas long as it lasts")?;
                if notifies { peer.close_notify() } else { None }
            });
            let ended = run_tls(&target.url(), "{ca: ca.pem}", &["-n", "5", "-c", "1"]);
            assert_eq!(ended.outcomes(), [(outcome.to_owned(), 5)], "{ended:#?}");
            assert_eq!(ended.stdout.contains("close_notify"), !notifies, "{ended:#?}");
        }
    }
}

#[test]
fn a_framed_response_is_whole_with_or_without_close_notify() {
    for notifies in [true, false] {
        let target = SecureTarget::play(config(&GOOD, BOTH, None), move |_, peer| {
            peer.request()?;
            peer.send(hello())?;
            if notifies { peer.close_notify() } else { None }
        });
        // Hung up while nothing is asked of it, a connection is opened again, and that is all.
        let args = ["-r", "20/s", "-d", "500ms", "-c", "1"];
        let ended = all_well(run_tls(&target.url(), "{ca: ca.pem}", &args), 10);
        assert!(ended.number("totals.connections_opened") >= 10, "{ended:#?}");
    }
}

#[test]
fn keys_may_change_in_the_middle() {
    let target = SecureTarget::play(config(&GOOD, &[&TLS13], None), |_, peer| {
        loop {
            peer.request()?;
            peer.update_keys()?;
            peer.send(&hello()[..10])?;
            peer.update_keys()?;
            peer.send(&hello()[10..])?;
        }
    });
    all_well(run_tls(&target.url(), "{ca: ca.pem}", &["-n", "50", "-c", "1"]), 50);
}

#[test]
fn what_comes_unasked_with_the_end_of_the_handshake_answers_nothing() {
    for versions in EACH {
        // Only the very first: the connections that the run begins with are opened before any request.
        let target = SecureTarget::play(config(&GOOD, versions, None), |n, peer| {
            if n == 0 {
                peer.send_with_handshake(response("500 Unasked", "early"))?;
            }
            loop {
                peer.request()?;
                peer.send(hello())?;
            }
        });
        let ended = run_tls(&target.url(), "{ca: ca.pem}", &["-r", "50/s", "-d", "200ms", "-c", "1"]);
        let ended = all_well(ended, 10);
        assert_eq!(ended.number("totals.connections_opened"), 2, "{ended:#?}");
    }
}

#[test]
fn a_damaged_record_is_a_failure_of_tls() {
    for versions in EACH {
        let target = SecureTarget::play(config(&GOOD, versions, None), |_, peer| {
            peer.request()?;
            peer.send_damaged(&hello())?;
            peer.request().map(|_| ())
        });
        let ended = run_tls(&target.url(), "{ca: ca.pem}", &["-n", "5", "-c", "1"]).lawful();
        assert_eq!(ended.outcomes(), [("tls_failed".to_owned(), 5)], "{ended:#?}");
        assert_eq!(ended.number("tls.failures.protocol"), 5, "{ended:#?}");
    }
}

#[test]
fn a_response_that_was_whole_before_a_damaged_record_counts() {
    for versions in EACH {
        let target = SecureTarget::play(config(&GOOD, versions, None), |_, peer| {
            peer.request()?;
            peer.send_and_damage(&hello())?;
            peer.request().map(|_| ())
        });
        let ended = run_tls(&target.url(), "{ca: ca.pem}", &["-n", "5", "-c", "1"]).lawful();
        assert_eq!(ended.outcomes(), [("ok".to_owned(), 5)], "{ended:#?}");
        assert!(ended.number("connections.closed.failure") >= 4, "{ended:#?}");
    }
}

#[test]
fn a_target_with_nothing_in_common_is_refused() {
    let tls12 = SecureTarget::answer(config(&GOOD, &[&TLS12], None), usize::MAX, hello());
    let tls13 = SecureTarget::answer(config(&GOOD, &[&TLS13], None), usize::MAX, hello());
    let mut http2 = config(&GOOD, BOTH, None);
    http2.alpn_protocols = vec![b"h2".to_vec()];
    let http2 = SecureTarget::answer(http2, usize::MAX, hello());
    for (target, tls, is_http2) in [
        (&tls12, "{ca: ca.pem, min_version: 1.3}", false),
        (&tls13, "{ca: ca.pem, max_version: 1.2}", false),
        (&http2, "{ca: ca.pem}", true),
    ] {
        let ended = run_tls(&target.url(), tls, &["-n", "5"]);
        assert_eq!(ended.code, Some(3), "{ended:#?}");
        assert_eq!(ended.stderr.contains("HTTP/1.1"), is_http2, "{ended:#?}");
    }
}

#[test]
fn a_target_without_tls_is_refused() {
    let plain = Script::play([Step::Peek, send("HTTP/1.1 400 Bad Request\r\n\r\n"), Step::Close]);
    let hangs_up = Script::play([Step::Peek, Step::Close]);
    let silent = Script::play([Step::Freeze]);
    for (script, expected) in
        [(&plain, Some("http://")), (&hangs_up, None), (&silent, Some("`load.connect_timeout`"))]
    {
        let url = script.url().replace("http:", "https:");
        let ended = run_tls(&url, "{insecure: true}", &["-n", "5", "-c", "1"]);
        assert_eq!(ended.code, Some(3), "{ended:#?}");
        for word in ["http://", "`load.connect_timeout`"] {
            assert_eq!(ended.stderr.contains(word), expected == Some(word), "{ended:#?}");
        }
    }
}

#[test]
fn a_handshake_that_fails_in_the_middle_of_a_run_is_counted_with_its_request() {
    let target = SecureTarget::play(config(&GOOD, BOTH, None), |n, peer| {
        // The first connection serves one request; later ones are never shaken hands with.
        if n > 0 {
            return None;
        }
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")?;
        peer.close_notify()
    });
    let ended = run_tls(&target.url(), "{ca: ca.pem}", &["-n", "5", "-c", "1"]).lawful();
    assert_eq!(ended.outcomes(), [("ok".to_owned(), 1), ("tls_failed".to_owned(), 4)], "{ended:#?}");
    assert_eq!(ended.number("tls.failures.closed"), 4);
}

#[test]
fn files_that_do_not_serve_are_named_with_their_key() {
    let client = AUTHORITY.sign_with(&["a client"], for_clients);
    let locked = client.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let old_locked = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END \
                      RSA PRIVATE KEY-----\n";
    // What says "version 3", saying 1.
    let old = CertificateDer::from_pem_slice(client.certificate.as_bytes()).expect("PEM");
    let mut old = old.to_vec();
    let version = old.windows(5).position(|w| w == [0xa0, 3, 2, 1, 2]).expect("a version") + 4;
    old[version] = 0;
    let old = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(old));
    for (tls, expected) in [
        ("{ca: gone.pem}", ["tls.ca: ", "gone.pem`"]),
        ("{ca: client.key}", ["tls.ca: ", "client.key`"]),
        ("{cert: client.pem, key: client.pem}", ["tls.key: ", "client.pem`"]),
        ("{cert: client.pem, key: locked.key}", ["locked.key` is encrypted", "`openssl pkey -in"]),
        ("{cert: client.pem, key: old-locked.key}", ["old-locked.key` is encrypted", "`openssl pkey -in"]),
        ("{cert: client.pem, key: pair.p12}", ["tls.key: ", "`openssl pkcs12 -in"]),
        ("{cert: pair.p12, key: client.key}", ["tls.cert: ", "`openssl pkcs12 -in"]),
        ("{cert: reversed.pem, key: client.key}", ["is number 2 in", "must come first"]),
        ("{cert: old.pem, key: client.key}", ["tls.cert: ", "old.pem`"]),
        ("{cert: client.pem, key: unrelated.key}", ["tls.key: ", "unrelated.key`"]),
    ] {
        let dir = dir();
        dir.write("locked.key", &locked);
        dir.write("old.pem", &old);
        dir.write("old-locked.key", old_locked);
        dir.write("pair.p12", [0x30, 0x82, 9, 9]);
        dir.write("reversed.pem", AUTHORITY.pem() + &client.certificate);
        dir.write("client.pem", &client.certificate);
        dir.write("client.key", &client.key);
        let plan = format!(
            "base_url: https://localhost:1\ntls: {tls}\nload: {{requests: 1}}\nscenarios: [{{path: /}}]\n"
        );
        let ended = run(&["--plan", &dir.write("plan.yaml", plan)]);
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert!(expected.iter().all(|word| ended.stderr.contains(word)), "{tls}: {ended:#?}");
    }
}

#[test]
fn the_plan_is_checked_with_its_files_and_shown_without_what_is_in_them() {
    let ended = run_tls(
        "https://localhost:1",
        "{ca: ca.pem, cert: client.pem, key: client.key}",
        &["-n", "1", "--check"],
    );
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let row = |ended: &Ended| ended.stdout.lines().find(|line| line.contains("TLS 1.")).unwrap().to_owned();
    let careful = row(&ended);
    for word in ["TLS 1.3", "1.2", "ca.pem", "localhost", "client.pem"] {
        assert!(careful.contains(word), "no {word}: {careful}");
    }
    assert!(!careful.to_lowercase().contains("insecure"), "{careful}");
    let ended = run_tls(
        "https://localhost:1",
        "{insecure: true, resumption: false, max_version: 1.2}",
        &["-n", "1", "--check"],
    );
    let careless = row(&ended).to_lowercase();
    assert!(careless.contains("insecure") && !careless.contains("1.3"), "{careless}");
}
