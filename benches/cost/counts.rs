//! Instructions and system calls per request: a long run less a short one.
//!
//! A window of measurement ends each second, and closing it costs about half a million instructions,
//! however many requests are in it. So both runs have to be over within the first window; one that was
//! not, because the machine was busy, is repeated.

use std::path::Path;

use super::cases::{Case, Length, Target, job};
use super::hide_auxv;
use super::instrument::child::{Job, Scratch};

/// Requests of the short run: connections are open and histograms have their pages by then.
const SHORT: u64 = 1_000;
/// Requests of the long run: under callgrind they take half a second.
const LONG: u64 = 4_000;
/// Seconds a run may measure without a window being closed in it.
const WITHIN: f64 = 0.9;
/// How often a run is repeated that took longer.
const ATTEMPTS: usize = 10;
/// Runs of which the smallest count is taken: what else the machine does only adds.
const BEST_OF: usize = 3;

/// A name that only functions of load threads have.
const ONLY_IN_LOAD_THREADS: &str = "http1::response";

/// What one run counted, and its requests.
struct Counted {
    requests: f64,
    count: f64,
}

impl Counted {
    /// Per request, with what `short` counted as well left out.
    fn less(&self, short: &Self) -> f64 {
        (self.count - short.count) / (self.requests - short.requests)
    }
}

/// Instructions per request of the load thread, by callgrind.
pub fn instructions(case: &Case, target: &Target, program: &Path) -> Result<Vec<(String, f64)>, String> {
    let (short, long) = (
        least(|| instructions_once(case, target, program, SHORT))?,
        least(|| instructions_once(case, target, program, LONG))?,
    );
    Ok(vec![("instructions".to_owned(), long.less(&short))])
}

/// Instructions of the load thread in one run. The others merge windows and look at the clock, which has
/// nothing to do with how many requests there are.
fn instructions_once(case: &Case, target: &Target, program: &Path, n: u64) -> Result<Counted, String> {
    let scratch = Scratch::new()?;
    let out = scratch.path().join("counts");
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let valgrind = std::env::var("VALGRIND").unwrap_or_else(|_| "valgrind".to_owned());
    let job = job(&this)
        .args(hide_auxv::COMMAND)
        .arg(valgrind)
        .args("--tool=callgrind --separate-threads=yes")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program.display().to_string());
    let requests = run(case, target, job, n, &scratch)?;
    let mut count = None;
    for entry in std::fs::read_dir(scratch.path()).map_err(|e| e.to_string())?.flatten() {
        if !entry.file_name().to_string_lossy().starts_with("counts-") {
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).map_err(|e| e.to_string())?;
        if text.contains(ONLY_IN_LOAD_THREADS) {
            count = text.lines().find_map(|l| l.strip_prefix("totals: ")?.trim().parse().ok());
        }
    }
    Ok(Counted { requests, count: count.ok_or("callgrind counted no load thread")? })
}

/// The smallest of a few counts.
fn least(once: impl Fn() -> Result<Counted, String>) -> Result<Counted, String> {
    let mut least = once()?;
    for _ in 1..BEST_OF {
        let counted = once()?;
        least.count = least.count.min(counted.count);
    }
    Ok(least)
}

/// System calls per request, of all threads: by `perf stat`, which costs little; where the kernel does
/// not allow it, by strace, which is too slow for the open model's rate.
pub fn syscalls(case: &Case, target: &Target, program: &Path) -> Result<Vec<(String, f64)>, String> {
    let once = |n| by_perf(case, target, program, n).or_else(|_| by_strace(case, target, program, n));
    let (short, long) = (least(|| once(SHORT))?, least(|| once(LONG))?);
    Ok(vec![("system calls".to_owned(), long.less(&short))])
}

fn by_perf(case: &Case, target: &Target, program: &Path, requests: u64) -> Result<Counted, String> {
    let scratch = Scratch::new()?;
    let out = scratch.path().join("counts");
    let job = job(Path::new("perf"))
        .args("stat -x, -e raw_syscalls:sys_enter -o")
        .arg(out.display().to_string())
        .arg("--")
        .arg(program.display().to_string());
    let requests = run(case, target, job, requests, &scratch)?;
    let text = std::fs::read_to_string(out).map_err(|e| e.to_string())?;
    let line = text.lines().find(|l| l.contains("raw_syscalls:sys_enter"));
    let count = line.and_then(|l| l.split(',').next()?.parse().ok()).ok_or("perf counted nothing")?;
    Ok(Counted { requests, count })
}

fn by_strace(case: &Case, target: &Target, program: &Path, requests: u64) -> Result<Counted, String> {
    let scratch = Scratch::new()?;
    let out = scratch.path().join("counts");
    let job = job(Path::new("strace"))
        .args("-f -c -o")
        .arg(out.display().to_string())
        .arg(program.display().to_string());
    let requests = run(case, target, job, requests, &scratch)?;
    let text = std::fs::read_to_string(out).map_err(|e| e.to_string())?;
    let total = text.lines().rev().find(|l| l.trim_end().ends_with(" total"));
    let count = total.and_then(|l| l.split_whitespace().nth(3)?.parse().ok());
    Ok(Counted { requests, count: count.ok_or("strace counted nothing")? })
}

/// Run `tool` with the generator's command line behind its own; requests completed.
fn run(case: &Case, target: &Target, tool: Job, n: u64, scratch: &Scratch) -> Result<f64, String> {
    let mut job = tool;
    job.args.extend(case.args(target, Length::Requests(n), scratch.path()));
    let mut fault = String::new();
    for _ in 0..ATTEMPTS {
        let ended =
            job.run(scratch.path()).map_err(|e| format!("cannot start {}: {e}", job.program.display()))?;
        match case.read_output(Some(n), scratch.path()) {
            Ok((output, measured_s)) if measured_s < WITHIN => return Ok(output.requests as f64),
            Ok((_, measured_s)) => fault = format!("{n} requests took {measured_s:.2} s"),
            // In the open model a busy machine offers less than was asked.
            Err(what) if case.rate.is_some() => fault = what,
            Err(what) => {
                // The tool's own last words are not the reason.
                let ours = ended.stderr.lines().find(|line| line.starts_with("loadtester:"));
                return Err(format!("{what} ({})", ours.map_or_else(|| ended.complaint(), str::to_owned)));
            }
        }
    }
    Err(format!("{fault}, {ATTEMPTS} times"))
}
