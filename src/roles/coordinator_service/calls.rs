//! The workers' calls: read and held against the law, fed to the machine, answered.

use super::CoordinatorService;
use super::handle::ServiceHandle;
use crate::fleet::coordinator::{Answer, Event};
use crate::fleet::messages::{Final, Heartbeat, Join, Totals, WorkerId};
use crate::fleet::report::Report;
use crate::fleet::{Checked as _, Refusal, worker::Window as _};
use crate::roles::plan_form;
use crate::web::{Call, Calls};

impl CoordinatorService {
    /// No more requests may have ended than have fallen due: what breaks that is not believed.
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
                    // Who is turned away leaves no plan behind.
                    self.coordinator.may_join(&join)?;
                    let plan = plan_form::read(travels).map_err(Refusal::Malformed)?;
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
            Call::Report(worker, seq, bytes) => {
                let report = Report::read(bytes, self.scenarios())?;
                let (worker, key, totals) = (WorkerId(worker), report.key, report.totals());
                self.is_lawful(worker, seq, totals)?;
                if self.merger.as_ref().is_some_and(|merger| !merger.has_room_for(&report.tally)) {
                    return Err(Refusal::CountOverflow);
                }
                self.feed(Event::Report { worker, key, seq, totals }, Some((&report, bytes)))?
            }
            Call::Final(worker, bytes) => {
                let last = Final::read(bytes)?;
                self.feed(Event::Final(WorkerId(worker), Box::new(last)), None)?
            }
        };
        let now = self.now();
        let json = match answer {
            Some(Answer::Joined(joined)) => serde_json::to_string(&joined),
            Some(Answer::Orders(mut orders)) => {
                orders.t2_ns = now;
                serde_json::to_string(&orders)
            }
            Some(Answer::Acked(acked)) => serde_json::to_string(&acked),
            Some(Answer::Done) | None => return Ok("{}".to_owned()),
        };
        Ok(json.expect("plain structs with string keys"))
    }
}

impl Calls for ServiceHandle {
    fn carry_out(&self, call: Call<'_>) -> Result<String, Refusal> {
        self.with(|service| service.call(call))
    }

    fn settle(&self) -> Result<(), Refusal> {
        self.let_leave()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::RunDir;
    use super::*;
    use crate::fleet::messages::Key;
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
