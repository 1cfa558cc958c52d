//! A load thread: waits, feeds the client, executes its actions, ships the tally.
//!
//! It connects a thread's client to sockets and clock. It owns everything it needs: connections, poller,
//! client, tallies. It shares only the run's specification and the control, which it reads, and the channel
//! ends, which it uses once a window.

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
/// When the system cannot create a thread or an epoll instance.
pub fn spawn(job: Job) -> io::Result<JoinHandle<()>> {
    let epoll = Epoll::new()?;
    let name = format!("load-{}", job.thread);
    std::thread::Builder::new().name(name).spawn(move || Thread::new(job, Poller::new(epoll)).run())
}
