//! The live state of a run: the collector and the roles change it, reports read it.

mod failure;
mod fleet;
mod info;
mod intervals;
mod shared;
mod snapshot;
mod state;
mod tails;
mod timeline;

pub use failure::FirstFailure;
pub(crate) use failure::{detail_text, first_text};
pub use fleet::Fleet;
pub(crate) use info::DEFAULT_METRICS_SCENARIOS;
pub use info::{DataInfo, RunInfo, TargetInfo};
pub use intervals::Intervals;
pub use shared::SharedSnapshot;
pub use snapshot::Snapshot;
pub use state::{Ending, State};
pub use tails::{Tail, TailPoint, Tails};
pub use timeline::TimelinePoint;
