//! A server's process, and a directory for what it reads and writes.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::run::{Ended, RunDir, eventually};

/// A port of loopback that was free a moment ago.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port of loopback");
    listener.local_addr().expect("it is bound")
}

/// A running server and its children, ended when dropped.
pub struct Service {
    child: Child,
    run_dir: RunDir,
}

impl Service {
    /// Start `command` and wait until it listens on `address`. Its output goes to the file `output`.
    pub fn start(mut command: Command, run_dir: RunDir, address: SocketAddr) -> Self {
        let output = std::fs::File::create(run_dir.file("output")).expect("disk space");
        let also = output.try_clone().expect("a descriptor");
        command.stdin(Stdio::null()).stdout(output).stderr(also);
        // A group of its own, so that its children can be ended with it.
        command.process_group(0);
        let child = command.spawn().expect("a program that is there");
        let mut service = Self { child, run_dir };
        eventually("the server listens", || {
            let ended = service.child.try_wait().expect("our child");
            assert!(ended.is_none(), "it ended: {}", service.read("output"));
            TcpStream::connect(address).ok()
        });
        service
    }

    pub fn path(&self, name: &str) -> String {
        self.run_dir.file(name)
    }

    /// The content of one of its files; nothing where it is not there yet.
    pub fn read(&self, name: &str) -> String {
        let bytes = std::fs::read(Path::new(&self.run_dir.file(name))).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// End it without a word, and give its directory back.
    pub fn kill(mut self) -> RunDir {
        self.end();
        std::mem::replace(&mut self.run_dir, RunDir::new())
    }

    fn end(&mut self) {
        let group = Pid::from_child(&self.child);
        // Already gone, or to go now: either way it is waited for.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end();
    }
}

/// A server's own count, once it has caught up with what was reported: it counts after it has answered.
pub fn catches_up(expected: u64, count: impl Fn() -> u64) {
    eventually("the server's count is the report's", || (count() >= expected).then_some(()));
    // Nor is there one too many, late.
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(count(), expected, "the server's count and the report's");
}

/// Every request was answered well.
pub fn all_ok(ended: Ended, requests: u64) -> Ended {
    let ended = ended.lawful();
    assert_eq!(ended.outcomes(), [("ok".to_owned(), requests)], "{ended:?}");
    assert_eq!((ended.number("totals.sent"), ended.code), (requests, Some(0)), "{ended:?}");
    ended
}

/// `"200": n`, and so on: what the report says of status codes.
pub fn statuses(ended: &Ended) -> Vec<(String, u64)> {
    let codes = ended.report["status_codes"].as_object().expect("status codes");
    codes.iter().map(|(code, n)| (code.clone(), n.as_u64().expect("a count"))).collect()
}
