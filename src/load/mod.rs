//! A load thread: it waits, feeds the client, carries out the client's actions and ships its tally.
//!
//! It connects a client to sockets and a clock, and owns everything it needs for that: connections, poller,
//! client, tallies. It shares the run's specification, the control and the route, which it only reads, and the
//! ends of channels, which it uses once a window.

mod failure;
mod job;
mod route;
mod row_reader;
mod sockets;
mod thread;
mod tls;
mod transport;
mod tunnel;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use crate::sys::{Epoll, Poller};
use thread::Thread;

pub use failure::ThreadFailure;
pub use job::{Control, Job, Peer, TALLIES_PER_THREAD, Window};
pub(crate) use job::{FirstConnects, Last, WINDOW_NS};
pub use route::Route;
pub(crate) use row_reader::spawn_row_reader;
pub use tls::{Pem, tls_config};

/// Start a load thread. If it fails or panics, the job's `failures` gets a message before its windows end.
///
/// # Errors
/// When the system cannot create a thread or an epoll instance.
pub fn spawn(job: Job) -> io::Result<JoinHandle<()>> {
    let epoll = Epoll::new()?;
    let name = format!("load-{}", job.thread);
    std::thread::Builder::new().name(name).spawn(move || {
        let (thread, failures, _windows) = (job.thread, job.failures.clone(), job.windows.clone());
        // After a panic the thread's state is dropped without being read.
        let run = AssertUnwindSafe(|| Thread::new(job, Poller::new(epoll)).run());
        let failure = match catch_unwind(run) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => ThreadFailure::of_error(thread, &error),
            Err(payload) => ThreadFailure::of_panic(thread, payload.as_ref()),
        };
        // If nobody listens, the run was given up.
        let _ = failures.send(failure);
    })
}
