//! Measures a coordinator under a fleet: CPU time, memory, and how long workers wait for responses.
//!
//! `cargo bench --bench fleet -- --workers 100,500 --seconds 20`
//!
//! Simulated workers join, send heartbeats and a report in each second, and a last word, in the real forms
//! of the protocol, but no load: each reports as if it had sent a thousand requests a second. All close
//! their windows at the same instant, as a fleet does. The coordinator has core 1, they share core 0.

#[path = "../instrument/mod.rs"]
#[allow(dead_code, unused_imports, reason = "each program uses its part; tests run in tests/it")]
mod instrument;
mod simulated;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use instrument::child::Scratch;
use instrument::os;
use instrument::table::Table;
use loadtester::fleet::worker::Exit;
use loadtester::tally::{Merged, Outcome, RowCounter, RowTimer, StepId, Timer};
use simulated::{AssignedShard, Simulated, WorkerResult, full_window};

const PROGRAM: &str = env!("CARGO_BIN_EXE_loadtester");
const WORKERS_CORE: usize = 0;
const COORDINATOR_CORE: usize = 1;
/// Requests that each worker reports per window.
const REQUESTS: u64 = 1_000;
const MB: f64 = 1e6;

const USAGE: &str = "\
Measure a coordinator under many simulated workers and print Markdown.

  --workers A,B  sizes of the fleet (default 100,500)
  --seconds S    length of one run (default 20)
  --full         reports whose histograms are filled from end to end";

fn main() -> std::process::ExitCode {
    instrument::finish(measure(&instrument::own_args()))
}

fn measure(args: &[String]) -> Result<(), String> {
    let mut args = pico_args::Arguments::from_vec(args.iter().map(Into::into).collect());
    if args.contains("--help") {
        println!("{USAGE}");
        return Ok(());
    }
    let wrong = |e: pico_args::Error| format!("{e}\n\n{USAGE}");
    let sizes: Option<String> = args.opt_value_from_str("--workers").map_err(wrong)?;
    let is_full = args.contains("--full");
    let seconds: u64 = args.opt_value_from_str("--seconds").map_err(wrong)?.unwrap_or(20);
    let sizes: Result<Vec<u32>, _> =
        sizes.as_deref().unwrap_or("100,500").split(',').map(|n| n.trim().parse()).collect();
    let sizes = sizes.map_err(|e| format!("--workers: {e}\n\n{USAGE}"))?;
    os::raise_fd_limit().map_err(|e| format!("cannot raise the limit of open files: {e}"))?;
    let mut table = Table::new([
        "workers",
        "taken in (s)",
        "processor (cores)",
        "resident (MB)",
        "at most (MB)",
        "heartbeat p50 (ms)",
        "p99 (ms)",
        "max (ms)",
        "report p99 (ms)",
        "calls in vain",
    ]);
    for journal in [false, true] {
        let mut resident = Vec::new();
        for &workers in &sizes {
            eprintln!("{workers} workers{}", if journal { ", with a journal" } else { "" });
            let run = Run::take_part(workers, seconds, journal, is_full)?;
            resident.push((f64::from(workers), run.resident_bytes as f64));
            table.row(run.row(workers, journal));
        }
        if let (Some(few), Some(many)) = (resident.first(), resident.last().filter(|_| resident.len() > 1)) {
            let each = (many.1 - few.1) / (many.0 - few.0) / 1024.0;
            eprintln!("memory for each further worker: {each:.1} KiB");
        }
    }
    println!("\n{table}");
    Ok(())
}

/// How a run was for its coordinator and its workers.
struct Run {
    joined_s: f64,
    cores: f64,
    resident_bytes: u64,
    peak_bytes: u64,
    results: Vec<WorkerResult>,
}

impl Run {
    fn take_part(workers: u32, seconds: u64, journal: bool, is_full: bool) -> Result<Self, String> {
        let scratch = Scratch::new()?;
        let coordinator = Coordinator::start(scratch.path(), workers, seconds, journal)?;
        pin(WORKERS_CORE)?;
        let tally = if is_full { full_window() } else { window() };
        let part = AssignedShard::new(coordinator.address, seconds, tally);
        let under_load = part.under_load.clone();
        let begun = Instant::now();
        let spawn = |number| {
            let worker = Simulated::new(part.clone(), number);
            std::thread::Builder::new().stack_size(256 << 10).spawn(move || worker.run())
        };
        let threads: Result<Vec<_>, _> = (0..workers).map(spawn).collect();
        let threads = threads.map_err(|e| format!("cannot start a thread: {e}"))?;
        // Counted is what lies between the first window of the last worker and the last one of the first.
        let (mut first, mut last, mut peak_bytes) = (None, None, 0);
        while threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(100));
            if under_load.load(Ordering::Relaxed) == workers {
                let now = (Instant::now(), coordinator.cpu_s()?, coordinator.bytes("VmRSS")?);
                first.get_or_insert(now);
                last = Some(now);
                peak_bytes = coordinator.bytes("VmHWM")?;
            }
        }
        let results: Vec<WorkerResult> =
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect();
        let lost: Vec<_> = results.iter().filter(|results| results.exit != Exit::Done(None)).collect();
        if let Some(worker) = lost.first() {
            eprintln!("{} of {workers} did not end well: {:?}", lost.len(), worker.exit);
        }
        let joined = results.iter().filter_map(|worker| worker.joined).max().ok_or("nobody has joined")?;
        let (first, last) = first.zip(last).ok_or("load never began")?;
        Ok(Self {
            joined_s: (joined - begun).as_secs_f64(),
            cores: (last.1 - first.1) / (last.0 - first.0).as_secs_f64(),
            resident_bytes: last.2,
            peak_bytes,
            results,
        })
    }

    fn row(&self, workers: u32, journal: bool) -> Vec<String> {
        let all = |times: fn(&WorkerResult) -> &[Duration]| {
            let mut all: Vec<f64> =
                self.results.iter().flat_map(times).map(|took| took.as_secs_f64() * 1e3).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let (beats, reports) = (all(|results| &results.heartbeats), all(|results| &results.reports));
        let at = |times: &[f64], q: f64| {
            let i = ((times.len() as f64 * q).ceil() as usize).saturating_sub(1);
            times.get(i).map_or(instrument::table::dash(), |ms| format!("{ms:.1}"))
        };
        vec![
            format!("{workers}{}", if journal { ", journal" } else { "" }),
            format!("{:.2}", self.joined_s),
            format!("{:.2}", self.cores),
            format!("{:.1}", self.resident_bytes as f64 / MB),
            format!("{:.1}", self.peak_bytes as f64 / MB),
            at(&beats, 0.5),
            at(&beats, 0.99),
            at(&beats, 1.0),
            at(&reports, 0.99),
            self.results.iter().map(|results| results.in_vain).sum::<usize>().to_string(),
        ]
    }
}

/// What a worker counted in one second: all histograms that plain HTTP fills.
fn window() -> Merged {
    let (mut tally, mut rng) = (Merged::new(1), fastrand::Rng::with_seed(1));
    for _ in 0..REQUESTS {
        let service = 500_000 + (rng.f64().ln() * -300_000.0) as u64;
        let own = rng.u64(1_000..40_000);
        let scenario = tally.row_mut(StepId(0));
        scenario.add(RowCounter::Due, 1);
        scenario.add(RowCounter::Sent, 1);
        scenario.add(Outcome::Ok, 1);
        scenario.count_status(200);
        scenario.add(RowCounter::BytesSent, 120);
        scenario.add(RowCounter::BytesReceived, 300);
        scenario.record(RowTimer::ResponseOk, service + own);
        scenario.record(RowTimer::ServiceOk, service);
        tally.record(Timer::Slip, own);
        tally.record(Timer::SendDelay, own);
        tally.record(Timer::ReceiveDelay, own / 2);
        tally.record(Timer::FirstByteTime, service - 10_000);
    }
    tally
}

/// The process that is measured.
struct Coordinator {
    child: Child,
    address: SocketAddr,
}

impl Coordinator {
    fn start(scratch: &Path, workers: u32, seconds: u64, journal: bool) -> Result<Self, String> {
        let failed = |e: std::io::Error| format!("the coordinator does not start: {e}");
        let plan = scratch.join("plan.yaml");
        let rate = u64::from(workers) * REQUESTS;
        let text = format!(
            "base_url: http://127.0.0.1:9\nload: {{rate: {rate}/s, duration: {seconds}s, concurrency: {workers}}}\n\
             scenarios: [{{name: a, path: /}}]\n"
        );
        std::fs::write(&plan, text).map_err(failed)?;
        let mut command = Command::new(PROGRAM);
        command.args(["--role", "coordinator", "--listen", "127.0.0.1:0", "--workers", &workers.to_string()]);
        command.arg("--plan").arg(&plan);
        if journal {
            command.arg("--state-dir").arg(scratch.join("state"));
        }
        // It inherits the core of the thread that starts it.
        pin(COORDINATOR_CORE)?;
        let output = scratch.join("output");
        let out = File::create(scratch.join("out")).map_err(failed)?;
        command.stdin(Stdio::null()).stdout(out).stderr(File::create(&output).map_err(failed)?);
        let child = command.spawn().map_err(failed)?;
        let begun = Instant::now();
        let mut coordinator = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        while begun.elapsed() < Duration::from_secs(10) {
            let lines = BufReader::new(File::open(&output).map_err(failed)?).lines().map_while(Result::ok);
            let mut urls = lines
                .filter_map(|line| line.split_once("coordinator at http://").map(|(_, url)| url.to_owned()));
            if let Some(address) = urls.next().and_then(|url| url.split('/').next()?.parse().ok()) {
                coordinator.address = address;
                return Ok(coordinator);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("the coordinator did not say where it listens".to_owned())
    }

    fn proc(&self, name: &str) -> Result<String, String> {
        let path = format!("/proc/{}/{name}", self.child.id());
        std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))
    }

    /// Processor time it has used, in seconds.
    fn cpu_s(&self) -> Result<f64, String> {
        let stat = self.proc("stat")?;
        // What follows the name, which may hold anything; times are hundredths of a second.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |i: usize| fields.get(i).and_then(|field| field.parse::<f64>().ok());
        ticks(11).zip(ticks(12)).map(|(user, system)| (user + system) / 100.0).ok_or(stat)
    }

    /// Its memory by the kernel's account of this name.
    fn bytes(&self, name: &str) -> Result<u64, String> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kb = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        kb.map(|kb| kb * 1024).ok_or_else(|| "its memory is not known".to_owned())
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // Gone already, or to go now; either way no zombie stays.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pin(core: usize) -> Result<(), String> {
    os::pin_to(core).map_err(|e| format!("no core {core}: {e}"))
}
