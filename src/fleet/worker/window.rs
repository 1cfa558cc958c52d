//! The trait of a worker's windows.

use crate::fleet::messages::Totals;

/// A closed window of a worker, merged over its threads; its content is up to the caller.
pub trait Window {
    /// Append a later window: counts add up, the span is extended.
    fn extend(&mut self, later: Self);
    /// The window's counts.
    fn totals(&self) -> Totals;
}
