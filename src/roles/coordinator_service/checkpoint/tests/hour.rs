//! An hour of 50 workers: how long its journal gets, and how much memory it takes to recover.

use std::process::Command;
use std::time::Instant;

use super::*;
use crate::tally::Timer;

const WORKERS: u32 = 50;
const SECONDS: u64 = 3_600;
/// What the chart gives a coordinator.
const MOST_BYTES: u64 = 256 << 20;
const SCENARIOS: usize = 5;
/// Requests in a window, 15,000 a second over all workers.
const REQUESTS: u64 = 300;
const PLAN: &str = "base_url: http://127.0.0.1:1\nload: {rate: 15000/s, duration: 2h}\nscenarios:\n";
/// Names the directory to the process that recovers.
const DIRECTORY: &str = "LOADTESTER_TEST_HOUR";
/// The last two are for the run with a histogram log.
const OPTIONS: [&str; 4] = ["--workers", "50", "--report", "result.hlog"];
/// How many of them the process that recovers gets.
const GIVEN: &str = "LOADTESTER_TEST_HOUR_OPTIONS";

/// A window, with times as they are spread in practice.
fn window(rng: &mut fastrand::Rng) -> Merged {
    let mut tally = Merged::new(SCENARIOS);
    for _ in 0..REQUESTS {
        let step = StepId::new(rng.usize(..SCENARIOS));
        let sum: f64 = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
        let ns = (2e6 * (0.5 * sum).exp()) as u64;
        for counter in [RowCounter::Due, RowCounter::Sent] {
            tally.add_row(step, counter, 1);
        }
        tally.add_row(step, RowCounter::BytesReceived, 1_500);
        tally.add_row(step, Outcome::Ok, 1);
        tally.record_row(step, RowTimer::ResponseOk, ns);
        tally.record_row(step, RowTimer::ServiceOk, ns - ns / 100);
        tally.record(Timer::Slip, rng.u64(1_000..60_000));
        tally.count_status(step, 200);
    }
    tally
}

fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
#[ignore = "takes minutes; see docs/fleet.md"]
fn an_hour_of_50_workers_recovers_within_256_mib() {
    recovers("hour", &OPTIONS[..2]);
}

#[test]
#[ignore = "takes minutes; see docs/fleet.md"]
fn an_hour_of_50_workers_with_a_histogram_log_recovers_within_256_mib() {
    recovers("hour-log", &OPTIONS);
}

fn recovers(name: &str, options: &[&'static str]) {
    let scenarios: String = (0..SCENARIOS).map(|i| format!("  - {{name: s{i}, path: /{i}}}\n")).collect();
    let dir = RunDir::with(name, &format!("{PLAN}{scenarios}"), options.to_vec());
    let handle = ServiceHandle::new(dir.service(true));
    (0..WORKERS).for_each(|worker| Step::Join(u128::from(worker) + 1, worker).act(&handle));
    let ready = || (0..WORKERS).for_each(|worker| Step::Ready(worker, worker, WORKERS).act(&handle));
    ready();
    let mut rng = fastrand::Rng::with_seed(1);
    let kinds: Vec<Merged> = (0..200).map(|_| window(&mut rng)).collect();
    let (mut longest, mut sent) = (0, 0);
    for second in 1..=SECONDS {
        for worker in 0..WORKERS {
            let threads = vec![ThreadHealth::default(); THREADS as usize];
            let span = Span { from_ns: (second - 1) * S, to_ns: second * S, last: None, threads };
            let tally = kinds[rng.usize(..kinds.len())].clone();
            let report = Report { key: key(worker), span, tally }.write();
            sent += report.len();
            call(&handle, Call::Report(worker, second, &report));
        }
        ready();
        ServiceHandle::settle(&handle).unwrap();
        if handle.is_checkpoint_due() {
            handle.checkpoint();
        }
        longest = longest.max(journal_bytes(&dir.0));
    }
    let due = handle.with(|service| service.shared.read(|s| s.tally.sum(RowCounter::Due)));
    assert_eq!(due, SECONDS * u64::from(WORKERS) * REQUESTS);
    drop(handle);
    let begun = Instant::now();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--nocapture", "--exact"])
        .arg("roles::coordinator_service::checkpoint::tests::hour::recovery_of_that_hour")
        .env(DIRECTORY, &dir.0)
        .env(GIVEN, options.len().to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout);
    let found: Vec<u64> = text
        .lines()
        .find_map(|line| line.split_once("recovered ")?.1.split(' ').map(|n| n.parse().ok()).collect())
        .unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&child.stderr)));
    println!(
        "{} MiB of reports; journal at most {} MiB, now {} MiB; recovered in {:.1} s with at most {} MiB",
        sent >> 20,
        longest >> 20,
        journal_bytes(&dir.0) >> 20,
        begun.elapsed().as_secs_f64(),
        found[0] >> 20,
    );
    assert_eq!(found[1..], [due, SECONDS]);
    assert!(sent as u64 > MOST_BYTES, "or there was no need of checkpoints");
    assert!(longest < MOST_BYTES && found[0] < MOST_BYTES, "{longest} and {} bytes", found[0]);
}

/// What the other process of these tests does.
#[test]
#[ignore = "a part of the tests above"]
fn recovery_of_that_hour() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let given: usize = std::env::var(GIVEN).unwrap().parse().unwrap();
    let service = RunDir::at(directory.into(), OPTIONS[..given].to_vec());
    let service = service.service(true);
    let (due, points) = service.shared.read(|s| (s.tally.sum(RowCounter::Due), s.timeline.len()));
    println!("\nrecovered {} {due} {points}", peak_bytes());
    std::process::exit(0);
}
