//! Programs run beside each other: on a core of their own, with their CPU time and memory accounted.
//!
//! Two ways: [`Job::run`] for a generator that ends by itself, [`Service`] for a target that runs
//! until its standard input closes.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{os, target};

/// How often a job's memory is looked at.
const MEMORY_LOOK: Duration = Duration::from_millis(200);
/// How long a service may take until it accepts connections.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// A program to run to its end.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to start.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Added to the environment.
    pub env: Vec<(String, String)>,
    /// The only core it may use; `None`: all of them.
    pub core: Option<usize>,
    /// It is killed when it takes longer.
    pub timeout: Duration,
}

/// How a job went.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    /// Exit code or signal.
    pub status: ExitStatus,
    /// CLOCK_MONOTONIC just before it was started.
    pub started_ns: u64,
    /// From then to its end.
    pub wall_s: f64,
    /// User and system time, its own children included.
    pub cpu_s: f64,
    /// The largest resident set seen; `None` when it ended before the first look.
    pub peak_rss_bytes: Option<u64>,
}

impl Job {
    /// A program on a core.
    pub fn new(program: impl Into<PathBuf>, core: Option<usize>, timeout: Duration) -> Self {
        Self { program: program.into(), args: Vec::new(), env: Vec::new(), core, timeout }
    }

    /// More arguments, split at spaces.
    pub fn args(mut self, words: &str) -> Self {
        self.args.extend(words.split_whitespace().map(str::to_owned));
        self
    }

    /// One more argument as it is.
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        self.args.push(word.into());
        self
    }

    /// One more environment variable.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Run it; its output goes through files in `scratch`, so that nobody waits for a full pipe.
    pub fn run(&self, scratch: &Path) -> io::Result<Ended> {
        let (out, err) = (scratch.join("stdout"), scratch.join("stderr"));
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.env.iter().map(|(k, v)| (k, v)));
        command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?);
        on_core(&mut command, self.core);
        let started_ns = os::monotonic_ns();
        let child = command.spawn()?;
        let peak_rss_bytes = self.watch(&child)?;
        let wall_s = (os::monotonic_ns() - started_ns) as f64 / 1e9;
        let (status, cpu_s) = reap(&child)?;
        let read = |path| std::fs::read(path).map(|b| String::from_utf8_lossy(&b).into_owned());
        Ok(Ended {
            stdout: read(out)?,
            stderr: read(err)?,
            status,
            started_ns,
            wall_s,
            cpu_s,
            peak_rss_bytes,
        })
    }

    /// Wait for the end, or bring it about; the largest resident set on the way.
    fn watch(&self, child: &Child) -> io::Result<Option<u64>> {
        let pid = Pid::from_child(child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let deadline = os::monotonic_ns() + self.timeout.as_nanos() as u64;
        let look = os::timespec(MEMORY_LOOK.as_nanos() as u64);
        let mut peak = None;
        while poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&look)).unwrap_or(0) == 0 {
            peak = peak_rss_bytes(child.id()).or(peak);
            if os::monotonic_ns() > deadline {
                rustix::process::pidfd_send_signal(&pidfd, rustix::process::Signal::KILL)?;
            }
        }
        Ok(peak)
    }
}

impl Ended {
    /// What to say of a job that did not deliver.
    pub fn complaint(&self) -> String {
        let last = |text: &str| text.lines().rev().find(|l| !l.trim().is_empty()).map(str::to_owned);
        let words = last(&self.stderr).or_else(|| last(&self.stdout)).unwrap_or_default();
        format!("{}: {words}", self.status)
    }
}

/// The kernel's own high-water mark. `ru_maxrss` would do, were it not inherited from the parent.
fn peak_rss_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Wait for an ended child; its status and CPU seconds.
fn reap(child: &Child) -> io::Result<(ExitStatus, f64)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to live memory of the right type; the child is ours and not yet waited for.
    let pid = unsafe { libc::wait4(child.id() as i32, &raw mut status, 0, usage.as_mut_ptr()) };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed is a valid rusage, and wait4 has filled it.
    let usage = unsafe { usage.assume_init() };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    Ok((ExitStatus::from_raw(status), seconds(usage.ru_utime) + seconds(usage.ru_stime)))
}

fn on_core(command: &mut Command, core: Option<usize>) {
    let Some(core) = core else { return };
    // SAFETY: between fork and exec only a system call is made; `pin_to` allocates for a core out of
    // range alone, which the callers' constants are not.
    unsafe { command.pre_exec(move || os::pin_to(core)) };
}

/// A target that runs until it is dropped or [`Service::stop`]ped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Service {
    /// Start our measuring target on `core` from this very executable, with more arguments for it.
    pub fn target(core: usize, args: &[String]) -> Result<Self, String> {
        let mut command = Command::new(std::env::current_exe().map_err(|e| e.to_string())?);
        command.args(["target", "--listen", "127.0.0.1:0", "--core", &core.to_string()]).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("cannot start the target: {e}"))?;
        let mut stdout = BufReader::new(child.stdout.take().expect("it was asked for as a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).map_err(|e| e.to_string())?;
        let address = line.trim().strip_prefix("listening on ").and_then(|a| a.parse().ok());
        match address {
            Some(address) => Ok(Self { child, stdout: Some(stdout), address }),
            None => Err(format!("the target did not say where it listens: {line:?}")),
        }
    }

    /// Start nginx on `core` with a file of so many bytes at `/body`. One process, no log. `listen` is
    /// what follows its address there, `server` are more directives.
    pub fn nginx(
        program: &Path,
        core: usize,
        scratch: &Path,
        body_bytes: usize,
        (listen, server): (&str, &str),
    ) -> Result<Self, String> {
        let failed = |e: io::Error| format!("cannot set nginx up: {e}");
        let address = free_address().map_err(failed)?;
        std::fs::write(scratch.join("body"), vec![b'x'; body_bytes]).map_err(failed)?;
        let dir = scratch.display();
        let config = format!(
            "daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log;\n\
             events {{ worker_connections 16384; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; sendfile on; tcp_nodelay on;\n\
             open_file_cache max=16; client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2;\n\
             fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;\n\
             server {{ listen {address}{listen} backlog=16384; root {dir}; {server} }} }}\n"
        );
        let file = scratch.join("nginx.conf");
        std::fs::write(&file, config).map_err(failed)?;
        let mut command = Command::new(program);
        command.arg("-p").arg(scratch).arg("-c").arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        on_core(&mut command, Some(core));
        let child = command.spawn().map_err(failed)?;
        let mut service = Self { child, stdout: None, address };
        let deadline = os::monotonic_ns() + START_PATIENCE.as_nanos() as u64;
        while std::net::TcpStream::connect(address).is_err() {
            let ended = service.child.try_wait().map_err(failed)?;
            if ended.is_some() || os::monotonic_ns() > deadline {
                let log = std::fs::read_to_string(scratch.join("error.log")).unwrap_or_default();
                return Err(format!("nginx did not start: {}", log.trim()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(service)
    }

    /// Close the target's standard input and take its report.
    pub fn stop(mut self) -> Result<target::Report, String> {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        if let Some(stdout) = &mut self.stdout {
            stdout.read_to_string(&mut rest).map_err(|e| e.to_string())?;
        }
        serde_json::from_str(rest.trim()).map_err(|e| format!("the target left no report: {e}"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Already gone, or to go now: either way it is waited for, so that no zombie stays.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> io::Result<SocketAddr> {
    std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// A directory that is gone when this is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new directory in the system's place for temporary files.
    pub fn new() -> Result<Self, String> {
        let name = format!("loadtester-bench-{}-{}", std::process::id(), os::monotonic_ns());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).map_err(|e| format!("cannot create {}: {e}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind at worst: a temporary directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration) -> Ended {
        let scratch = Scratch::new().unwrap();
        Job::new("/bin/sh", Some(0), timeout).arg("-c").arg(script).run(scratch.path()).unwrap()
    }

    #[test]
    fn a_job_runs_on_its_core_and_its_cpu_time_is_counted() {
        let ended = shell(
            "grep Cpus_allowed_list /proc/self/status; echo no >&2; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 3",
            Duration::from_secs(60),
        );
        assert_eq!(ended.stdout.split_whitespace().last(), Some("0"));
        assert_eq!((ended.stderr.as_str(), ended.status.code()), ("no\n", Some(3)));
        assert!(ended.cpu_s > 0.001, "{}", ended.cpu_s);
        assert!(ended.complaint().contains("no"));
    }

    #[test]
    fn a_job_that_hangs_is_ended() {
        let ended = shell("exec sleep 1000", Duration::from_millis(300));
        assert_eq!(ended.status.signal(), Some(9));
        assert!(ended.peak_rss_bytes.unwrap() > 100_000);
    }
}
