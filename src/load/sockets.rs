//! Socket operations of a load thread: connect, handle readiness, read, write, close.

use std::io;

use super::thread::{Thread, Way};
use super::tls;
use super::transport::Transport;
use super::tunnel::Answer;
use crate::client::End;
use crate::sys::{self, Ready, Socket};
use crate::tally::{Detail, Outcome, TlsFault};

/// Reads from one connection before the others get their turn.
const READS_IN_A_ROW: usize = 16;

impl Thread {
    /// Handle a readiness event of a socket; returns the current time.
    #[inline]
    pub(super) fn serve(&mut self, ready: Ready, mut now: u64) -> u64 {
        let c = ready.token as u32;
        let Some(transport) = &self.transports[c as usize] else { return now };
        if self.generations[c as usize] != (ready.token >> 32) as u32 {
            return now;
        }
        if transport.is_plain() && self.client.is_connecting(c) {
            if !(ready.writable || ready.hung_up) {
                return now;
            }
            // A failed attempt reports a hang-up.
            match if ready.hung_up { transport.socket().outcome() } else { Ok(()) } {
                Ok(()) => self.tcp_established(c, now),
                Err(e) => self.connect_failed(c, &e, now),
            }
            if !ready.readable {
                return now;
            }
            // The target sent data or hung up before the request, and this edge will not come again.
            now = self.drain(now);
        }
        if ready.writable && self.wants_write(c) {
            self.write(c, now);
        }
        if ready.readable || ready.hung_up { self.read(c, ready.hung_up, now) } else { now }
    }

    /// Whether there may be bytes to send on `c`: of the client, of TLS or for a proxy.
    #[inline]
    fn wants_write(&self, c: u32) -> bool {
        let is_plain = self.transports[c as usize].as_ref().is_none_or(Transport::is_plain);
        !is_plain || self.client.has_outgoing(c)
    }

    #[inline]
    fn way(&mut self, c: u32) -> &mut Way {
        &mut self.ways[self.client.target_of(c)]
    }

    /// TCP is established: report it to the client, ask for a tunnel, or begin the TLS handshake.
    fn tcp_established(&mut self, c: u32, now: u64) {
        let way = self.way(c);
        way.addresses.reached(c);
        if way.tls.is_none() {
            return self.client.connected(c, now);
        }
        let is_tunneled = way.tunnel.is_some();
        self.client.tcp_connected(c, now);
        if !is_tunneled {
            return self.begin_tls(c, now);
        }
        let slot = &mut self.transports[c as usize];
        *slot = slot.take().map(Transport::into_tunnel);
        self.write(c, now);
    }

    fn begin_tls(&mut self, c: u32, now: u64) {
        let Some(tls) = &self.way(c).tls else { return };
        match tls.connect() {
            Ok(session) => {
                let slot = &mut self.transports[c as usize];
                *slot = slot.take().map(|transport| transport.into_tls(session));
                self.write(c, now);
            }
            Err(error) => self.tls_failed(c, tls::fault(&error), now),
        }
    }

    /// Read until nothing is left or others have waited long enough; returns the current time.
    #[inline]
    pub(super) fn read(&mut self, c: u32, hung_up: bool, mut now: u64) -> u64 {
        for _ in 0..READS_IN_A_ROW {
            let Some(transport) = &mut self.transports[c as usize] else { return now };
            if !self.client.is_established(c) {
                match transport {
                    Transport::Tls(_) if self.client.is_connecting(c) => {}
                    Transport::Tunnel(_) if self.client.is_connecting(c) => return self.read_tunnel(c, now),
                    _ => return now, // closed, or connecting again
                }
            }
            let request = transport.next_read(&self.client, c);
            let result = transport.receive(request, &mut self.buffer);
            now = self.job.clock.now();
            let received = match result {
                Ok(received) if received.bytes > 0 => received,
                Ok(_) => {
                    // TLS marks the end of the data with close_notify; without it the data may have been cut
                    // off.
                    let end = if transport.is_tls() { End::Truncated } else { End::Eof };
                    self.ended(c, end, now);
                    return now;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return now,
                Err(e) => {
                    self.ended(c, End::Reset(e.raw_os_error().unwrap_or_default()), now);
                    return now;
                }
            };
            let stamp_ns = received.stamp_ns.map(|ns| self.offset.translate(ns));
            let (offset, clock) = (&mut self.offset, &self.job.clock);
            let was_before =
                |at_ns| received.stamp_ns.is_some_and(|ns| offset.proves_before(ns, at_ns, clock));
            let read = (request, &self.buffer[..]);
            match transport.deliver(&mut self.client, c, read, (received.bytes, stamp_ns, was_before), now) {
                Ok(tls) if tls.closed => self.ended(c, End::Eof, now),
                Ok(tls) if tls.wants_write => self.write(c, now),
                Ok(_) => {}
                Err(fault) => {
                    self.tls_failed(c, fault, now);
                    return now;
                }
            }
            // Less than requested: the kernel has no more, and the next byte is a new edge (epoll(7)). After
            // a hang-up no edge will come, so read on to the end.
            if (received.bytes as u64) < request.bytes && !hung_up {
                return now;
            }
        }
        self.read_later(c);
        now
    }

    fn read_later(&mut self, c: u32) {
        if !self.is_unread[c as usize] {
            self.is_unread[c as usize] = true;
            self.unread.push_back(c);
        }
    }

    /// Read what a proxy answers to CONNECT; returns the current time.
    fn read_tunnel(&mut self, c: u32, now: u64) -> u64 {
        loop {
            let Some(Transport::Tunnel(tunnel)) = &mut self.transports[c as usize] else { return now };
            let answer = match tunnel.socket.receive(&mut self.buffer) {
                Ok(received) if received.bytes == 0 => return self.tunnel_failed(c, Detail::None, now),
                Ok(received) => tunnel.received(&self.buffer[..received.bytes]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return now,
                Err(e) => {
                    let detail = Detail::Os(e.raw_os_error().unwrap_or_default());
                    return self.tunnel_failed(c, detail, now);
                }
            };
            match answer {
                Answer::Incomplete => {}
                Answer::Open => {
                    self.client.tunneled(c, now);
                    self.begin_tls(c, now);
                    return now;
                }
                Answer::Refused(code) => return self.tunnel_failed(c, Detail::Status(code), now),
                Answer::NotHttp => {
                    return self.tunnel_failed(c, Detail::None, now);
                }
            }
        }
    }

    fn tunnel_failed(&mut self, c: u32, detail: Detail, now: u64) -> u64 {
        self.client.connect_failed(c, Outcome::ProxyFailed, detail, now);
        now
    }

    /// The target ended the connection.
    fn ended(&mut self, c: u32, end: End, now: u64) {
        let Some(transport) = &self.transports[c as usize] else { return };
        if let (Transport::Tunnel(_), End::Reset(errno)) = (transport, end) {
            self.tunnel_failed(c, Detail::Os(errno), now);
            return;
        }
        if transport.is_tls() && self.client.is_connecting(c) {
            return self.tls_failed(c, TlsFault::Closed, now);
        }
        let (total, current) = transport.written(&self.client, c);
        let unread = !transport.is_tls() && matches!(end, End::Reset(_)) && self.client.sends_no_body(c);
        let unacknowledged = sys::unacknowledged(transport.socket(), total, current, unread);
        self.client.closed(c, end, unacknowledged, now);
    }

    /// Send on `c` later than was meant: what came meanwhile, nobody has seen. If the socket holds anything, that is
    /// read first, and where it was no answer the request goes over another connection.
    #[cold]
    pub(super) fn write_late(&mut self, c: u32, now: u64) {
        let pending = self.transports[c as usize].as_ref().is_some_and(|t| sys::has_pending(t.socket()));
        let now = if pending { self.read(c, true, now) } else { now };
        if !pending || self.client.has_outgoing(c) {
            self.write(c, now);
        }
    }

    #[inline]
    pub(super) fn write(&mut self, c: u32, now: u64) {
        let Some(transport) = &mut self.transports[c as usize] else { return };
        let connect = match transport {
            Transport::Tunnel(_) => self.ways[self.client.target_of(c)].tunnel.as_deref().unwrap_or_default(),
            _ => &[],
        };
        match transport.write(&mut self.client, c, connect) {
            Ok(()) => {}
            // A writable event will come: the socket was registered for it from the start.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => self.write_failed(c, &e, now),
        }
    }

    fn write_failed(&mut self, c: u32, error: &io::Error, now: u64) {
        let Some(transport) = &self.transports[c as usize] else { return };
        let is_tls = !transport.is_plain();
        let was_sending = self.client.has_outgoing(c);
        // What the target sent before it hung up is still in the kernel: the response to a part of the
        // request, or an alert.
        if is_tls || self.client.written(c).1 > 0 {
            self.read(c, false, now);
        }
        let Some(transport) = &self.transports[c as usize] else { return };
        let handshaking = !transport.is_plain() && self.client.is_connecting(c);
        if handshaking || (was_sending && self.client.has_outgoing(c)) {
            self.ended(c, End::Reset(error.raw_os_error().unwrap_or_default()), now);
        }
    }

    fn tls_failed(&mut self, c: u32, fault: TlsFault, now: u64) {
        // Send the alert that explains the failure to the target; it may have been sent already.
        if let Some(transport) = &mut self.transports[c as usize] {
            transport.flush();
        }
        if self.client.is_connecting(c) {
            self.client.connect_failed(c, Outcome::TlsFailed, Detail::Tls(fault), now);
        } else {
            self.client.broken(c, fault, now);
        }
    }

    pub(super) fn connect(&mut self, c: u32, now: u64) {
        let target = self.client.target_of(c);
        let way = &mut self.ways[target];
        if let Some(addresses) = self.job.peers[target].route.newer(&mut way.route_seen) {
            way.addresses.replace(addresses);
        }
        let (address, source) = way.addresses.choose(c);
        let socket = match Socket::connect(address, source, self.job.kernel_timestamps) {
            Ok(socket) => socket,
            Err(e) => return self.connect_failed(c, &e, now),
        };
        let generation = &mut self.generations[c as usize];
        *generation = generation.wrapping_add(1);
        let token = u64::from(*generation) << 32 | u64::from(c);
        match self.poller.add(&socket, token) {
            Ok(()) => self.transports[c as usize] = Some(Transport::Plain(socket)),
            Err(e) => self.connect_failed(c, &e, now),
        }
    }

    fn connect_failed(&mut self, c: u32, error: &io::Error, now: u64) {
        let errno = error.raw_os_error().unwrap_or_default();
        let outcome = match errno {
            // A connection accepted and dropped before anything was sent counts as refused, too.
            libc::ECONNREFUSED | libc::ECONNRESET | libc::ECONNABORTED | libc::EPIPE => {
                Outcome::ConnectRefused
            }
            // A Unix socket whose listen queue is full.
            libc::EAGAIN => Outcome::ConnectRefused,
            libc::ETIMEDOUT => Outcome::ConnectTimeout,
            libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EHOSTDOWN | libc::ENETDOWN | libc::ENOENT => {
                Outcome::ConnectUnreachable
            }
            // Ports, descriptors, memory, permissions: a problem of this machine.
            _ => Outcome::LocalError,
        };
        // An address of a family that this machine does not support (`::1` where IPv6 is off).
        let not_for_us = matches!(errno, libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT);
        let nobody_there =
            not_for_us || matches!(outcome, Outcome::ConnectRefused | Outcome::ConnectUnreachable);
        if nobody_there && self.way(c).addresses.try_another(c) {
            self.connect(c, now);
        } else {
            // The number says more than the outcome, unless the target dropped what it had accepted.
            let refused_otherwise = outcome == Outcome::ConnectRefused && errno != libc::ECONNREFUSED;
            let detail = if refused_otherwise { Detail::None } else { Detail::Os(errno) };
            self.client.connect_failed(c, outcome, detail, now);
        }
    }

    pub(super) fn close(&mut self, c: u32) {
        if let Some(transport) = self.transports[c as usize].take() {
            transport.close();
        }
    }
}
