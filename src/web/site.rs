//! The content of a status server and its access rules.

use std::sync::Arc;
use std::time::Duration;

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
    /// How long a client may take.
    pub deadlines: Deadlines,
    /// How long the server stays up after the run, as far as its user may choose; the dashboard says so.
    pub linger: Option<Duration>,
}

/// How long a client may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// To send its whole request.
    pub request: Duration,
    /// To read the whole response.
    pub response: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { request: Duration::from_secs(5), response: Duration::from_secs(10) }
    }
}

impl Site {
    /// Read-only pages.
    pub fn of(shared: Arc<SharedSnapshot>) -> Self {
        Self {
            shared,
            operator: None,
            access: Access::default(),
            calls: None,
            clock: None,
            deadlines: Deadlines::default(),
            linger: None,
        }
    }
}
