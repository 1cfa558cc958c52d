//! What suites share: a second attempt for what is noisy by nature, a list of the skipped tests, a runner for
//! cases that take turns, and a place for sockets.

mod attempts;
mod cases;
mod skips;
mod sockets;

pub use attempts::twice;
pub use cases::{Case, CaseResult, run};
pub(crate) use cases::{cases, is_noisy};
pub use skips::{Skipped, needed, program, skip};
pub use sockets::SocketDir;
