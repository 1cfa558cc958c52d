//! The same turns as in `mod.rs` where TLS lies between socket and client.
//!
//! ```text
//! connected ─▶ handshake ─▶ Client::secured ─▶ reads: wire ─▶ Session ─▶ Client::received
//!                                             writes: Client::outgoing ─▶ Session ─▶ wire
//! ```
//!
//! A read's kernel stamp is that of the last record's last byte. Bodies are not discarded in the kernel:
//! they have to be decrypted to be believed.

use std::io;

use super::Thread;
use crate::client::End;
use crate::sys::{Ready, Session, ThreadTls};
use crate::tally::{Detail, Outcome, TlsFault};

/// The TLS of one thread's connections.
pub(super) struct Secure {
    tls: ThreadTls,
    /// From the established TCP connection on.
    sessions: Box<[Option<Session>]>,
}

impl Secure {
    pub fn new(tls: ThreadTls, connections: usize) -> Self {
        Self { tls, sessions: (0..connections).map(|_| None).collect() }
    }
}

impl Thread {
    /// As [`Thread::serve`], for a present socket.
    pub(super) fn serve_secure(&mut self, c: u32, ready: Ready, mut now: u64) -> u64 {
        if self.session(c).is_none() {
            if !(ready.writable || ready.hung_up) {
                return now;
            }
            let Some(socket) = &self.sockets[c as usize] else { return now };
            match socket.outcome() {
                Ok(()) => self.begin_handshake(c, now),
                Err(e) => self.connect_failed(c, &e, now),
            }
            now = self.drain(now);
        } else if ready.writable {
            self.write_secure(c, now);
        }
        if ready.readable || ready.hung_up { self.read_secure(c, ready.hung_up, now) } else { now }
    }

    fn begin_handshake(&mut self, c: u32, now: u64) {
        self.addresses.reached(c);
        let Some(secure) = &mut self.secure else { return };
        match secure.tls.connect() {
            Ok(session) => {
                secure.sessions[c as usize] = Some(session);
                self.client.handshaking(c, now);
                self.write_secure(c, now);
            }
            Err(fault) => self.tls_failed(c, fault, now),
        }
    }

    fn session(&mut self, c: u32) -> Option<&mut Session> {
        self.secure.as_mut()?.sessions[c as usize].as_mut()
    }

    /// Read until there is nothing left, or others have waited long enough; returns the present.
    pub(super) fn read_secure(&mut self, c: u32, hung_up: bool, mut now: u64) -> u64 {
        for _ in 0..super::READS_IN_A_ROW {
            if !(self.client.is_connecting(c) || self.client.is_established(c)) || self.session(c).is_none() {
                return now; // closed, or opened anew and not there yet
            }
            let Some(socket) = &self.sockets[c as usize] else { return now };
            let result = socket.receive(&mut self.buffer);
            now = self.job.clock.now();
            let received = match result {
                Ok(received) if received.bytes > 0 => received,
                Ok(_) => {
                    self.ended_secure(c, End::Truncated, now);
                    return now;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return now,
                Err(e) => {
                    self.ended_secure(c, End::Reset(e.raw_os_error().unwrap_or_default()), now);
                    return now;
                }
            };
            let stamp_ns = received.stamp_ns.map(|ns| self.offset.translate(ns));
            if let Err(fault) = self.decrypt(c, received.bytes, stamp_ns, now) {
                self.tls_failed(c, fault, now);
                return now;
            }
            if received.bytes < self.buffer.len() && !hung_up {
                return now;
            }
        }
        self.read_later(c);
        now
    }

    /// Take in what was read from `c`: so many bytes of the buffer.
    fn decrypt(&mut self, c: u32, bytes: usize, stamp_ns: Option<u64>, now: u64) -> Result<(), TlsFault> {
        let Some(secure) = &mut self.secure else { return Ok(()) };
        let Some(session) = &mut secure.sessions[c as usize] else { return Ok(()) };
        let mut handshaking = session.is_handshaking();
        let mut wire = &self.buffer[..bytes];
        while !wire.is_empty() && !session.is_closed_by_peer() {
            let received = session.receive(&mut wire);
            // Records before a broken one are whole: a response that ends with them is.
            let mut left = received.unwrap_or(usize::MAX);
            if handshaking && received.is_ok() && !session.is_handshaking() {
                handshaking = false;
                self.client.secured(c, session.is_resumed(), now);
            }
            while left > 0 {
                let plaintext = session.plaintext();
                if plaintext.is_empty() {
                    break;
                }
                self.client.received(c, plaintext, stamp_ns, now);
                let n = plaintext.len();
                session.consume(n);
                left -= n;
            }
            received?;
        }
        let (closed, wants_flush) = (session.is_closed_by_peer(), session.wants_flush());
        if closed {
            self.ended_secure(c, End::Eof, now);
        } else if wants_flush {
            self.write_secure(c, now);
        }
        Ok(())
    }

    /// Send what waits: records of TLS itself, then the request.
    pub(super) fn write_secure(&mut self, c: u32, now: u64) {
        let Some(socket) = &self.sockets[c as usize] else { return };
        let Some(session) = self.secure.as_mut().and_then(|s| s.sessions[c as usize].as_mut()) else {
            return;
        };
        loop {
            match session.flush(&mut &*socket) {
                Ok(()) => {}
                // A writable event will come: the socket is watched for it from the beginning.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) => return self.write_failed(c, &e, now),
            }
            if let sent @ 1.. = session.take_sent() {
                self.client.sent(c, sent);
            }
            let outgoing = self.client.outgoing(c);
            if outgoing.is_empty() {
                return;
            }
            if self.client.written(c).1 == 0 {
                session.mark();
            }
            session.seal(outgoing);
        }
    }

    fn write_failed(&mut self, c: u32, error: &io::Error, now: u64) {
        // Why the target hung up lies in the kernel: an early answer, or an alert.
        let is_busy = !self.client.outgoing(c).is_empty();
        self.read_secure(c, false, now);
        let handshaking = self.client.is_connecting(c) && self.session(c).is_some();
        if handshaking || (is_busy && !self.client.outgoing(c).is_empty()) {
            self.ended_secure(c, End::Reset(error.raw_os_error().unwrap_or_default()), now);
        }
    }

    /// The stream ended: with close_notify, without, or by a reset.
    fn ended_secure(&mut self, c: u32, end: End, now: u64) {
        if self.client.is_connecting(c) {
            return self.tls_failed(c, TlsFault::Closed, now);
        }
        let Some(socket) = &self.sockets[c as usize] else { return };
        let Some(secure) = &self.secure else { return };
        let (total, current) = secure.sessions[c as usize].as_ref().map_or((0, 0), Session::taken);
        let unacknowledged = crate::sys::unacknowledged(socket, total, current, false);
        self.client.closed(c, end, unacknowledged, now);
    }

    fn tls_failed(&mut self, c: u32, fault: TlsFault, now: u64) {
        // The alert that tells the target why; it may have gone already.
        if let Some(socket) = &self.sockets[c as usize]
            && let Some(session) = self.secure.as_mut().and_then(|s| s.sessions[c as usize].as_mut())
        {
            let _ = session.flush(&mut &*socket);
        }
        if self.client.is_connecting(c) {
            self.client.connect_failed(c, Outcome::TlsFailed, Detail::Tls(fault), now);
        } else {
            self.client.broken(c, fault, now);
        }
    }

    /// Take leave of the target, as far as the socket lets us.
    pub(super) fn close_secure(&mut self, c: u32) {
        let Some(secure) = &mut self.secure else { return };
        if let (Some(mut session), Some(socket)) =
            (secure.sessions[c as usize].take(), &self.sockets[c as usize])
        {
            session.close();
            let _ = session.flush(&mut &*socket);
        }
    }
}
