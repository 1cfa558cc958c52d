//! The coordinator's durable state. Only records change it, so a journal's records restore it.

use super::ending::{RunEnd, StopReason};
use super::record::{EpochShard, Record};
use super::terms::RunTerms;
use crate::fleet::messages::{
    Assignment, Final, Key, MAX_ASSIGNMENTS, MAX_INCARNATIONS, PlanBundle, Totals, WorkerId,
};

/// The durable state of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DurableState {
    pub(crate) run: Key,
    pub(crate) plan: Option<(PlanBundle, RunTerms)>,
    /// The key of the worker that brought the plan; `None`: no worker did.
    pub(crate) plan_key: Option<Key>,
    /// Every process that ever joined, indexed by worker number.
    pub(crate) members: Vec<Member>,
    /// The most workers that were live at once.
    pub(crate) most_live: usize,
    pub(crate) started_by_operator: bool,
    /// When the schedule begins, in nanoseconds on the coordinator's clock.
    pub(crate) start_at_ns: Option<u64>,
    /// The newest partitionings, oldest first; at most [`MAX_ASSIGNMENTS`].
    pub(crate) epochs: Vec<Epoch>,
    /// Why and when load was stopped early.
    pub(crate) stopped: Option<(StopReason, u64)>,
    /// How and when the result became final.
    pub(crate) sealed: Option<(RunEnd, u64)>,
    pub(crate) exit: Option<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    pub(crate) key: Key,
    pub(crate) slot: u32,
    pub(crate) host: String,
    pub(crate) threads: u32,
    joined_ns: u64,
    /// How it left early.
    pub(crate) gone: Option<Departure>,
    /// Sequence number of its last applied window.
    pub(crate) acked_seq: u64,
    /// The sum of its applied windows.
    pub(crate) totals: Totals,
    /// Its final report.
    pub(crate) last: Option<Box<Final>>,
    /// It announced in its final report that it ends early.
    pub(crate) left: bool,
    /// Whether it ever owned a shard.
    pub(crate) had_shard: bool,
}

/// How a worker left before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// When the coordinator noticed, in nanoseconds on its clock.
    pub at_ns: u64,
    /// When the worker was last heard, in nanoseconds on the same clock.
    pub heard_ns: u64,
    /// A new process took its slot; otherwise it fell silent, failed, or announced its end.
    pub replaced: bool,
}

/// One partitioning of the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    /// Counted from 1.
    pub(crate) epoch: u32,
    /// Start, in nanoseconds of the schedule.
    pub(crate) from_ns: u64,
    /// The owners.
    pub(crate) shards: Vec<EpochShard>,
}

impl Epoch {
    pub(crate) fn shard_of(&self, worker: WorkerId) -> Option<EpochShard> {
        self.shards.iter().copied().find(|s| s.worker == worker)
    }
}

impl Member {
    /// Whether it still takes part: neither gone nor finished.
    pub(crate) fn is_live(&self) -> bool {
        self.gone.is_none() && self.last.is_none()
    }
}

impl DurableState {
    pub(crate) fn new(run: Key) -> Self {
        Self {
            run,
            plan: None,
            plan_key: None,
            members: Vec::new(),
            most_live: 0,
            started_by_operator: false,
            start_at_ns: None,
            epochs: Vec::new(),
            stopped: None,
            sealed: None,
            exit: None,
        }
    }

    pub(crate) fn member(&self, worker: WorkerId) -> Option<&Member> {
        self.members.get(worker.0 as usize)
    }

    /// The members that still take part.
    pub(crate) fn live(&self) -> impl Iterator<Item = (WorkerId, &Member)> {
        let all = self.members.iter().enumerate();
        all.filter(|(_, m)| m.is_live()).map(|(i, m)| (WorkerId(i as u32), m))
    }

    /// The assignments of one worker: the kept epochs, from the first in which it owns a shard.
    pub(crate) fn assignments(&self, worker: WorkerId) -> Vec<Assignment> {
        let assignment = |e: &Epoch| Assignment {
            epoch: e.epoch,
            from_ns: e.from_ns,
            shard: e.shard_of(worker).map(EpochShard::shard),
        };
        self.epochs.iter().map(assignment).skip_while(|t| t.shard.is_none()).collect()
    }

    /// Apply a record.
    ///
    /// # Errors
    /// Why the record cannot follow the earlier ones; the state is unchanged then.
    pub(crate) fn apply(&mut self, record: &Record) -> Result<(), &'static str> {
        if self.sealed.is_some() != matches!(record, Record::ExitReported(_)) || self.exit.is_some() {
            return Err("a record on the wrong side of the seal");
        }
        match record {
            Record::ExitReported(exit) => self.exit = Some(*exit),
            Record::Opened { .. } => return Err("a run within a run"),
            Record::Plan(..) if self.plan.is_some() => return Err("a second plan"),
            Record::Plan(plan, terms, key) => {
                (self.plan, self.plan_key) = (Some((plan.clone(), terms.clone())), *key);
            }
            Record::Joined { key, slot, host, threads, at_ns } => {
                let is_taken = self.live().any(|(_, m)| m.slot == *slot);
                if is_taken || self.members.len() >= MAX_INCARNATIONS {
                    return Err("a worker too many");
                }
                self.members.push(Member {
                    key: *key,
                    slot: *slot,
                    host: host.clone(),
                    threads: *threads,
                    joined_ns: *at_ns,
                    gone: None,
                    acked_seq: 0,
                    totals: Totals::default(),
                    last: None,
                    left: false,
                    had_shard: false,
                });
                self.most_live = self.most_live.max(self.live().count());
            }
            Record::Departure { worker, at_ns, heard_ns, replaced } => {
                let gone = Departure { at_ns: *at_ns, heard_ns: *heard_ns, replaced: *replaced };
                let member = self.member_mut(*worker).filter(|m| m.gone.is_none());
                let member = member.ok_or("nobody who could be gone")?;
                (member.gone, member.left) = (Some(gone), member.last.is_some());
            }
            Record::ToldToStart => self.started_by_operator = true,
            Record::Started { .. } if self.start_at_ns.is_some() => return Err("a second start"),
            Record::Started { start_at_ns, shards } => {
                self.shard(1, 0, shards)?;
                self.start_at_ns = Some(*start_at_ns);
            }
            Record::Shared { epoch, from_ns, shards } => self.shard(*epoch, *from_ns, shards)?,
            Record::Report { worker, seq, totals } => {
                let member = self.member_mut(*worker).filter(|m| m.last.is_none());
                let member = member.ok_or("a report of nobody who reports")?;
                if *seq != member.acked_seq + 1 {
                    return Err("a report out of its order");
                }
                member.acked_seq = *seq;
                member.totals.add(totals);
            }
            Record::Final(worker, last) => {
                let member = self.member_mut(*worker).filter(|m| m.last.is_none());
                member.ok_or("a last word of nobody")?.last = Some(last.clone());
            }
            Record::Stopped(..) if self.stopped.is_some() => return Err("a second stop"),
            Record::Stopped(reason, at_ns) => self.stopped = Some((reason.clone(), *at_ns)),
            Record::Sealed(closing, at_ns) => self.sealed = Some((closing.clone(), *at_ns)),
        }
        Ok(())
    }

    fn member_mut(&mut self, worker: WorkerId) -> Option<&mut Member> {
        self.members.get_mut(worker.0 as usize)
    }

    fn shard(&mut self, epoch: u32, from_ns: u64, shards: &[EpochShard]) -> Result<(), &'static str> {
        let (last, last_from) = self.epochs.last().map_or((0, None), |e| (e.epoch, Some(e.from_ns)));
        if epoch != last + 1 || last_from.is_some_and(|f| from_ns <= f) {
            return Err("an epoch out of its order");
        }
        let of = shards.first().map_or(1, |s| s.of);
        let mut taken = vec![false; of as usize];
        for shard in shards {
            let slot = taken.get_mut(shard.slot as usize).filter(|taken| !**taken && shard.of == of);
            *slot.ok_or("a part that is owned twice")? = true;
            self.member_mut(shard.worker).ok_or("a part of nobody's")?.had_shard = true;
        }
        if self.epochs.len() == MAX_ASSIGNMENTS {
            self.epochs.remove(0);
        }
        self.epochs.push(Epoch { epoch, from_ns, shards: shards.to_vec() });
        Ok(())
    }
}
