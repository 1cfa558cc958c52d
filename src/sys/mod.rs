//! The few calls that touch the machine: sockets, epoll, clock, cores, limits. Thin enough to read
//! in one sitting; knows nothing of requests.

mod clock;
mod poller;
mod socket;
mod stamp;

pub use clock::{Clock, RealtimeOffset, cpu_time_ns, sharpen_timers};
pub use poller::{Poller, Ready};
pub use socket::{Received, Socket, unacknowledged};
//! The world, as far as this crate touches it: cores, control groups, limits.

pub mod cgroup;
pub mod cores;
pub mod limits;
