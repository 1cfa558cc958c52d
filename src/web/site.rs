//! The content of a status server and its access rules.

use std::sync::Arc;

use super::access::Access;
use super::api::Calls;
use super::operator::Operator;
use crate::run::SharedSnapshot;
use crate::sys::Clock;

/// The content of a status server and its access rules.
pub struct Site {
    /// The snapshot that the pages show.
    pub shared: Arc<SharedSnapshot>,
    /// Carries out the operator's start and stop; `None`: nobody may.
    pub operator: Option<Operator>,
    /// The tokens, and what is open without one.
    pub access: Access,
    /// Carries out workers' calls; `None`: not a coordinator.
    pub calls: Option<Arc<dyn Calls>>,
    /// The clock, and nanoseconds to add to it, for the stamps in each response: when its request arrived and
    /// when it left. `None`: no stamps.
    pub clock: Option<(Clock, u64)>,
}

impl Site {
    /// Read-only pages.
    pub fn of(shared: Arc<SharedSnapshot>) -> Self {
        Self { shared, operator: None, access: Access::default(), calls: None, clock: None }
    }
}
