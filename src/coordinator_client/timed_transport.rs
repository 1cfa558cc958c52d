//! The transport under a call: it records when the request left and, from the kernel, when the first bytes of
//! the response arrived.
//!
//! HTTP itself is up to ureq, whose transport this is; the fleet module uses the instants.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

use crate::sys::{self, Clock, Watch};

/// When the last request left and its response arrived, on the worker's clock.
#[derive(Clone)]
pub(crate) struct ClockSampler(Arc<Mutex<SampledCall>>);

struct SampledCall {
    watch: Watch,
    left_ns: u64,
    came_ns: Option<u64>,
}

impl ClockSampler {
    pub(crate) fn new(clock: Clock) -> Self {
        Self(Arc::new(Mutex::new(SampledCall { watch: Watch::new(clock), left_ns: 0, came_ns: None })))
    }

    /// Two instants in nanoseconds: before the last bytes of the request went to the kernel, and when the
    /// kernel had received all bytes of the response's first read. `None` if no response arrived.
    pub(crate) fn times(&self) -> Option<(u64, u64)> {
        let noted = self.noted();
        noted.came_ns.map(|came_ns| (noted.left_ns, came_ns))
    }

    fn noted(&self) -> MutexGuard<'_, SampledCall> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ClockSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClockSampler").finish_non_exhaustive()
    }
}

/// Opens a connection for each call.
#[derive(Debug)]
pub(crate) struct TimedConnector(pub(crate) ClockSampler);

impl Connector<()> for TimedConnector {
    type Out = TimedTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<TimedTransport>, Error> {
        let socket = connect(details)?;
        socket.set_nodelay(true)?;
        sys::ask_for_stamps(&socket);
        self.0.noted().came_ns = None;
        let buffers =
            LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(TimedTransport { socket, buffers, sampler: self.0.clone() }))
    }
}

/// Connect to the first address that accepts; each gets an equal part of the remaining time.
fn connect(details: &ConnectionDetails<'_>) -> Result<TcpStream, Error> {
    let deadline = details.timeout.not_zero().map(|after| Instant::now() + *after);
    let mut last = Error::Timeout(Timeout::Connect);
    for (i, address) in details.addrs.iter().enumerate() {
        let Some(deadline) = deadline else { return Ok(TcpStream::connect(address)?) };
        let part = deadline.saturating_duration_since(Instant::now()) / (details.addrs.len() - i) as u32;
        if part.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(address, part) {
            Ok(socket) => return Ok(socket),
            Err(e) if e.kind() == ErrorKind::TimedOut => last = Error::Timeout(details.timeout.reason),
            Err(e) => last = e.into(),
        }
    }
    Err(last)
}

pub(crate) struct TimedTransport {
    socket: TcpStream,
    buffers: LazyBuffers,
    sampler: ClockSampler,
}

impl fmt::Debug for TimedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimedTransport").field("stream", &self.socket).finish_non_exhaustive()
    }
}

impl Transport for TimedTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        self.socket.set_write_timeout(timeout.not_zero().map(|after| *after))?;
        {
            let mut noted = self.sampler.noted();
            (noted.left_ns, noted.came_ns) = (noted.watch.now(), None);
        }
        self.socket.write_all(&self.buffers.output()[..amount]).map_err(|e| to_ureq_error(e, timeout.reason))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let deadline = timeout.not_zero().map(|after| Instant::now() + *after);
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(Error::Timeout(timeout.reason));
            }
            wait(&self.socket, left).map_err(|e| to_ureq_error(e, timeout.reason))?;
            let mut noted = self.sampler.noted();
            match noted.watch.receive(&self.socket, self.buffers.input_append_buf()) {
                Ok((bytes, at_ns)) => {
                    noted.came_ns.get_or_insert(at_ns);
                    self.buffers.input_appended(bytes);
                    return Ok(bytes > 0);
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn is_open(&mut self) -> bool {
        // One call per connection: it is never reused.
        false
    }
}

/// Wait until there may be something to read.
fn wait(socket: &TcpStream, at_most: Option<Duration>) -> io::Result<()> {
    let timeout = at_most
        .map(|left| Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() });
    match poll(&mut [PollFd::new(socket, PollFlags::IN)], timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

fn to_ureq_error(error: io::Error, reason: Timeout) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(reason),
        _ => error.into(),
    }
}
