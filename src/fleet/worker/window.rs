//! What a worker reports.

use crate::fleet::messages::Totals;

/// A closed window of this worker, over all its threads; what it holds is the caller's matter.
pub trait Window {
    /// Take a later window in: counts add up, the span is extended.
    fn extend(&mut self, later: Self);
    /// What it counts.
    fn totals(&self) -> Totals;
}
