//! When requests are due and which scenario each of them is. Pure arithmetic: the k-th result is computed,
//! never accumulated.

mod arrivals;
mod picker;

pub use arrivals::{Arrivals, Piece, Schedule};
pub(crate) use arrivals::{Due, until_arrivals};
pub(crate) use picker::MAX_PERIOD;
pub use picker::Picker;
