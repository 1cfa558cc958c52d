//! Identifies the step that a row of statistics belongs to.

use serde::{Deserialize, Serialize};

/// A step of a scenario, numbered over the whole plan; each has its row of statistics. A scenario with one
/// request is one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

impl StepId {
    /// The step at `index` in the plan.
    ///
    /// # Panics
    /// Beyond `u32::MAX`, which no plan reaches.
    #[inline]
    pub fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("a plan has fewer steps"))
    }

    /// Index in the plan.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}
