//! What the instrument asks of the kernel: cores, clocks, CPU time, receive timestamps.
//!
//! All instants are CLOCK_MONOTONIC nanoseconds, so that processes of one machine agree on them.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity, set_current_timer_slack};
use rustix::time::{ClockId, Timespec, clock_gettime};

const NS_PER_S: u64 = 1_000_000_000;

/// Keep the calling thread on one core.
pub fn pin_to(core: usize) -> io::Result<()> {
    if core >= CpuSet::MAX_CPU {
        return Err(io::Error::other(format!("core {core} is over the most a CPU set holds")));
    }
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Let the kernel wake this thread up to 1 ns late instead of 50 µs.
pub fn wake_exactly() -> io::Result<()> {
    Ok(set_current_timer_slack(NonZeroU64::new(1))?)
}

/// Allow as many file descriptors as the hard limit does; children inherit it. Answers with the new limit.
pub fn raise_fd_limit() -> io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum)
}

/// Now, on CLOCK_MONOTONIC.
pub fn monotonic_ns() -> u64 {
    clock_ns(ClockId::Monotonic)
}

/// CPU time this process has used, user and system, in nanoseconds.
pub fn cpu_ns() -> u64 {
    clock_ns(ClockId::ProcessCPUTime)
}

fn clock_ns(clock: ClockId) -> u64 {
    let t = clock_gettime(clock);
    // None of the clocks asked for runs before its zero.
    t.tv_sec as u64 * NS_PER_S + t.tv_nsec as u64
}

/// A span as the kernel takes it.
pub fn timespec(ns: u64) -> Timespec {
    Timespec { tv_sec: (ns / NS_PER_S) as i64, tv_nsec: (ns % NS_PER_S) as _ }
}

/// Sleep until an instant on CLOCK_MONOTONIC.
pub fn sleep_until(at_ns: u64) {
    loop {
        let now = monotonic_ns();
        if now >= at_ns {
            return;
        }
        std::thread::sleep(std::time::Duration::from_nanos(at_ns - now));
    }
}

/// What to take from a CLOCK_REALTIME instant to have it on CLOCK_MONOTONIC, measured between two
/// readings so that being interrupted costs at most half their distance.
pub fn realtime_minus_monotonic_ns() -> i64 {
    // The tightest of a few: one interruption must not shift every stamp.
    (0..5)
        .map(|_| {
            let before = monotonic_ns();
            let real = clock_ns(ClockId::Realtime);
            let after = monotonic_ns();
            (after - before, real as i64 - (before + (after - before) / 2) as i64)
        })
        .min()
        .expect("five readings were taken")
        .1
}

/// Have the kernel stamp what arrives on a socket (CLOCK_REALTIME, as a control message).
pub fn stamp_arrivals(socket: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option takes a c_int; the pointer and length describe `on`, which outlives the call.
    let rc = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Read once; the second value is when the kernel had the last of these bytes, on CLOCK_REALTIME.
pub fn recv_stamped(socket: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<(usize, Option<u64>)> {
    // u64 elements align the buffer as control message headers need it.
    let mut control = [0u64; 8];
    let mut iov = libc::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    // SAFETY: msghdr is plain data for which all zeros is a valid value.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: the message points at one iovec over `buf` and at `control`, all alive and unaliased for the call.
    let n = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) };
    if n < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has filled `control` up to `msg_controllen`; CMSG_FIRSTHDR stays inside it.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message).as_ref() };
    let stamp = header
        .filter(|h| h.cmsg_level == libc::SOL_SOCKET && h.cmsg_type == libc::SCM_TIMESTAMPNS)
        .map(|h| {
            // SAFETY: a SCM_TIMESTAMPNS message carries one timespec, which may be unaligned.
            let t: libc::timespec = unsafe { libc::CMSG_DATA(h).cast::<libc::timespec>().read_unaligned() };
            t.tv_sec as u64 * NS_PER_S + t.tv_nsec as u64
        });
    Ok((n as usize, stamp))
}
