//! haproxy, which counts by itself and reports through a socket.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::process::Command;

use crate::harness::{Skipped, program};
use crate::run::{RunDir, eventually};
use crate::service::{Service, free_address};

/// A running haproxy.
pub struct Haproxy {
    service: Service,
    pub address: SocketAddr,
}

impl Haproxy {
    /// Start one. It answers by itself, or asks the server at `behind`.
    pub fn start(behind: Option<SocketAddr>) -> Result<Self, Skipped> {
        let haproxy = program("haproxy", "haproxy")?;
        let (run_dir, address) = (RunDir::new(), free_address());
        let answers = match behind {
            None => "http-request return status 200 content-type text/plain string hello".to_owned(),
            Some(_) => "default_backend behind".to_owned(),
        };
        let backend =
            behind.map_or(String::new(), |address| format!("backend behind\n server one {address}\n"));
        let text = format!(
            "global\n stats socket {}\ndefaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n\
             frontend front\n bind {address}\n {answers}\n{backend}",
            run_dir.file("stats")
        );
        let mut command = Command::new(haproxy);
        command.args(["-db", "-f", &run_dir.write("haproxy.cfg", text)]);
        let haproxy = Self { service: Service::start(command, run_dir, address), address };
        // It listens on the frontend before its socket is there under its name.
        eventually("its socket", || UnixStream::connect(haproxy.service.path("stats")).ok());
        // The connection that found it listening counts as a request, when it has ended.
        eventually("haproxy counts", || (haproxy.requests() > 0).then_some(()));
        Ok(haproxy)
    }

    /// Requests it has received, by its own count.
    pub fn requests(&self) -> u64 {
        let mut socket = UnixStream::connect(self.service.path("stats")).expect("its socket");
        socket.write_all(b"show stat\n").expect("it listens");
        let mut table = String::new();
        socket.read_to_string(&mut table).expect("text");
        let mut rows = table.lines().map(|line| line.trim_start_matches("# ").split(',').collect::<Vec<_>>());
        let head = rows.next().expect("a head");
        let column = head.iter().position(|name| *name == "req_tot").expect("a count of requests");
        let row = rows.find(|row| row[0] == "front" && row[1] == "FRONTEND").expect("the frontend");
        row[column].parse().expect("a count")
    }
}
