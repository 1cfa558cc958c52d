//! The merged picture that every page and file is drawn from.

use std::sync::Arc;

use super::fleet::Fleet;
use super::hlog::Intervals;
use crate::plan::Threshold;
use crate::tally::Tally;
use crate::verdict::baseline::Against;

/// What is known of a run before it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct RunInfo {
    /// What the plan is called, if it has a name.
    pub plan_name: Option<String>,
    /// Where the plan came from.
    pub plan_source: String,
    /// The plan's digest.
    pub plan_digest: String,
    /// `closed` or `open`.
    pub model: &'static str,
    /// Seed of all randomness.
    pub seed: u64,
    /// Target as people write it, `http://host:port`.
    pub target: String,
    /// Name and weight per scenario, in the plan's order.
    pub scenarios: Vec<(String, u32)>,
    /// Requests this run is to send, when the plan says so.
    pub requests: Option<u64>,
    /// How long it is to measure, when the plan says so.
    pub duration_ns: Option<u64>,
    /// Warm-up before results start.
    pub warmup_ns: u64,
    /// Mean rate asked over the measured time in requests per second; `None` in the closed model.
    pub target_rate: Option<f64>,
    /// `kernel` or `user`: where receive times come from.
    pub timestamps: &'static str,
    /// Connections the plan asks for (the most, in the open model).
    pub connections: u32,
    /// Whether any certificate is accepted; `None`: no TLS is spoken.
    pub insecure: Option<bool>,
    /// What the run has to keep to.
    pub thresholds: Vec<Threshold>,
    /// A measurement that is not trustworthy supports no verdict.
    pub strict: bool,
    /// The earlier run it is held against.
    pub baseline: Option<Arc<Against>>,
}

impl RunInfo {
    /// Of a process that has no plan yet.
    pub fn unknown() -> Self {
        Self {
            plan_name: None,
            plan_source: "–".to_owned(),
            plan_digest: String::new(),
            model: "open",
            seed: 0,
            target: "–".to_owned(),
            scenarios: Vec::new(),
            requests: None,
            duration_ns: None,
            warmup_ns: 0,
            target_rate: None,
            timestamps: "kernel",
            connections: 0,
            insecure: None,
            thresholds: Vec::new(),
            strict: false,
            baseline: None,
        }
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Opening connections; nothing sent yet.
    Starting,
    /// Load is applied, results have not started.
    WarmingUp,
    /// Load is applied and measured.
    Running,
    /// No new requests; waiting for those in flight.
    Draining,
    /// Everything that will be known is known.
    Finished,
}

impl State {
    /// The name in `/status`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::WarmingUp => "warming_up",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Finished => "finished",
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As the plan said.
    Complete,
    /// A signal stopped it.
    Interrupted,
    /// It could not be carried out.
    Incomplete,
    /// A worker was lost, and the plan says that this fails the run.
    Failed,
}

/// One closed window of the measured time, over all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TimelinePoint {
    /// End of the window in seconds since the measured time began.
    pub t: f64,
    /// Requests whose due instant lay in it.
    pub due: u64,
    /// Requests sent in it.
    pub sent: u64,
    /// Exchanges that ended well in it.
    pub completed: u64,
    /// Exchanges that ended otherwise in it.
    pub failed: u64,
    /// Requests dropped in it.
    pub dropped: u64,
    /// Response time median in nanoseconds; `None`: nothing ended.
    pub p50_ns: Option<u64>,
    /// Response time 99th percentile in nanoseconds.
    pub p99_ns: Option<u64>,
    /// Service time median in nanoseconds; `None`: no answer came.
    pub service_p50_ns: Option<u64>,
    /// Service time 99th percentile in nanoseconds.
    pub service_p99_ns: Option<u64>,
    /// Slip 99th percentile in nanoseconds.
    pub slip_p99_ns: Option<u64>,
}

/// What one load thread said of itself in its last window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ThreadHealth {
    /// The core it is pinned to, if it is.
    pub core: Option<usize>,
    /// Time not spent waiting, over the whole measured time, in nanoseconds.
    pub busy_ns: u64,
    /// The measured time so far that `busy_ns` is out of, in nanoseconds.
    pub observed_ns: u64,
    /// Requests on the wire now.
    pub in_flight: u64,
    /// Due requests waiting for a connection now.
    pub backlog: u64,
    /// Connections established now.
    pub connections: u64,
}

impl ThreadHealth {
    /// Share of the measured time not spent waiting, 0..=1.
    pub fn busy_ratio(&self) -> f64 {
        if self.observed_ns == 0 { 0.0 } else { self.busy_ns as f64 / self.observed_ns as f64 }
    }
}

/// The first time an outcome other than ok was seen, to show people.
#[derive(Clone, Debug, PartialEq)]
pub struct FirstFailure {
    /// Which scenario.
    pub scenario: usize,
    /// How it ended.
    pub outcome: crate::tally::Outcome,
    /// Seconds since the measured time began.
    pub t: f64,
    /// What was seen, in a few words: a status code, an operating system error, a parse error.
    pub detail: String,
}

/// The merged picture of a run, so far or in the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// What was known before it started.
    pub run: RunInfo,
    /// Where it stands.
    pub state: State,
    /// How it ended; meaningful once `state` is `Finished`.
    pub ending: Ending,
    /// The threshold (by its place) whose failing stopped the run.
    pub aborted: Option<usize>,
    /// Wall clock at the start, seconds since the Unix epoch.
    pub started_at: f64,
    /// Since the first request was due (warm-up included), in nanoseconds.
    pub elapsed_ns: u64,
    /// Measured time so far, in nanoseconds: up to where every source of windows has told what it counted.
    pub measured_ns: u64,
    /// How far the counts reach beyond it on the mean, in nanoseconds, while some sources are behind others.
    pub ahead_ns: u64,
    /// Requests that were neither answered nor failed when the drain ended.
    pub unfinished: u64,
    /// Counts and histograms of the measured time.
    pub tally: Tally,
    /// The measured time, window by window.
    pub timeline: Vec<TimelinePoint>,
    /// The response times of each window, whole; `None`: not asked for.
    pub intervals: Option<Intervals>,
    /// One entry per load thread.
    pub threads: Vec<ThreadHealth>,
    /// Distinct first failures, at most a few.
    pub first_failures: Vec<FirstFailure>,
    /// CPU throttling of our cgroup in the measured time, in nanoseconds.
    pub throttled_ns: u64,
    /// Enforcement periods in which our cgroup was throttled in the measured time.
    pub throttled_periods: u64,
    /// The workers of a coordinator.
    pub fleet: Option<Fleet>,
}

impl Snapshot {
    /// A run that has not started.
    pub fn new(run: RunInfo, threads: usize, started_at: f64) -> Self {
        let tally = Tally::new(run.scenarios.len());
        Self {
            run,
            state: State::Starting,
            ending: Ending::Complete,
            aborted: None,
            started_at,
            elapsed_ns: 0,
            measured_ns: 0,
            ahead_ns: 0,
            unfinished: 0,
            tally,
            timeline: Vec::new(),
            intervals: None,
            threads: vec![ThreadHealth::default(); threads],
            first_failures: Vec::new(),
            throttled_ns: 0,
            throttled_periods: 0,
            fleet: None,
        }
    }

    /// The time that the counts are out of, in nanoseconds: the denominator of every rate.
    pub const fn counted_ns(&self) -> u64 {
        self.measured_ns + self.ahead_ns
    }

    /// Share of the run that is done, 0..=1: by requests or by time, whichever is further.
    pub fn progress(&self) -> f64 {
        if self.state == State::Finished {
            return 1.0;
        }
        let ended = self.tally.settled() as f64;
        let by_requests = self.run.requests.map_or(0.0, |n| ended / (n.max(1)) as f64);
        let by_time = self
            .run
            .duration_ns
            .map_or(0.0, |d| self.elapsed_ns as f64 / (d + self.run.warmup_ns).max(1) as f64);
        by_requests.max(by_time).min(1.0)
    }

    /// Time until the plan's end in nanoseconds: the sooner of its duration and, at the pace so far, its
    /// requests. `None` when no load is applied or nobody can tell.
    pub fn left_ns(&self) -> Option<u64> {
        if !matches!(self.state, State::WarmingUp | State::Running) {
            return None;
        }
        let run = &self.run;
        let by_time =
            run.duration_ns.map(|d| (d.saturating_add(run.warmup_ns)).saturating_sub(self.elapsed_ns));
        let ended = self.tally.settled();
        let by_requests = run.requests.filter(|_| ended > 0).map(|n| {
            let share = n.saturating_sub(ended) as f64 / ended as f64;
            (self.counted_ns() as f64 * share) as u64
        });
        by_time.into_iter().chain(by_requests).min()
    }
}
