//! Ends a run early: when a threshold has failed for as long as the plan allows, or when data has run out.

use crate::run::SharedSnapshot;
use crate::verdict::threshold::Watch;

/// Why a run ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AbortCause {
    /// The threshold with this index has failed for as long as the plan allows.
    Threshold(usize),
    /// A load thread has taken the last of its rows, or cannot read them any more. Without it the others would go on with less load.
    OutOfData,
}

/// Looks for a cause whenever there are new results.
#[derive(Debug, Default)]
pub(crate) struct Abort {
    watch: Watch,
    looked_at_ns: u64,
    done: bool,
}

impl Abort {
    /// Why the run ends now; returned once.
    pub(crate) fn look(&mut self, shared: &SharedSnapshot) -> Option<AbortCause> {
        let cause = shared.read(|snapshot| {
            if self.done {
                return None;
            }
            if snapshot.is_out_of_data() {
                return Some(AbortCause::OutOfData);
            }
            let may_abort = snapshot.run.thresholds.iter().any(|t| t.abort_after_ns.is_some());
            let is_news = snapshot.measured_ns > self.looked_at_ns;
            if !may_abort || !is_news {
                return None;
            }
            self.looked_at_ns = snapshot.measured_ns;
            let ripe =
                self.watch.observe(snapshot.measured_ns, &snapshot.run.thresholds, &snapshot.thresholds());
            ripe.map(AbortCause::Threshold)
        });
        self.done |= cause.is_some();
        cause
    }
}
