//! The workers' calls: parsed, checked, fed to the state machine, answered.

use super::CoordinatorService;
use super::handle::ServiceHandle;
use crate::fleet::coordinator::{Answer, Event};
use crate::fleet::messages::{Final, Heartbeat, Join, Key, Totals, WorkerId};
use crate::fleet::report::{PackedReport, Report};
use crate::fleet::{Checked as _, Refusal, worker::Window as _};
use crate::roles::plan_form::{self, DataPlace};
use crate::web::{Call, Calls};

/// How to proceed with a report.
enum Turn {
    /// Unpack it for a plan with this many scenarios.
    Unpack(usize),
    /// Return this answer.
    Over(String),
}

/// A coordinator reads no files for a plan that a worker brings.
const BROUGHT: DataPlace<'_> = DataPlace::Nowhere("start the coordinator with --plan");

impl CoordinatorService {
    /// Checks that no more requests have ended than have fallen due.
    fn is_lawful(&self, worker: WorkerId, seq: u64, totals: Totals) -> Result<(), Refusal> {
        let Some((acked_seq, mut sum)) = self.coordinator.applied(worker) else { return Ok(()) };
        totals.check().map_err(Refusal::Malformed)?;
        sum.add(&totals);
        let ended = sum.completed.saturating_add(sum.failed).saturating_add(sum.dropped);
        if seq > acked_seq && ended > sum.due {
            return Err(Refusal::Malformed("more requests have ended than have fallen due".to_owned()));
        }
        Ok(())
    }

    pub(super) fn call(&mut self, call: Call<'_>) -> Result<String, Refusal> {
        let answer = match call {
            Call::Join(bytes) => {
                let join = Join::read(bytes)?;
                let mut brings_plan = false;
                if let (None, Some(travels)) = (&self.plan, &join.plan) {
                    // A refused worker must not set the plan.
                    self.coordinator.may_join(&join)?;
                    let plan = plan_form::read(travels, BROUGHT).map_err(Refusal::Malformed)?;
                    self.take_plan(plan, travels.clone(), Some(join.key))?;
                    brings_plan = true;
                }
                let answer = self.feed(Event::Join(Box::new(join)), None)?;
                if brings_plan {
                    self.say(&self.fleet(self.now()).origin());
                }
                answer
            }
            Call::Plan => {
                let (plan, _) = self.coordinator.plan().ok_or(Refusal::NoPlan)?;
                return Ok(serde_json::to_string(plan).expect("a plan is JSON"));
            }
            Call::Heartbeat(worker, bytes) => {
                let beat = Heartbeat::read(bytes)?;
                self.feed(Event::Heartbeat(WorkerId(worker), Box::new(beat)), None)?
            }
            Call::Report(..) => unreachable!("the handle takes reports, to unpack them off its lock"),
            Call::Final(worker, bytes) => {
                let last = Final::read(bytes)?;
                self.feed(Event::Final(WorkerId(worker), Box::new(last)), None)?
            }
        };
        Ok(self.json(answer))
    }

    /// Decide whether a report needs unpacking, before the work of unpacking it.
    fn begin_report(&mut self, worker: WorkerId, key: Key, seq: u64) -> Result<Turn, Refusal> {
        match self.coordinator.expects(worker, key, seq) {
            Ok(true) => Ok(Turn::Unpack(self.scenarios())),
            // Its counts no longer matter.
            Ok(false) | Err(Refusal::Sealed) => {
                let answer =
                    self.feed(Event::Report { worker, key, seq, totals: Totals::default() }, None)?;
                Ok(Turn::Over(self.json(answer)))
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Apply an unpacked report; other calls may have been handled since [`Self::begin_report`].
    fn take_report(
        &mut self,
        worker: WorkerId,
        seq: u64,
        report: &Report,
        bytes: &[u8],
    ) -> Result<String, Refusal> {
        let (key, totals) = (report.key, report.totals());
        self.is_lawful(worker, seq, totals)?;
        if self.merger.as_ref().is_some_and(|merger| !merger.has_room_for(&report.tally)) {
            return Err(Refusal::CountOverflow);
        }
        let answer = self.feed(Event::Report { worker, key, seq, totals }, Some((report, bytes)))?;
        Ok(self.json(answer))
    }

    fn json(&self, answer: Option<Answer>) -> String {
        let now = self.now();
        let json = match answer {
            Some(Answer::Joined(joined)) => serde_json::to_string(&joined),
            Some(Answer::Orders(mut orders)) => {
                orders.t2_ns = now;
                serde_json::to_string(&orders)
            }
            Some(Answer::Acked(acked)) => serde_json::to_string(&acked),
            Some(Answer::Done) | None => return "{}".to_owned(),
        };
        json.expect("plain structs with string keys")
    }
}

impl Calls for ServiceHandle {
    fn carry_out(&self, call: Call<'_>) -> Result<String, Refusal> {
        let Call::Report(worker, seq, bytes) = call else {
            return self.with(|service| service.call(call));
        };
        // Parsed and unpacked without the lock.
        let (worker, packed) = (WorkerId(worker), PackedReport::read(bytes)?);
        match self.with(|service| service.begin_report(worker, packed.key, seq))? {
            Turn::Over(answer) => Ok(answer),
            Turn::Unpack(scenarios) => {
                let report = packed.unpack(scenarios)?;
                self.with(|service| service.take_report(worker, seq, &report, bytes))
            }
        }
    }

    fn settle(&self) -> Result<(), Refusal> {
        self.let_leave()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::RunDir;
    use super::*;
    use crate::fleet::report::Span;
    use crate::tally::{Merged, RowCounter, StepId};

    const KEY: Key = Key(1);

    /// A worker's report in which `due` requests fell due.
    fn report(key: Key, seq: u64, due: u64) -> Vec<u8> {
        let mut tally = Merged::new(1);
        tally.add_row(StepId(0), RowCounter::Due, due);
        let span = Span { from_ns: seq * 10, to_ns: seq * 10 + 10, last: None, threads: Vec::new() };
        Report { key, span, tally }.write()
    }

    fn name(answer: Result<String, Refusal>) -> String {
        answer.map_or_else(|refusal| refusal.name().to_owned(), |_| "ok".to_owned())
    }

    /// A tally that cannot be unpacked, which shows whether unpacking was tried.
    #[test]
    fn worker_key_and_number_are_checked_before_a_report_is_unpacked() {
        let run_dir = RunDir::new("unpacked");
        let handle = ServiceHandle::new(run_dir.started(KEY));
        let damaged = |key: Key| {
            let tally = Merged::new(7);
            let span = Span { from_ns: 0, to_ns: 10, last: None, threads: Vec::new() };
            Report { key, span, tally }.write()
        };
        let send = |worker, seq, bytes: &[u8]| name(handle.carry_out(Call::Report(worker, seq, bytes)));
        assert_eq!(send(0, 1, &report(KEY, 1, 1)), "ok");
        assert_eq!(send(9, 2, &damaged(KEY)), "unknown_worker");
        assert_eq!(send(0, 2, &damaged(Key(2))), "other_key");
        assert_eq!(send(0, 3, &damaged(KEY)), "gap");
        assert_eq!(send(0, 1, &damaged(KEY)), "ok", "it was applied before");
        assert_eq!(send(0, 2, &damaged(KEY)), "malformed");
    }

    #[test]
    fn a_report_that_would_overflow_its_workers_total_is_refused_and_the_run_ends_well() {
        const MOST: u64 = 1 << 44;
        let run_dir = RunDir::new("overflow");
        let handle = ServiceHandle::new(run_dir.started(KEY));
        let send = |seq, due| name(handle.carry_out(Call::Report(0, seq, &report(KEY, seq, due))));
        for seq in 1..=512 {
            assert_eq!(send(seq, MOST), "ok", "{seq}");
        }
        assert_eq!(send(513, MOST), "count_overflow");
        assert_eq!(send(513, 1), "count_overflow");
        handle.with(|service| {
            service.stop(crate::fleet::coordinator::StopReason::Interrupted);
            service.show_left();
            assert_eq!(service.shared.read(|s| s.tally.sum(RowCounter::Due)), 512 * MOST);
        });
        ServiceHandle::settle(&handle).unwrap();
        drop(handle);
        let again = run_dir.service(true);
        assert_eq!(again.shared.read(|s| s.tally.sum(RowCounter::Due)), 512 * MOST);
    }
}
