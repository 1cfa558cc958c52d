//! Which worker owns which shard: at the start, and again when workers are lost or join late.

use super::event::Effects;
use super::member::MemberStatus;
use super::{CALL_TIMEOUT_NS, Coordinator, EpochShard, Note, OnWorkerLoss, Partitioning, Record};
use crate::fleet::messages::{MAX_WORKERS, WorkerId, WorkerState};
use crate::plan::Shard;

impl Coordinator {
    /// Whether a worker is ready to send.
    pub(super) fn is_able(&self, worker: WorkerId) -> bool {
        matches!(self.present[worker.0 as usize].state, WorkerState::Ready | WorkerState::Running)
    }

    /// Workers that are ready to send, by slot.
    fn able(&self) -> Vec<WorkerId> {
        self.by_slot(self.state.live().map(|(id, _)| id).filter(|id| self.is_able(*id)).collect())
    }

    /// The shard that a worker without one should prepare for: the one it will most likely get.
    pub(super) fn prepare_for(&self, worker: WorkerId) -> Option<Shard> {
        let Some(last) = self.state.epochs.last() else {
            let (_, preparing) = self.preparing.as_ref()?;
            let slot = preparing.iter().position(|id| *id == worker)?;
            return Some(Shard { slot: slot as u32, of: preparing.len() as u32 });
        };
        if last.shard_of(worker).is_some() {
            return None;
        }
        let of = last.shards.first()?.of;
        let is_free = |slot: &u32| {
            let owner = last.shards.iter().find(|s| s.slot == *slot);
            owner.is_none_or(|s| self.state.members[s.worker.0 as usize].gone.is_some())
        };
        let most = MAX_WORKERS as u32;
        let slice = (0..of).find(is_free).map_or(Shard { slot: of, of: of + 1 }, |slot| Shard { slot, of });
        (slice.of <= most).then_some(slice)
    }

    /// Begin a new epoch if the workers that are ready are not the owners of the schedule.
    pub(super) fn repartition(&mut self, now: u64, effects: &mut Effects) {
        let Some(from_ns) = self.next_epoch_from(now) else { return };
        let Some(shards) = self.wanted_shares() else { return };
        let epoch = self.state.epochs.last().map_or(1, |e| e.epoch + 1);
        self.record(Record::Shared { epoch, from_ns, shards }, effects);
        effects.note(Note::Shared(epoch, from_ns));
    }

    /// The earliest time of the schedule at which a new epoch may begin: when every lease granted without
    /// knowledge of it has run out. `None`: no new epoch may be decided now.
    fn next_epoch_from(&self, now: u64) -> Option<u64> {
        let (start_at_ns, last) = (self.start_at_ns()?, self.state.epochs.last()?);
        let at_ns = now as i64 - start_at_ns as i64;
        // One epoch at a time, and none until a restored coordinator has had time to hear all workers.
        if now < self.settled_ns || at_ns < last.from_ns as i64 {
            return None;
        }
        // Nor while a restored coordinator knows the schedule's time only by a clock that may have been set
        // since.
        if self.restored && self.ahead_ns.is_none() {
            return None;
        }
        let of_workers = |f: fn(&MemberStatus) -> u64| self.present.iter().map(f).max().unwrap_or(0);
        let start_error_ns = of_workers(|p| p.start_error_ns.unwrap_or(0)).min(self.config.lease_ns);
        let mut ahead_ns = self.config.lease_ns + self.config.margin_ns + start_error_ns;
        if self.restored {
            // Another process's clock set the start; we know that clock to within the duration of a call.
            ahead_ns += CALL_TIMEOUT_NS;
        }
        let from_ns = u64::try_from(at_ns).ok()? + ahead_ns;
        let (_, terms) = self.state.plan.as_ref()?;
        (terms.length_ns.is_none_or(|length| from_ns < length)).then_some(from_ns)
    }

    /// The partitioning that fits the ready workers; `None`: the present one does, or no better one is
    /// allowed.
    fn wanted_shares(&self) -> Option<Vec<EpochShard>> {
        let (_, terms) = self.state.plan.as_ref()?;
        let last = self.state.epochs.last()?;
        // A finished worker has carried its shard out and keeps it.
        let is_here = |id: WorkerId| self.state.member(id).is_some_and(|m| m.gone.is_none());
        let kept: Vec<EpochShard> = last.shards.iter().copied().filter(|s| is_here(s.worker)).collect();
        // Indexed by worker number: this runs after each event, for up to a thousand workers.
        let mut owns = vec![false; self.present.len()];
        kept.iter().for_each(|s| owns[s.worker.0 as usize] = true);
        let new: Vec<WorkerId> = self.able().into_iter().filter(|id| !owns[id.0 as usize]).collect();
        let of = last.shards.first()?.of;
        let is_short = kept.len() < of as usize;
        let repartitioned = terms.partitioning == Partitioning::Arrivals
            && (is_short && terms.on_worker_loss == OnWorkerLoss::Redistribute
                || !is_short && !new.is_empty());
        if repartitioned {
            let owners = kept.iter().map(|s| s.worker).chain(new).take(MAX_WORKERS);
            let owners: Vec<WorkerId> = owners.collect();
            return (!owners.is_empty()).then(|| partition(&self.by_slot(owners)));
        }
        if !is_short || new.is_empty() || terms.partitioning == Partitioning::Requests {
            return None;
        }
        let is_free = |slot: &u32| kept.iter().all(|s| s.slot != *slot);
        let filled = (0..of).filter(is_free).zip(new).map(|(slot, worker)| EpochShard { worker, slot, of });
        Some(kept.iter().copied().chain(filled).collect())
    }

    pub(super) fn by_slot(&self, mut workers: Vec<WorkerId>) -> Vec<WorkerId> {
        workers.sort_by_key(|id| self.state.members[id.0 as usize].slot);
        workers
    }
}

/// One shard each, in order.
pub(super) fn partition(workers: &[WorkerId]) -> Vec<EpochShard> {
    let of = workers.len() as u32;
    (0..).zip(workers).map(|(slot, worker)| EpochShard { worker: *worker, slot, of }).collect()
}
