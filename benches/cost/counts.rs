//! Instructions and system calls per request: a long run less a short one.
//!
//! A window of measurement ends each second, and closing it costs about half a million instructions,
//! however many requests are in it. So both runs have to be over within the first window; one that was
//! not, because the machine was busy, is repeated.

use std::collections::BTreeMap;
use std::path::Path;

use super::cases::{Case, Length, Target, job};
use super::hide_auxv;
use super::instrument::child::{Job, Scratch};

/// Requests of the short run: connections are open and histograms have their pages by then.
const SHORT: u64 = 1_000;
/// Requests of the long run: under callgrind they take half a second.
const LONG: u64 = 5_000;
/// Seconds a run may measure without a window being closed in it.
const WITHIN: f64 = 0.9;
/// How often a run is repeated that took longer.
const ATTEMPTS: usize = 10;
/// Runs of which the smallest count is taken: what else the machine does only adds.
const BEST_OF: usize = 3;

/// What one run counted, and its requests.
struct Counted<T> {
    requests: f64,
    count: T,
}

/// Instructions per request, of the load thread and of all others, by callgrind.
pub fn instructions(case: &Case, target: &Target, program: &Path) -> Result<Vec<(String, f64)>, String> {
    let [short, long] = [SHORT, LONG].map(|n| {
        let mut least = instructions_once(case, target, program, n)?;
        for _ in 1..BEST_OF {
            for (thread, count) in instructions_once(case, target, program, n)?.count {
                least.count.entry(thread).and_modify(|known| *known = count.min(*known)).or_insert(count);
            }
        }
        Ok::<_, String>(least)
    });
    let (short, long) = (short?, long?);
    let requests = long.requests - short.requests;
    let each: Vec<f64> = long
        .count
        .iter()
        .map(|(thread, n)| n - short.count.get(thread).copied().unwrap_or_default())
        .map(|difference| difference / requests)
        .collect();
    // Of the threads, the one that does more when there are more requests is the load thread.
    let load = each.iter().copied().fold(0.0, f64::max);
    Ok(vec![("instructions".to_owned(), load), ("instructions, all threads".to_owned(), each.iter().sum())])
}

/// Instructions of each thread of one run.
fn instructions_once(
    case: &Case,
    target: &Target,
    program: &Path,
    requests: u64,
) -> Result<Counted<BTreeMap<String, f64>>, String> {
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
    let requests = run(case, target, job, requests, &scratch)?;
    let mut count = BTreeMap::new();
    for entry in std::fs::read_dir(scratch.path()).map_err(|e| e.to_string())?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(thread) = name.strip_prefix("counts-") else { continue };
        let text = std::fs::read_to_string(entry.path()).map_err(|e| e.to_string())?;
        let total = text.lines().find_map(|l| l.strip_prefix("totals: ")?.trim().parse().ok());
        count.insert(thread.to_owned(), total.ok_or("callgrind wrote no totals")?);
    }
    Ok(Counted { requests, count })
}

/// System calls per request, of all threads: by `perf stat`, which costs little; where the kernel does
/// not allow it, by strace, which is too slow for the open model's rate.
pub fn syscalls(case: &Case, target: &Target, program: &Path) -> Result<Vec<(String, f64)>, String> {
    let once = |n| by_perf(case, target, program, n).or_else(|_| by_strace(case, target, program, n));
    let count = |n| {
        let runs: Vec<_> = (0..BEST_OF).map(|_| once(n)).collect::<Result<_, _>>()?;
        Ok::<_, String>(runs.into_iter().min_by(|a, b| a.count.total_cmp(&b.count)).expect("there are some"))
    };
    let (short, long) = (count(SHORT)?, count(LONG)?);
    let each = (long.count - short.count) / (long.requests - short.requests);
    Ok(vec![("system calls".to_owned(), each)])
}

fn by_perf(case: &Case, target: &Target, program: &Path, requests: u64) -> Result<Counted<f64>, String> {
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

fn by_strace(case: &Case, target: &Target, program: &Path, requests: u64) -> Result<Counted<f64>, String> {
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
        match case.said(Some(n), scratch.path()) {
            Ok((said, measured_s)) if measured_s < WITHIN => return Ok(said.requests as f64),
            Ok((_, measured_s)) => fault = format!("{n} requests took {measured_s:.2} s"),
            Err(what) => {
                // The tool's own last words are not the reason.
                let ours = ended.stderr.lines().find(|line| line.starts_with("loadtester:"));
                return Err(format!("{what} ({})", ours.map_or_else(|| ended.complaint(), str::to_owned)));
            }
        }
    }
    Err(format!("{fault}, {ATTEMPTS} times"))
}
