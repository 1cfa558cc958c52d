//! HTTPS to nginx, which speaks OpenSSL: every version, certificates on both sides, sessions taken up.

use std::path::Path;

use crate::certificates::Certificates;
use crate::harness::CaseResult;
use crate::nginx::{Config, Nginx, REQUESTS_PER_CONNECTION};
use crate::run::{Ended, RunDir, run_plan};
use crate::service::{all_ok, catches_up};

const REQUESTS: u64 = 5_000;
const CONNECTIONS: u64 = 4;

/// nginx with these certificates and more directives.
fn nginx(certificates: &Certificates, more: &str) -> Result<Nginx, crate::harness::Skipped> {
    let (certificate, key) = &certificates.server;
    let server = format!(
        "ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_session_cache shared:s:1m; {more}"
    );
    Nginx::start(Config { listen: " ssl", server, ..Config::default() })
}

/// [`REQUESTS`] requests with more lines of the plan's `tls`.
fn load(nginx: &Nginx, certificates: &Certificates, path: &str, more: &str) -> Ended {
    run_plan(
        &format!(
            "base_url: https://{}\ntls: {{ ca: '{}'{more} }}\nload: {{ requests: {REQUESTS}, concurrency: {CONNECTIONS} }}\n\
             scenarios: [{{ name: a, path: {path}, headers: {{ Accept-Encoding: gzip }} }}]\n",
            nginx.address, certificates.ca
        ),
        &["--threads", "1"],
    )
}

/// All is well, in that version of TLS; what the report says of handshakes is what nginx has logged.
fn check(nginx: &Nginx, ended: Ended, protocol: &str) -> Ended {
    let ended = all_ok(ended, REQUESTS);
    catches_up(REQUESTS, || nginx.requests());
    let log = nginx.log();
    assert!(log.iter().all(|line| line.status == 200 && line.protocol == protocol), "{protocol}: {ended:?}");
    assert_eq!(ended.number("totals.bytes_received"), log.iter().map(|line| line.bytes).sum::<u64>());
    let opened = ended.number("totals.connections_opened");
    let fewest = REQUESTS / REQUESTS_PER_CONNECTION;
    assert!((fewest..=fewest + 2 * CONNECTIONS).contains(&opened), "{opened} opened");
    assert_eq!(ended.number("tls_time.count"), opened);
    let resumed = log.iter().filter(|line| line.resumed).count() as u64;
    assert!(resumed > REQUESTS / 2, "{resumed} requests over connections that took up a session");
    ended
}

pub fn nginx_speaks_tls_1_3() -> CaseResult {
    let run_dir = RunDir::new();
    let certificates = Certificates::make(Path::new(&run_dir.file("")));
    let nginx = nginx(&certificates, "ssl_protocols TLSv1.3;")?;
    check(&nginx, load(&nginx, &certificates, "/", ""), "TLSv1.3");
    Ok(())
}

pub fn nginx_speaks_tls_1_2() -> CaseResult {
    let run_dir = RunDir::new();
    let certificates = Certificates::make(Path::new(&run_dir.file("")));
    let nginx = nginx(&certificates, "ssl_protocols TLSv1.2;")?;
    check(&nginx, load(&nginx, &certificates, "/", ""), "TLSv1.2");
    Ok(())
}

pub fn nginx_compresses_under_tls() -> CaseResult {
    let run_dir = RunDir::new();
    let certificates = Certificates::make(Path::new(&run_dir.file("")));
    let nginx = nginx(&certificates, "ssl_protocols TLSv1.2 TLSv1.3;")?;
    check(&nginx, load(&nginx, &certificates, "/text", ""), "TLSv1.3");
    Ok(())
}

pub fn nginx_demands_a_certificate_of_the_client() -> CaseResult {
    let run_dir = RunDir::new();
    let certificates = Certificates::make(Path::new(&run_dir.file("")));
    let more =
        format!("ssl_protocols TLSv1.3; ssl_client_certificate {}; ssl_verify_client on;", certificates.ca);
    let nginx = nginx(&certificates, &more)?;
    let (certificate, key) = &certificates.client;
    let own = format!(", cert: '{certificate}', key: '{key}'");
    check(&nginx, load(&nginx, &certificates, "/", &own), "TLSv1.3");
    // Without one nginx answers 400: a complete response, and not an error of TLS.
    let ended = load(&nginx, &certificates, "/", "").lawful();
    assert_eq!(ended.outcomes(), [("unexpected_status".to_owned(), REQUESTS)], "{ended:?}");
    Ok(())
}

pub fn a_certificate_of_nobody_known_is_refused() -> CaseResult {
    let run_dir = RunDir::new();
    let certificates = Certificates::make(Path::new(&run_dir.file("")));
    let nginx = nginx(&certificates, "")?;
    let elsewhere = RunDir::new();
    let others = Certificates::make(Path::new(&elsewhere.file("")));
    let ended = load(&nginx, &others, "/", "");
    assert!(ended.code == Some(3) && ended.stderr.contains("certificate"), "{ended:?}");
    assert_eq!(nginx.requests(), 0);
    Ok(())
}
