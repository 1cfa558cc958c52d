//! Through tinyproxy and squid to nginx, with and without TLS.
//!
//! A target on this machine has no proxy, so the target is this machine's own name: the proxy resolves it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::certificates::Certificates;
use crate::harness::{CaseResult, Skipped, program};
use crate::nginx::{Config, Nginx};
use crate::run::{RunDir, run_plan};
use crate::service::{Service, all_ok, catches_up, free_address};

const REQUESTS: u64 = 400;

/// This machine's name, if a proxy can resolve it.
fn own_name() -> Result<String, Skipped> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let resolves = std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), 1)).is_ok();
    if resolves && !name.is_empty() {
        Ok(name)
    } else {
        Err(Skipped(format!("the name {name} has no address")))
    }
}

/// tinyproxy that asks for `user` and `pa:ss`, with its address.
fn tinyproxy() -> Result<(Service, SocketAddr), Skipped> {
    let tinyproxy = program("tinyproxy", "tinyproxy")?;
    let (run_dir, address) = (RunDir::new(), free_address());
    let text = format!(
        "Port {}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nBasicAuth user pa_ss\nLogFile \"{}\"\n",
        address.port(),
        run_dir.file("log")
    );
    let file = run_dir.write("tinyproxy.conf", text);
    let mut command = Command::new(tinyproxy);
    command.args(["-d", "-c", &file]);
    Ok((Service::start(command, run_dir, address), address))
}

/// squid, and the shared memory that it leaves behind.
struct Squid {
    service: Option<Service>,
    address: SocketAddr,
    name: String,
}

impl Squid {
    fn start() -> Result<Self, Skipped> {
        let squid = program("squid", "squid")?;
        let (run_dir, address) = (RunDir::new(), free_address());
        // As root it changes its user, who may not write into the folder.
        let text = format!(
            "http_port {address}\nhttp_access allow all\ncache deny all\npid_filename none\ncache_log /dev/null\n\
             access_log none\ncache_store_log none\nshutdown_lifetime 0 seconds\nnetdb_filename none\npinger_enable off\n\
             memory_cache_shared off\n"
        );
        let file = run_dir.write("squid.conf", text);
        let name = format!("loadtester{}", std::process::id());
        let mut command = Command::new(squid);
        command.args(["-N", "-n", &name, "-f", &file]);
        Ok(Self { service: Some(Service::start(command, run_dir, address)), address, name })
    }
}

impl Drop for Squid {
    fn drop(&mut self) {
        drop(self.service.take());
        for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&format!("{}-", self.name)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// nginx that this machine's name leads to, in the clear and over TLS: with both ports.
fn nginx(certificates: &Certificates) -> Result<(Nginx, u16, u16), Skipped> {
    let (plain, secure) = (free_address().port(), free_address().port());
    let (certificate, key) = &certificates.server;
    let server = format!(
        "listen 0.0.0.0:{plain}; listen 0.0.0.0:{secure} ssl;\nssl_certificate {certificate}; ssl_certificate_key {key};"
    );
    Ok((Nginx::start(Config { server, ..Config::default() })?, plain, secure))
}

/// [`REQUESTS`] requests to nginx, half of them over TLS, through the proxy at this URL.
fn through(proxy: &str) -> CaseResult {
    let run_dir = RunDir::new();
    let certificates = Certificates::make(Path::new(&run_dir.file("")));
    let (name, (nginx, plain, secure)) = (own_name()?, nginx(&certificates)?);
    let plan = format!(
        "base_url: http://{name}:{plain}\nproxy: {proxy}\n\
         targets: {{secure: {{url: 'https://{name}:{secure}', tls: {{ca: '{}', server_name: 127.0.0.1}}}}}}\n\
         load: {{requests: {REQUESTS}, concurrency: 4}}\n\
         scenarios: [{{name: a, path: /, expect: {{body_contains: hello}}}}, {{name: b, target: secure, path: /}}]\n",
        certificates.ca
    );
    let ended = all_ok(run_plan(&plan, &[]), REQUESTS);
    catches_up(REQUESTS, || nginx.requests());
    let log = nginx.log();
    assert_eq!(log.iter().filter(|line| line.protocol != "-").count() as u64, REQUESTS / 2);
    let tunnels = ended.number("tunnel_time.count");
    assert!(tunnels >= 1 && tunnels == ended.number("tls_time.count"), "{ended:?}");
    Ok(())
}

pub fn tinyproxy_forwards_and_tunnels() -> CaseResult {
    let (proxy, address) = tinyproxy()?;
    through(&format!("http://user:pa%5Fss@{address}"))?;
    let name = own_name()?;
    let refused = run_plan(
        &format!(
            "base_url: https://{name}\nproxy: http://{address}\nload: {{requests: 1}}\nscenarios: [{{path: /}}]\n"
        ),
        &[],
    );
    assert!(refused.code == Some(3) && refused.stderr.contains("status 407"), "{refused:?}");
    drop(proxy);
    Ok(())
}

pub fn squid_forwards_and_tunnels() -> CaseResult {
    let squid = Squid::start()?;
    through(&format!("http://{}", squid.address))
}
