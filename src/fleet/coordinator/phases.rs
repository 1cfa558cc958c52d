//! What time alone changes: losses, the start, the end. Also how a run is stopped.

use std::collections::BTreeSet;

use super::event::Effects;
use super::partition::partition;
use super::{
    AwaitedStep, Coordinator, Effect, Member, Note, OnWorkerLoss, Partitioning, Record, RunEnd, StopReason,
    Waiting,
};
use crate::fleet::messages::{Phase, WorkerId};
use crate::plan::Shard;

impl Coordinator {
    /// When the next [`super::Event::Tick`] is due without other events; `None`: never again.
    pub fn wait_until(&self) -> Option<u64> {
        if self.state.sealed.is_some() {
            return None;
        }
        let silent =
            self.state.live().map(|(id, _)| self.present[id.0 as usize].heard_ns + self.silence_ns() + 1);
        let gathered = self.waiting().map(|waiting| waiting.until_ns);
        let over = self.over_ns();
        let last = self.last_call_ns();
        // A restored state may call for action at once.
        let taken_up = [self.opened_ns];
        silent.chain(taken_up).chain(gathered).chain(over).chain(last).filter(|at| *at > self.now_ns).min()
    }

    pub(super) fn tick(&mut self, now: u64, effects: &mut Effects) {
        if self.state.sealed.is_some() {
            return;
        }
        let silence_ns = self.silence_ns();
        let is_silent = |id: &WorkerId| now > self.present[id.0 as usize].heard_ns + silence_ns;
        let silent: Vec<WorkerId> = self.state.live().map(|(id, _)| id).filter(is_silent).collect();
        silent.into_iter().for_each(|id| self.leave(id, false, now, effects));
        self.fail_if_lost(now, effects);
        if self.state.start_at_ns.is_none() && !self.is_over(now) {
            self.gather(now, effects);
        }
        if self.state.start_at_ns.is_some() && !self.is_over(now) && !self.ends_early(now, effects) {
            self.repartition(now, effects);
        }
        if self.is_over(now) {
            let nobody = self.state.live().next().is_none();
            let waited = self.last_call_ns().is_some_and(|at| now >= at);
            if nobody || waited || self.state.start_at_ns.is_none() || self.broken {
                self.seal(now, effects);
            }
        }
    }

    /// Advance toward the start: enough workers, then all of them ready.
    fn gather(&mut self, now: u64, effects: &mut Effects) {
        let is_live = |id: &WorkerId| self.state.members[id.0 as usize].is_live();
        if self.preparing.as_ref().is_some_and(|(_, preparing)| !preparing.iter().all(is_live)) {
            self.preparing = None;
            self.broken_up_ns.get_or_insert(now);
        }
        // Shards are fixed before workers prepare for them; a worker that joins meanwhile gets one later.
        if self.preparing.is_none() && !self.is_short() {
            let live = self.state.live().map(|(id, _)| id).collect();
            self.preparing = Some((now, self.by_slot(live)));
            effects.note(Note::Preparing);
        }
        let Some(waiting) = self.waiting() else { return };
        if let (Some((_, preparing)), true) = (&self.preparing, waiting.missing.is_empty()) {
            let start_at_ns = now + self.config.start_lead_ns;
            let shards = partition(preparing);
            self.record(Record::Started { start_at_ns, shards }, effects);
            effects.note(Note::Starting(start_at_ns));
        } else if now >= waiting.until_ns {
            let is_late = self.broken_up_ns.is_some_and(|at| now >= at + self.config.replace_ns);
            if waiting.what != AwaitedStep::Ready || is_late || (waiting.there as usize) < self.enough() {
                return self.stop(StopReason::NotGathered(self.explain(&waiting)), now, effects);
            }
            // The ready ones are enough.
            waiting.missing.into_iter().for_each(|id| self.leave(id, false, now, effects));
            self.gather(now, effects);
        }
    }

    /// The message for a wait that timed out.
    fn explain(&self, waiting: &Waiting) -> String {
        let Waiting { there, wanted, .. } = *waiting;
        let lost = match waiting.missing.len() {
            0 => String::new(),
            1 => format!("worker {} was lost before the start, and ", waiting.missing[0].0),
            n => format!("{n} workers were lost before the start, and "),
        };
        match waiting.what {
            AwaitedStep::Plan => "nobody brought a plan: give the coordinator or a worker --plan".to_owned(),
            AwaitedStep::Workers => format!("{lost}{there} of {wanted} workers have joined in time"),
            AwaitedStep::Operator => "a worker brought the plan, and no operator started the run in time: \
                                      POST /api/v1/run/start starts it, and the coordinator's own --plan needs no \
                                      such word"
                .to_owned(),
            AwaitedStep::Ready => format!("{there} of {wanted} workers were ready to begin in time"),
        }
    }

    /// What a run that has not begun waits for; `None`: it has begun, or it is over.
    pub fn waiting(&self) -> Option<Waiting> {
        let state = &self.state;
        if state.start_at_ns.is_some() || state.stopped.is_some() || state.sealed.is_some() {
            return None;
        }
        let replaced_by = self.broken_up_ns.map(|at| at + self.config.replace_ns);
        if let Some((since, preparing)) = &self.preparing {
            let of = preparing.len() as u32;
            let is_ready = |(slot, id): &(u32, WorkerId)| {
                let part = Some(Shard { slot: *slot, of });
                self.is_able(*id) && self.present[id.0 as usize].prepared == part
            };
            let missing = (0..).zip(preparing.iter().copied()).filter(|each| !is_ready(each));
            let missing: Vec<WorkerId> = missing.map(|(_, id)| id).collect();
            let until_ns = (since + self.config.prepare_ns).min(replaced_by.unwrap_or(u64::MAX));
            let there = of - missing.len() as u32;
            return Some(Waiting { what: AwaitedStep::Ready, there, wanted: of, missing, until_ns });
        }
        let what = match state.plan {
            None => AwaitedStep::Plan,
            Some(_) if self.awaits_operator() && state.live().count() >= self.enough() => {
                AwaitedStep::Operator
            }
            Some(_) => AwaitedStep::Workers,
        };
        let taken: BTreeSet<u32> = state.live().map(|(_, m)| m.slot).collect();
        let all = (0..).map(WorkerId).zip(&state.members);
        let lost = all.filter(|(_, m)| m.gone.is_some_and(|gone| !gone.replaced) && !taken.contains(&m.slot));
        let missing = lost.map(|(id, _)| id).collect();
        let until_ns = replaced_by.unwrap_or_else(|| self.opened_ns.saturating_add(self.config.gather_ns));
        let (there, wanted) = (state.live().count() as u32, self.enough() as u32);
        Some(Waiting { what, there, wanted, missing, until_ns })
    }

    pub(super) fn enough(&self) -> usize {
        if self.state.started_by_operator { 1 } else { self.config.workers as usize }
    }

    fn is_short(&self) -> bool {
        self.state.plan.is_none() || self.awaits_operator() || self.state.live().count() < self.enough()
    }

    /// Anyone who can join can bring a plan; where there is an operator, only the operator starts it.
    fn awaits_operator(&self) -> bool {
        self.config.has_operator && self.state.plan_key.is_some() && !self.state.started_by_operator
    }

    /// Seal or stop a run whose owners have all ended early; returns whether it did.
    fn ends_early(&mut self, now: u64, effects: &mut Effects) -> bool {
        let members = &self.state.members;
        let owners = self.state.epochs.last().into_iter().flat_map(|e| &e.shards);
        let owners: Vec<_> = owners.map(|s| &members[s.worker.0 as usize]).collect();
        if owners.iter().any(|m| m.is_live()) {
            return false;
        }
        let all_done = owners.iter().all(|m| m.gone.is_none());
        let partitioning = self.state.plan.as_ref().map(|(_, terms)| terms.partitioning);
        // A new worker may take a lost one's shard.
        if !all_done && partitioning != Some(Partitioning::Requests) && self.state.live().next().is_some() {
            return false;
        }
        if owners.iter().all(|m| m.gone.is_some()) {
            self.stop(StopReason::NobodyLeft, now, effects);
        } else {
            self.seal(now, effects);
        }
        true
    }

    /// Detach a worker and note that it was replaced or lost.
    pub(super) fn leave(&mut self, worker: WorkerId, replaced: bool, now: u64, effects: &mut Effects) {
        self.detach(worker, replaced, now, effects);
        effects.note(if replaced { Note::Replaced(worker) } else { Note::Lost(worker) });
    }

    /// Detach a worker; the caller adds the note.
    pub(super) fn detach(&mut self, worker: WorkerId, replaced: bool, now: u64, effects: &mut Effects) {
        let heard_ns = self.present[worker.0 as usize].heard_ns;
        self.record(Record::Departure { worker, at_ns: now, heard_ns, replaced }, effects);
    }

    /// Under `on_worker_loss: fail`, stop the run when a worker that owned a shard is gone. Checked on each
    /// tick, because the coordinator may have crashed between the loss and the stop.
    fn fail_if_lost(&mut self, now: u64, effects: &mut Effects) {
        if self.fails() && !self.is_over(now) {
            let lost = self.state.members.iter().position(|m| m.had_shard && m.gone.is_some());
            if let Some(i) = lost {
                let (id, left) = (WorkerId(i as u32), self.state.members[i].left);
                let reason = if left { StopReason::WorkerLeft(id) } else { StopReason::WorkerLost(id) };
                self.stop(reason, now, effects);
            }
        }
    }

    /// Whether the loss of a worker fails the run.
    fn fails(&self) -> bool {
        self.state.plan.as_ref().is_none_or(|(_, terms)| terms.on_worker_loss == OnWorkerLoss::Fail)
    }

    /// A worker reported that it failed.
    pub(super) fn failed(&mut self, worker: WorkerId, why: String, now: u64, effects: &mut Effects) {
        let mattered = self.state.start_at_ns.is_none() || self.state.members[worker.0 as usize].had_shard;
        if self.fails() && mattered {
            self.stop(StopReason::WorkerFailed(worker, why), now, effects);
        }
        self.leave(worker, false, now, effects);
    }

    pub(super) fn stop(&mut self, reason: StopReason, now: u64, effects: &mut Effects) {
        if self.state.stopped.is_none() && self.state.sealed.is_none() {
            self.record(Record::Stopped(reason.clone(), now), effects);
            effects.note(Note::Stopping(reason));
        }
    }

    /// The phase that workers are ordered into now.
    pub(super) fn phase(&self, now: u64) -> Phase {
        match (&self.state.sealed, &self.state.stopped, self.state.start_at_ns) {
            (Some(_), _, _) => Phase::Finished,
            (None, Some(_), _) => Phase::Stop,
            (None, None, Some(_)) if self.is_over(now) => Phase::Drain,
            (None, None, Some(_)) => Phase::Run,
            (None, None, None) if self.preparing.is_some() => Phase::Prepare,
            (None, None, None) => Phase::Wait,
        }
    }

    /// When the schedule begins on our clock: as recorded, or, if another process recorded it, as the reports
    /// of running workers show.
    pub(super) fn start_at_ns(&self) -> Option<u64> {
        let at_ns = self.state.start_at_ns?;
        let shift_ns = self.ahead_ns.filter(|_| self.restored).unwrap_or(0);
        Some(at_ns.saturating_add_signed(-shift_ns))
    }

    /// The start as sent to workers. A restored coordinator sends none until a worker has reported its
    /// position, or until it would have heard any worker that has begun.
    pub(super) fn announced_start_ns(&self, now: u64) -> Option<u64> {
        let is_known = !self.restored || self.ahead_ns.is_some() || now >= self.settled_ns;
        self.start_at_ns().filter(|_| is_known)
    }

    /// When load ends, stopped or not; `None`: unknown, or when all requests were made.
    fn over_ns(&self) -> Option<u64> {
        if let Some((_, at_ns)) = &self.state.stopped {
            return Some(*at_ns);
        }
        let (_, terms) = self.state.plan.as_ref()?;
        Some(self.start_at_ns()? + terms.length_ns?)
    }

    pub(super) fn is_over(&self, now: u64) -> bool {
        self.over_ns().is_some_and(|at| now >= at)
    }

    /// When the wait for final reports ends.
    fn last_call_ns(&self) -> Option<u64> {
        let drain_ns = self.state.plan.as_ref().map_or(0, |(_, terms)| terms.drain_ns);
        // A worker that hears of the stop late may go on until its lease runs out.
        Some(self.over_ns()? + self.config.lease_ns + drain_ns + self.config.final_ns)
    }

    fn seal(&mut self, now: u64, effects: &mut Effects) {
        let members = || (0..).map(WorkerId).zip(&self.state.members).filter(|(_, m)| m.had_shard);
        let missing = members().filter(|(_, m)| m.last.is_none()).map(|(id, _)| id).collect();
        let is_unequal = |m: &Member| m.last.as_ref().is_some_and(|last| last.totals != m.totals);
        let unequal = members().filter(|(_, m)| is_unequal(m)).map(|(id, _)| id).collect();
        let stopped = self.state.stopped.as_ref().map(|(reason, _)| reason.clone());
        let started = self.state.start_at_ns.is_some();
        let closing = RunEnd { stopped, started, missing, unequal };
        self.record(Record::Sealed(closing.clone(), now), effects);
        effects.0.push(Effect::Seal(closing));
    }
}
