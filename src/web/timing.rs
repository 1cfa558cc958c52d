//! When a request came and its answer left, for peers that compare their clock with this process's.
//!
//! Requests come when the kernel has them, and an answer leaves right before it is written: neither this
//! server's queue nor the drawing of answers is mistaken for time on the wire.

use std::io;
use std::net::TcpStream;

use crate::fleet::messages::{CLOCK_HEADER, Stay};
use crate::sys::{Clock, Watch};

/// The clock that peers are told, if there is one.
#[derive(Debug)]
pub struct Timing {
    watch: Watch,
    /// What the told clock read when the other one read 0; `None`: none is told.
    epoch_ns: Option<u64>,
}

impl Timing {
    /// Tell `clock`, plus so many nanoseconds; or none.
    pub fn new(told: Option<(Clock, u64)>) -> Self {
        let (clock, epoch_ns) = told.unzip();
        Self { watch: Watch::new(clock.unwrap_or_else(Clock::start)), epoch_ns }
    }

    /// Read what there is: bytes, and when they came.
    ///
    /// # Errors
    /// As [`Watch::receive`].
    pub fn receive(&mut self, from: &TcpStream, buffer: &mut [u8]) -> io::Result<(usize, u64)> {
        self.watch.receive(from, buffer)
    }

    /// The header field of an answer that leaves now to a request that came at `came_ns`; nothing if no clock
    /// is told.
    pub fn field(&self, came_ns: u64) -> String {
        let Some(epoch_ns) = self.epoch_ns else { return String::new() };
        let stay = Stay { t1_ns: epoch_ns + came_ns, t2_ns: epoch_ns + self.watch.now() };
        format!("{CLOCK_HEADER}: {stay}\r\n")
    }
}
