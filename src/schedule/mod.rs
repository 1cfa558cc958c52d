//! When requests are due, and which one each of them is. Pure arithmetic: the k-th answer is
//! computed, never accumulated.

mod arrivals;
mod picker;

pub use arrivals::{Arrivals, Due, Piece, Schedule};
pub use picker::{MAX_PERIOD, Picker};
