//! A non-blocking connection, over TCP or to a Unix socket.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{self, AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketFlags, SocketType};

use super::{Address, stamp};

/// One connection to the target.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    stamped: bool,
    is_tcp: bool,
}

/// The result of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// Number of bytes; 0: end of input.
    pub(crate) bytes: usize,
    /// When the kernel received the last of them, in nanoseconds of CLOCK_REALTIME.
    pub(crate) stamp_ns: Option<u64>,
}

impl Socket {
    /// Begin to connect, from `source` if there is one. The attempt ends with a writable event, which also
    /// has `hung_up` set if it may have failed; then check [`Socket::outcome`]. `stamped` enables kernel
    /// receive timestamps; without it, and on Unix sockets, reads return none.
    ///
    /// # Errors
    /// Immediate errors of the kernel: no ports, no descriptors, refused, unreachable.
    pub(crate) fn connect(address: &Address, source: Option<IpAddr>, stamped: bool) -> io::Result<Self> {
        let family = match address {
            Address::Inet(SocketAddr::V4(_)) => AddressFamily::INET,
            Address::Inet(SocketAddr::V6(_)) => AddressFamily::INET6,
            Address::Unix(_) => AddressFamily::UNIX,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = net::socket_with(family, SocketType::STREAM, flags, None)?;
        let (is_tcp, connected) = match address {
            Address::Inet(to) => {
                net::sockopt::set_tcp_nodelay(&fd, true)?;
                if let Some(source) = source {
                    bind(&fd, source)?;
                }
                (true, net::connect(&fd, to))
            }
            Address::Unix(to) => (false, net::connect(&fd, to)),
        };
        match connected {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {
                let stamped = stamped && is_tcp && stamp::enable(fd.as_fd()).is_ok();
                Ok(Self { fd, stamped, is_tcp })
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Whether [`Socket::discard`] is possible: only TCP can discard in the kernel.
    #[inline]
    pub(crate) fn can_discard(&self) -> bool {
        self.is_tcp
    }

    /// The result of the connection attempt.
    ///
    /// # Errors
    /// Why it failed.
    pub(crate) fn outcome(&self) -> io::Result<()> {
        Ok(net::sockopt::socket_error(&self.fd)??)
    }

    /// Pass bytes to the kernel; returns how many it took.
    ///
    /// # Errors
    /// `WouldBlock` when its buffer is full; otherwise why the connection failed.
    #[inline]
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(net::send(&self.fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }

    /// Read into `buffer`.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing; otherwise why the connection failed.
    #[inline]
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        if self.stamped {
            let (bytes, stamp_ns) = stamp::receive(self.fd.as_fd(), buffer)?;
            return Ok(Received { bytes, stamp_ns });
        }
        let (_, bytes) = net::recv(&self.fd, buffer, RecvFlags::DONTWAIT)?;
        Ok(Received { bytes, stamp_ns: None })
    }

    /// Read up to `length` bytes and discard them in the kernel (MSG_TRUNC, tcp(7)).
    ///
    /// # Errors
    /// As [`Socket::receive`].
    #[inline]
    pub(crate) fn discard(&self, length: u64) -> io::Result<Received> {
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(MAX_DISCARD_BYTES);
        assert!(self.is_tcp, "only TCP throws away in the kernel");
        let (bytes, stamp_ns) = stamp::discard(self.fd.as_fd(), length)?;
        Ok(Received { bytes, stamp_ns: stamp_ns.filter(|_| self.stamped) })
    }
}

/// Whether there is anything to read on `socket`: bytes, end of input or an error.
pub(crate) fn has_pending(socket: &Socket) -> bool {
    let mut fds = [PollFd::new(&socket.fd, PollFlags::IN | PollFlags::RDHUP)];
    rustix::event::poll(&mut fds, Some(&Timespec::default())).is_ok_and(|n| n > 0)
}

/// For TLS, which often writes several records at a time.
impl io::Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        if let [only] = pieces {
            return self.send(only);
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        Ok(net::sendmsg(&self.fd, pieces, &mut SendAncillaryBuffer::default(), flags)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bind `fd` to `source` with a port that the kernel picks at connect. Picked at bind, the port would have to
/// be free for all targets, which limits an address to that many connections in total.
fn bind(fd: &OwnedFd, source: IpAddr) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer and length describe `on`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(net::bind(fd, &SocketAddr::new(source, 0))?)
}

/// Whether a socket can be bound to `source`.
///
/// # Errors
/// It is no address of this machine, or its family is disabled.
pub(crate) fn check_source(source: IpAddr) -> io::Result<()> {
    let family = if source.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&fd, source)
}

/// Upper bound on one discard: recvmsg refuses lengths above `i32::MAX`, and a quarter of that is plenty.
const MAX_DISCARD_BYTES: usize = 1 << 29;

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether the peer's kernel has acknowledged none of the last `sent` bytes on a connection that has sent
/// `total`.
///
/// After an orderly end of input this means that the peer closed before it had any of them: its FIN
/// acknowledges all that came before. After a reset it means that the peer's kernel had held them for less
/// than the 40 ms by which it may delay an acknowledgment. `tcpi_bytes_acked` is RFC 4898's
/// tcpEStatsAppHCThruOctetsAcked; Linux counts the SYN in it.
///
/// A Unix socket has no acknowledgments. A peer that closes with unread bytes resets the connection, and one
/// that had read all of them ends it in order (undocumented in unix(7); see `unix_release_sock` in Linux). So
/// a reset means that the request's end was not read, which the caller passes as `unread`; whether its
/// beginning was read is for the caller to decide.
pub(crate) fn unacknowledged(socket: &Socket, total: u64, sent: u64, unread: bool) -> bool {
    if !socket.is_tcp {
        return unread;
    }
    /// Offset of `tcpi_bytes_acked` in struct tcp_info (linux/tcp.h, stable since Linux 4.1).
    const BYTES_ACKED_AT: usize = 120;
    const SYN: u64 = 1;
    let mut info = [0u8; 256];
    let mut length = info.len() as libc::socklen_t;
    // SAFETY: the pointer and length describe `info`; the kernel writes at most `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            socket.fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 || (length as usize) < BYTES_ACKED_AT + 8 {
        return false;
    }
    let field: [u8; 8] = info[BYTES_ACKED_AT..BYTES_ACKED_AT + 8].try_into().expect("eight bytes");
    u64::from_ne_bytes(field) <= total - sent + SYN
}
