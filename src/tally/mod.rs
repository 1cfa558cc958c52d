//! Counters and timers. A load thread records into a [`Tally`], which allocates all its memory at the start.
//! Windows are summed in a [`Merged`], which allocates memory for what was seen. Merging loses nothing: the sum
//! of any split equals one tally of all samples.

mod availability;
mod bucket;
mod close;
mod counters;
mod encoding;
mod hdr_v2;
mod health;
mod histogram;
mod merged;
mod outcome;
mod pages;
pub(crate) mod quantile;
mod recorded;
mod row;
mod seen;
mod step;
mod tls;
mod varint;

pub(crate) use availability::{Availability, Gap, Recorder, Silence};
pub use close::Close;
pub use counters::{Counter, RowCounter, RowTime, RowTimer, Timer};
pub use health::ThreadHealth;
pub use histogram::Histogram;
pub use merged::Merged;
pub(crate) use outcome::{BrokenRule, FailureSample, FirstSeen, MAX_FAILURE_SAMPLES};
pub use outcome::{Detail, Outcome};
pub use recorded::Tally;
pub use row::Row;
pub use step::StepId;
pub(crate) use tls::TlsFault;
