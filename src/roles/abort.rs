//! The early end of a run: a threshold that has been failing for as long as the plan allows.

use crate::run::SharedSnapshot;
use crate::verdict::threshold::Watch;

/// Looks at the thresholds whenever there is something new to judge.
#[derive(Debug, Default)]
pub(crate) struct Abort {
    watch: Watch,
    looked_at_ns: u64,
    done: bool,
}

impl Abort {
    /// The threshold (by its place) whose failing ends the run now; reported once.
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
