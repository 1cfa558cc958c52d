//! A clock that also gives the kernel's receive time of each read, for clock comparison.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::clock::{Clock, RealtimeOffset};
use super::stamp;

/// Older stamps are ignored as implausible: readers wait for their data, so stamps are fresh.
const MAX_AGE_NS: u64 = 5_000_000_000;

/// A clock with its offset from CLOCK_REALTIME.
#[derive(Debug)]
pub(crate) struct Watch {
    clock: Clock,
    offset: RealtimeOffset,
    /// Keeps the kernel stamping.
    _stamping: Option<OwnedFd>,
}

impl Watch {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, offset: RealtimeOffset::measure(&clock), _stamping: stamp::hold_timestamping() }
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Read available bytes into `buffer` without waiting. Returns their number and when the kernel received
    /// the last of them, on the clock: the latest instant that the stamp's conversion allows, so never too
    /// early. Without a stamp it is the present.
    ///
    /// # Errors
    /// `WouldBlock` when there are none; otherwise why the connection failed.
    pub(crate) fn receive(&mut self, from: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, u64)> {
        let (bytes, stamp_ns) = stamp::receive(from.as_fd(), buffer)?;
        let now = self.clock.now();
        self.offset.refresh(&self.clock, now);
        let at_ns = stamp_ns.map(|ns| self.offset.translate_late(ns).min(now));
        Ok((bytes, at_ns.filter(|at| now - at < MAX_AGE_NS).unwrap_or(now)))
    }
}

/// Enable receive timestamps on `socket` and on sockets accepted from it. If the kernel refuses, reads return
/// the time of the read.
pub(crate) fn ask_for_stamps(socket: impl AsFd) {
    let _ = stamp::enable(socket.as_fd());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    #[test]
    fn what_waited_to_be_read_came_when_the_kernel_had_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        ask_for_stamps(&listener);
        let mut watch = Watch::new(Clock::start());
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let mut buffer = [0; 16];
        assert_eq!(watch.receive(&server, &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        // The kernel begins to stamp a while after it is enabled.
        let mut after_ns = u64::MAX;
        for _ in 0..10 {
            let sent_ns = watch.now();
            client.write_all(b"hello").unwrap();
            std::thread::sleep(Duration::from_millis(300));
            let (bytes, at_ns) = watch.receive(&server, &mut buffer).unwrap();
            assert_eq!(&buffer[..bytes], b"hello");
            after_ns = after_ns.min(at_ns - sent_ns);
            if after_ns < 200_000_000 {
                return;
            }
        }
        panic!("read {after_ns} ns after it was sent");
    }
}
