//! Requests through an HTTP proxy, and to several targets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use rustls::version::{TLS12, TLS13};

use crate::run::{Ended, PROGRAM, RunDir, run, start_with};
use crate::script::{Script, Step, response, send};
use crate::secure_target::{Authority, SecureTarget, config};

/// A name that only the proxy knows: it stands for this machine.
const NAME: &str = "target.example";
/// `user:pa ss` in base64.
const BASIC: &str = "Basic dXNlcjpwYSBzcw==";

/// A proxy that forwards whatever it is asked to this machine, and keeps the heads it was sent.
struct Proxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// `answer` has a tunnel's number and says what is answered to CONNECT; 200 opens it.
    fn start(answer: fn(usize) -> &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let seen = seen.clone();
                std::thread::spawn(move || drop(serve(client, &seen, answer)));
            }
        });
        Self { port, heads }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no test panics in it").clone()
    }
}

fn head_of(client: &mut TcpStream) -> std::io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn serve(
    mut client: TcpStream,
    seen: &Mutex<Vec<String>>,
    answer: fn(usize) -> &'static str,
) -> std::io::Result<()> {
    loop {
        let head = head_of(&mut client)?;
        let number = {
            let mut seen = seen.lock().expect("no test panics in it");
            seen.push(head.clone());
            seen.len() - 1
        };
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if method != "CONNECT" {
            client.write_all(response("200 OK", "forwarded").as_bytes())?;
            continue;
        }
        let answer = answer(number);
        client.write_all(answer.as_bytes())?;
        if !answer.contains(" 200 ") {
            return Ok(());
        }
        let (_, port) = target.rsplit_once(':').expect("host and port");
        let mut target = TcpStream::connect(format!("127.0.0.1:{port}"))?;
        let (mut from, mut to) = (target.try_clone()?, client.try_clone()?);
        let back = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = std::io::copy(&mut client, &mut target);
        let _ = target.shutdown(Shutdown::Write);
        let _ = back.join();
        return Ok(());
    }
}

fn opens(_: usize) -> &'static str {
    "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::new("the test's CA"));
static OTHER: LazyLock<Authority> = LazyLock::new(|| Authority::new("another CA"));

/// An https target with a certificate for `name` by `authority`.
fn secure(authority: &Authority, name: &str, body: &str) -> SecureTarget {
    let pair = authority.sign(&[name]);
    SecureTarget::answer(config(&pair, &[&TLS13, &TLS12], None), usize::MAX, response("200 OK", body))
}

fn port_of(url: &str) -> &str {
    url.rsplit_once(':').expect("a port").1
}

/// Run `plan` beside the CAs' files.
fn run_beside_cas(plan: &str, args: &[&str]) -> Ended {
    let dir = RunDir::new();
    dir.write("ca.pem", AUTHORITY.pem());
    dir.write("other.pem", OTHER.pem());
    let path = dir.write("plan.yaml", plan);
    run(&[&["--plan", path.as_str()], args].concat())
}

#[test]
fn a_forwarding_proxy_gets_whole_urls_and_the_password() {
    let proxy = Proxy::start(opens);
    for path in ["/a?b=1", "/{{random.int(1, 9)}}?b=1"] {
        let plan = format!(
            "base_url: http://{NAME}:8080/base\nproxy: http://user:pa%20ss@127.0.0.1:{}\n\
             scenarios: [{{path: '{path}', headers: {{X-Own: kept}}}}]\n",
            proxy.port
        );
        let ended = run_beside_cas(&plan, &["-n", "20", "-c", "2"]).lawful();
        assert_eq!((ended.code, ended.outcomes()), (Some(0), vec![("ok".to_owned(), 20)]), "{ended:#?}");
        assert!(!format!("{ended:?}").contains("dXNlcjpwYSBzcw"), "no report shows the password: {ended:?}");
        assert_eq!(ended.report["targets"][0]["proxy"], proxy.url().as_str());
        assert!(ended.stdout.contains(&format!("through {}", proxy.url())), "{}", ended.stdout);
    }
    let heads = proxy.heads();
    assert_eq!(heads.len(), 40);
    for head in heads {
        let line = head.split("\r\n").next().unwrap();
        assert!(
            line.starts_with(&format!("GET http://{NAME}:8080/base/")) && line.ends_with("?b=1 HTTP/1.1"),
            "{head}"
        );
        for field in [&format!("Host: {NAME}:8080"), "X-Own: kept", &format!("Proxy-Authorization: {BASIC}")]
        {
            assert_eq!(head.matches(&format!("\r\n{field}\r\n")).count(), 1, "{field}: {head}");
        }
    }
}

#[test]
fn https_goes_through_a_tunnel_whose_time_is_told_apart() {
    let proxy = Proxy::start(opens);
    let target = secure(&AUTHORITY, NAME, "hello");
    let url = target.url();
    let plan = format!(
        "base_url: https://{NAME}:{}\ntls: {{ca: ca.pem}}\nproxy: http://user:pa%20ss@127.0.0.1:{}\n\
         scenarios: [{{path: /a, expect: {{body_contains: hello}}}}]\n",
        port_of(&url),
        proxy.port
    );
    let ended = run_beside_cas(&plan, &["-n", "200", "-c", "4"]).lawful();
    assert_eq!((ended.code, ended.outcomes()), (Some(0), vec![("ok".to_owned(), 200)]), "{ended:#?}");
    for time in ["connect_time", "tunnel_time", "tls_time"] {
        assert_eq!(ended.number(&format!("{time}.count")), 4, "{time}");
        assert!(ended.seconds(&format!("{time}.max")) > 0.0, "{time}");
    }
    assert!(ended.stdout.contains("4 tunnels opened"), "{}", ended.stdout);
    let heads = proxy.heads();
    let connect = format!(
        "CONNECT {NAME}:{port} HTTP/1.1\r\nHost: {NAME}:{port}\r\nProxy-Authorization: {BASIC}\r\n\r\n",
        port = port_of(&url)
    );
    assert_eq!(heads, vec![connect; 4], "the target's requests are not the proxy's to read");
    let ended = run_beside_cas(&plan.replace("user:pa%20ss@", ""), &["-r", "100/s", "-d", "1s"]).lawful();
    assert_eq!((ended.code, ended.outcomes()), (Some(0), vec![("ok".to_owned(), 100)]), "{ended:#?}");
}

#[test]
fn a_proxy_that_refuses_is_named_with_the_remedy() {
    let target = secure(&AUTHORITY, NAME, "hello");
    type Answer = fn(usize) -> &'static str;
    let answers: [(Answer, &str, &str); 4] = [
        (
            |_| "HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
            "status 407",
            "http://USER:PASSWORD@",
        ),
        (|_| "HTTP/1.1 403 Forbidden\r\n\r\n", "status 403", "--proxy none"),
        (|_| "220 mail.example ready\r\n\r\n", "did not open a tunnel", "--proxy none"),
        (|_| "", "did not open a tunnel", "--proxy none"),
    ];
    for (answer, why, remedy) in answers {
        let proxy = Proxy::start(answer);
        let (url, proxy) = (format!("https://{NAME}:{}", port_of(&target.url())), proxy.url());
        let ended = run(&[url.as_str(), "--proxy", &proxy, "-n", "5"]);
        assert_eq!(ended.code, Some(3), "{ended:#?}");
        assert!(
            ended.stderr.contains(why) && ended.stderr.contains(remedy),
            "{why} {remedy}: {}",
            ended.stderr
        );
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = run(&[&format!("http://{NAME}"), "--proxy", &nobody.to_string(), "-n", "5"]);
    assert!(
        ended.stderr.contains("through the proxy") && ended.stderr.contains("Is the proxy running?"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_tunnel_refused_in_mid_run_fails_the_request_that_needed_it() {
    // The first two are opened, later ones refused every other time.
    let proxy = Proxy::start(|number| match number {
        2.. if number % 2 == 0 => "HTTP/1.1 502 Bad Gateway\r\n\r\n",
        _ => opens(number),
    });
    let target = secure(&AUTHORITY, NAME, "hello");
    let plan = format!(
        "base_url: https://{NAME}:{}\ntls: {{ca: ca.pem}}\nproxy: {}\n\
         load: {{requests: 40, concurrency: 2, requests_per_connection: 2}}\nscenarios: [{{path: /}}]\n",
        port_of(&target.url()),
        proxy.url()
    );
    let ended = run_beside_cas(&plan, &[]).lawful();
    let failed = ended.number("outcomes.proxy_failed");
    assert!(failed > 0 && ended.number("outcomes.ok") == 40 - failed, "{ended:#?}");
    assert!(ended.stdout.contains("status 502"), "{}", ended.stdout);
}

#[test]
fn the_environment_names_proxies_as_for_curl() {
    let (proxy, unused) = (Proxy::start(opens), Proxy::start(opens));
    let (url, unused_url) = (proxy.url(), unused.url());
    let through = |target: &str, variables: &[(&str, &str)], args: &[&str]| {
        let before = proxy.heads().len();
        let args = [&[target, "-n", "1"], args].concat();
        let ended = start_with(&args, |command| {
            [
                "http_proxy",
                "HTTP_PROXY",
                "https_proxy",
                "HTTPS_PROXY",
                "all_proxy",
                "ALL_PROXY",
                "no_proxy",
                "NO_PROXY",
            ]
            .iter()
            .for_each(|name| {
                command.env_remove(name);
            });
            command.envs(variables.iter().copied());
        })
        .end();
        (ended.code, proxy.heads().len() - before)
    };
    let name = format!("http://{NAME}");
    let upper = [("HTTP_PROXY", url.as_str())];
    assert_eq!(through(&name, &upper, &[]), (Some(0), 1));
    assert_eq!(through(&name, &[("http_proxy", &url), ("HTTP_PROXY", &unused_url)], &[]), (Some(0), 1));
    assert_eq!(through(&name, &[("all_proxy", &url)], &[]), (Some(0), 1));
    // The name has no address here: without a proxy there is no connection.
    for (variables, args) in [
        (&[("http_proxy", url.as_str()), ("NO_PROXY", "example")][..], &[][..]),
        (&[("https_proxy", url.as_str())][..], &[][..]),
        (&upper[..], &["--proxy", "none"][..]),
    ] {
        assert_eq!(through(&name, variables, args), (Some(3), 0), "{variables:?} {args:?}");
    }
    let local = Script::play([Step::Read, send(response("200 OK", ""))]);
    assert_eq!(through(&local.url(), &upper, &["--proxy", &url]), (Some(0), 0), "a target on this machine");
    assert!(unused.heads().is_empty());
}

/// Two https targets with certificates of different CAs, and a plain one.
#[test]
fn each_scenario_goes_to_its_own_target_with_its_own_settings() {
    let (main, login) = (secure(&AUTHORITY, "localhost", "main"), secure(&OTHER, "login.example", "login"));
    let plain = Script::play([Step::Read, send(response("200 OK", "plain"))]);
    let plan = format!(
        "base_url: {}/v1\ntls: {{ca: ca.pem}}\ndefaults: {{headers: {{Authorization: Bearer t0ken}}}}\n\
         targets:\n  \
         auth: {{url: '{}', tls: {{ca: other.pem, server_name: login.example}}, headers: {{X-For: auth}}}}\n  \
         search: {{url: '{}/s'}}\n\
         scenarios:\n\
         - {{name: A, path: /a, weight: 2, expect: {{body_contains: main}}}}\n\
         - {{name: B, path: /b, target: auth, expect: {{body_contains: login}}}}\n\
         - {{name: C, path: /c, target: search, expect: {{body_contains: plain}}}}\n",
        main.url(),
        login.url(),
        plain.url()
    );
    for load in [&["-n", "400", "-c", "3"][..], &["-r", "400/s", "-d", "1s", "--threads", "2"]] {
        let before = plain.requests();
        let ended = run_beside_cas(&plan, load).lawful();
        assert_eq!((ended.code, ended.outcomes()), (Some(0), vec![("ok".to_owned(), 400)]), "{ended:#?}");
        let targets = ended.report["targets"].as_array().expect("a list").clone();
        let shown: Vec<_> =
            targets.iter().map(|t| (t["name"].as_str(), t["totals"]["ok"].as_u64())).collect();
        assert_eq!(shown, [(None, Some(200)), (Some("auth"), Some(100)), (Some("search"), Some(100))]);
        assert_eq!(plain.requests() - before, 100);
        assert_eq!(targets[2]["url"], format!("{}/s", plain.url()));
        assert_eq!(targets[1]["response_time"]["count"], 100);
        assert_eq!(ended.report["scenarios"][1]["target"], "auth");
        assert!(ended.report["scenarios"][0].get("target").is_none());
        assert!(ended.stdout.contains("search: http://"), "{}", ended.stdout);
    }
}

#[test]
fn headers_of_defaults_go_to_the_main_target_alone() {
    let target = Script::play([Step::Read, send(response("200 OK", ""))]);
    let plan = format!(
        "base_url: {url}/main\nload: {{requests: 1}}\n\
         defaults: {{headers: {{Authorization: Bearer t0ken, X-A: of defaults}}}}\n\
         targets: {{other: {{url: '{url}/other', headers: {{X-A: of other}}}}}}\n\
         scenarios: [{{name: m, path: /}}, {{name: o, path: /, target: other}}]\n",
        url = target.url()
    );
    let dir = RunDir::new();
    let path = dir.write("plan.yaml", plan);
    let output = Command::new(PROGRAM).args([&path, "--once"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (of_main, of_other) = text.split_once("\no\n").expect(&text);
    assert!(of_main.contains("> Authorization: ") && of_main.contains("> X-A: of defaults"), "{of_main}");
    assert!(of_other.contains("> GET /other/ ") && of_other.contains("> X-A: of other"), "{of_other}");
    assert!(!of_other.contains("Authorization"), "{of_other}");
}

#[test]
fn a_target_out_of_reach_is_named_before_anything_is_sent() {
    let target = Script::play([Step::Read, send(response("200 OK", ""))]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plan = format!(
        "base_url: {}\ntargets: {{down: {{url: 'http://{nobody}'}}}}\nload: {{requests: 10}}\n\
         scenarios: [{{name: a, path: /}}, {{name: b, path: /, target: down}}]\n",
        target.url()
    );
    for rate in [&[][..], &["-r", "10/s"]] {
        let ended = run_beside_cas(&plan, rate);
        assert_eq!(ended.code, Some(3), "{ended:#?}");
        assert!(ended.stderr.contains(&nobody.to_string()), "{}", ended.stderr);
        assert_eq!(target.requests(), 0);
    }
}

/// The one that stops answering holds back nobody but its own requests.
#[test]
fn a_target_that_hangs_does_not_hold_back_the_other() {
    let good = Script::play([Step::Read, send(response("200 OK", ""))]);
    let hangs = Script::play([Step::Freeze]);
    let plan = format!(
        "base_url: {}\ntargets: {{slow: {{url: '{}'}}}}\n\
         load: {{rate: 100/s, duration: 1s, concurrency: 2, drain: 0s}}\n\
         scenarios: [{{name: a, path: /}}, {{name: b, path: /, target: slow}}]\n",
        good.url(),
        hangs.url()
    );
    let ended = run_beside_cas(&plan, &[]).lawful();
    let of = |i: usize, key: &str| ended.report["targets"][i]["totals"][key].as_u64();
    assert_eq!((of(0, "due"), of(0, "ok")), (Some(50), Some(50)), "{ended:#?}");
    assert_eq!((of(1, "due"), of(1, "ok")), (Some(50), Some(0)));
}

/// While the other answers, one that has stopped answering is not overlooked.
#[test]
fn time_without_an_answer_is_judged_target_by_target() {
    let good = Script::play([Step::Read, send(response("200 OK", ""))]);
    // Each connection answers ten times, and then no more.
    let tired: Vec<Step> =
        (0..10).flat_map(|_| [Step::Read, send(response("200 OK", ""))]).chain([Step::Freeze]).collect();
    let tired = Script::play(tired);
    let plan = format!(
        "base_url: {}\ntargets: {{tired: {{url: '{}'}}}}\n\
         load: {{rate: 100/s, duration: 4s, concurrency: 2, drain: 0s}}\nthresholds: ['count > 0']\n\
         scenarios: [{{name: a, path: /}}, {{name: b, path: /, target: tired}}]\n",
        good.url(),
        tired.url()
    );
    let ended = run_beside_cas(&plan, &[]).lawful();
    let share = |value: &serde_json::Value| value["availability"]["answered_share"].as_f64().unwrap();
    let targets = &ended.report["targets"];
    assert!(share(&targets[0]) > 0.95 && share(&targets[1]) < 0.5, "{targets:#}");
    assert_eq!(share(&ended.report), share(&targets[1]), "that of the one that is worst off");
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.stdout.contains("no answer from tired for"), "{}", ended.stdout);
}

#[test]
fn a_target_that_nobody_sends_to_may_be_down() {
    let target = Script::play([Step::Read, send(response("200 OK", ""))]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plan = format!(
        "base_url: http://{nobody}\ntargets: {{up: {{url: '{}'}}}}\nscenarios: [{{path: /, target: up}}]\n",
        target.url()
    );
    let ended = run_beside_cas(&plan, &["-n", "10"]).lawful();
    assert_eq!((ended.code, ended.outcomes()), (Some(0), vec![("ok".to_owned(), 10)]), "{ended:#?}");
}

#[test]
fn once_goes_on_with_the_other_targets() {
    let target = Script::play([Step::Read, send(response("200 OK", "here"))]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dir = RunDir::new();
    let plan = format!(
        "base_url: http://{nobody}\ntargets: {{up: {{url: '{}'}}}}\nload: {{requests: 1}}\n\
         scenarios: [{{name: first, path: /}}, {{name: second, path: /, target: up}}]\n",
        target.url()
    );
    let path = dir.write("plan.yaml", plan);
    let output = Command::new(PROGRAM).args([&path, "--once"]).output().unwrap();
    let [page, errors] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert_eq!(output.status.code(), Some(3), "{page}{errors}");
    assert!(page.contains("< here") && errors.contains("`first`: no connection to"), "{page}{errors}");
}
