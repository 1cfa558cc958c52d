//! How answers to control calls change the worker.

use super::call_slot::UnderWay;
use super::machine::{BEGIN_NS, ControlCall, PlanStage};
use super::{Answer, Effect, Exchange, Exit, Window, Worker};
use crate::fleet::Refusal;
use crate::fleet::messages::{Orders, Phase, WorkerState};

impl<W: Window> Worker<W> {
    pub(super) fn answered(
        &mut self,
        asked: UnderWay<ControlCall>,
        answer: Answer,
        now: u64,
        effects: &mut Vec<Effect<W>>,
    ) {
        match (asked.what, answer) {
            (ControlCall::Join, Answer::Joined(joined)) => {
                if self.run.is_some_and(|run| run != joined.run) {
                    return self.leave(Exit::Refused(Refusal::OtherRun), effects);
                }
                (self.id, self.run) = (Some(joined.worker), Some(joined.run));
                self.learn_of_plan(joined.plan_digest.as_deref(), effects);
            }
            (ControlCall::Plan, Answer::Plan(plan)) => {
                self.plan = PlanStage::Checking;
                effects.push(Effect::UsePlan(plan));
            }
            (ControlCall::Heartbeat, Answer::Orders(orders)) => {
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
        self.clocks.add(Exchange { t0_ns: sent_ns, t1_ns: orders.t1_ns, t2_ns: orders.t2_ns, t3_ns: now });
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
            // The schedule was over before this worker got a shard.
            Phase::Drain if self.start.is_none() => self.stop_load(effects),
            Phase::Wait | Phase::Drain => {}
            Phase::Prepare | Phase::Run => {
                self.get_ready(&orders, effects);
                self.settle_start(&orders, now, effects);
                self.keep_going(&orders, sent_ns, now, effects);
            }
        }
    }

    /// Prepare load threads for the wanted shard, unless they exist already.
    fn get_ready(&mut self, orders: &Orders, effects: &mut Vec<Effect<W>>) {
        let owned = orders.assignments.iter().find_map(|t| t.shard);
        let Some(part) = owned.or(orders.prepare) else { return };
        if self.start.is_none() && self.plan == PlanStage::Known && self.prepare != Some(part) {
            (self.prepare, self.prepared) = (Some(part), None);
            self.state = WorkerState::Preparing;
            effects.push(Effect::Prepare(part));
        }
    }

    /// Set the start on our clock once threads, a shard and an instant are there; refine it until it is
    /// final.
    fn settle_start(&mut self, orders: &Orders, now: u64, effects: &mut Vec<Effect<W>>) {
        let Some(start_at_ns) = orders.start_at_ns else { return };
        let Some((at_ns, error_ns)) = self.clocks.own(start_at_ns, now) else { return };
        let owned = orders.assignments.iter().find_map(|t| t.shard);
        match self.start {
            None if owned.is_none() || self.prepared != owned => return,
            None => {
                self.announced_start_ns = start_at_ns;
                self.state = WorkerState::Running;
                self.assignments.clone_from(&orders.assignments);
                effects.push(Effect::Assignments(self.assignments.clone()));
            }
            // Another instant is on another coordinator's clock and derived from what workers reported.
            Some(_) if self.begun || self.announced_start_ns != start_at_ns => return,
            Some((_, known_ns)) if known_ns <= error_ns => return,
            Some(_) => {}
        }
        // 0 means "not set" to the load threads.
        let at_ns = at_ns.max(1);
        self.start = Some((at_ns, error_ns));
        self.stop_at_ns = orders.stop_at_ns.map(|stop| at_ns + stop.saturating_sub(start_at_ns));
    }

    /// Start the threads when it is time.
    pub(super) fn begin(&mut self, now: u64, effects: &mut Vec<Effect<W>>) {
        let Some((at_ns, _)) = self.start else { return };
        if !self.begun && !self.is_stopping() && now + BEGIN_NS >= at_ns {
            self.begun = true;
            effects.push(Effect::Start { at_ns });
        }
    }

    /// Pass on new assignments, then the lease under which they hold.
    fn keep_going(&mut self, orders: &Orders, sent_ns: u64, now: u64, effects: &mut Vec<Effect<W>>) {
        let Some((start_ns, _)) = self.start else { return };
        if self.assignments != orders.assignments && !orders.assignments.is_empty() {
            self.assignments.clone_from(&orders.assignments);
            effects.push(Effect::Assignments(self.assignments.clone()));
        }
        let until_ns = sent_ns + orders.lease_ns;
        if orders.lease_ns > 0 && until_ns > self.lease_until_ns {
            let first_ns = self.assignments.first().map_or(0, |t| t.from_ns);
            let from_ns = self.lease_until_ns.max(start_ns + first_ns);
            self.unleased_ns += now.saturating_sub(from_ns);
            self.lease_until_ns = until_ns;
            effects.push(Effect::Lease { until_ns });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::messages::{Assignment, Joined, Key, PlanBundle, Totals, WorkerId};
    use crate::fleet::worker::{Config, Event};
    use crate::plan::Shard;

    const S: u64 = 1_000_000_000;
    /// How far the coordinator's clock is ahead.
    const AHEAD_NS: u64 = 1_000 * S;
    const START_NS: u64 = 20 * S;

    #[derive(Clone, Debug, PartialEq)]
    struct Nothing;

    impl Window for Nothing {
        fn extend(&mut self, _: Self) {}
        fn totals(&self) -> Totals {
            Totals::default()
        }
    }

    const WHOLE: Shard = Shard { slot: 0, of: 1 };

    /// A worker and its clock.
    struct Bench(Worker<Nothing>, u64);

    impl Bench {
        /// A worker whose threads are ready.
        fn ready() -> Self {
            let digest = "0".repeat(64);
            let source = String::new();
            let plan = PlanBundle { source, digest: digest.clone(), content: Default::default() };
            let config = Config { plan: Some(plan), ..Config::new(Key(1), "1", 7) };
            let mut bench = Self(Worker::new(config), S);
            let call = bench.called();
            let joined = Joined { worker: WorkerId(0), slot: 0, run: Key(9), plan_digest: Some(digest) };
            bench.feed(Event::Answered { call, answer: Ok(Answer::Joined(joined)) });
            bench.beat(None, None);
            bench.feed(Event::Prepared(WHOLE, Ok(())));
            bench
        }

        fn feed(&mut self, event: Event<Nothing>) -> Vec<Effect<Nothing>> {
            self.0.step(event, self.1)
        }

        /// The next control call, when it is due.
        fn called(&mut self) -> u64 {
            loop {
                let effects = self.feed(Event::Tick);
                assert!(!effects.iter().any(|effect| matches!(effect, Effect::Start { .. })), "{effects:?}");
                let call = effects.iter().find_map(|effect| match effect {
                    Effect::Call { call, .. } => Some(*call),
                    _ => None,
                });
                if let Some(call) = call {
                    return call;
                }
                self.1 = self.0.wait_until().expect("it goes on");
            }
        }

        /// A heartbeat that the coordinator's state machine sees 3 ms late and the wire within `wire_ns` of
        /// round trip, with this start.
        fn beat(&mut self, start_at_ns: Option<u64>, wire_ns: Option<u64>) {
            let call = self.called();
            let t0_ns = self.1;
            let came_ns = t0_ns + AHEAD_NS + 3_000_000;
            self.1 += 4_000_000;
            if let Some(wire_ns) = wire_ns {
                let (t1_ns, t3_ns) = (t0_ns + AHEAD_NS + wire_ns / 2, self.1);
                let t2_ns = t3_ns + AHEAD_NS - wire_ns / 2;
                self.feed(Event::Compared(Exchange { t0_ns, t1_ns, t2_ns, t3_ns }));
            }
            let orders = Orders {
                run: Key(9),
                phase: if start_at_ns.is_some() { Phase::Run } else { Phase::Prepare },
                plan_digest: None,
                prepare: Some(WHOLE),
                start_at_ns,
                stop_at_ns: start_at_ns.map(|at| at + S),
                assignments: start_at_ns
                    .map(|_| Assignment { epoch: 1, from_ns: 0, shard: Some(WHOLE) })
                    .into_iter()
                    .collect(),
                lease_ns: 0,
                acked_seq: 0,
                t1_ns: came_ns,
                t2_ns: came_ns,
                next_ns: S,
                why: None,
            };
            self.feed(Event::Answered { call, answer: Ok(Answer::Orders(Box::new(orders))) });
        }

        fn start(&self) -> (u64, u64) {
            self.0.start.expect("orders carry a start")
        }
    }

    #[test]
    fn the_start_is_found_better_until_it_is_final() {
        let mut bench = Bench::ready();
        let announced = Some(START_NS + AHEAD_NS);
        bench.beat(announced, None);
        let (coarse_ns, error_ns) = bench.start();
        assert_eq!(coarse_ns, START_NS - 1_000_000, "3 ms there, 1 ms back");
        assert!((2_000_000..20_000_000).contains(&error_ns), "{error_ns}");
        bench.beat(announced, Some(20_000));
        let (at_ns, error_ns) = bench.start();
        assert_eq!(at_ns, START_NS);
        assert!((10_000..5_000_000).contains(&error_ns), "{error_ns}");
        // Another instant is on another clock.
        bench.beat(announced.map(|at| at + 7), Some(10));
        assert_eq!(bench.start(), (at_ns, error_ns));
        while bench.1 + 2 * S < START_NS {
            bench.beat(announced, Some(20_000));
        }
        assert!(bench.start().1 < 1_000_000, "the drift until then is in it: {:?}", bench.start());
        bench.1 = bench.0.wait_until().expect("it is about to begin");
        while bench.1 < START_NS - BEGIN_NS {
            bench.feed(Event::Tick);
            bench.1 = bench.0.wait_until().expect("it is about to begin");
        }
        assert_eq!(bench.1, START_NS - BEGIN_NS);
        let effects = bench.feed(Event::Tick);
        assert!(effects.contains(&Effect::Start { at_ns: START_NS }), "{effects:?}");
        let last = bench.start();
        bench.beat(announced, Some(2));
        assert_eq!(bench.start(), last, "the threads know it");
    }
}
