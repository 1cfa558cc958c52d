//! Ends a run early when a threshold has failed for as long as the plan allows.

use crate::run::SharedSnapshot;
use crate::verdict::threshold::Watch;

/// Evaluates the thresholds whenever there are new results.
#[derive(Debug, Default)]
pub(crate) struct Abort {
    watch: Watch,
    looked_at_ns: u64,
    done: bool,
}

impl Abort {
    /// Index of the threshold whose failure ends the run now; returned once.
    pub(crate) fn look(&mut self, shared: &SharedSnapshot) -> Option<usize> {
        let ripe = shared.read(|snapshot| {
            let may_abort = snapshot.run.thresholds.iter().any(|t| t.abort_after_ns.is_some());
            let is_news = snapshot.measured_ns > self.looked_at_ns;
            if !may_abort || !is_news || self.done {
                return None;
            }
            self.looked_at_ns = snapshot.measured_ns;
            self.watch.observe(snapshot.measured_ns, &snapshot.run.thresholds, &snapshot.thresholds())
        });
        self.done |= ripe.is_some();
        ripe
    }
}
