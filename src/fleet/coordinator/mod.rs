//! The coordinator as a pure state machine: events and their instants in, effects out.
//!
//! ```text
//! Gathering ──enough joined──▶ Preparing ──all ready──▶ Running ──time is up──▶ Draining ──all final──▶ Sealed
//!     ▲                            │                       │                        ▲      or too late
//!     └────── one is lost ─────────┘                       └── stopped, or lost ────┘
//! ```
//!
//! Each state but Running has a deadline: for enough workers to join, for those that joined to become ready,
//! and, from the first loss among them, for the load to begin. After it the run is stopped with the names of
//! those that were missing.
//!
//! The caller feeds one [`Event`] with the instant it was seen and carries the [`Effect`]s out in their
//! order. Answers leave, and a seal is shown, only when all earlier `Persist`s are on disk, so everything
//! that was answered survives a crash. Many answers may wait for one disk write. Instants are nanoseconds
//! since the Unix epoch, on a clock that only moves forward while the process lives.

mod apply;
mod calls;
mod ending;
mod event;
mod durable_state;
mod epoch_shard;
mod member;
mod phases;
mod record;
mod partition;
mod status;
mod view;

pub(crate) mod terms;

pub(crate) use durable_state::Member;
pub use durable_state::{Departure, DurableState};
pub use ending::{RunEnd, StopReason};
pub(crate) use epoch_shard::EpochShard;
pub(crate) use event::Note;
pub use event::{Answer, Effect, Event};
pub use record::Record;
pub use status::{AwaitedStep, MemberState, Row, Waiting};
pub use terms::{Config, OnWorkerLoss, Partitioning, RunTerms};

use super::Refusal;
use super::messages::{Key, PlanBundle, WorkerId, WorkerState};
use event::{Effects, Reply};
use member::MemberStatus;

/// Why a journal that begins with any other record is refused.
const NO_RUN: &str = "does not begin a run";
/// The longest that a heartbeat that grants a lease can take.
pub(crate) const CALL_TIMEOUT_NS: u64 = 2_000_000_000;

/// The coordinator of one run.
#[derive(Clone, Debug)]
pub struct Coordinator {
    config: Config,
    state: DurableState,
    /// Status of each member while this process lives, indexed by worker number.
    present: Vec<MemberStatus>,
    /// When this process opened the run.
    opened_ns: u64,
    now_ns: u64,
    /// Workers that were ordered to get ready, by slot, and since when.
    preparing: Option<(u64, Vec<WorkerId>)>,
    /// When the first of those workers was lost.
    broken_up_ns: Option<u64>,
    /// Recovered from a journal after the start: another process's clock set the start.
    restored: bool,
    /// No repartitioning before this: by then every worker that may send has called.
    settled_ns: u64,
    /// How far the schedule of the foremost worker is ahead of the schedule by our clock.
    ahead_ns: Option<i64>,
    /// The journal cannot be written.
    broken: bool,
}

impl Coordinator {
    /// A new run, and the record that opens its journal.
    pub fn new(config: Config, run: Key, now: u64) -> (Self, Record) {
        let coordinator = Self {
            config,
            state: DurableState::new(run),
            present: Vec::new(),
            opened_ns: now,
            now_ns: now.saturating_sub(1),
            preparing: None,
            broken_up_ns: None,
            restored: false,
            settled_ns: now,
            ahead_ns: None,
            broken: false,
        };
        (coordinator, Record::Opened { run })
    }

    /// Restore the run from a journal's `records`; the caller merges the reports' bytes.
    ///
    /// # Errors
    /// Index of the first record that cannot follow the earlier ones, and why.
    pub fn restore(
        config: Config,
        records: impl IntoIterator<Item = Record>,
        now: u64,
    ) -> Result<Self, (usize, &'static str)> {
        let (mut coordinator, _) = Self::new(config, Key(0), now);
        let mut records = records.into_iter().enumerate();
        let (_, first) = records.next().ok_or((0, NO_RUN))?;
        coordinator.reopen(first).map_err(|why| (0, why))?;
        for (i, record) in records {
            coordinator.replay(&record).map_err(|why| (i, why))?;
        }
        coordinator.resume(now);
        Ok(coordinator)
    }

    /// Turn a new coordinator into one of the run that this first record of a journal begins. The journal's
    /// other records go to [`Self::replay`]; then call [`Self::resume`].
    ///
    /// # Errors
    /// Why no run can begin like that.
    pub(crate) fn reopen(&mut self, first: Record) -> Result<(), &'static str> {
        self.state = match first {
            Record::Opened { run } => DurableState::new(run),
            Record::Checkpoint(state) => *state,
            _ => return Err(NO_RUN),
        };
        self.add_present();
        Ok(())
    }

    /// Apply the journal's next record.
    ///
    /// # Errors
    /// Why it cannot follow the earlier ones.
    pub(crate) fn replay(&mut self, record: &Record) -> Result<(), &'static str> {
        self.state.apply(record)?;
        self.add_present();
        Ok(())
    }

    /// Go on with the run after the last record of its journal.
    pub(crate) fn resume(&mut self, now: u64) {
        // The journal does not record when workers were last heard. Assume all were heard just now, so that
        // no live worker is called lost.
        self.present = vec![MemberStatus::new(now); self.state.members.len()];
        // A finished worker's health still counts, such as its throttling.
        for (present, member) in self.present.iter_mut().zip(&self.state.members) {
            if let Some(last) = &member.last {
                (present.state, present.health) = (WorkerState::Done, last.health);
            }
        }
        // Workers that were complete once get the shorter deadline for replacements.
        self.broken_up_ns = (self.state.most_live >= self.enough()).then_some(now);
        self.settled_ns = now + self.silence_ns();
        self.restored = self.state.start_at_ns.is_some();
    }

    /// A record that stands for all records so far; `None`: the result is final, and the few records that may
    /// follow need none.
    pub fn checkpoint(&self) -> Option<Record> {
        let is_open = self.state.sealed.is_none() && !self.broken;
        is_open.then(|| Record::Checkpoint(Box::new(self.state.clone())))
    }

    fn add_present(&mut self) {
        self.present.resize(self.state.members.len(), MemberStatus::new(self.opened_ns));
    }

    /// Apply one event; `now` never goes back.
    pub fn step(&mut self, event: Event, now: u64) -> Vec<Effect> {
        let mut effects = Effects::default();
        self.now_ns = now;
        let is_call = match &event {
            Event::Tick | Event::Plan(..) | Event::JournalFailed => false,
            Event::Stop(reason) => *reason == StopReason::Operator,
            _ => true,
        };
        // First what is overdue: a worker that calls too late is lost all the same.
        self.tick(now, &mut effects);
        let reply = self.take(event, now, &mut effects);
        // A call may complete what the run was waiting for; its answer already includes it.
        self.tick(now, &mut effects);
        let answer = reply.map(|reply| self.answer(reply, now)).transpose();
        if let Some(answer) = answer.filter(|answer| is_call || answer.is_err()) {
            effects.0.push(Effect::Answer(answer));
        }
        effects.0
    }

    fn take(&mut self, event: Event, now: u64, effects: &mut Effects) -> Result<Reply, Refusal> {
        if self.broken && !matches!(event, Event::Heartbeat(..)) {
            return Err(Refusal::JournalFailed);
        }
        match event {
            Event::Tick => Ok(Reply::Nothing),
            Event::Plan(plan, terms, key) => self.take_plan(plan, terms, key, effects),
            Event::Join(join) => self.join(&join, now, effects),
            Event::Heartbeat(worker, beat) => self.heartbeat(worker, &beat, now, effects),
            Event::Report { worker, key, seq, totals } => self.report(worker, key, seq, &totals, effects),
            Event::Final(worker, last) => self.last_word(worker, &last, now, effects),
            Event::Start => self.start_when_ready(effects),
            Event::Stop(reason) => {
                self.stop(reason, now, effects);
                Ok(Reply::Done)
            }
            Event::JournalFailed => {
                self.broken = true;
                self.stop(StopReason::JournalFailed, now, effects);
                Ok(Reply::Nothing)
            }
        }
    }

    fn take_plan(
        &mut self,
        plan: PlanBundle,
        terms: RunTerms,
        key: Option<Key>,
        effects: &mut Effects,
    ) -> Result<Reply, Refusal> {
        match &self.state.plan {
            None => self.record(Record::Plan(plan, terms, key), effects),
            Some((ours, _)) if ours.digest == plan.digest => {}
            Some((ours, _)) => {
                return Err(Refusal::OtherPlan { ours: ours.digest.clone(), theirs: plan.digest });
            }
        }
        Ok(Reply::Nothing)
    }

    fn start_when_ready(&mut self, effects: &mut Effects) -> Result<Reply, Refusal> {
        let not_now = |why: &str| Err(Refusal::NotNow(why.to_owned()));
        if self.state.sealed.is_some() || self.state.stopped.is_some() {
            return not_now("the run is over: start a new coordinator");
        }
        if self.state.plan.is_none() {
            return Err(Refusal::NoPlan);
        }
        if self.state.live().next().is_none() {
            return not_now("no worker has joined: start some first");
        }
        if !self.state.started_by_operator && self.state.start_at_ns.is_none() {
            self.record(Record::ToldToStart, effects);
        }
        Ok(Reply::Done)
    }

    /// Apply a durable change and have it persisted.
    fn record(&mut self, record: Record, effects: &mut Effects) {
        let applied = self.state.apply(&record);
        debug_assert_eq!(applied, Ok(()), "{record:?}");
        if !self.broken {
            effects.0.push(Effect::Persist(record));
        }
    }

    /// How long a silent worker counts as alive: longer than it may send.
    fn silence_ns(&self) -> u64 {
        self.config.lease_ns + self.config.margin_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::messages::{Final, Health, Totals};

    #[test]
    fn the_longest_wait_for_workers_does_not_overflow() {
        let config = Config { gather_ns: u64::MAX, ..Config::new(2, "1") };
        let (mut coordinator, _) = Coordinator::new(config, Key(1), 1 << 60);
        assert_eq!(coordinator.step(Event::Tick, 1 << 60), []);
        assert_eq!(coordinator.waiting().map(|waiting| waiting.until_ns), Some(u64::MAX));
    }

    #[test]
    fn what_a_worker_said_last_of_itself_outlives_the_coordinator() {
        let health = Health { throttled_ns: 7, throttled_periods: 2, ..Health::default() };
        let last = Final { key: Key(2), last_seq: 0, totals: Totals::default(), health, why: None };
        let records = [
            Record::Opened { run: Key(1) },
            Record::Joined { key: Key(2), slot: 0, host: "h".to_owned(), threads: 1, at_ns: 1 },
            Record::Final(WorkerId(0), Box::new(last)),
        ];
        let restored = Coordinator::restore(Config::new(1, "1"), records, 9).unwrap();
        assert_eq!(restored.rows()[0].health, health);
    }
}
