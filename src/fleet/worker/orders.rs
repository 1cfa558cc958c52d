//! What answers of the control lane change.

use super::lane::UnderWay;
use super::machine::{Asked, PlanStage};
use super::{Answer, Effect, Exit, Window, Worker};
use crate::fleet::Refusal;
use crate::fleet::messages::{Orders, Phase, WorkerState};

impl<W: Window> Worker<W> {
    pub(super) fn answered(
        &mut self,
        asked: UnderWay<Asked>,
        answer: Answer,
        now: u64,
        effects: &mut Vec<Effect<W>>,
    ) {
        match (asked.what, answer) {
            (Asked::Join, Answer::Joined(joined)) => {
                if self.run.is_some_and(|run| run != joined.run) {
                    return self.leave(Exit::Refused(Refusal::OtherRun), effects);
                }
                (self.id, self.run) = (Some(joined.worker), Some(joined.run));
                self.learn_of_plan(joined.plan_digest.as_deref(), effects);
            }
            (Asked::Plan, Answer::Plan(plan)) => {
                self.plan = PlanStage::Checking;
                effects.push(Effect::UsePlan(plan));
            }
            (Asked::Heartbeat, Answer::Orders(orders)) => {
                self.follow(*orders, asked.sent_ns, now, effects);
            }
            _ => self.in_vain("an answer to another call".to_owned(), true, now),
        }
    }

    fn learn_of_plan(&mut self, digest: Option<&str>, effects: &mut Vec<Effect<W>>) {
        let Some(ours) = digest else { return };
        match &self.config.plan {
            None if self.plan == PlanStage::None => self.plan = PlanStage::Wanted,
            Some(plan) if plan.digest != ours => {
                let (ours, theirs) = (ours.to_owned(), plan.digest.clone());
                self.end(Exit::Refused(Refusal::OtherPlan { ours, theirs }), effects);
            }
            _ => {}
        }
    }

    fn follow(&mut self, orders: Orders, sent_ns: u64, now: u64, effects: &mut Vec<Effect<W>>) {
        if self.run != Some(orders.run) {
            return self.leave(Exit::Refused(Refusal::OtherRun), effects);
        }
        self.clocks.add(sent_ns, orders.t1_ns, orders.t2_ns, now);
        self.beat_ns = orders.next_ns;
        self.control.due_ns = sent_ns + self.beat_ns;
        self.outbox.acked(orders.acked_seq);
        self.learn_of_plan(orders.plan_digest.as_deref(), effects);
        match orders.phase {
            Phase::Finished => {
                self.stopped_why = orders.why;
                self.sealed(effects);
            }
            Phase::Stop => {
                self.stopped_why = orders.why;
                self.stop_load(effects);
            }
            _ if self.is_stopping() => {}
            // A schedule that was over before this worker had a part in it has none for it.
            Phase::Drain if self.start.is_none() => self.stop_load(effects),
            Phase::Wait | Phase::Drain => {}
            Phase::Prepare | Phase::Run => {
                self.get_ready(&orders, effects);
                self.begin(&orders, now, effects);
                self.keep_going(&orders, sent_ns, now, effects);
            }
        }
    }

    /// Make load threads for the part that is wanted, unless they are there.
    fn get_ready(&mut self, orders: &Orders, effects: &mut Vec<Effect<W>>) {
        let owned = orders.turns.iter().find_map(|t| t.share);
        let Some(part) = owned.or(orders.prepare) else { return };
        if self.start.is_none() && self.plan == PlanStage::Known && self.prepare != Some(part) {
            (self.prepare, self.prepared) = (Some(part), None);
            self.state = WorkerState::Preparing;
            effects.push(Effect::Prepare(part));
        }
    }

    /// Begin when all is there: threads, a part, and an instant.
    fn begin(&mut self, orders: &Orders, now: u64, effects: &mut Vec<Effect<W>>) {
        let Some(start_at_ns) = orders.start_at_ns else { return };
        let owned = orders.turns.iter().find_map(|t| t.share);
        if self.start.is_some() || owned.is_none() || self.prepared != owned {
            return;
        }
        let Some((at_ns, error_ns)) = self.clocks.own(start_at_ns, now) else { return };
        // An instant of 0 means "not known" to those who wait for it.
        let at_ns = at_ns.max(1);
        self.start = Some((at_ns, error_ns));
        self.stop_at_ns = orders.stop_at_ns.map(|stop| at_ns + stop.saturating_sub(start_at_ns));
        self.state = WorkerState::Running;
        self.turns.clone_from(&orders.turns);
        effects.extend([Effect::Turns(self.turns.clone()), Effect::Start { at_ns }]);
    }

    /// New turns, then the lease under which they hold.
    fn keep_going(&mut self, orders: &Orders, sent_ns: u64, now: u64, effects: &mut Vec<Effect<W>>) {
        let Some((start_ns, _)) = self.start else { return };
        if self.turns != orders.turns && !orders.turns.is_empty() {
            self.turns.clone_from(&orders.turns);
            effects.push(Effect::Turns(self.turns.clone()));
        }
        let until_ns = sent_ns + orders.lease_ns;
        if orders.lease_ns > 0 && until_ns > self.lease_until_ns {
            let first_ns = self.turns.first().map_or(0, |t| t.from_ns);
            let from_ns = self.lease_until_ns.max(start_ns + first_ns);
            self.unleased_ns += now.saturating_sub(from_ns);
            self.lease_until_ns = until_ns;
            effects.push(Effect::Lease { until_ns });
        }
    }
}
