//! Applies records to the durable state.

use super::durable_state::{Departure, DurableState, Epoch, Member};
use super::epoch_shard::EpochShard;
use super::record::Record;
use crate::fleet::messages::{MAX_ASSIGNMENTS, MAX_INCARNATIONS, Totals, WorkerId};

impl DurableState {
    /// Apply a record.
    ///
    /// # Errors
    /// Why the record cannot follow the earlier ones, as a verb and its object; the state is unchanged then.
    pub(crate) fn apply(&mut self, record: &Record) -> Result<(), &'static str> {
        match (self.sealed.is_some(), matches!(record, Record::ExitReported(_))) {
            (false, true) => return Err("is an exit code of a run that has not ended"),
            (true, false) => return Err("follows the end of the run"),
            _ if self.exit.is_some() => return Err("follows the exit code, which comes last"),
            _ => {}
        }
        match record {
            Record::ExitReported(exit) => self.exit = Some(*exit),
            Record::Opened { .. } | Record::Checkpoint(_) => return Err("begins a run within a run"),
            Record::Plan(..) if self.plan.is_some() => return Err("is a second plan"),
            Record::Plan(plan, terms, key) => {
                (self.plan, self.plan_key) = (Some((plan.clone(), terms.clone())), *key);
            }
            Record::Joined { key, slot, host, threads, at_ns } => {
                let is_taken = self.live().any(|(_, m)| m.slot == *slot);
                if is_taken || self.members.len() >= MAX_INCARNATIONS {
                    return Err("is a worker in a slot that is taken, or one more than a run takes");
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
                let member =
                    member.ok_or("is a departure of a worker that never joined or is already gone")?;
                (member.gone, member.left) = (Some(gone), member.last.is_some());
            }
            Record::ToldToStart => self.started_by_operator = true,
            Record::Started { .. } if self.start_at_ns.is_some() => return Err("is a second start"),
            Record::Started { start_at_ns, shards } => {
                self.shard(1, 0, shards)?;
                self.start_at_ns = Some(*start_at_ns);
            }
            Record::Shared { epoch, from_ns, shards } => self.shard(*epoch, *from_ns, shards)?,
            Record::Report { worker, seq, totals } => {
                let member = self.member_mut(*worker).filter(|m| m.last.is_none());
                let member =
                    member.ok_or("is a report of a worker that never joined or has already finished")?;
                if *seq != member.acked_seq + 1 {
                    return Err("is a report out of order");
                }
                member.acked_seq = *seq;
                member.totals.add(totals);
            }
            Record::Final(worker, last) => {
                let member = self.member_mut(*worker).filter(|m| m.last.is_none());
                member
                    .ok_or("is a final report of a worker that never joined or has already finished")?
                    .last = Some(last.clone());
            }
            Record::Stopped(..) if self.stopped.is_some() => return Err("is a second stop"),
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
            return Err("is an epoch out of order");
        }
        let of = shards.first().map_or(1, |s| s.of);
        let mut taken = vec![false; of as usize];
        for shard in shards {
            let slot = taken.get_mut(shard.slot as usize).filter(|taken| !**taken && shard.of == of);
            *slot.ok_or("gives a part of the schedule to two workers")? = true;
            self.member_mut(shard.worker)
                .ok_or("gives a part of the schedule to a worker that never joined")?
                .had_shard = true;
        }
        if self.epochs.len() == MAX_ASSIGNMENTS {
            self.epochs.remove(0);
        }
        self.epochs.push(Epoch { epoch, from_ns, shards: shards.to_vec() });
        Ok(())
    }
}
