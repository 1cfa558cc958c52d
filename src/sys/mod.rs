//! The few calls that touch the machine: sockets, TLS, epoll, clock, cores, control groups, limits. Thin
//! enough to read in one sitting; knows nothing of requests.

mod addresses;
pub mod cgroup;
mod clock;
pub mod cores;
pub mod limits;
mod poller;
mod socket;
mod stamp;
mod tls;
mod watch;

pub use addresses::{Address, Addresses};
pub use clock::{Clock, RealtimeOffset, set_nice, set_timer_slack};
pub use poller::{Epoll, MAX_EVENTS, Poller, Ready};
pub use socket::{Received, Socket, check_source, unacknowledged};
pub use stamp::hold_timestamping;
pub use tls::{PemFile, Session, ThreadTls, TlsConfig, TlsError, TlsOptions, is_a_ca_as_server};
pub use watch::{Watch, ask_for_stamps};
