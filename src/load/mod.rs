//! A load thread: wait, feed the client, drain it, ship the tally.
//!
//! This is where a thread's client meets the machine. Everything it needs is its own: connections,
//! poller, client, tallies. Shared with others are only the run's specification and the control, which
//! it reads, and the channel ends it uses once a window.

mod job;
mod route;
mod sockets;
mod thread;
mod tls;
mod transport;

use std::io;
use std::thread::JoinHandle;

use crate::sys::{Epoll, Poller};
use thread::Thread;

pub use job::{Control, Job, TALLIES_PER_THREAD, Window};
pub(crate) use job::{FirstConnects, Last, WINDOW_NS};
pub use route::Route;
pub use tls::{Pem, tls_config};

/// Start a load thread.
///
/// # Errors
/// When the machine has no room for a thread or an epoll instance.
pub fn spawn(job: Job) -> io::Result<JoinHandle<()>> {
    let epoll = Epoll::new()?;
    let name = format!("load-{}", job.thread);
    std::thread::Builder::new().name(name).spawn(move || Thread::new(job, Poller::new(epoll)).run())
}
