//! The generators that are compared: how each is started and how its account is read.
//!
//! Each gets one thread. Who is not installed is left out by name.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::child::{Ended, Job};
use super::tool_output::{self, ToolOutput};

/// Beyond the asked duration a generator may take this long to start and to end.
const GRACE: Duration = Duration::from_secs(30);

/// A load generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contestant {
    /// wrk, one thread.
    Wrk,
    /// h2load in HTTP/1.1, one thread.
    H2load,
    /// hey on one processor.
    Hey,
    /// oha with one worker thread.
    Oha,
    /// oha that counts response time from when a request was due.
    OhaCorrected,
    /// Our bare loop: no generator, but the floor.
    Bare,
    /// This tool, as it comes.
    Ours,
    /// This tool with receive times taken in user space, like everybody else's.
    OursUser,
}

/// The load one run asks for.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where: `http://127.0.0.1:port/path`.
    pub url: String,
    /// Connections.
    pub connections: usize,
    /// How long.
    pub seconds: f64,
    /// Requests per second over all connections; `None`: as many as possible.
    pub rate: Option<f64>,
    /// The only core to run on; `None`: any.
    pub core: Option<usize>,
}

impl Contestant {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 8] = [
        Self::Wrk,
        Self::H2load,
        Self::Hey,
        Self::Oha,
        Self::OhaCorrected,
        Self::Bare,
        Self::OursUser,
        Self::Ours,
    ];

    /// The name in tables and in `--only`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wrk => "wrk",
            Self::H2load => "h2load",
            Self::Hey => "hey",
            Self::Oha => "oha",
            Self::OhaCorrected => "oha-corrected",
            Self::Bare => "bare",
            Self::Ours => "loadtester",
            Self::OursUser => "loadtester-user",
        }
    }

    /// Whether it can hold a rate.
    pub fn is_open(self) -> bool {
        self != Self::Wrk
    }

    /// The executable; `None` when it is not installed.
    pub fn program(self) -> Option<PathBuf> {
        match self {
            Self::Wrk => find("wrk"),
            Self::H2load => find("h2load"),
            Self::Hey => find("hey"),
            Self::Oha | Self::OhaCorrected => find("oha"),
            Self::Bare => std::env::current_exe().ok(),
            Self::Ours | Self::OursUser => Some(PathBuf::from(env!("CARGO_BIN_EXE_loadtester"))),
        }
    }

    /// What it says its version is.
    pub fn version(self) -> String {
        let Some(program) = self.program() else { return "not installed".to_owned() };
        let flag = match self {
            Self::Wrk => "-v",
            // It does not print its version.
            Self::Hey | Self::Bare => return "installed".to_owned(),
            _ => "--version",
        };
        let output = Command::new(program).arg(flag).output();
        let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        let line = text.lines().next().unwrap_or("unknown").split(" [").next().unwrap_or_default().trim();
        line.split_once(' ').map_or(line, |(_name, version)| version).to_owned()
    }

    /// Run it once; how it ended and what it says. Its files go to `scratch`.
    pub fn run(self, load: &Load, scratch: &Path) -> Result<(Ended, ToolOutput), String> {
        self.run_job(&self.job(load, scratch).ok_or("not installed")?, scratch)
    }

    /// Run it once by a command line of its own.
    pub fn run_job(self, job: &Job, scratch: &Path) -> Result<(Ended, ToolOutput), String> {
        let ended = job.run(scratch).map_err(|e| format!("cannot start {}: {e}", job.program.display()))?;
        match self.read(&ended, scratch).filter(|output| output.requests > 0) {
            Some(output) => Ok((ended, output)),
            None => Err(format!("no result ({})", ended.complaint())),
        }
    }

    /// Its command line for a load.
    pub fn job(self, load: &Load, scratch: &Path) -> Option<Job> {
        let Load { url, connections: c, seconds: s, rate, core } = load;
        let job = Job::new(self.program()?, *core, Duration::from_secs_f64(*s) + GRACE);
        // hey and h2load take the rate of each connection.
        let each = rate.map(|r| r / *c as f64);
        let option = |name: &str, value: Option<f64>| value.map_or(String::new(), |v| format!("{name} {v}"));
        Some(match self {
            Self::Wrk => job.args(&format!("-t1 -c{c} -d{}s --latency {url}", whole(*s))),
            Self::H2load => {
                // The log costs time: only where the open model's percentiles are wanted.
                let log =
                    each.map_or(String::new(), |_| format!("--log-file={}", h2load_log(scratch).display()));
                job.args(&format!("--h1 -t1 -c{c} -D{} {} {log} {url}", whole(*s), option("--rps", each)))
            }
            Self::Hey => job.env("GOMAXPROCS", "1").args(&format!(
                "-z {}s -c {c} {} {url}",
                whole(*s),
                option("-q", each)
            )),
            Self::Oha | Self::OhaCorrected => {
                let correct = if self == Self::OhaCorrected { "--latency-correction" } else { "" };
                let rate = option("-q", *rate);
                job.args("--no-tui --output-format json --worker-threads 1")
                    .args(&format!("-z {s}s -c {c} {rate} {correct} {url}"))
            }
            Self::Bare => {
                let (to, path) = url.strip_prefix("http://")?.split_once('/')?;
                job.args(&format!("bare --to {to} --path /{path} -c {c} -s {s} {}", option("--rate", *rate)))
            }
            Self::Ours | Self::OursUser => {
                let stamps = if self == Self::OursUser { "--timestamps user" } else { "" };
                ours(job, scratch).args(&format!("{url} -c {c} -d {s}s {} {stamps}", option("-r", *rate)))
            }
        })
    }

    fn read(self, ended: &Ended, scratch: &Path) -> Option<ToolOutput> {
        let file = |path: PathBuf| std::fs::read_to_string(path).ok();
        match self {
            Self::Wrk => tool_output::wrk(&ended.stdout),
            Self::H2load => tool_output::h2load(&ended.stdout, file(h2load_log(scratch)).as_deref()),
            Self::Hey => tool_output::hey(&ended.stdout),
            Self::Oha | Self::OhaCorrected => tool_output::oha(&ended.stdout),
            Self::Bare => tool_output::bare(&ended.stdout),
            Self::Ours | Self::OursUser => tool_output::loadtester(&file(our_report(scratch))?),
        }
    }
}

/// This tool's options in every comparison: everything on but the terminal, and one thread, as the
/// others have. The status server stays on, at a port that is free.
pub fn ours(job: Job, scratch: &Path) -> Job {
    job.args("--quiet --listen 127.0.0.1:0 --report").arg(our_report(scratch).display().to_string())
}

fn our_report(scratch: &Path) -> PathBuf {
    scratch.join("report.json")
}

fn h2load_log(scratch: &Path) -> PathBuf {
    scratch.join("h2load.log")
}

/// Some take no fractions of a second.
fn whole(seconds: f64) -> u64 {
    seconds.ceil().max(1.0) as u64
}

/// Look a program up as a shell would.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// The contestants named in a comma-separated list, or all of `from` without one.
///
/// # Errors
/// A name nobody has.
pub fn chosen(only: Option<&str>, from: &[Contestant]) -> Result<Vec<Contestant>, String> {
    let Some(only) = only else { return Ok(from.to_vec()) };
    let named = |name: &str| {
        from.iter().copied().find(|c| c.name() == name.trim()).ok_or_else(|| {
            let names: Vec<_> = from.iter().map(|c| c.name()).collect();
            format!("no contestant {name:?}; there are {}", names.join(", "))
        })
    };
    only.split(',').map(named).collect()
}

/// Markdown lines that say what was measured on: date, kernel, processor, versions.
pub fn header(contestants: &[Contestant]) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model =
        cpu.lines().find_map(|l| l.strip_prefix("model name")?.split(": ").nth(1)).unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    let mut lines = format!(
        "- date: {}\n- kernel: {}\n- processor: {model}, {cores} cores; load before the start: {}\n",
        jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"),
        read("/proc/sys/kernel/osrelease").trim(),
        load.split_whitespace().next().unwrap_or("unknown"),
    );
    let variants = [Contestant::Bare, Contestant::OursUser, Contestant::OhaCorrected];
    for contestant in contestants.iter().filter(|c| !variants.contains(c)) {
        lines += &format!("- {}: {}\n", contestant.name(), contestant.version());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(rate: Option<f64>) -> Load {
        Load { url: "http://127.0.0.1:8081/".to_owned(), connections: 50, seconds: 5.0, rate, core: Some(0) }
    }

    #[test]
    fn a_rate_is_given_per_connection_where_the_tool_wants_it_so() {
        let scratch = Path::new("/nowhere");
        for (contestant, words) in [
            (Contestant::Hey, "-q 20 "),
            (Contestant::H2load, "--rps 20 "),
            (Contestant::Oha, "-q 1000 "),
            (Contestant::Bare, "--rate 1000"),
            (Contestant::Ours, "-r 1000"),
        ] {
            let Some(job) = contestant.job(&load(Some(1_000.0)), scratch) else { continue };
            assert!((job.args.join(" ") + " ").contains(words), "{:?}", job.args);
        }
    }

    #[test]
    fn without_a_rate_nobody_is_limited() {
        for contestant in Contestant::ALL {
            let Some(job) = contestant.job(&load(None), Path::new("/nowhere")) else { continue };
            for flag in ["-q", "--rps", "-r", "--rate"] {
                assert!(!job.args.iter().any(|a| a == flag), "{:?}", job.args);
            }
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_those_there_are() {
        assert_eq!(chosen(Some("wrk,bare"), &Contestant::ALL), Ok(vec![Contestant::Wrk, Contestant::Bare]));
        assert!(chosen(Some("wrq"), &Contestant::ALL).unwrap_err().contains("wrk, h2load"));
    }
}
