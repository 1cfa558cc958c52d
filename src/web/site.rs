//! What a status server serves, and to whom.

use std::sync::Arc;

use super::access::Access;
use super::api::Calls;
use super::operator::Operator;
use crate::run::SharedSnapshot;
use crate::sys::Clock;

/// What is served.
pub struct Site {
    /// What the pages show.
    pub shared: Arc<SharedSnapshot>,
    /// Who may start and stop the run; `None`: nobody.
    pub operator: Option<Operator>,
    /// Who may read, and make workers' calls.
    pub access: Access,
    /// Carries workers' calls out; `None`: there are none.
    pub calls: Option<Arc<dyn Calls>>,
    /// Each answer carries what this clock, plus so many nanoseconds, read when its request came and when it
    /// left itself; `None`: answers carry no stamps.
    pub clock: Option<(Clock, u64)>,
}

impl Site {
    /// Pages to look at.
    pub fn of(shared: Arc<SharedSnapshot>) -> Self {
        Self { shared, operator: None, access: Access::default(), calls: None, clock: None }
    }
}
