//! nginx: one process, its access log written line by line.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;

use crate::harness::{Skipped, program};
use crate::run::RunDir;
use crate::service::{Service, free_address};

/// What nginx ends a connection after, unless `keepalive_requests` says otherwise.
pub const REQUESTS_PER_CONNECTION: u64 = 100;
/// How long the text at `/text` is.
pub const TEXT_BYTES: usize = 20_000;

/// A running nginx.
pub struct Nginx {
    pub service: Service,
    pub address: SocketAddr,
    config: Config,
}

/// What is particular about one.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Behind `listen ADDRESS`, as ` ssl`.
    pub listen: &'static str,
    /// More directives of the server.
    pub server: String,
    /// A master process that keeps workers, so that it can be reloaded.
    pub master: bool,
}

/// A line of the access log.
pub struct Line {
    pub status: u16,
    pub bytes: u64,
    pub connection: u64,
    /// How TLS was spoken, `-` without.
    pub protocol: String,
    /// Whether its TLS session was taken up: `r`.
    pub resumed: bool,
}

impl Nginx {
    /// Start one. `/` is a short answer, `/text` a file of [`TEXT_BYTES`].
    pub fn start(config: Config) -> Result<Self, Skipped> {
        Self::start_in(RunDir::new(), free_address(), config)
    }

    fn start_in(run_dir: RunDir, address: SocketAddr, config: Config) -> Result<Self, Skipped> {
        let nginx = program("nginx", "nginx")?;
        let dir = run_dir.file("");
        run_dir.write("text", "All work and no play makes a dull text. ".repeat(TEXT_BYTES / 40));
        run_dir.write("hello", "hello");
        let (listen, server) = (config.listen, &config.server);
        let master = if config.master { "on; worker_processes 2" } else { "off; worker_processes 1" };
        // Workers of root's would not read what lies in root's folders.
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let text = format!(
            "daemon off; master_process {master}; {user} pid {dir}/nginx.pid; error_log {dir}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n\
             log_format one '$status $bytes_sent $connection $ssl_protocol $ssl_session_reused';\n\
             access_log {dir}/access.log one;\n\
             keepalive_requests {REQUESTS_PER_CONNECTION}; default_type text/plain; tcp_nodelay on; sendfile on; if_modified_since before;\n\
             gzip on; gzip_types text/plain; gzip_min_length 100;\n\
             client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;\n\
             uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;\n\
             server {{ listen {address}{listen} backlog=1024; root {dir}; index hello;\n{server}\n}} }}\n"
        );
        let file = run_dir.write("nginx.conf", text);
        let mut command = Command::new(nginx);
        command.args(["-p", &dir, "-c", &file, "-e", &run_dir.file("error.log")]);
        Ok(Self { service: Service::start(command, run_dir, address), address, config })
    }

    /// Have it reload its configuration: new workers take over, old ones finish what they have.
    pub fn reload(&self) {
        let nginx = program("nginx", "nginx").unwrap_or_else(|Skipped(why)| panic!("{why}"));
        let (dir, file) = (self.service.path(""), self.service.path("nginx.conf"));
        let log = self.service.path("error.log");
        let args = ["-p", &dir, "-c", &file, "-e", &log, "-s", "reload"];
        assert!(Command::new(nginx).args(args).status().expect("nginx is there").success());
    }

    /// Kill it; what comes next starts it again at the same place, with the same log.
    pub fn kill(self) -> impl FnOnce() -> Self {
        let (address, config) = (self.address, self.config);
        let run_dir = self.service.kill();
        move || Self::start_in(run_dir, address, config).unwrap_or_else(|Skipped(why)| panic!("{why}"))
    }

    /// The access log so far.
    pub fn log(&self) -> Vec<Line> {
        let log = self.service.read("access.log");
        // A line that is being written is not one yet.
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        whole.lines().map(line).collect()
    }

    /// Requests logged so far.
    pub fn requests(&self) -> u64 {
        self.service.read("access.log").matches('\n').count() as u64
    }

    /// Connections that carried a logged request.
    pub fn connections(&self) -> u64 {
        self.log().iter().map(|line| line.connection).collect::<BTreeSet<_>>().len() as u64
    }
}

fn line(text: &str) -> Line {
    let words: Vec<&str> = text.split(' ').collect();
    let [status, bytes, connection, protocol, resumed] = words[..] else {
        panic!("no line of the log: {text}")
    };
    Line {
        status: status.parse().expect("a status"),
        bytes: bytes.parse().expect("a size"),
        connection: connection.parse().expect("a number"),
        protocol: protocol.to_owned(),
        resumed: resumed == "r",
    }
}
