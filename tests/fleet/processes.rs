//! Processes of a fleet, a target that remembers every arrival, and plain requests.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::instrument::target::{Settings, Stamps, Target};

const PROGRAM: &str = env!("CARGO_BIN_EXE_loadtester");
/// What is waited for in the output, and nowhere else repeated: these change with the wording.
pub mod marks {
    pub const COORDINATOR_AT: &str = "coordinator at ";
    pub const STATUS_AT: &str = "dashboard at ";
    pub const LOAD_BEGINS: &str = "load begins";
    pub const ALL_HERE: &str = "all are here";
    pub const JOINED: &str = "joined as worker ";
    pub const HAS_ALL: &str = "the coordinator has all";
    pub const NOTHING_SENT: &str = "nothing is sent: ";

    pub fn unreachable(url: &str) -> String {
        format!("cannot reach the coordinator at {url}: ")
    }

    pub fn reached(url: &str) -> String {
        format!("the coordinator at {url} is reached")
    }

    pub fn back(url: &str) -> String {
        format!("the coordinator at {url} is back")
    }
}

/// Long past what any run here takes.
const DEADLINE: Duration = Duration::from_secs(100);

/// Until `look` gives something.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "{what} does not come about");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A target in this process.
pub struct Log {
    pub addr: SocketAddr,
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<Vec<u64>>>,
}

impl Log {
    pub fn start() -> Self {
        Self::start_at([127, 0, 0, 1])
    }

    /// On a free port of this address.
    pub fn start_at(address: [u8; 4]) -> Self {
        let listen = SocketAddr::from((address, 0));
        let log = Some((Stamps::Kernel, 4_000_000));
        let target = Target::bind(Settings { listen, body_bytes: 2, close: false, log, freeze_ns: None });
        let target = target.expect("a free port");
        let addr = target.address().expect("it is bound");
        let (read, stop) = std::io::pipe().expect("a pipe");
        target.stop_on(&read).expect("a pipe can be waited for");
        let thread = std::thread::spawn(move || {
            let _read = read;
            target.run().expect("it answers").1
        });
        Self { addr, stop: Some(stop.into()), thread: Some(thread) }
    }

    /// When each request arrived, on CLOCK_MONOTONIC, in order.
    pub fn arrivals(mut self) -> Vec<u64> {
        self.stop.take();
        let mut arrivals = self.thread.take().expect("it runs").join().expect("it ends well");
        arrivals.sort_unstable();
        arrivals
    }
}

/// CLOCK_MONOTONIC.
pub fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Taken by each dir: for itself alone by a test whose figures other tests' processes would spoil.
static MACHINE: RwLock<()> = RwLock::new(());

#[expect(dead_code, reason = "held, not looked at")]
enum Machine {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// A folder for what the processes of one test write.
pub struct RunDir(PathBuf, #[expect(dead_code, reason = "held, not looked at")] Machine);

impl RunDir {
    pub fn new() -> Self {
        Self::on(Machine::Shared(MACHINE.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// While no other test has one.
    pub fn alone() -> Self {
        Self::on(Machine::Alone(MACHINE.write().unwrap_or_else(PoisonError::into_inner)))
    }

    fn on(machine: Machine) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("fleet-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("a directory under target");
        Self(path, machine)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    pub fn plan(&self, target: SocketAddr, load: &str, loss: &str) -> String {
        let text = format!(
            "base_url: http://{target}\nload: {load}\nscenarios: [{{name: a, path: /}}]\nfleet: {{on_worker_loss: {loss}}}\n"
        );
        fs::write(self.path("plan.yaml"), text).expect("disk space");
        self.path("plan.yaml")
    }

    pub fn start(&self, name: &str, args: &[&str], environment: &[(&str, &str)]) -> Process {
        self.start_by(&["env"], name, args, environment)
    }

    /// By way of a command that becomes what follows it.
    pub fn start_by(
        &self,
        wrapper: &[&str],
        name: &str,
        args: &[&str],
        environment: &[(&str, &str)],
    ) -> Process {
        let create = |end: &str| File::create(self.path(&format!("{name}.{end}"))).expect("disk space");
        let mut command = Command::new(wrapper[0]);
        command.args(&wrapper[1..]).arg(PROGRAM).args(args).envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(create("out")).stderr(create("err"));
        let child = command.spawn().expect("the program starts");
        Process { child, output: self.0.join(format!("{name}.err")) }
    }

    /// A coordinator that waits for `workers`, and where it listens.
    pub fn coordinator(&self, plan: &str, workers: &str, more: &[&str]) -> (Process, String) {
        self.coordinator_in(&[], plan, workers, more)
    }

    /// The same, with these environment variables.
    pub fn coordinator_in(
        &self,
        environment: &[(&str, &str)],
        plan: &str,
        workers: &str,
        more: &[&str],
    ) -> (Process, String) {
        let report = self.path("report.json");
        let args = ["--role", "coordinator", "--plan", plan, "--workers", workers, "--report", &report];
        let listen: &[&str] = if more.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        let process = self.start("coordinator", &[&args[..], listen, more].concat(), environment);
        let url = process.url();
        (process, url)
    }

    pub fn worker(&self, name: &str, url: &str, more: &[&str]) -> Process {
        self.start(name, &[&["--role", "worker", "--coordinator", url, "--no-listen"], more].concat(), &[])
    }

    pub fn report(&self) -> Value {
        let text = fs::read_to_string(self.path("report.json")).expect("a report was written");
        serde_json::from_str(&text).expect("JSON")
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process, killed on drop.
pub struct Process {
    child: Child,
    output: PathBuf,
}

impl Process {
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is there");
    }

    pub fn output(&self) -> String {
        fs::read_to_string(&self.output).expect("UTF-8")
    }

    /// Where a coordinator listens, once that was printed.
    pub fn url(&self) -> String {
        let url = self.wait_for_output(marks::COORDINATOR_AT);
        url.split("/ ").next().expect("a URL").trim().trim_end_matches('/').to_owned()
    }

    /// Each of these words is in the output.
    #[track_caller]
    pub fn assert_output(&self, words: &[&str]) {
        let output = self.output();
        for word in words {
            assert!(output.contains(word), "no `{word}` in:\n{output}");
        }
    }

    /// What follows `mark` on its line, once that was printed.
    pub fn wait_for_output(&self, mark: &str) -> String {
        let begun = Instant::now();
        loop {
            let output = self.output();
            let line = output.split_once(mark).and_then(|(_, rest)| rest.split_once('\n'));
            if let Some((line, _)) = line {
                return line.to_owned();
            }
            assert!(begun.elapsed() < DEADLINE, "`{mark}` is not printed; so far:\n{output}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The most memory it has had until now, in bytes; `None`: it has ended.
    pub fn peak_bytes(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kb| kb * 1024)
    }

    /// Its exit code; `None`: a signal ended it.
    pub fn end(&mut self) -> Option<i32> {
        eventually("the end", || self.child.try_wait().expect("it is ours")).code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status and body of the answer to these bytes.
pub fn exchange(url: &str, request: &[u8]) -> (u16, String) {
    let mut socket = TcpStream::connect(url.trim_start_matches("http://")).expect("it listens");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    socket.write_all(request).expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("text");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    (status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

/// A POST with these fields, each ended by CR LF.
pub fn post(url: &str, path: &str, fields: &str, body: &[u8]) -> (u16, String) {
    let head = format!("POST /api/v1{path} HTTP/1.1\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    exchange(url, &[head.as_bytes(), body].concat())
}

/// Wait until the coordinator at `url` counts `least` requests that have ended. `fields`: of a token, each ended by
/// CR LF.
pub fn ended(url: &str, fields: &str, least: u64) {
    let request = format!("GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n");
    eventually("load flows", || {
        let (code, body) = exchange(url, request.as_bytes());
        assert_eq!(code, 200, "{body}");
        let status: Value = serde_json::from_str(&body).expect("JSON");
        let count = |key: &str| status["totals"][key].as_u64().unwrap_or_default();
        (count("completed") + count("failed") >= least).then_some(())
    });
}
