//! What a worker and its coordinator say to each other, and what each field may hold.
//!
//! Control messages are JSON, reports are binary (`fleet::report`). All calls lie under [`PATH`]:
//!
//! | call | asked | answered |
//! |---|---|---|
//! | `POST /workers` | [`Join`] | [`Joined`] |
//! | `GET /plan` | | [`PlanBundle`] |
//! | `POST /workers/{id}/heartbeat` | [`Heartbeat`] | [`Orders`] |
//! | `POST /workers/{id}/reports/{seq}` | a report | [`Acked`] |
//! | `POST /workers/{id}/final` | [`Final`] | [`Acked`] |
//! | `POST /run/start`, `POST /run/stop` | | `{}` |
//!
//! Every call names the protocol in `PROTOCOL_HEADER`; a refusal is a [`super::Refused`]. The bytes of a
//! message are bounded before it is parsed, and its fields right after, both in [`super::Checked::read`]: nobody else does.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::plan::{MAX_PLAN_BYTES, Shard};

/// The protocol's version: peers speak the same one or not at all.
pub const PROTOCOL: u32 = 2;
/// The header that carries it.
pub(crate) const PROTOCOL_HEADER: &str = "Loadtester-Protocol";
/// The header in which each answer that is no refusal carries a [`CallStamps`].
pub(crate) const CLOCK_HEADER: &str = "Loadtester-Clock";
/// What every call's path begins with.
pub const PATH: &str = "/api/v1";
/// The largest heartbeat, final report or answer: none is larger than a few hundred bytes.
pub(crate) const MAX_CONTROL_BYTES: usize = 16 << 10;
/// The largest plan as it bundle: its text, escaped, with its variables and files.
pub(crate) const MAX_PLAN_MESSAGE_BYTES: usize = 2 * MAX_PLAN_BYTES - (64 << 10);
/// The largest report: windows of a worker that could not be reached for long, of thousands of scenarios, each of
/// whose two timers have hit a thousand buckets.
pub(crate) const MAX_REPORT_BYTES: usize = 16 << 20;
/// Workers at once. A coordinator merges a report of each in each second.
pub(crate) const MAX_WORKERS: usize = 1_000;
/// Processes that join one run in the course of it, replaced ones included: each keeps a row of its own.
pub(crate) const MAX_INCARNATIONS: usize = 4_000;
/// A worker's place, below this.
pub(crate) const MAX_SLOT: u32 = 100_000;
/// Load threads of one worker.
pub(crate) const MAX_THREADS: u32 = 1_024;
/// A name or a sentence in a message, in bytes.
pub(crate) const MAX_TEXT_BYTES: usize = 512;
/// Assignments that an answer carries: the present one and those decided for the next few seconds.
pub(crate) const MAX_ASSIGNMENTS: usize = 8;

/// No instant is later: the year 2116, and sums of two still fit an `i64`.
pub(crate) const MAX_TIME_NS: u64 = i64::MAX as u64 / 2;
/// No lease is longer: what a peer says must not let a worker send without being asked for hours.
pub(crate) const MAX_LEASE_NS: u64 = 60_000_000_000;
/// No heartbeats come closer together.
pub(crate) const MIN_NEXT_NS: u64 = 10_000_000;
/// A count that is believed: sums over all windows of a thousand workers can not overflow.
pub(crate) const MAX_COUNT: u64 = 1 << 53;

/// Names a process or a run: random, so that two never share one. Thirty-two hex digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u128);

/// A worker's number in its run: the order in which keys joined, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub u32);

/// A worker asks to take part. Asking again with the same key changes nothing and is answered alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Join {
    /// Made when the process started.
    pub key: Key,
    /// The place it wants to take; a process that has it already is replaced. `None`: any that is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// The program's version.
    pub version: String,
    /// Where it runs, for people.
    pub host: String,
    /// Its load threads, at least 1.
    pub threads: u32,
    /// The run it takes part in already; set when it has to join again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Key>,
    /// The plan it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanBundle>,
}

/// A plan as it bundle: enough to check it with the same code and come to the same digest.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanBundle {
    /// Where it came from, for people.
    pub source: String,
    /// `sha256:` and hex digits, of the plan and of the files that travel with it.
    pub digest: String,
    /// What the other side needs to read it; only the roles look inside.
    pub content: serde_json::Value,
}

/// Without what it holds: that is secret.
impl fmt::Debug for PlanBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, digest, content: _ } = self;
        f.debug_struct("PlanBundle").field("source", source).field("digest", digest).finish_non_exhaustive()
    }
}

/// A worker was taken in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// Its number.
    pub worker: WorkerId,
    /// The run it takes part in from now on.
    pub run: Key,
    /// Its place.
    pub(crate) slot: u32,
    /// The digest of the plan, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plan_digest: Option<String>,
}

/// How far a worker is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// Has joined, and has or fetches its plan.
    #[default]
    Joined,
    /// Opens its connections.
    Preparing,
    /// Could begin at any time.
    Ready,
    /// Applies load, or may as soon as it is time.
    Running,
    /// Makes no new requests and waits for those in flight.
    Draining,
    /// It knows everything it will know, though it may not have reported it.
    Done,
    /// Can not do its part; the heartbeat says why.
    Failed,
}

/// A worker is alive. Asks for orders and for a lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Whose number it is.
    pub key: Key,
    /// The run.
    pub run: Key,
    /// The newest epoch it knows; 0: none.
    pub epoch: u32,
    /// How far it is.
    pub state: WorkerState,
    /// With `failed`: why, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The part that its load threads are made for, once they are there.
    #[serde(default, with = "shard_form", skip_serializing_if = "Option::is_none")]
    pub prepared: Option<Shard>,
    /// When it was sent, on the worker's clock.
    pub t0_ns: u64,
    /// Where in the schedule the worker was then, once it has a start; negative before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ns: Option<i64>,
    /// Its start lies at most this far from the asked one, as far as it can know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_error_ns: Option<u64>,
    /// What it says of itself.
    pub health: Health,
}

/// What a worker says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Busy share of its busiest thread, 0..=1.
    pub busy: f64,
    /// Requests on the wire.
    pub in_flight: u64,
    /// Due requests that wait for a connection.
    pub backlog: u64,
    /// Connections established.
    pub connections: u64,
    /// 99th percentile of its send delay so far; `None` while too few requests were sent to know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_delay_p99_ns: Option<u64>,
    /// CPU throttling of its control group in the measured time.
    pub throttled_ns: u64,
    /// Enforcement periods in which it was throttled.
    pub throttled_periods: u64,
    /// Windows it could not deliver yet.
    pub unsent_windows: u32,
    /// Time for which it had no lease though it should have sent.
    pub unleased_ns: u64,
}

/// What the coordinator wants of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Be there.
    #[default]
    Wait,
    /// Open connections and say `ready`.
    Prepare,
    /// Begin at `start_at`, keep to the assignments and to the lease.
    Run,
    /// The schedule is over: wait for what is in flight, report, send the final report.
    Drain,
    /// Make no new request from now on; then as in `drain`.
    Stop,
    /// The result is sealed: nothing more is wanted.
    Finished,
}

/// From when on a worker owns which part of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Which sharing-out this is part of; from 1, each begins later than the one before.
    pub(crate) epoch: u32,
    /// Requests due at this time of the schedule and later, until the next turn. In nanoseconds since its
    /// first instant, warm-up included.
    pub from_ns: u64,
    /// Its part; `None`: nothing of it.
    #[serde(with = "shard_form")]
    pub shard: Option<Shard>,
}

/// The answer to a heartbeat: the whole of what is wanted, so that a lost one does no harm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Orders {
    /// The run.
    pub(crate) run: Key,
    /// What is wanted.
    pub phase: Phase,
    /// Digest of the plan, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plan_digest: Option<String>,
    /// The part to make load threads for, before any turn says what is owned.
    #[serde(default, with = "shard_form", skip_serializing_if = "Option::is_none")]
    pub prepare: Option<Shard>,
    /// When the schedule begins, on the coordinator's clock. A worker keeps to the first one it received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at_ns: Option<u64>,
    /// When it ends at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stop_at_ns: Option<u64>,
    /// What it owns: the present turn and those decided, by `from_ns`; at most `MAX_ASSIGNMENTS`.
    pub assignments: Vec<Assignment>,
    /// The right to send, counted from the heartbeat's `t0`; 0: none.
    pub lease_ns: u64,
    /// The last window of this worker that was applied.
    pub(crate) acked_seq: u64,
    /// When the heartbeat came, on the coordinator's clock.
    pub(crate) t1_ns: u64,
    /// When the answer left.
    pub t2_ns: u64,
    /// When the next heartbeat is wanted, from the last one on.
    pub(crate) next_ns: u64,
    /// With `stop`: why, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

/// When a call came and when its answer left, on the coordinator's clock and as near to the wire as can be
/// measured: [`Orders`] carry the same as the state machine saw it, with its own queueing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallStamps {
    /// When the call came.
    pub(crate) t1_ns: u64,
    /// When the answer left.
    pub(crate) t2_ns: u64,
}

impl CallStamps {
    /// From the value of [`CLOCK_HEADER`]; `None`: it is none, or out of bounds.
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

/// What windows count together: a worker's final report is held against the sum of its windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Requests that fell due.
    pub due: u64,
    /// Requests whose send began.
    pub sent: u64,
    /// Exchanges that ended well.
    pub completed: u64,
    /// Exchanges that ended otherwise.
    pub failed: u64,
    /// Requests dropped.
    pub dropped: u64,
    /// Requests that had not ended when the drain did.
    pub unfinished: u64,
    /// Recorded response times.
    pub samples: u64,
    /// Request bytes.
    pub bytes_sent: u64,
    /// Response bytes.
    pub bytes_received: u64,
}

/// A worker's last word: it has sent all its windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Final {
    /// Whose number it is.
    pub key: Key,
    /// The last window's number: all up to it have been acknowledged.
    pub last_seq: u64,
    /// Everything it counted.
    pub totals: Totals,
    /// What it says of itself in the end.
    pub health: Health,
    /// Why it ended before its time, in a sentence; `None`: it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A report is applied and, if there is a journal, in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acked {
    /// The last window of this worker that was applied.
    pub(crate) acked_seq: u64,
}

impl Totals {
    /// Add what another window or worker counted.
    pub fn add(&mut self, other: &Self) {
        let mine = self.each_mut();
        mine.into_iter().zip(other.each()).for_each(|(a, b)| *a = a.saturating_add(b));
    }

    /// The sum of both, unless a count of it exceeds [`MAX_COUNT`].
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

/// A part as `[slot, of]`, nothing as `null`.
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
