//! Reads with the kernel's receive timestamp, over libc because rustix lacks it.
//!
//! The stamp is the CLOCK_REALTIME at which the kernel received the packet with the last byte returned by the
//! read (`SO_TIMESTAMPNS`, socket(7)). Where the kernel merged segments before the read, it is the stamp of
//! the newest merged segment.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Space for one timestamp message, aligned as `cmsghdr` requires.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Keeps the kernel stamping packets while the descriptor is open.
///
/// Linux stamps only while some socket has timestamps enabled, and switches with a delay: as connections come
/// and go, packets would stay unstamped. `None` if the kernel refuses; then responses without a stamp are
/// counted as such.
pub(crate) fn hold_timestamping() -> Option<OwnedFd> {
    let family = rustix::net::AddressFamily::INET;
    let flags = rustix::net::SocketFlags::CLOEXEC;
    let fd = rustix::net::socket_with(family, rustix::net::SocketType::DGRAM, flags, None).ok()?;
    enable(fd.as_fd()).ok()?;
    Some(fd)
}

/// Enable receive timestamps on `fd`.
pub(crate) fn enable(fd: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer and length describe `on`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Read into `buffer`; returns the number of bytes and the stamp in nanoseconds since the Unix epoch, if
/// there is one.
#[inline]
pub(crate) fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<u64>)> {
    let iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: the pointer and length are those of `buffer`, which is borrowed until this returns.
    unsafe { receive_message(fd, iov, 0) }
}

/// Read up to `length` bytes without storing them, which only TCP supports (tcp(7)); other sockets fail with
/// `EFAULT`. Returns the same as [`receive`].
#[inline]
pub(crate) fn discard(fd: BorrowedFd<'_>, length: usize) -> io::Result<(usize, Option<u64>)> {
    let iov = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: length };
    // SAFETY: the kernel can write nothing to a null pointer.
    unsafe { receive_message(fd, iov, libc::MSG_TRUNC) }
}

/// # Safety
/// The kernel may write to all that `iov` describes, or its pointer is null.
#[inline]
unsafe fn receive_message(
    fd: BorrowedFd<'_>,
    mut iov: libc::iovec,
    flags: libc::c_int,
) -> io::Result<(usize, Option<u64>)> {
    let mut control = MaybeUninit::<Control>::uninit();
    // SAFETY: msghdr is plain data for which all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Control>() as _;
    // SAFETY: the caller answers for `iov`; control points at `control` with its size.
    let n = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT | flags) };
    if n < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: recvmsg has filled it, and `control` lives on.
    Ok((n as usize, unsafe { stamp(&message) }))
}

/// The timestamp among the control messages of a finished `recvmsg`.
///
/// # Safety
/// Its control pointer and length describe memory that the kernel has filled.
#[inline]
unsafe fn stamp(message: &libc::msghdr) -> Option<u64> {
    // SAFETY: the caller guarantees that the kernel filled control and msg_controllen; CMSG_FIRSTHDR checks
    // the length, and a SCM_TIMESTAMPNS message carries a timespec, which may be unaligned.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(message);
        if header.is_null()
            || (*header).cmsg_level != libc::SOL_SOCKET
            || (*header).cmsg_type != libc::SCM_TIMESTAMPNS
        {
            return None;
        }
        let time = libc::CMSG_DATA(header).cast::<libc::timespec>().read_unaligned();
        Some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_socket_that_can_not_throw_away_writes_nowhere() {
        let (mut one, other) = UnixStream::pair().unwrap();
        one.write_all(b"x").unwrap();
        assert_eq!(discard(other.as_fd(), 1).unwrap_err().raw_os_error(), Some(libc::EFAULT));
    }
}
