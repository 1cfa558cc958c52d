//! The messages between workers and coordinator, and the bounds of their fields.
//!
//! Control messages are JSON, reports are binary (`fleet::report`). All calls are under [`PATH`]:
//!
//!  call | request | response |
//! |---|---|---|
//! | `POST /workers` | [`Join`] | [`Joined`] |
//! | `GET /plan` | | [`PlanBundle`] |
//! | `POST /workers/{id}/heartbeat` | [`Heartbeat`] | [`Orders`] |
//! | `POST /workers/{id}/reports/{seq}` | a report | [`Acked`] |
//! | `POST /workers/{id}/final` | [`Final`] | [`Acked`] |
//! | `POST /run/start`, `POST /run/stop` | | `{}` |
//!
//! Every call carries the protocol version in `PROTOCOL_HEADER`; a refusal is a [`super::Refused`].
//! [`super::Checked::read`] bounds a message's bytes before it parses them and checks its fields right after.
//! No other code does.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::plan::{MAX_PLAN_BYTES, Shard};

/// The protocol's version: peers with different versions refuse each other.
pub const PROTOCOL: u32 = 2;
/// The header that carries the protocol version.
pub(crate) const PROTOCOL_HEADER: &str = "Loadtester-Protocol";
/// The header that carries [`CallStamps`] in each answer that is not a refusal.
pub(crate) const CLOCK_HEADER: &str = "Loadtester-Clock";
/// The prefix of every call's path.
pub const PATH: &str = "/api/v1";
/// The largest heartbeat, final report or answer in bytes; typical ones have a few hundred.
pub(crate) const MAX_CONTROL_BYTES: usize = 16 << 10;
/// The largest plan message in bytes: its escaped text, with its variables and files.
pub(crate) const MAX_PLAN_MESSAGE_BYTES: usize = 2 * MAX_PLAN_BYTES - (64 << 10);
/// The largest report in bytes: merged windows of a worker that was long out of reach, of thousands of
/// scenarios, whose two timers have each hit a thousand buckets.
pub(crate) const MAX_REPORT_BYTES: usize = 16 << 20;
/// Workers at once. A coordinator merges a report of each every second.
pub(crate) const MAX_WORKERS: usize = 1_000;
/// Processes that join one run over its whole length, replaced ones included: each keeps its own row.
pub(crate) const MAX_INCARNATIONS: usize = 4_000;
/// Slots are below this.
pub(crate) const MAX_SLOT: u32 = 100_000;
/// Load threads of one worker.
pub(crate) const MAX_THREADS: u32 = 1_024;
/// A name or a sentence in a message, in bytes.
pub(crate) const MAX_TEXT_BYTES: usize = 512;
/// Assignments in an answer: the present one and those decided for the next few seconds.
pub(crate) const MAX_ASSIGNMENTS: usize = 8;

/// The latest instant: the year 2116. Sums of two still fit an `i64`.
pub(crate) const MAX_TIME_NS: u64 = i64::MAX as u64 / 2;
/// The longest lease, so that no peer can make a worker send for hours on one grant.
pub(crate) const MAX_LEASE_NS: u64 = 60_000_000_000;
/// The shortest interval between heartbeats.
pub(crate) const MIN_NEXT_NS: u64 = 10_000_000;
/// The largest valid count: sums over all windows of a thousand workers cannot overflow.
pub(crate) const MAX_COUNT: u64 = 1 << 53;

/// Names a process or a run. Random, so that two never share one; 32 hex digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u128);

/// A worker's number in its run: the order of joining, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub u32);

/// A worker's request to take part. Repeating it with the same key changes nothing and gets the same answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Join {
    /// Random, made when the process started.
    pub key: Key,
    /// The slot it wants, replacing a process that has it; `None`: any free slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// The program's version.
    pub version: String,
    /// The host's name, for display.
    pub host: String,
    /// Its load threads, at least 1.
    pub threads: u32,
    /// The run it already takes part in; set when it has to join again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Key>,
    /// Its own plan, if it was started with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanBundle>,
}

/// A plan in transit: enough to check it with the same code and to compute the same digest.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanBundle {
    /// Where it came from, for display.
    pub source: String,
    /// `sha256:` and hex digits, over the plan and the files sent with it.
    pub digest: String,
    /// What the receiver needs to parse it; only the roles look inside.
    pub content: serde_json::Value,
}

/// Leaves out `content`, which holds secrets.
impl fmt::Debug for PlanBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, digest, content: _ } = self;
        f.debug_struct("PlanBundle").field("source", source).field("digest", digest).finish_non_exhaustive()
    }
}

/// The answer to a join.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// Its number, from 0 in the order of joining.
    pub worker: WorkerId,
    /// The run it takes part in from now on.
    pub run: Key,
    pub(crate) slot: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plan_digest: Option<String>,
}

/// A worker's progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// Has joined, and has or fetches its plan.
    #[default]
    Joined,
    /// Opens its connections.
    Preparing,
    /// Ready to begin at any time.
    Ready,
    /// Sends load, or will at the start.
    Running,
    /// Makes no new requests and waits for those in flight.
    Draining,
    /// Has all its results, though it may not have reported them.
    Done,
    /// Has failed; the heartbeat gives the reason.
    Failed,
}

/// A worker's sign of life and request for orders and a lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The key the worker joined with.
    pub key: Key,
    /// The run it takes part in.
    pub run: Key,
    /// The newest epoch it has received; 0: none.
    pub epoch: u32,
    /// Its progress.
    pub state: WorkerState,
    /// The reason, in a sentence; set when `state` is `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The shard that its load threads are ready for.
    #[serde(default, with = "shard_form", skip_serializing_if = "Option::is_none")]
    pub prepared: Option<Shard>,
    /// When it was sent, in nanoseconds on the worker's clock.
    pub t0_ns: u64,
    /// The worker's position in the schedule at `t0_ns`, in nanoseconds, once it has a start; negative
    /// before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ns: Option<i64>,
    /// Upper bound on the error of its start, in nanoseconds, as far as it can know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_error_ns: Option<u64>,
    /// The worker's load and limits.
    pub health: Health,
}

/// A worker's report on itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Busy share of its busiest thread, 0..=1.
    pub busy: f64,
    /// Requests on the wire.
    pub in_flight: u64,
    /// Due requests that wait for a connection.
    pub backlog: u64,
    /// Established connections.
    pub connections: u64,
    /// 99th percentile of its send delay so far, in nanoseconds; `None`: too few requests for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_delay_p99_ns: Option<u64>,
    /// CPU throttling of its control group in the measured time, in nanoseconds.
    pub throttled_ns: u64,
    /// Enforcement periods with throttling.
    pub throttled_periods: u64,
    /// Windows that are not acknowledged yet.
    pub unsent_windows: u32,
    /// Time without a lease in which it should have sent, in nanoseconds.
    pub unleased_ns: u64,
}

/// The phase that the coordinator orders a worker into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Keep sending heartbeats.
    #[default]
    Wait,
    /// Open connections and report `ready`.
    Prepare,
    /// Begin at `start_at_ns`; follow the assignments and the lease.
    Run,
    /// The schedule is over: wait for requests in flight, report, send the final report.
    Drain,
    /// Make no new requests; then as in `drain`.
    Stop,
    /// The result is sealed: nothing more to do.
    Finished,
}

/// The shard of the schedule that a worker owns from some time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The partitioning it belongs to, from 1; each begins later than the one before.
    pub(crate) epoch: u32,
    /// It applies to requests due at this time and later, until the next assignment. Nanoseconds since the
    /// schedule's first instant, warm-up included.
    pub from_ns: u64,
    /// The shard; `None`: the worker owns nothing.
    #[serde(with = "shard_form")]
    pub shard: Option<Shard>,
}

/// The answer to a heartbeat. It carries the complete orders, so that a lost answer does no harm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Orders {
    pub(crate) run: Key,
    /// The phase to be in.
    pub phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plan_digest: Option<String>,
    /// The shard to prepare load threads for, before any assignment.
    #[serde(default, with = "shard_form", skip_serializing_if = "Option::is_none")]
    pub prepare: Option<Shard>,
    /// When the schedule begins, in nanoseconds on the coordinator's clock. A worker keeps to the first one
    /// it received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at_ns: Option<u64>,
    /// The latest end of the schedule, on the same clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stop_at_ns: Option<u64>,
    /// The present assignment and those already decided, by `from_ns`; at most `MAX_ASSIGNMENTS`.
    pub assignments: Vec<Assignment>,
    /// Length of the lease in nanoseconds, from the heartbeat's `t0_ns`; 0: none.
    pub lease_ns: u64,
    /// Sequence number of this worker's last applied window.
    pub(crate) acked_seq: u64,
    /// When the heartbeat arrived, on the coordinator's clock.
    pub(crate) t1_ns: u64,
    /// When the answer left, in nanoseconds on the coordinator's clock.
    pub t2_ns: u64,
    /// Interval to the next heartbeat, from this one's `t0_ns`.
    pub(crate) next_ns: u64,
    /// The reason, in a sentence; set when the run was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

/// When a call arrived and its answer left, on the coordinator's clock and as close to the wire as can be
/// measured. [`Orders`] carry the state machine's view of the same, which includes queueing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallStamps {
    pub(crate) t1_ns: u64,
    pub(crate) t2_ns: u64,
}

impl CallStamps {
    /// Parse the value of [`CLOCK_HEADER`]; `None`: malformed or out of bounds.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (t1, t2) = text.split_once(", ")?;
        let (t1_ns, t2_ns) = (t1.parse().ok()?, t2.parse().ok()?);
        (t1_ns <= t2_ns && t2_ns <= MAX_TIME_NS).then_some(Self { t1_ns, t2_ns })
    }
}

impl fmt::Display for CallStamps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.t1_ns, self.t2_ns)
    }
}

/// Counts over windows. A worker's final report is checked against the sum of its windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Requests that fell due.
    pub due: u64,
    /// Requests whose sending began.
    pub sent: u64,
    /// Exchanges that succeeded.
    pub completed: u64,
    /// Exchanges that failed.
    pub failed: u64,
    /// Requests that fell due and were never sent.
    pub dropped: u64,
    /// Requests still in flight at the end of the drain.
    pub unfinished: u64,
    /// Recorded response times.
    pub samples: u64,
    /// Request bytes.
    pub bytes_sent: u64,
    /// Response bytes.
    pub bytes_received: u64,
}

/// A worker's final report, sent after all its windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Final {
    /// The key the worker joined with.
    pub key: Key,
    /// Sequence number of its last window; all up to it have been acknowledged.
    pub last_seq: u64,
    /// Everything the worker counted.
    pub totals: Totals,
    /// Its last health.
    pub health: Health,
    /// Why it ended early, in a sentence; `None`: it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The report is applied and, if there is a journal, on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acked {
    /// Sequence number of this worker's last applied window.
    pub(crate) acked_seq: u64,
}

impl Totals {
    /// Add another window's or worker's counts, saturating.
    pub fn add(&mut self, other: &Self) {
        let mine = self.each_mut();
        mine.into_iter().zip(other.each()).for_each(|(a, b)| *a = a.saturating_add(b));
    }

    /// The sum, or `None` if a count exceeds [`MAX_COUNT`].
    pub(crate) fn bounded_sum(&self, other: &Self) -> Option<Self> {
        let mut sum = *self;
        sum.add(other);
        sum.each().into_iter().all(|n| n <= MAX_COUNT).then_some(sum)
    }

    pub(super) fn each(&self) -> [u64; 9] {
        let Self { due, sent, completed, failed, dropped, unfinished, samples, bytes_sent, bytes_received } =
            *self;
        [due, sent, completed, failed, dropped, unfinished, samples, bytes_sent, bytes_received]
    }

    fn each_mut(&mut self) -> [&mut u64; 9] {
        let Self { due, sent, completed, failed, dropped, unfinished, samples, bytes_sent, bytes_received } =
            self;
        [due, sent, completed, failed, dropped, unfinished, samples, bytes_sent, bytes_received]
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        let is_hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let key = u128::from_str_radix(&text, 16).ok().filter(|_| is_hex);
        key.map(Self).ok_or_else(|| serde::de::Error::custom("a key has 32 hex digits"))
    }
}

/// A shard as `[slot, of]`, or `null`.
mod shard_form {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Shard};

    pub(crate) fn serialize<S: Serializer>(shard: &Option<Shard>, to: S) -> Result<S::Ok, S::Error> {
        shard.map(|s| [s.slot, s.of]).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Shard>, D::Error> {
        let pair = <Option<[u32; 2]>>::deserialize(from)?;
        Ok(pair.map(|[slot, of]| Shard { slot, of }))
    }
}
