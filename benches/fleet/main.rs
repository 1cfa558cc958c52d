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
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
  --full         reports whose histograms are filled from end to end
  --scraped      256 scenarios, without and with a slow reader of /metrics every 100 ms";

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
    let is_scraped = args.contains("--scraped");
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
    let variants = if is_scraped { &SCRAPED } else { &DURABLE };
    for variant in variants {
        let mut resident = Vec::new();
        for &workers in &sizes {
            eprintln!("{workers} workers{}", variant.name);
            let run = Run::take_part(workers, seconds, variant, is_full)?;
            resident.push((f64::from(workers), run.resident_bytes as f64));
            table.row(run.row(workers, variant));
        }
        if let (Some(few), Some(many)) = (resident.first(), resident.last().filter(|_| resident.len() > 1)) {
            let each = (many.1 - few.1) / (many.0 - few.0) / 1024.0;
            eprintln!("memory for each further worker: {each:.1} KiB");
        }
    }
    println!("\n{table}");
    Ok(())
}

/// What is varied between two runs.
struct Variant {
    name: &'static str,
    scenarios: usize,
    journal: bool,
    /// Whether `/metrics` is read every [`SCRAPE_INTERVAL`], slowly.
    is_scraped: bool,
}

const DURABLE: [Variant; 2] = [
    Variant { name: "", scenarios: 1, journal: false, is_scraped: false },
    Variant { name: ", journal", scenarios: 1, journal: true, is_scraped: false },
];
const SCRAPED: [Variant; 2] = [
    Variant { name: ", 256 scenarios", scenarios: 256, journal: false, is_scraped: false },
    Variant { name: ", 256 scenarios, scraped", scenarios: 256, journal: false, is_scraped: true },
];
const SCRAPE_INTERVAL: Duration = Duration::from_millis(100);
/// What a slow reader takes at a time, and how long it pauses in between: 3 MB/s.
const SLOW_READ_BYTES: usize = 16 << 10;
const SLOW_READ_PAUSE: Duration = Duration::from_millis(5);

/// How a run was for its coordinator and its workers.
struct Run {
    joined_s: f64,
    cores: f64,
    resident_bytes: u64,
    peak_bytes: u64,
    results: Vec<WorkerResult>,
}

impl Run {
    fn take_part(workers: u32, seconds: u64, variant: &Variant, is_full: bool) -> Result<Self, String> {
        let scratch = Scratch::new()?;
        let coordinator = Coordinator::start(scratch.path(), workers, seconds, variant)?;
        pin(WORKERS_CORE)?;
        let tally = if is_full { full_window() } else { window(variant.scenarios) };
        let part = AssignedShard::new(coordinator.address, seconds, tally);
        let under_load = part.under_load.clone();
        let begun = Instant::now();
        let spawn = |number| {
            let worker = Simulated::new(part.clone(), number);
            std::thread::Builder::new().stack_size(256 << 10).spawn(move || worker.run())
        };
        let threads: Result<Vec<_>, _> = (0..workers).map(spawn).collect();
        let threads = threads.map_err(|e| format!("cannot start a thread: {e}"))?;
        let scraper = variant.is_scraped.then(|| Scraper::start(coordinator.address));
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
        if let Some(scraper) = scraper {
            eprintln!("{}", scraper.stop());
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

    fn row(&self, workers: u32, variant: &Variant) -> Vec<String> {
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
            format!("{workers}{}", variant.name),
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
fn window(scenarios: usize) -> Merged {
    let (mut tally, mut rng) = (Merged::new(scenarios), fastrand::Rng::with_seed(1));
    for i in 0..REQUESTS {
        let step = StepId((i % scenarios as u64) as u32);
        let service = 500_000 + (rng.f64().ln() * -300_000.0) as u64;
        let own = rng.u64(1_000..40_000);
        let scenario = tally.row_mut(step);
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

/// A slow reader of `/metrics`, on a thread of its own.
struct Scraper {
    stop: Arc<AtomicBool>,
    /// How many pages it read, and their bytes.
    thread: std::thread::JoinHandle<(u64, u64)>,
}

impl Scraper {
    fn start(coordinator: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut pages, mut bytes) = (0, 0);
            while !seen.load(Ordering::Relaxed) {
                let begun = Instant::now();
                if let Ok(n) = scrape(coordinator) {
                    (pages, bytes) = (pages + 1, bytes + n);
                }
                std::thread::sleep(SCRAPE_INTERVAL.saturating_sub(begun.elapsed()));
            }
            (pages, bytes)
        });
        Self { stop, thread }
    }

    fn stop(self) -> String {
        self.stop.store(true, Ordering::Relaxed);
        let (pages, bytes) = self.thread.join().unwrap_or_default();
        format!("{pages} pages of {} kB were read", bytes / pages.max(1) / 1000)
    }
}

/// Reads one page slowly; returns its bytes.
fn scrape(coordinator: SocketAddr) -> io::Result<u64> {
    let mut socket = TcpStream::connect(coordinator)?;
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let (mut chunk, mut bytes) = (vec![0; SLOW_READ_BYTES], 0);
    loop {
        match socket.read(&mut chunk)? {
            0 => return Ok(bytes),
            n => bytes += n as u64,
        }
        std::thread::sleep(SLOW_READ_PAUSE);
    }
}

/// The process that is measured.
struct Coordinator {
    child: Child,
    address: SocketAddr,
}

impl Coordinator {
    fn start(scratch: &Path, workers: u32, seconds: u64, variant: &Variant) -> Result<Self, String> {
        let failed = |e: std::io::Error| format!("the coordinator does not start: {e}");
        let plan = scratch.join("plan.yaml");
        let rate = u64::from(workers) * REQUESTS;
        let scenarios: String =
            (0..variant.scenarios).map(|i| format!("  - {{name: scenario {i}, path: /}}\n")).collect();
        let text = format!(
            "base_url: http://127.0.0.1:9\nload: {{rate: {rate}/s, duration: {seconds}s, concurrency: {workers}}}\n\
             scenarios:\n{scenarios}"
        );
        std::fs::write(&plan, text).map_err(failed)?;
        let mut command = Command::new(PROGRAM);
        command.args(["--role", "coordinator", "--listen", "127.0.0.1:0", "--workers", &workers.to_string()]);
        command.arg("--plan").arg(&plan);
        command.args(["--metrics-scenarios", "256"]);
        if variant.journal {
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
