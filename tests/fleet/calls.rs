//! A worker played by hand: calls that come twice, out of order, or from another version.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use loadtester::fleet::messages::{
    Final, Health, Heartbeat, Join, Joined, Key, Orders, Phase, WorkerId, WorkerState,
};
use loadtester::fleet::report::{LastSpan, Report, Span};
use loadtester::fleet::worker::Window as _;
use loadtester::plan::Shard;
use loadtester::tally::{Merged, Outcome, RowCounter, RowTimer, StepId, ThreadHealth};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::processes::{Log, RunDir, eventually, now_ns, post};

const FIELDS: &str = "Host: 127.0.0.1\r\nLoadtester-Protocol: 2\r\n";
const S: u64 = 1_000_000_000;

fn join(key: Key, version: &str) -> Join {
    let (version, host) = (version.to_owned(), "by-hand".to_owned());
    Join { key, slot: None, version, host, threads: 1, run: None, plan: None }
}

struct ManualWorker {
    url: String,
    key: Key,
    run: Key,
    worker: WorkerId,
    state: WorkerState,
    prepared: Option<Shard>,
}

impl ManualWorker {
    fn join(url: &str) -> Self {
        let key = Key(7);
        let answer: Joined = call(url, "/workers", &join(key, env!("CARGO_PKG_VERSION")));
        let Joined { run, worker, .. } = answer;
        Self { url: url.to_owned(), key, run, worker, state: WorkerState::Joined, prepared: None }
    }

    fn beat(&self) -> Orders {
        let beat = Heartbeat {
            key: self.key,
            run: self.run,
            epoch: 0,
            state: self.state,
            why: None,
            prepared: self.prepared,
            t0_ns: now_ns(),
            at_ns: None,
            start_error_ns: None,
            health: Health::default(),
        };
        call(&self.url, &format!("/workers/{}/heartbeat", self.worker.0), &beat)
    }

    /// Do as ordered until the schedule has gone on for `seconds`.
    fn run_for(&mut self, seconds: u64) {
        eventually("the run", || {
            std::thread::sleep(Duration::from_millis(100));
            let orders = self.beat();
            match orders.phase {
                Phase::Prepare => {
                    (self.state, self.prepared) = (WorkerState::Ready, orders.prepare.or(self.prepared));
                }
                Phase::Run => self.state = WorkerState::Running,
                _ => {}
            }
            orders.start_at_ns.filter(|start| orders.t2_ns > start + seconds * S)
        });
    }

    fn send(&self, seq: u64, report: &Report) -> (u16, Value) {
        let path = format!("/workers/{}/reports/{seq}", self.worker.0);
        let (status, body) = post(&self.url, &path, FIELDS, &report.write());
        (status, serde_json::from_str(&body).unwrap_or_else(|e| panic!("{status} {body}: {e}")))
    }

    /// A second of the schedule in which `count` requests came and ended.
    fn window(&self, second: u64, count: u64, last: Option<LastSpan>) -> Report {
        let mut tally = Merged::new(1);
        let scenario = tally.row_mut(StepId(0));
        scenario.set(RowCounter::Due, count);
        scenario.set(RowCounter::Sent, count);
        scenario.set(Outcome::Ok, count);
        for _ in 0..count {
            scenario.record(RowTimer::ResponseOk, 2_000_000);
            scenario.record(RowTimer::ServiceOk, 2_000_000);
        }
        let threads = vec![ThreadHealth::default()];
        let span = Span { from_ns: second * S, to_ns: (second + 1) * S, last, threads };
        Report { key: self.key, span, tally }
    }
}

/// The same report, whole, with counts that a hundred kilobytes inflate to 80 MiB.
fn huge(report: &Report) -> Vec<u8> {
    /// Magic, version and the length of what comes before the counts.
    const FRONT_BYTES: usize = 10;
    let mut bytes = report.write();
    let head_bytes = u32::from_be_bytes(bytes[6..FRONT_BYTES].try_into().expect("four"));
    bytes.truncate(FRONT_BYTES + head_bytes as usize);
    let mut encoder = ZlibEncoder::new(bytes, Compression::default());
    encoder.write_all(&vec![0; 80 << 20]).expect("memory");
    let mut bytes = encoder.finish().expect("memory");
    let mut checksum = flate2::Crc::new();
    checksum.update(&bytes);
    bytes.extend(checksum.sum().to_be_bytes());
    bytes
}

fn call<T: DeserializeOwned>(url: &str, path: &str, message: &impl Serialize) -> T {
    let (status, body) = post(url, path, FIELDS, &serde_json::to_vec(message).expect("JSON"));
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path}: {body}: {e}"))
}

#[test]
fn a_report_that_comes_twice_counts_once_and_is_acknowledged_again() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{rate: 10/s, duration: 3s, concurrency: 2}", "fail");
    let (mut coordinator, url) = dir.coordinator(&plan, "1", &[]);
    let mut hand = ManualWorker::join(&url);
    hand.run_for(1);
    let first = hand.window(0, 10, None);
    let refused = [first.write()[..200].to_vec(), huge(&first)].map(|bytes| {
        let (status, body) = post(&hand.url, "/workers/0/reports/1", FIELDS, &bytes);
        assert!(status == 400 && body.contains("\"malformed\""), "{status} {body}");
        body
    });
    assert_ne!(refused[0], refused[1], "a cut report and one that is too large");
    let acked = |seq: u64| (200, serde_json::json!({ "acked_seq": seq }));
    assert_eq!(hand.send(1, &first), acked(1));
    assert_eq!(hand.send(1, &first), acked(1), "the answer was lost on its way");
    // What came first is what counts, whatever its number brings later.
    assert_eq!(hand.send(1, &hand.window(0, 900, None)), acked(1));
    let (status, refused) = hand.send(3, &hand.window(2, 10, None));
    assert_eq!((status, &refused["error"], &refused["expected_seq"]), (409, &"gap".into(), &2.into()));
    hand.run_for(3);
    assert_eq!(hand.send(2, &hand.window(1, 10, None)), acked(2));
    let last = LastSpan { load_ended_ns: 3 * S, unfinished: 0 };
    let third = hand.window(2, 10, Some(last));
    assert_eq!((hand.send(3, &third), hand.send(2, &third)), (acked(3), acked(3)));
    let mut totals = first.totals();
    (0..2).for_each(|_| totals.add(&first.totals()));
    let last = Final { key: hand.key, last_seq: 3, totals, health: Health::default(), why: None };
    let path = format!("/workers/{}/final", hand.worker.0);
    let twice: [Value; 2] = [call(&url, &path, &last), call(&url, &path, &last)];
    assert_eq!(twice, [acked(3).1, acked(3).1]);
    assert_eq!(coordinator.end(), Some(0), "{}", coordinator.output());
    let report = dir.report();
    let totals = &report["totals"];
    assert_eq!((&totals["due"], &totals["sent"], &totals["ok"]), (&30.into(), &30.into(), &30.into()));
    assert_eq!(report["response_time"]["count"], 30);
    assert_eq!(
        (&report["fleet"]["unequal"], &report["fleet"]["missing"]),
        (&Value::from([0; 0]), &Value::from([0; 0]))
    );
    assert_eq!(log.arrivals().len(), 0, "all of it was made up");
}

#[test]
fn a_worker_of_another_version_is_refused_with_both_named() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{requests: 10, concurrency: 2}", "fail");
    let (coordinator, url) = dir.coordinator(&plan, "1", &[]);
    let ours = env!("CARGO_PKG_VERSION");
    let message = serde_json::to_vec(&join(Key(8), "9.8.7")).expect("JSON");
    let (status, body) = post(&url, "/workers", FIELDS, &message);
    assert_eq!(status, 409, "{body}");
    let refused: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(refused["error"], "other_version");
    let message = refused["message"].as_str().expect("a sentence");
    assert!(message.contains("9.8.7") && message.contains(ours), "{message}");
    // It took nobody's place.
    let mut worker = dir.worker("w0", &url, &["--threads", "1"]);
    coordinator.wait_for_output("worker 0");
    assert_eq!(worker.end(), Some(0), "{}", worker.output());
    assert_eq!(log.arrivals().len(), 10);
}
