//! The thread that merges what load threads measured and publishes the picture.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::load::{WINDOW_NS, Window};
use crate::report::{FirstFailure, Snapshot, State, TimelinePoint};
use crate::sys::Clock;
use crate::sys::cgroup::{Groups, Throttle};
use crate::tally::{Detail, Outcome, ScenarioTally, Tally, TlsFault};
use crate::verdict::preflight::OPEN_WINDOWS_MAX;

/// How often the picture's state and elapsed time move on when no window comes.
const TICK: Duration = Duration::from_millis(100);
/// The longest timeline: a day and a half of seconds, 15 MiB. Later windows still count, without a point.
const MAX_TIMELINE_POINTS: usize = 130_000;

/// Where the collector publishes and everybody else reads. Load threads never touch it, so a slow
/// reader delays the picture, not the load.
#[derive(Debug)]
pub struct Board(Mutex<Snapshot>);

impl Board {
    /// A board that shows `snapshot`.
    pub fn new(snapshot: Snapshot) -> Self {
        Self(Mutex::new(snapshot))
    }

    /// Look at the picture; draw into memory and write it out after this returns.
    pub fn read<T>(&self, look: impl FnOnce(&Snapshot) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Change the picture.
    pub fn update<T>(&self, change: impl FnOnce(&mut Snapshot) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the collector of a run is given.
pub struct Collector {
    /// Where it publishes.
    pub board: Arc<Board>,
    /// The run's clock.
    pub clock: Clock,
    /// When load begins on it.
    pub start_at_ns: u64,
    /// Windows of all threads.
    pub windows: Receiver<Window>,
    /// The way back of each thread's tallies.
    pub empties: Vec<Sender<Box<Tally>>>,
    /// Our control group, if there is one to be throttled in.
    pub group: Option<Groups>,
}

/// What has been merged and what is still open.
struct Progress {
    measure_from_ns: u64,
    /// Windows that some threads have not closed yet, by their place in the measured time.
    open: BTreeMap<u64, Tally>,
    /// The place of the first window that has no point in the timeline yet.
    first_open: u64,
    /// The end of the last window of each thread, on the run's clock; `None`: it has ended.
    ends_ns: Vec<Option<u64>>,
    load_ended_at_ns: u64,
    throttle_before: Option<Throttle>,
}

impl Collector {
    /// Merge windows until every thread has sent its last one, then show the finished run.
    pub fn run(self) {
        let warmup_ns = self.board.read(|s| s.run.warmup_ns);
        let measure_from_ns = self.start_at_ns + warmup_ns;
        let mut progress = Progress {
            measure_from_ns,
            open: BTreeMap::new(),
            first_open: 0,
            ends_ns: vec![Some(measure_from_ns); self.empties.len()],
            load_ended_at_ns: measure_from_ns,
            throttle_before: self.group.as_ref().map(Groups::throttle),
        };
        while progress.ends_ns.iter().any(Option::is_some) {
            match self.windows.recv_timeout(TICK) {
                Ok(window) => self.merge(window, &mut progress),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.tick(&mut progress);
        }
        self.finish(progress);
    }

    fn merge(&self, mut window: Window, progress: &mut Progress) {
        // A thread closes its window a little after the second is over: its middle says which it was.
        // What a thread far behind has counted is shown in the oldest window still open.
        let began_at_ns = progress.ends_ns[window.thread].unwrap_or(window.ended_at_ns);
        let middle_ns = began_at_ns.midpoint(window.ended_at_ns);
        let place = middle_ns.saturating_sub(progress.measure_from_ns) / WINDOW_NS;
        let place = place.max(progress.first_open);
        let scenarios = window.tally.scenarios.len();
        progress.open.entry(place).or_insert_with(|| Tally::new(scenarios)).merge(&window.tally);
        progress.ends_ns[window.thread] = Some(window.ended_at_ns).filter(|_| window.last.is_none());
        self.board.update(|snapshot| {
            snapshot.tally.merge(&window.tally);
            snapshot.threads[window.thread] = window.health;
            snapshot.first_failures = first_failures(&snapshot.tally, progress.measure_from_ns);
            if let Some(last) = window.last {
                snapshot.unfinished += last.unfinished;
                progress.load_ended_at_ns = progress.load_ended_at_ns.max(last.load_ended_at_ns);
            }
            let slowest = progress.ends_ns.iter().flatten().min().copied();
            let merged_to_ns = slowest.unwrap_or(progress.load_ended_at_ns);
            let longest = snapshot.run.duration_ns.unwrap_or(u64::MAX);
            snapshot.measured_ns = merged_to_ns.saturating_sub(progress.measure_from_ns).min(longest);
            loop {
                let crowded = progress.open.len() >= OPEN_WINDOWS_MAX as usize;
                let Some(entry) = progress.open.first_entry() else { break };
                let complete_ns = progress.measure_from_ns + (entry.key() + 1) * WINDOW_NS;
                if !crowded && slowest.is_some_and(|end| end < complete_ns) {
                    break;
                }
                progress.first_open = entry.key() + 1;
                let from_s = (entry.key() * WINDOW_NS) as f64 / 1e9;
                let t = ((entry.key() + 1) * WINDOW_NS) as f64 / 1e9;
                let tally = entry.remove();
                if let Some(intervals) = &mut snapshot.intervals {
                    intervals.add(from_s, t, &tally.scenarios);
                }
                if snapshot.timeline.len() < MAX_TIMELINE_POINTS {
                    snapshot.timeline.push(point(t, &tally));
                }
            }
        });
        window.tally.clear();
        // A thread that has ended takes nothing back.
        let _ = self.empties[window.thread].try_send(window.tally);
    }

    /// Move state, elapsed time and throttling on.
    fn tick(&self, progress: &mut Progress) {
        let now = self.clock.now();
        let measuring = now >= progress.measure_from_ns;
        let throttle = self.group.as_ref().map(Groups::throttle);
        if !measuring {
            // The last reading before the measured time, so at most a tick too early: rather one
            // period too many than one kept quiet.
            progress.throttle_before = throttle;
        }
        self.board.update(|snapshot| {
            snapshot.elapsed_ns = now.saturating_sub(self.start_at_ns);
            let ends = snapshot.run.duration_ns.map(|d| progress.measure_from_ns + d);
            snapshot.state = match ends {
                _ if now < self.start_at_ns => State::Starting,
                _ if !measuring => State::WarmingUp,
                Some(end) if now >= end => State::Draining,
                _ => State::Running,
            };
            if let (Some(now), Some(before)) = (throttle, progress.throttle_before) {
                let since = now.since(before);
                (snapshot.throttled_ns, snapshot.throttled_periods) = (since.ns, since.periods);
            }
        });
    }

    fn finish(&self, progress: Progress) {
        self.board.update(|snapshot| {
            let measured_ns = progress.load_ended_at_ns.saturating_sub(progress.measure_from_ns);
            snapshot.measured_ns = measured_ns.min(snapshot.run.duration_ns.unwrap_or(u64::MAX));
            snapshot.state = State::Finished;
            let tally = &snapshot.tally;
            let (due, ended) = (tally.sum(|s| s.due), tally.sum(ScenarioTally::ended));
            let dropped = tally.sum(|s| s.dropped);
            assert_eq!(due, ended + dropped + snapshot.unfinished, "every request is accounted for");
        });
    }
}

fn point(t: f64, tally: &Tally) -> TimelinePoint {
    let response = tally.over_scenarios(|s| &s.response_time);
    let service = tally.over_scenarios(|s| &s.service_time);
    TimelinePoint {
        t,
        due: tally.sum(|s| s.due),
        sent: tally.sum(|s| s.sent),
        completed: tally.sum(ScenarioTally::completed),
        failed: tally.sum(ScenarioTally::failed),
        dropped: tally.sum(|s| s.dropped),
        p50_ns: response.quantile(0.5),
        p99_ns: response.quantile(0.99),
        service_p50_ns: service.quantile(0.5),
        service_p99_ns: service.quantile(0.99),
        slip_p99_ns: tally.slip.quantile(0.99),
    }
}

fn first_failures(tally: &Tally, measure_from_ns: u64) -> Vec<FirstFailure> {
    let seen = Outcome::ALL.into_iter().zip(&tally.first_seen);
    let mut failures: Vec<FirstFailure> = seen
        .filter_map(|(outcome, first)| {
            let first = first.as_ref()?;
            let t = first.at_ns.saturating_sub(measure_from_ns) as f64 / 1e9;
            let detail = detail_text(first.detail, outcome);
            Some(FirstFailure { scenario: first.scenario.into(), outcome, t, detail })
        })
        .collect();
    failures.sort_by(|a, b| a.t.total_cmp(&b.t));
    failures
}

/// What was seen, in a few words.
pub fn detail_text(detail: Detail, outcome: Outcome) -> String {
    match detail {
        Detail::None => outcome.explain().to_owned(),
        Detail::Status(code) => format!("status {code}"),
        Detail::Os(errno) => std::io::Error::from_raw_os_error(errno).to_string(),
        Detail::Protocol(error) => error.explain().to_owned(),
        Detail::Tls(TlsFault::Alert(number)) => {
            format!("{} (number {number})", TlsFault::Alert(number).explain())
        }
        Detail::Tls(fault) => fault.explain().to_owned(),
        Detail::Truncated => "the stream ended without TLS close_notify: it may have been cut off".to_owned(),
        Detail::Redirect(error) => error.explain().to_owned(),
        Detail::Broken(broken) => format!("`{}` does not hold", broken.name()),
    }
}
