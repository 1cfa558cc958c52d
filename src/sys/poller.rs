//! epoll, edge-triggered, with nanosecond timeouts.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::Timespec;

/// Events taken from the kernel at once. With more, a batch would grow stale before it is served.
pub(crate) const MAX_EVENTS: usize = 256;

/// Readiness of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    /// The token given to [`Poller::add`].
    pub(crate) token: u64,
    /// There is something to read, or the input ended.
    pub(crate) readable: bool,
    /// The socket is writable, or a connection attempt ended.
    pub(crate) writable: bool,
    /// The peer closed or reset, or a connection attempt failed: read until the end, or check the socket's
    /// error.
    pub(crate) hung_up: bool,
}

/// One thread's epoll instance and event buffer.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
}

/// An epoll instance not yet owned by a thread.
#[derive(Debug)]
pub(crate) struct Epoll(OwnedFd);

impl Epoll {
    ///
    /// # Errors
    /// The process is out of file descriptors, or the kernel has no `epoll_pwait2`.
    pub(crate) fn new() -> io::Result<Self> {
        let fd = epoll::create(CreateFlags::CLOEXEC)?;
        let mut none = Vec::with_capacity(1);
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        match epoll::wait(&fd, rustix::buffer::spare_capacity(&mut none), Some(&now)) {
            Err(e @ (rustix::io::Errno::NOSYS | rustix::io::Errno::PERM)) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!(
                    "epoll_pwait2: {e}: this needs Linux 5.11 or later, and a seccomp profile that knows the call"
                ),
            )),
            _ => Ok(Self(fd)),
        }
    }
}

impl Poller {
    pub(crate) fn new(epoll: Epoll) -> Self {
        Self { epoll: epoll.0, events: Vec::with_capacity(MAX_EVENTS) }
    }

    /// A poller whose waits fail, for tests.
    pub(crate) fn broken() -> Self {
        let no_epoll = std::fs::File::open("/dev/null").expect("every machine has it");
        Self { epoll: no_epoll.into(), events: Vec::with_capacity(MAX_EVENTS) }
    }

    /// Watch `fd`, edge-triggered, for reading, writing and closing. Closing the descriptor removes it.
    ///
    /// # Errors
    /// The kernel is out of memory or watches.
    pub(crate) fn add(&self, fd: impl AsFd, token: u64) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(token), flags)?)
    }

    /// Wait until something is ready or `timeout_ns` has passed; returns the number of events.
    ///
    /// # Errors
    /// `Interrupted` if a signal interrupted the wait. A correct program sees no other error.
    #[inline]
    pub(crate) fn wait(&mut self, timeout_ns: u64) -> io::Result<usize> {
        let timeout = Timespec {
            tv_sec: (timeout_ns / 1_000_000_000) as i64,
            tv_nsec: (timeout_ns % 1_000_000_000) as i64,
        };
        self.events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) => Ok(self.events.len()),
            Err(e) => Err(e.into()),
        }
    }

    #[inline]
    pub(crate) fn ready(&self, i: usize) -> Ready {
        let event = self.events[i];
        let flags = event.flags;
        let hung_up = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        Ready {
            token: event.data.u64(),
            readable: flags.contains(EventFlags::IN),
            writable: flags.contains(EventFlags::OUT),
            hung_up,
        }
    }
}
