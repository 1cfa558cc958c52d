//! When a request came and its answer left, for peers that compare their clock with this process's.
//!
//! Requests come when the kernel has them, and an answer leaves right before it is written: neither this
//! server's queue nor the drawing of answers is mistaken for time on the wire.

use std::io::{self, Read as _};
use std::net::{TcpListener, TcpStream};

use crate::fleet::messages::{CLOCK_HEADER, CallStamps};
use crate::sys::{self, Clock, Watch};

/// The clock whose stamps peers get, if there is one.
#[derive(Debug)]
pub(crate) struct Timing(Option<ClockSource>);

#[derive(Debug)]
struct ClockSource {
    watch: Watch,
    /// What that clock read when the other one read 0.
    epoch_ns: u64,
}

impl Timing {
    /// Stamp answers to clients of `listener` with this clock plus so many nanoseconds, or not at all.
    pub(crate) fn new(clock: Option<(Clock, u64)>, listener: &TcpListener) -> Self {
        Self(clock.map(|(clock, epoch_ns)| {
            sys::ask_for_stamps(listener);
            ClockSource { watch: Watch::new(clock), epoch_ns }
        }))
    }

    /// Read what there is: bytes, and when they came; 0 where no clock is source.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing; otherwise why the connection is gone.
    pub(crate) fn receive(&mut self, mut from: &TcpStream, buffer: &mut [u8]) -> io::Result<(usize, u64)> {
        match &mut self.0 {
            Some(source) => source.watch.receive(from, buffer),
            None => from.read(buffer).map(|bytes| (bytes, 0)),
        }
    }

    /// The header field of `answer`, which leaves now to a request that came at `came_ns`. Nothing without a
    /// clock, and nothing in a refusal: how long that took is not for that client.
    pub(crate) fn field(&self, answer: &[u8], came_ns: u64) -> String {
        let Some(source) = self.0.as_ref().filter(|_| answer.starts_with(b"HTTP/1.1 200 ")) else {
            return String::new();
        };
        let stay =
            CallStamps { t1_ns: source.epoch_ns + came_ns, t2_ns: source.epoch_ns + source.watch.now() };
        format!("{CLOCK_HEADER}: {stay}\r\n")
    }
}
