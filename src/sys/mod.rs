//! The few calls that touch the machine: sockets, TLS, epoll, clock, cores, control groups, limits. Thin
//! wrappers, independent of requests.

mod addresses;
pub mod cgroup;
mod clock;
pub mod cores;
pub(crate) mod limits;
mod poller;
mod socket;
mod stamp;
mod tls;
mod watch;

pub use addresses::Address;
pub(crate) use addresses::Addresses;
pub use clock::{Clock, RealtimeOffset};
pub(crate) use clock::{set_nice, set_timer_slack};
pub(crate) use poller::{Epoll, MAX_EVENTS, Poller, Ready};
pub(crate) use socket::{Received, Socket, check_source, has_pending, unacknowledged};
pub(crate) use stamp::hold_timestamping;
pub use tls::Session;
pub(crate) use tls::{PemFile, ThreadTls, TlsConfig, TlsError, TlsOptions, is_a_ca_as_server};
pub(crate) use watch::{Watch, ask_for_stamps};
