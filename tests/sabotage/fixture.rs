//! What every case needs: the program under a wrapper, a target beside it, and a machine that lets itself be disturbed.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::harness::program;
use crate::instrument::os;
use crate::instrument::target::{Report, Settings, Target};
use crate::{CaseResult, Skipped};

/// Ahead of whatever else this machine does, so that only what a case does on purpose is in the way.
const AHEAD: [&str; 3] = ["chrt", "-r", "1"];

/// Skipped where this machine does not let us disturb it.
pub fn demand() -> CaseResult {
    if !rustix::process::geteuid().is_root() {
        let how = "sudo -E env PATH=\"$PATH\" cargo test --test sabotage";
        return Err(Skipped(format!("taking cores, quotas and ports away takes root ({how})")));
    }
    for (tool, package) in [("taskset", "util-linux"), ("chrt", "util-linux"), ("ip", "iproute2")] {
        program(tool, package)?;
    }
    Ok(())
}

/// The cores that a generator and its target get: different ones where there are two.
pub fn cores() -> (usize, usize) {
    let cores = loadtester::sys::cores::allowed();
    (cores[0], *cores.last().expect("this thread runs somewhere"))
}

/// What [`AHEAD`] does, for this thread; a machine that refuses is a noisier one.
fn step_ahead() {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: 0 is the calling thread, and the pointer is to a value that outlives the call.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameters) };
}

/// A target on a thread of this process, on a core of its own. It ends when dropped.
pub struct TargetThread {
    pub address: SocketAddr,
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<(Report, Vec<u64>)>>,
}

impl TargetThread {
    /// A well-behaved one.
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    /// One with changed settings.
    pub fn with(change: impl FnOnce(&mut Settings) + Send + 'static) -> Self {
        Self::inside(|| {}, change)
    }

    /// One whose thread first goes elsewhere.
    pub fn inside(
        enter: impl FnOnce() + Send + 'static,
        change: impl FnOnce(&mut Settings) + Send + 'static,
    ) -> Self {
        let (stop, watched) = UnixStream::pair().expect("a socket pair");
        let (sender, addresses) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            enter();
            step_ahead();
            os::pin_to(cores().1).expect("a core of ours");
            os::wake_exactly().expect("a timer slack");
            let listen = ([127, 0, 0, 1], 0).into();
            let mut settings = Settings { listen, body_bytes: 2, close: false, log: None, freeze_ns: None };
            change(&mut settings);
            let target = Target::bind(settings).expect("a free port of loopback");
            target.stop_on(&watched).expect("a watch");
            sender.send(target.address().expect("it is bound")).expect("somebody waits");
            target.run().expect("the target runs")
        });
        let address = addresses.recv().expect("the target starts");
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    /// End it; what it saw, and when requests arrived if it kept a log.
    pub fn finish(mut self) -> (Report, Vec<u64>) {
        self.stop = None;
        self.thread.take().expect("only taken here").join().expect("the target does not panic")
    }
}

impl Drop for TargetThread {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The program, about to be run.
#[derive(Clone, Debug)]
pub struct Generator {
    wrapper: Vec<String>,
    args: Vec<String>,
}

impl Generator {
    /// Against `target` with these arguments, on one core, without a status server.
    pub fn against(target: &TargetThread, args: &str) -> Self {
        Self::new(vec![format!("http://{}/", target.address)], args)
    }

    /// With this plan, written to a file of this name, in the same way.
    pub fn with_plan(name: &str, plan: &str, args: &str) -> Self {
        let path =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.yaml", std::process::id()));
        std::fs::write(&path, plan).expect("disk space");
        Self::new(vec!["--plan".to_owned(), path.display().to_string()], args)
    }

    fn new(source: Vec<String>, args: &str) -> Self {
        let wrapper = ["taskset", "-c", &cores().0.to_string()].map(str::to_owned).into();
        Self { wrapper, args: source }.and(args)
    }

    /// Under one more command that runs what follows it.
    pub fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper.splice(0..0, wrapper.iter().map(|part| (*part).to_owned()));
        self
    }

    /// Ahead of whatever else this machine does, if it lets us.
    pub fn ahead(self) -> Self {
        let may = Command::new(AHEAD[0]).args(&AHEAD[1..]).arg("true").stderr(Stdio::null()).status();
        if may.is_ok_and(|status| status.success()) { self.under(&AHEAD) } else { self }
    }

    /// With one more argument or two.
    pub fn and(mut self, args: &str) -> Self {
        self.args.extend(args.split_whitespace().map(str::to_owned));
        self
    }

    /// Start it.
    pub fn start(&self) -> Running {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("sabotage-{}-{serial}.json", std::process::id());
        let report = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut command = Command::new(&self.wrapper[0]);
        command.args(&self.wrapper[1..]).arg(env!("CARGO_BIN_EXE_loadtester")).args(&self.args);
        if !self.args.iter().any(|a| a == "--listen") {
            command.arg("--no-listen");
        }
        command.arg("--report").arg(&report);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|e| panic!("{:?} does not start: {e}", self.wrapper));
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        Running { child, stderr: Some(stderr), report }
    }

    /// Run it.
    pub fn run(&self) -> Run {
        self.start().finish()
    }

    /// The same plan with nothing in its way: trustworthy.
    pub fn undisturbed(&self) -> Run {
        let run = least_disturbed(|| self.clone().ahead().run());
        run.assert_in_order();
        run
    }
}

/// How often a run is tried that should not be disturbed: others may disturb the machine.
const TRIES: usize = 4;

/// The first of several runs whose measurement can be trusted, or the last one.
pub fn least_disturbed(mut run: impl FnMut() -> Run) -> Run {
    for _ in 1..TRIES {
        let run = run();
        if run.is_trustworthy() {
            return run;
        }
        eprintln!("disturbed: {}", run.in_short());
        std::thread::sleep(Duration::from_millis(500));
    }
    run()
}

/// The program at work. It is killed when dropped before its end.
pub struct Running {
    child: Child,
    stderr: Option<BufReader<std::process::ChildStderr>>,
    report: PathBuf,
}

impl Running {
    /// The process: wrappers have replaced themselves by it.
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// The next line of its standard error that holds `word`.
    pub fn line_with(&mut self, word: &str) -> String {
        let stderr = self.stderr.as_mut().expect("it runs");
        loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).expect("text") > 0, "it ended without saying `{word}`");
            if line.contains(word) {
                return line;
            }
        }
    }

    /// Wait for its end.
    pub fn finish(mut self) -> Run {
        let mut stderr = String::new();
        let _ = self.stderr.take().expect("it runs").read_to_string(&mut stderr);
        let status = self.child.wait().expect("our own child");
        let text = std::fs::read_to_string(&self.report).unwrap_or_default();
        let report = serde_json::from_str(&text).unwrap_or(Value::Null);
        Run { exit: status.code(), report, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.report);
    }
}

/// A finished run.
#[derive(Debug)]
pub struct Run {
    pub exit: Option<i32>,
    /// `null` when it wrote none.
    pub report: Value,
    pub stderr: String,
}

impl Run {
    /// A figure of the report.
    pub fn figure(&self, pointer: &str) -> f64 {
        let value = self.report.pointer(pointer).and_then(Value::as_f64);
        value.unwrap_or_else(|| panic!("no figure at {pointer}: {}", self.in_short()))
    }

    /// The texts of a list in the report.
    pub fn texts(&self, pointer: &str) -> Vec<&str> {
        let list = self.report.pointer(pointer).and_then(Value::as_array);
        let list = list.unwrap_or_else(|| panic!("no list at {pointer}: {}", self.in_short()));
        list.iter().map(|text| text.as_str().expect("text")).collect()
    }

    /// The stable names of the reasons to doubt it.
    pub fn reasons(&self) -> Vec<&str> {
        self.texts("/instrument/reason_names")
    }

    pub fn is_trustworthy(&self) -> bool {
        self.report["instrument"]["trustworthy"].as_bool().expect("a report")
    }

    /// How exchanges ended otherwise than well.
    pub fn failures(&self) -> Vec<&str> {
        let outcomes = self.report["outcomes"].as_object().expect("a report");
        outcomes.keys().map(String::as_str).filter(|name| *name != "ok").collect()
    }

    /// Trustworthy, with nothing failed or left out.
    #[track_caller]
    pub fn assert_in_order(&self) {
        assert_eq!(self.exit, Some(0), "{}", self.in_short());
        assert!(self.report.is_object() && self.is_trustworthy(), "{}", self.in_short());
        assert_eq!(self.failures(), [""; 0], "{}", self.in_short());
        assert_eq!(self.figure("/totals/dropped"), 0.0, "{}", self.in_short());
    }

    /// Doubted for one of these reasons.
    #[track_caller]
    pub fn assert_doubted_for(&self, any_of: &[&str]) {
        assert!(!self.is_trustworthy(), "{}", self.in_short());
        assert!(any_of.iter().any(|name| self.reasons().contains(name)), "{}", self.in_short());
        assert_eq!(self.reasons().len(), self.texts("/instrument/reasons").len());
    }

    /// What to look at when a test fails.
    pub fn in_short(&self) -> String {
        let r = &self.report;
        let time = |t: &Value| format!("p50 {} p95 {} p99 {} max {}", t["p50"], t["p95"], t["p99"], t["max"]);
        let i = &r["instrument"];
        format!(
            "exit {:?}, verdict {}; response time {}; service time {}; slip {}; receive delay {}; totals {}; \
             outcomes {}; reasons {}; notes {}; threads {}; throttled {} s; stderr {:?}",
            self.exit,
            r["verdict"],
            time(&r["response_time"]),
            time(&r["service_time"]),
            time(&i["slip"]),
            time(&i["receive_delay"]),
            r["totals"],
            r["outcomes"],
            i["reasons"],
            i["notes"],
            i["threads"],
            i["cpu_throttled_seconds"],
            self.stderr,
        )
    }
}
