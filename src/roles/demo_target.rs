//! The target of a demo: this program as a child process that never outlives its parent.

use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::target::{ANNOUNCEMENT, PARENT_GUARD};
use super::tokens;

/// The plan a demo runs; its `base_url` is the variable [`PLAN_VARIABLE`].
pub const PLAN: &str = include_str!("demo_plan.yaml");
/// The variable in [`PLAN`] that stands for the target's URL.
pub const PLAN_VARIABLE: &str = "DEMO_TARGET";

/// How long the target may take to print its address: milliseconds on an idle machine.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// How long the target may take to end after SIGTERM before it is killed.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// Interval between checks for its end.
const STOP_CHECK: Duration = Duration::from_millis(2);

/// A running demo target. Dropping it ends the process.
#[derive(Debug)]
pub struct DemoTarget {
    child: Child,
    address: SocketAddr,
}

impl DemoTarget {
    /// Start the target and wait until it accepts connections. It runs on the cores allowed to us
    /// other than `load_cores`, if that leaves any. The calling thread must live as long as the
    /// target: the kernel ends the target with it.
    ///
    /// # Errors
    /// When the process cannot be started or does not announce its address within 10 s.
    pub(crate) fn start(load_cores: Option<&[usize]>) -> io::Result<Self> {
        Self::start_program(&std::env::current_exe()?, load_cores)
    }

    /// `start` with the program's path given.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_program(program: &Path, load_cores: Option<&[usize]>) -> io::Result<Self> {
        let mut command = without_tokens(program);
        command
            .args(["--role", "target", "--listen", "127.0.0.1:0"])
            .env(PARENT_GUARD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Out of the terminal's group: at Ctrl-C the run still drains, and needs its target.
            .process_group(0);
        let mut child = on_other_cores(load_cores.unwrap_or_default(), || command.spawn())?;
        let stdout = child.stdout.take().expect("stdout was asked to be a pipe");
        match announced(stdout) {
            Ok(address) => Ok(Self { child, address }),
            Err(error) => {
                stop(&mut child);
                Err(io::Error::new(error.kind(), format!("the demo target did not start: {error}")))
            }
        }
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The child's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for DemoTarget {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

/// Call `spawn` while this thread is restricted to its other cores, which the child inherits.
fn on_other_cores(taken: &[usize], spawn: impl FnOnce() -> io::Result<Child>) -> io::Result<Child> {
    let allowed = sched_getaffinity(None)?;
    let mut others = allowed;
    for core in taken.iter().filter(|core| **core < CpuSet::MAX_CPU) {
        others.unset(*core);
    }
    if others.count() == 0 || others == allowed {
        return spawn();
    }
    sched_setaffinity(None, &others)?;
    let child = spawn();
    sched_setaffinity(None, &allowed)?;
    child
}

/// The address in the first line of `stdout`. Reads it on a separate thread, since a read from a pipe has no
/// deadline. The thread ends with the child.
fn announced(stdout: ChildStdout) -> io::Result<SocketAddr> {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        // The receiver may be gone: the deadline has passed.
        let _ = sender.send(read.map(|_| line));
    });
    let line = receiver.recv_timeout(START_DEADLINE).map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, format!("no word from it within {START_DEADLINE:?}"))
    })??;
    let address = line.trim_end().strip_prefix(ANNOUNCEMENT).and_then(|a| a.parse().ok());
    address.ok_or_else(|| match line.as_str() {
        "" => io::Error::other("it ended before it printed its address"),
        line => io::Error::other(format!("it printed {line:?} instead of its address")),
    })
}

/// Close the child's input and send SIGTERM, kill it after a deadline, and reap it.
fn stop(child: &mut Child) {
    drop(child.stdin.take());
    // Not yet waited for, so the id is still the child's. A failing signal means it has ended.
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
    let asked = Instant::now();
    while asked.elapsed() < STOP_DEADLINE {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(STOP_CHECK);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// `program` without our tokens, which it does not need.
fn without_tokens(program: &Path) -> Command {
    let mut command = Command::new(program);
    tokens::VARIABLES.iter().for_each(|name| {
        command.env_remove(name);
    });
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_of_a_demo_inherits_no_token() {
        let command = without_tokens(Path::new("program"));
        for name in tokens::VARIABLES {
            assert!(command.get_envs().any(|(n, value)| n == name && value.is_none()), "{name}");
        }
    }
}
