//! A clock that also gives the kernel's receive time of what was read: for exchanges that compare two clocks.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::clock::{Clock, RealtimeOffset};
use super::stamp;

/// Stamps older than this by the time of reading are not believed: whoever reads waits for them.
const MAX_AGE_NS: u64 = 5_000_000_000;

/// A clock beside a socket or many.
#[derive(Debug)]
pub(crate) struct Watch {
    clock: Clock,
    offset: RealtimeOffset,
    /// Keeps the kernel stamping.
    _stamping: Option<OwnedFd>,
}

impl Watch {
    /// Look at `clock`.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, offset: RealtimeOffset::measure(&clock), _stamping: stamp::hold_timestamping() }
    }

    /// Nanoseconds on the clock.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Read what there is into `buffer` without waiting: how many bytes, and when on the clock the kernel had
    /// the last of them, never too early: as late as the translation of its stamp leaves open. Where it has not
    /// stamped them, now.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing; otherwise why the connection is gone.
    pub(crate) fn receive(&mut self, from: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, u64)> {
        let (bytes, stamp_ns) = stamp::receive(from.as_fd(), buffer)?;
        let now = self.clock.now();
        self.offset.refresh(&self.clock, now);
        let at_ns = stamp_ns.map(|ns| self.offset.translate_late(ns).min(now));
        Ok((bytes, at_ns.filter(|at| now - at < MAX_AGE_NS).unwrap_or(now)))
    }
}

/// Ask the kernel to stamp what comes in on `socket`, and on those accepted from it. Where it refuses, reading
/// gives the time of the read.
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
        // The kernel begins to stamp a while after it was asked to.
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
