//! Recovery from a `--state-dir` used before: its records are taken in one by one; then whether its run may be
//! continued, and when it is over for good.

use std::path::Path;

use super::CoordinatorService;
use super::entry::{Entry, Part};
use crate::fleet::coordinator::Record;
use crate::fleet::messages::PlanBundle;
use crate::fleet::report::Report;
use crate::journal::Journal;
use crate::roles::plan_form::DataPlace;
use crate::roles::{Exit, Failure, log, plan_form, tls_files};

/// Takes in a journal's records in their order. State machine and service advance together, as they did when
/// the records were written.
struct Recovery<'a> {
    service: &'a mut CoordinatorService,
    /// The coordinator's own plan.
    own: Option<&'a PlanBundle>,
    /// Records so far.
    records: usize,
    /// A checkpoint has begun, and not ended.
    in_checkpoint: bool,
    /// The bytes of the checkpoint's records.
    checkpoint_bytes: u64,
    /// The beginning of a checkpoint's part.
    part: Option<(Part, Vec<u8>)>,
    /// Why the service cannot go on with this run; only the state machine takes in what follows. That tells
    /// whether there is a better reason.
    unfit: Option<Failure>,
}

impl Recovery<'_> {
    /// Take in a record.
    ///
    /// # Errors
    /// Why it cannot follow the earlier ones.
    fn take(&mut self, record: &[u8]) -> Result<(), String> {
        let at = self.records;
        self.records += 1;
        self.apply(at, record).map_err(|why| format!("record {at} of the journal {why}"))
    }

    fn apply(&mut self, at: usize, record: &[u8]) -> Result<(), &'static str> {
        match Entry::read(record).ok_or("is one of another version")? {
            (Entry::Piece { part, more }, bytes) => {
                self.checkpoint_bytes += record.len() as u64;
                self.collect(at, part, more, bytes)
            }
            (Entry::Record(_), _) if self.in_checkpoint => Err("lies within a checkpoint"),
            (Entry::Record(record), _) if at == 0 => self.service.coordinator.reopen(record),
            (Entry::Record(record), bytes) => {
                self.service.coordinator.replay(&record)?;
                if matches!(record, Record::Plan(..)) {
                    self.unfit = self.service.check_plan(self.own).err();
                }
                self.serve(|service| service.replay(&record, bytes));
                Ok(())
            }
        }
    }

    /// Take in a piece of a checkpoint; its part is restored when it is whole.
    fn collect(&mut self, at: usize, part: Part, more: bool, bytes: &[u8]) -> Result<(), &'static str> {
        self.in_checkpoint |= at == 0 && part == Part::State;
        let (begun, mut held) = self.part.take().unwrap_or((part, Vec::new()));
        if !self.in_checkpoint || begun != part {
            return Err("is a part of a checkpoint in the wrong place");
        }
        held.extend_from_slice(bytes);
        if more {
            self.part = Some((part, held));
            return Ok(());
        }
        if part == Part::State {
            let state = serde_json::from_slice(&held).map_err(|_| "is one of another version")?;
            self.service.coordinator.reopen(state)?;
            self.unfit = self.service.check_plan(self.own).err();
        }
        self.in_checkpoint = part != Part::End;
        self.serve(|service| service.restore(part, held));
        Ok(())
    }

    fn serve(&mut self, act: impl FnOnce(&mut CoordinatorService) -> Result<(), Failure>) {
        if self.unfit.is_none() {
            self.unfit = act(self.service).err();
        }
    }
}

impl CoordinatorService {
    /// Open the journal in `directory` and take in what it holds; returns whether that is nothing.
    ///
    /// # Errors
    /// The journal cannot be used, or its run may not be continued.
    pub(super) fn recover(&mut self, directory: &Path, own: Option<&PlanBundle>) -> Result<bool, Failure> {
        let mut recovery = Recovery {
            service: self,
            own,
            records: 0,
            in_checkpoint: false,
            checkpoint_bytes: 0,
            part: None,
            unfit: None,
        };
        let opened = Journal::open(directory, |record| recovery.take(record));
        let Recovery { records, in_checkpoint, checkpoint_bytes, unfit, .. } = recovery;
        let journal = opened.map_err(Failure::incomplete)?;
        if in_checkpoint {
            return Err(Failure::incomplete(format!(
                "{}: the journal is damaged: its checkpoint has no end: keep it for analysis, and name another \
                 directory",
                self.place()
            )));
        }
        if checkpoint_bytes > 0 {
            journal.writer().begins_with_checkpoint(checkpoint_bytes);
        }
        self.journal = Some(journal);
        if records == 0 {
            return Ok(true);
        }
        self.coordinator.resume(self.epoch_ns);
        self.check_recoverable(own)?;
        unfit.map_or(Ok(false), Err)
    }

    /// Do what was done when this record was written; the state machine has it already.
    fn replay(&mut self, record: &Record, bytes: &[u8]) -> Result<(), Failure> {
        match record {
            Record::Plan(bundle, ..) => self.show_bundle(bundle)?,
            Record::Started { start_at_ns, .. } => self.begin(*start_at_ns),
            Record::Shared { .. } => self.add_sources(),
            Record::Report { worker, .. } => {
                let report = Report::read(bytes, self.scenarios());
                let report = report.map_err(|refusal| Failure::incomplete(refusal.message()))?;
                self.merge(*worker, &report);
            }
            Record::Departure { worker, .. } => self.give_up(*worker),
            Record::Stopped(reason, _) => self.stopped = Some(reason.clone()),
            Record::Sealed(closing, _) => self.sealed = Some(closing.clone()),
            Record::Opened { .. } | Record::Checkpoint(_) | Record::Joined { .. } | Record::ToldToStart => {}
            Record::Final(..) | Record::ExitReported(_) => {}
        }
        Ok(())
    }

    /// Show the plan that the journal holds.
    pub(super) fn show_bundle(&mut self, bundle: &PlanBundle) -> Result<(), Failure> {
        let place = DataPlace::PlanFolder(tls_files::folder(self.options.plan.as_deref()));
        let plan = plan_form::read(bundle, place).map_err(Failure::incomplete)?;
        self.show_plan(plan).map_err(Failure::incomplete)
    }

    /// Check that a coordinator with this plan of its own may continue the run. A result that was reported is
    /// not reported again: nothing would be sent, and a CI job would pass forever.
    pub(super) fn check_recoverable(&self, own: Option<&PlanBundle>) -> Result<(), Failure> {
        let (place, run) = (self.place(), self.coordinator.run());
        if let Some(exit) = self.coordinator.recorded_exit() {
            return Err(Failure::usage(format!(
                "{place} holds a run that has ended (run {run}, exit code {exit}), and nothing was sent now: name \
                 another directory for another run, or remove this one"
            )));
        }
        self.check_plan(own)
    }

    /// Check that the run has the coordinator's own plan, if either has one.
    fn check_plan(&self, own: Option<&PlanBundle>) -> Result<(), Failure> {
        let place = self.place();
        match (self.coordinator.plan(), own) {
            (Some((held, _)), Some(own)) if held.digest != own.digest => Err(Failure::usage(format!(
                "{place} holds a run of another plan ({}; this one is {}): name another directory",
                held.digest, own.digest
            ))),
            _ => Ok(()),
        }
    }

    /// Print what was found.
    pub(super) fn report_recovery(&self) {
        let run = self.coordinator.run();
        if self.sealed.is_none() {
            return self.say(&format!("taken up from --state-dir: run {run}"));
        }
        // Even when quiet: a verdict without load must not be mistaken for a new one.
        log::note(&format!(
            "{} holds a run that has ended (run {run}): nothing is sent now, its result is reported again; for \
             another run name another directory",
            self.place()
        ));
    }

    /// Record that the result is reported, so that no other process reports it again.
    pub(crate) fn record_exit(&mut self, exit: Exit) {
        if self.sealed.is_some()
            && !self.coordinator.is_broken()
            && self.coordinator.recorded_exit().is_none()
            && let Err(failure) = self.persist(Record::ExitReported(exit as u8), &[])
        {
            self.say(&failure.message);
        }
    }

    fn place(&self) -> String {
        let dir = self.options.state_dir.as_ref();
        format!("--state-dir {}", dir.map_or(String::new(), |dir| dir.display().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::handle::ServiceHandle;
    use super::super::tests::RunDir;
    use super::*;
    use crate::fleet::messages::{Key, Totals, WorkerId};

    #[test]
    fn a_record_that_cannot_follow_is_named_in_a_whole_sentence() {
        let report = |seq| Record::Report { worker: WorkerId(0), seq, totals: Totals::default() };
        let departure = Record::Departure { worker: WorkerId(3), at_ns: 1, heard_ns: 1, replaced: false };
        let cases = [
            (
                report(1),
                "record 2 of the journal is a report of a worker that never joined or has already finished",
            ),
            (
                departure,
                "record 2 of the journal is a departure of a worker that never joined or is already gone",
            ),
            (Record::ExitReported(0), "record 2 of the journal is an exit code of a run that has not ended"),
            (Record::Opened { run: Key(1) }, "record 2 of the journal begins a run within a run"),
        ];
        for (i, (record, expected)) in cases.into_iter().enumerate() {
            let run_dir = RunDir::new(&format!("sentence-{i}"));
            let handle = ServiceHandle::new(run_dir.service(true));
            handle.with(|service| service.persist(record, &[]).ok().unwrap());
            handle.settle().unwrap();
            drop(handle);
            let failure = run_dir.try_service(true).err().unwrap();
            assert!(failure.message.contains(expected), "{}", failure.message);
            assert!(failure.message.contains("keep it for analysis"), "{}", failure.message);
        }
    }
}
