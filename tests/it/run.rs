//! The program as a user starts it: arguments in; exit code, output and report out, before a deadline.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_loadtester");
/// Long past what any run under test needs on a noisy machine; only a hang reaches it.
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A directory of its own for each run, emptied when dropped.
#[derive(Debug)]
pub struct RunDir(PathBuf);

impl RunDir {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("run-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("a directory under target");
        Self(path)
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_owned()
    }

    /// Write a file and return its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.file(name);
        fs::write(&path, content).expect("disk space");
        path
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A run under way, killed on drop.
#[derive(Debug)]
pub struct Running {
    child: Child,
    dir: RunDir,
    begun: Instant,
}

/// A run that has ended.
pub struct Ended {
    /// The exit code; `None`: a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// The JSON report; `Null` where none was written.
    pub report: Value,
}

/// Start the program with `args` and `--report`; without a status server unless they ask for one.
pub fn start(args: &[&str]) -> Running {
    start_with(args, |_| {})
}

/// [`start`], with a last word on the command.
pub fn start_with(args: &[&str], change: impl FnOnce(&mut Command)) -> Running {
    let dir = RunDir::new();
    let mut command = Command::new(PROGRAM);
    command.args(args).arg("--report").arg(dir.file("report.json"));
    if !args.iter().any(|arg| arg.starts_with("--listen")) {
        command.arg("--no-listen");
    }
    let create = |name| File::create(dir.file(name)).expect("disk space");
    command.stdin(Stdio::null()).stdout(create("stdout")).stderr(create("stderr")).env_remove("NO_COLOR");
    change(&mut command);
    let child = command.spawn().expect("the program starts");
    Running { child, dir, begun: Instant::now() }
}

/// Run the program with `args` to its end.
pub fn run(args: &[&str]) -> Ended {
    start(args).end()
}

/// Run a plan with more `args` to its end.
pub fn run_plan(plan: &str, args: &[&str]) -> Ended {
    let dir = RunDir::new();
    let path = dir.write("plan.yaml", plan);
    run(&[&["--plan", path.as_str()], args].concat())
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        // Not yet waited for, so the id is still the child's.
        kill_process(Pid::from_child(&self.child), signal).expect("it is there");
    }

    /// Its standard error so far.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.dir.file("stderr")).expect("UTF-8")
    }

    /// Wait until standard error says `mark`, and return what follows it on its line.
    pub fn await_stderr(&self, mark: &str) -> String {
        eventually(mark, || {
            let output = self.stderr();
            let (_, rest) = output.split_once(mark)?;
            rest.split_once('\n').map(|(line, _)| line.to_owned())
        })
    }

    /// Wait for its end.
    pub fn end(mut self) -> Ended {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            if self.begun.elapsed() > DEADLINE {
                let _ = self.child.kill();
                panic!("still running after {DEADLINE:?}; it printed: {}", self.stderr());
            }
            std::thread::sleep(LOOK_EVERY);
        };
        let read = |name| fs::read_to_string(self.dir.file(name)).unwrap_or_default();
        let report = serde_json::from_str(&read("report.json")).unwrap_or(Value::Null);
        Ended { code: status.code(), stdout: read("stdout"), stderr: read("stderr"), report }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a person would see, for a test that fails: the report says no more.
impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {:?}\n{}\n{}", self.code, self.stdout, self.stderr)
    }
}

impl Ended {
    /// The number at a path of keys, as `totals.sent`.
    pub fn number(&self, path: &str) -> u64 {
        self.at(path).as_u64().unwrap_or_else(|| panic!("{path} is no count: {self:#?}"))
    }

    /// The number of seconds at a path of keys.
    pub fn seconds(&self, path: &str) -> f64 {
        self.at(path).as_f64().unwrap_or_else(|| panic!("{path} is no number: {self:#?}"))
    }

    fn at(&self, path: &str) -> &Value {
        path.split('.').fold(&self.report, |value, key| &value[key])
    }

    /// How exchanges ended: the outcomes that occurred.
    pub fn outcomes(&self) -> Vec<(String, u64)> {
        let outcomes = self.report["outcomes"].as_object().unwrap_or_else(|| panic!("no report: {self:#?}"));
        let counts = outcomes.iter().map(|(name, n)| (name.clone(), n.as_u64().unwrap_or_default()));
        counts.filter(|(_, n)| *n > 0).collect()
    }

    /// The law of conservation, over the run and in each scenario; returns itself.
    pub fn lawful(self) -> Self {
        let of = |totals: &Value, keys: &[&str]| -> u64 {
            keys.iter().map(|key| totals[*key].as_u64().unwrap_or_else(|| panic!("{key}: {self:#?}"))).sum()
        };
        let ends = ["completed", "failed", "dropped", "unfinished"];
        let all = &self.report["totals"];
        assert_eq!(of(all, &["due"]), of(all, &ends), "due is what became of it: {all:#}");
        let scenarios = self.report["scenarios"].as_array().expect("a list of scenarios");
        for scenario in scenarios {
            let totals = &scenario["totals"];
            assert_eq!(of(totals, &["due"]), of(totals, &ends), "due is what became of it: {totals:#}");
        }
        for key in ["due", "sent"].iter().chain(&ends) {
            let sum: u64 = scenarios.iter().map(|scenario| of(&scenario["totals"], &[key])).sum();
            assert_eq!(sum, of(all, &[key]), "{key} is the scenarios' sum");
        }
        let outcomes: u64 = self.outcomes().iter().map(|(_, n)| n).sum();
        assert_eq!(outcomes, of(all, &["completed", "failed"]), "every end has an outcome");
        self
    }
}

/// The first thing `look` finds, waited for until the deadline.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "waited in vain: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}
