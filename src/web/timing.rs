//! Stamps when a request arrived and its response left, for peers that compare clocks with this process.
//!
//! A request arrives when the kernel has it, and a response leaves right before it is written. So neither
//! this server's queueing nor the drawing of responses counts as network time.

use std::io::{self, Read as _};
use std::net::{TcpListener, TcpStream};

use crate::fleet::messages::{CLOCK_HEADER, CallStamps};
use crate::sys::{self, Clock, Watch};

/// The clock for stamps; `None`: no stamps.
#[derive(Debug)]
pub(crate) struct Timing(Option<ClockSource>);

#[derive(Debug)]
struct ClockSource {
    watch: Watch,
    /// Offset from the clock to the stamps, in nanoseconds.
    epoch_ns: u64,
}

impl Timing {
    /// Stamp responses to clients of `listener` with this clock plus these nanoseconds, or not at all.
    pub(crate) fn new(clock: Option<(Clock, u64)>, listener: &TcpListener) -> Self {
        Self(clock.map(|(clock, epoch_ns)| {
            sys::ask_for_stamps(listener);
            ClockSource { watch: Watch::new(clock), epoch_ns }
        }))
    }

    /// Read available bytes; returns their number and when they arrived, which is 0 without a clock.
    ///
    /// # Errors
    /// `WouldBlock` when there are none; otherwise why the connection failed.
    pub(crate) fn receive(&mut self, mut from: &TcpStream, buffer: &mut [u8]) -> io::Result<(usize, u64)> {
        match &mut self.0 {
            Some(source) => source.watch.receive(from, buffer),
            None => from.read(buffer).map(|bytes| (bytes, 0)),
        }
    }

    /// The stamp's header field for `answer`, which leaves now, to a request that arrived at `came_ns`. Empty
    /// without a clock, and for any status but 200, so that refused clients learn no timing.
    pub(crate) fn field(&self, answer: &[u8], came_ns: u64) -> String {
        let Some(source) = self.0.as_ref().filter(|_| answer.starts_with(b"HTTP/1.1 200 ")) else {
            return String::new();
        };
        let stay =
            CallStamps { t1_ns: source.epoch_ns + came_ns, t2_ns: source.epoch_ns + source.watch.now() };
        format!("{CLOCK_HEADER}: {stay}\r\n")
    }
}
