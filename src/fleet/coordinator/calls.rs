//! Applies workers' calls to the coordinator's state and builds the answers.

use std::collections::BTreeMap;

use super::event::{Answer, Effects, Note, Reply};
use super::member::MemberStatus;
use super::{Coordinator, Record};
use crate::fleet::Refusal;
use crate::fleet::messages::*;

impl Coordinator {
    pub(super) fn join(&mut self, join: &Join, now: u64, effects: &mut Effects) -> Result<Reply, Refusal> {
        let same = self.state.members.iter().rposition(|m| m.key == join.key);
        if let Some(i) = same {
            let member = &self.state.members[i];
            match member.gone {
                Some(gone) if gone.replaced => return Err(Refusal::Replaced),
                Some(_) if member.last.is_none() => return Err(Refusal::Lost),
                _ => {}
            }
            self.present[i].heard_ns = now;
            return Ok(Reply::Joined(WorkerId(i as u32)));
        }
        self.may_join(join)?;
        let taken: BTreeMap<u32, WorkerId> = self.state.live().map(|(id, m)| (m.slot, id)).collect();
        let slot = join.slot.or_else(|| (0..MAX_SLOT).find(|slot| !taken.contains_key(slot)));
        let slot = slot.ok_or(Refusal::Full)?;
        if let Some(old) = taken.get(&slot).copied() {
            self.leave(old, true, now, effects);
        } else if self.state.live().count() >= MAX_WORKERS {
            return Err(Refusal::Full);
        }
        let Join { key, host, threads, .. } = join.clone();
        self.record(Record::Joined { key, slot, host, threads, at_ns: now }, effects);
        self.present.push(MemberStatus::new(now));
        let worker = WorkerId(self.present.len() as u32 - 1);
        effects.note(Note::Joined(worker));
        Ok(Reply::Joined(worker))
    }

    /// Whether a process that has not joined before may join.
    ///
    /// # Errors
    /// The reason for refusal.
    pub(crate) fn may_join(&self, join: &Join) -> Result<(), Refusal> {
        if self.state.sealed.is_some() {
            return Err(Refusal::Sealed);
        }
        if self.state.stopped.is_some() {
            return Err(Refusal::NotNow("the run is being stopped: join the next one".to_owned()));
        }
        if join.run.is_some() {
            return Err(Refusal::OtherRun);
        }
        if join.version != self.config.version {
            let (ours, theirs) = (self.config.version.clone(), join.version.clone());
            return Err(Refusal::OtherVersion { ours, theirs });
        }
        if let (Some((ours, _)), Some(theirs)) = (&self.state.plan, &join.plan)
            && ours.digest != theirs.digest
        {
            let (ours, theirs) = (ours.digest.clone(), theirs.digest.clone());
            return Err(Refusal::OtherPlan { ours, theirs });
        }
        if self.state.members.len() >= MAX_INCARNATIONS { Err(Refusal::Full) } else { Ok(()) }
    }

    /// The member that a call comes from, checked by its key.
    fn speaker(&self, worker: WorkerId, key: Key) -> Result<usize, Refusal> {
        let member = self.state.member(worker).ok_or(Refusal::UnknownWorker)?;
        if member.key == key { Ok(worker.0 as usize) } else { Err(Refusal::OtherKey) }
    }

    pub(super) fn heartbeat(
        &mut self,
        worker: WorkerId,
        beat: &Heartbeat,
        now: u64,
        effects: &mut Effects,
    ) -> Result<Reply, Refusal> {
        if beat.run != self.state.run {
            return Err(Refusal::OtherRun);
        }
        let i = self.speaker(worker, beat.key)?;
        if self.state.sealed.is_some() {
            self.present[i].heard_of_end = true;
            return Ok(Reply::Orders(worker));
        }
        let member = &self.state.members[i];
        match member.gone {
            Some(gone) if gone.replaced => return Err(Refusal::Replaced),
            Some(_) if member.last.is_none() => return Err(Refusal::Lost),
            _ => {}
        }
        let present = &mut self.present[i];
        present.heard_ns = now;
        (present.state, present.health, present.prepared) = (beat.state, beat.health, beat.prepared);
        present.start_error_ns = beat.start_error_ns.or(present.start_error_ns);
        if let (Some(at_ns), Some(start_at_ns)) = (beat.at_ns, self.state.start_at_ns) {
            // Its clock minus ours. Delay makes it too small, so the largest value is the best.
            let ahead = at_ns - (now as i64 - start_at_ns as i64);
            present.ahead_ns = Some(ahead);
            self.ahead_ns = Some(self.ahead_ns.map_or(ahead, |most| most.max(ahead)));
        }
        if beat.state == WorkerState::Failed && self.state.members[i].is_live() && !self.is_over(now) {
            self.failed(
                worker,
                beat.why.clone().unwrap_or_else(|| "no reason given".to_owned()),
                now,
                effects,
            );
        }
        Ok(Reply::Orders(worker))
    }

    pub(super) fn report(
        &mut self,
        worker: WorkerId,
        key: Key,
        seq: u64,
        totals: &Totals,
        effects: &mut Effects,
    ) -> Result<Reply, Refusal> {
        match self.expects(worker, key, seq) {
            Ok(true) => {}
            Ok(false) => return Ok(Reply::Acked(worker)),
            Err(refusal) => {
                if refusal == Refusal::Sealed {
                    self.present[worker.0 as usize].heard_of_end = true;
                }
                return Err(refusal);
            }
        }
        totals.check().map_err(Refusal::Malformed)?;
        let before = self.state.members[worker.0 as usize].totals;
        before.bounded_sum(totals).ok_or(Refusal::CountOverflow)?;
        self.record(Record::Report { worker, seq, totals: *totals }, effects);
        effects.merge(worker, seq);
        Ok(Reply::Acked(worker))
    }

    /// Whether this is the worker's next sequence number; `false`: it was applied already. The counts play no
    /// part, so callers check before they unpack the report.
    ///
    /// # Errors
    /// The reason for refusal.
    pub(crate) fn expects(&self, worker: WorkerId, key: Key, seq: u64) -> Result<bool, Refusal> {
        if self.broken {
            return Err(Refusal::JournalFailed);
        }
        let member = &self.state.members[self.speaker(worker, key)?];
        if seq <= member.acked_seq {
            return Ok(false);
        }
        if self.state.sealed.is_some() {
            return Err(Refusal::Sealed);
        }
        if seq > member.acked_seq + 1 {
            return Err(Refusal::Gap { expected_seq: member.acked_seq + 1 });
        }
        if member.last.is_some() || self.state.start_at_ns.is_none() {
            return Err(Refusal::Malformed("a report before the start or after the final one".to_owned()));
        }
        Ok(true)
    }

    pub(super) fn last_word(
        &mut self,
        worker: WorkerId,
        last: &Final,
        now: u64,
        effects: &mut Effects,
    ) -> Result<Reply, Refusal> {
        let i = self.speaker(worker, last.key)?;
        let member = &self.state.members[i];
        if let Some(before) = &member.last {
            let same = before.totals == last.totals && before.last_seq == last.last_seq;
            let other = || Refusal::Malformed("another final report than before".to_owned());
            return same.then_some(Reply::Acked(worker)).ok_or_else(other);
        }
        if self.state.sealed.is_some() {
            self.present[i].heard_of_end = true;
            return Err(Refusal::Sealed);
        }
        if last.last_seq > member.acked_seq {
            return Err(Refusal::Gap { expected_seq: member.acked_seq + 1 });
        }
        let is_gone = member.gone.is_some();
        self.record(Record::Final(worker, Box::new(last.clone())), effects);
        self.present[i].heard_ns = now;
        self.present[i].health = last.health;
        if self.present[i].state != WorkerState::Failed {
            self.present[i].state = WorkerState::Done;
        }
        // A worker that leaves mid-run hands its shard to nobody, even if it announces that it leaves.
        if let Some(why) = &last.why
            && !is_gone
            && self.state.stopped.is_none()
            && !self.is_over(now)
        {
            self.detach(worker, false, now, effects);
            effects.note(Note::Left(worker, why.clone()));
        }
        Ok(Reply::Acked(worker))
    }

    pub(super) fn answer(&self, reply: Reply, now: u64) -> Option<Answer> {
        Some(match reply {
            Reply::Nothing => return None,
            Reply::Done => Answer::Done,
            Reply::Joined(worker) => {
                let slot = self.state.members[worker.0 as usize].slot;
                let plan_digest = self.state.plan.as_ref().map(|(plan, _)| plan.digest.clone());
                Answer::Joined(Joined { worker, run: self.state.run, slot, plan_digest })
            }
            Reply::Orders(worker) => Answer::Orders(Box::new(self.orders(worker, now))),
            Reply::Acked(worker) => {
                Answer::Acked(Acked { acked_seq: self.state.members[worker.0 as usize].acked_seq })
            }
        })
    }

    fn orders(&self, worker: WorkerId, now: u64) -> Orders {
        let state = &self.state;
        let member = &state.members[worker.0 as usize];
        let phase = self.phase(now);
        let may_send = phase == Phase::Run && member.is_live();
        let start_at_ns = self.announced_start_ns(now);
        let length_ns = state.plan.as_ref().and_then(|(_, terms)| terms.length_ns);
        let why = state.stopped.as_ref().map(|(reason, _)| reason.to_string());
        Orders {
            run: state.run,
            phase,
            plan_digest: state.plan.as_ref().map(|(plan, _)| plan.digest.clone()),
            prepare: self.prepare_for(worker),
            start_at_ns,
            stop_at_ns: start_at_ns.zip(length_ns).map(|(start, length)| start + length),
            assignments: state.assignments(worker),
            lease_ns: if may_send { self.config.lease_ns } else { 0 },
            // The last records may not be on disk, and never will be.
            acked_seq: if self.broken { 0 } else { member.acked_seq },
            t1_ns: now,
            t2_ns: now,
            next_ns: self.beat_ns(phase),
            why,
        }
    }

    /// Interval between heartbeats. A lease survives the loss of three. Before the start heartbeats are up to
    /// four times as frequent, to compare clocks well: 500 a second over all workers, or more beyond one
    /// `lease / 5` for each.
    fn beat_ns(&self, phase: Phase) -> u64 {
        let usual_ns = self.config.lease_ns / 5;
        match phase {
            Phase::Run => usual_ns,
            _ => (2_000_000 * self.state.live().count() as u64).clamp(usual_ns / 4, usual_ns),
        }
    }
}
