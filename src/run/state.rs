//! The phase of a run, and how it ended.

/// The phase of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Opening connections; nothing sent yet.
    Starting,
    /// Load is applied, results have not started.
    WarmingUp,
    /// Load is applied and measured.
    Running,
    /// No new requests; waiting for those in flight.
    Draining,
    /// All results are final.
    Finished,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::WarmingUp => "warming_up",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Finished => "finished",
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As planned, or stopped by a threshold.
    Complete,
    /// A signal stopped it.
    Interrupted,
    /// It could not be carried out.
    Incomplete,
    /// A worker was lost, and the plan says that this fails the run.
    Failed,
}
