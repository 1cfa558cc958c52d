//! Recovery from a `--state-dir` used before: whether its run may be continued, and when it is over for good.

use std::io::Write as _;

use super::CoordinatorService;
use crate::fleet::coordinator::Record;
use crate::fleet::messages::PlanBundle;
use crate::roles::{Exit, Failure};

impl CoordinatorService {
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
        // Even when quiet: a verdict without load must not be mistaken for a new one. Standard error may be
        // closed; the reports are written all the same.
        let _ = writeln!(
            std::io::stderr(),
            "note: {} holds a run that has ended (run {run}): nothing is sent now, its result is reported again; for \
             another run name another directory",
            self.place()
        );
    }

    /// Record that the result is reported, so that no other process reports it again.
    pub(crate) fn record_exit(&mut self, exit: Exit) {
        if self.sealed.is_some()
            && !self.coordinator.is_broken()
            && self.coordinator.recorded_exit().is_none()
            && let Err(failure) = self.persist(&Record::ExitReported(exit as u8), &[])
        {
            self.say(&failure.message);
        }
    }

    fn place(&self) -> String {
        let dir = self.options.state_dir.as_ref();
        format!("--state-dir {}", dir.map_or(String::new(), |dir| dir.display().to_string()))
    }
}
