//! Three workers against one process: as even, the same percentiles, begun together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hdrhistogram::serialization::Deserializer;
use loadtester::fleet::messages::Key;
use loadtester::fleet::report::Report;
use loadtester::journal::Journal;
use loadtester::tally::{Merged, RowTime, StepId};
use serde_json::Value;

use crate::harness::twice;
use crate::instrument::schedule_fit;
use crate::processes::{Log, RunDir};

const WORKERS: usize = 3;
const RATE: f64 = 3_000.0;
/// What a sleeping process may take longer than another one to wake up and send, at its best of dozens of
/// times: no part of the bound, which is about the clocks.
const WAKE_UP_NS: f64 = 1e6;

/// What a coordinator and its workers did: the target's log and the report.
fn fleet(dir: &RunDir, load: &str, more: &[&str]) -> (Vec<u64>, Value) {
    let log = Log::start();
    let plan = dir.plan(log.addr, load, "fail");
    let (mut coordinator, url) = dir.coordinator(&plan, &WORKERS.to_string(), more);
    let mut workers: Vec<_> =
        (0..WORKERS).map(|i| dir.worker(&format!("w{i}"), &url, &["--threads", "1"])).collect();
    let code = coordinator.end();
    assert!(matches!(code, Some(0 | 4)), "{code:?}: {}", coordinator.output());
    workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.output()));
    (log.arrivals(), dir.report())
}

fn alone(dir: &RunDir, load: &str) -> Vec<u64> {
    let log = Log::start();
    let plan = dir.plan(log.addr, load, "fail");
    let mut process = dir.start("alone", &["--plan", &plan, "--threads", "1", "--no-listen"], &[]);
    let code = process.end();
    assert!(matches!(code, Some(0 | 4)), "{code:?}: {}", process.output());
    log.arrivals()
}

/// Standard deviation of the gaps over their mean, all requests but for a few at either end.
fn gap_cv(arrivals: &[u64]) -> f64 {
    assert_eq!(arrivals.len() as f64, 4.0 * RATE);
    schedule_fit::fit(arrivals, RATE).expect("enough arrivals").gap_cv
}

#[test]
fn arrivals_of_three_workers_are_as_even_as_one_process() {
    let load = "{rate: 3000/s, duration: 4s, concurrency: 300}";
    twice("evenness", || {
        let dir = RunDir::alone();
        let (one, three) = (gap_cv(&alone(&dir, load)), gap_cv(&fleet(&dir, load, &[]).0));
        println!("cv of the gaps: one process {one:.3}, three workers {three:.3}");
        assert!(three <= 2.0 * one, "three workers {three:.3}, one process {one:.3}");
    });
}

/// The windows that a coordinator's journal holds, in order.
fn windows(directory: &str) -> Vec<Report> {
    let mut windows = Vec::new();
    let take = |record: &[u8]| {
        let (length, rest) = record.split_at(4);
        let (_, report) = rest.split_at(u32::from_le_bytes(length.try_into().expect("four")) as usize);
        if !report.is_empty() {
            windows.push(Report::read(report, 1).map_err(|refusal| refusal.message())?);
        }
        Ok(())
    };
    Journal::open(Path::new(directory), take).expect("a whole journal");
    windows
}

type Hdr = hdrhistogram::Histogram<u64>;
type Buckets = BTreeMap<u64, u64>;

fn add(buckets: &mut Buckets, histogram: &Hdr) {
    for v in histogram.iter_recorded() {
        *buckets.entry(v.value_iterated_to()).or_default() += v.count_at_value();
    }
}

/// The value that a share `q` of all does not exceed.
fn nearest_rank(buckets: &Buckets, q: f64) -> u64 {
    let rank = (q * buckets.values().sum::<u64>() as f64).ceil() as u64;
    let mut below = 0;
    let reached = |(value, count): (&u64, &u64)| {
        below += count;
        (below >= rank).then_some(*value)
    };
    buckets.iter().find_map(reached).expect("there are values")
}

/// The windows as they came in, put together by other means than the program's.
#[test]
fn merged_percentiles_are_those_of_the_union_of_what_workers_measured() {
    let dir = RunDir::new();
    let state = dir.path("state");
    let load = "{rate: 3000/s, duration: 4s, concurrency: 300}";
    let (_, report) = fleet(&dir, load, &["--state-dir", &state]);
    let windows = windows(&state);
    let workers: BTreeSet<Key> = windows.iter().map(|window| window.key).collect();
    assert_eq!(workers.len(), WORKERS);
    for (key, time) in [("response_time", RowTime::Response), ("service_time", RowTime::Service)] {
        let pick = |tally: &Merged| tally.row(StepId(0)).times(time).to_hdr();
        let mut union = Buckets::new();
        windows.iter().for_each(|window| add(&mut union, &pick(&window.tally)));
        let count: u64 = union.values().sum();
        assert_eq!((count, &report[key]["count"]), (12_000, &count.into()), "{key}");
        for (name, q) in
            [("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99_9", 0.999)]
        {
            let reported = report[key][name].as_f64().unwrap_or_else(|| panic!("{key}.{name}: {report:#}"));
            assert_eq!((reported * 1e9).round() as u64, nearest_rank(&union, q), "{key}.{name}");
        }
        let mut whole = Buckets::new();
        add(&mut whole, &decoded(&report["histograms"][key]));
        assert_eq!(whole, union, "{key}, bucket by bucket");
        // Which no worker's own figure would have been by chance.
        let mut own = Buckets::new();
        let first = windows.iter().filter(|window| Some(&window.key) == workers.first());
        first.for_each(|window| add(&mut own, &pick(&window.tally)));
        assert_ne!(own, union);
    }
}

fn decoded(text: &Value) -> Hdr {
    use base64::Engine as _;
    let bytes =
        base64::engine::general_purpose::STANDARD.decode(text.as_str().expect("text")).expect("base64");
    Deserializer::new().deserialize(&mut &bytes[..]).expect("a histogram")
}

/// How far apart the slots' schedules lie: arrivals are so far apart that who sent which is known by its
/// place, and the least late one of each slot says when its schedule began.
fn starts_apart_ns(arrivals: &[u64], rate: f64) -> f64 {
    let late = |(i, at): (usize, &u64)| (at - arrivals[0]) as f64 - i as f64 * 1e9 / rate;
    let began = (0..WORKERS).map(|slot| {
        let own = arrivals.iter().enumerate().skip(slot).step_by(WORKERS);
        own.map(late).fold(f64::INFINITY, f64::min)
    });
    let (first, last) =
        began.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
    last - first
}

#[test]
fn workers_begin_together_within_the_bound_that_the_report_states() {
    twice("start skew", start_together);
}

fn start_together() {
    let dir = RunDir::new();
    let (arrivals, report) = fleet(&dir, "{rate: 30/s, duration: 4s, concurrency: 6}", &[]);
    assert_eq!(arrivals.len(), 120);
    let bound_ns = report["fleet"]["start_skew_bound"].as_f64().expect("it is known") * 1e9;
    let apart_ns = starts_apart_ns(&arrivals, 30.0);
    println!("starts {:.3} ms apart, bound {:.3} ms", apart_ns / 1e6, bound_ns / 1e6);
    assert!(apart_ns <= bound_ns + WAKE_UP_NS, "{apart_ns} ns apart, bound {bound_ns} ns");
    // A bound that says nothing would hold, too; and one worker late would show.
    assert!((1.0..100e6).contains(&bound_ns), "{bound_ns}");
    let late: Vec<u64> =
        arrivals.iter().enumerate().map(|(i, at)| at + 20_000_000 * u64::from(i % 3 == 2)).collect();
    assert!(starts_apart_ns(&late, 30.0) > 20e6 - bound_ns - WAKE_UP_NS);
}
