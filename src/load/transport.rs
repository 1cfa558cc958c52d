//! Moves one connection's bytes to and from the target: in the clear, or through TLS.
//!
//! ```text
//! Plain ─ TCP established, target is https ─▶ Tls: handshake ─▶ Client::secured
//!       └─ through a proxy ─▶ Tunnel ─ 2xx ─▶ Tls
//! read:  wire ──────────────▶ Client::received      wire ─▶ Session ─▶ Client::received
//! write: Client::outgoing ──▶ wire                  Client::outgoing ─▶ Session ─▶ wire
//! ```
//!
//! With TLS the kernel's timestamp of a read is that of the last record's last byte, and bodies are never
//! discarded in the kernel: they must be decrypted to be authenticated.

use std::io;

use super::tls;
use super::tunnel::Tunnel;
use crate::client::Client;
use crate::sys::{Received, Session, Socket};
use crate::tally::TlsFault;

/// Largest read while a response's head or body is inspected; TLS reads as much.
pub(super) const BUFFER_BYTES: usize = 16 * 1024;
/// Largest read while a head is expected: holds most small responses completely. Of a large one, little is
/// copied before the rest can be discarded in the kernel.
const HEAD_READ_BYTES: usize = 4 * 1024;

pub(super) enum Transport {
    /// TCP or a Unix socket; also an https target's while TCP is connecting.
    Plain(Socket),
    /// A TCP connection to a proxy, which is asked for a tunnel.
    Tunnel(Box<Tunnel>),
    /// TLS over an established TCP connection.
    Tls(Box<TlsStream>),
}

/// A TLS session and the socket that carries its records.
pub(super) struct TlsStream {
    socket: Socket,
    session: Session,
}

/// One read from the kernel.
#[derive(Clone, Copy)]
pub(super) struct ReadRequest {
    /// The most bytes it may return.
    pub(crate) bytes: u64,
    /// Discard them in the kernel.
    discard: bool,
}

/// The state of TLS after a read.
pub(super) struct TlsState {
    /// The target ended its data (close_notify).
    pub(crate) closed: bool,
    /// TLS has records of its own to send.
    pub(crate) wants_write: bool,
}

impl Transport {
    /// Ask for a tunnel on this established TCP connection.
    pub(crate) fn into_tunnel(self) -> Self {
        match self {
            Self::Plain(socket) => Self::Tunnel(Box::new(Tunnel::new(socket))),
            other => other,
        }
    }

    /// Begin TLS over this established TCP connection or tunnel.
    pub(crate) fn into_tls(self, session: Session) -> Self {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tunnel(tunnel) => tunnel.socket,
            tls @ Self::Tls(_) => return tls,
        };
        Self::Tls(Box::new(TlsStream { socket, session }))
    }

    #[inline]
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    #[inline]
    pub(crate) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    pub(crate) const fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tunnel(tunnel) => &tunnel.socket,
            Self::Tls(socket) => &socket.socket,
        }
    }

    /// The next read for connection `c`.
    #[inline]
    pub(crate) fn next_read(&self, client: &Client, c: u32) -> ReadRequest {
        let Self::Plain(socket) = self else {
            return ReadRequest { bytes: BUFFER_BYTES as u64, discard: false };
        };
        let skippable = client.skippable(c);
        let buffer_bytes = if client.expects_head(c) { HEAD_READ_BYTES } else { BUFFER_BYTES } as u64;
        let discard = skippable > buffer_bytes && socket.can_discard();
        ReadRequest { bytes: if discard { skippable } else { buffer_bytes }, discard }
    }

    /// Read from the socket into `buffer`.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing; otherwise why the connection is gone.
    #[inline]
    pub(crate) fn receive(&self, request: ReadRequest, buffer: &mut [u8]) -> io::Result<Received> {
        if request.discard {
            return self.socket().discard(request.bytes);
        }
        self.socket().receive(&mut buffer[..request.bytes as usize])
    }

    /// Hand what [`Self::receive`] read for `c` to the client: `received` bytes of `wire`. `was_before`: as
    /// [`Client::received_when`] wants it.
    ///
    /// # Errors
    /// What is wrong with the TLS records.
    #[inline]
    pub(crate) fn deliver(
        &mut self,
        client: &mut Client,
        c: u32,
        (request, wire): (ReadRequest, &[u8]),
        (received, stamp_ns, was_before): (usize, Option<u64>, impl FnMut(u64) -> bool),
        now: u64,
    ) -> Result<TlsState, TlsFault> {
        match self {
            Self::Plain(_) if request.discard => client.skipped(c, received as u64, stamp_ns, now),
            Self::Plain(_) => client.received_when(c, &wire[..received], (stamp_ns, was_before), now),
            // A proxy's response is read elsewhere.
            Self::Tunnel(_) => {}
            Self::Tls(socket) => {
                return socket.decrypt(client, c, &wire[..received], (stamp_ns, was_before), now);
            }
        }
        Ok(TlsState { closed: false, wants_write: false })
    }

    /// Send as much of `c`'s outgoing bytes as the kernel takes. `connect` asks a proxy for a tunnel.
    ///
    /// # Errors
    /// `WouldBlock` when its buffer is full; otherwise why the connection is gone.
    #[inline]
    pub(crate) fn write(&mut self, client: &mut Client, c: u32, connect: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => {
                let sent = socket.send(client.outgoing(c))?;
                client.sent(c, sent);
                Ok(())
            }
            Self::Tunnel(tunnel) => tunnel.write(connect),
            Self::Tls(socket) => socket.write(client, c),
        }
    }

    /// Bytes the kernel has taken since the connection was established, and those of the current request.
    pub(crate) fn written(&self, client: &Client, c: u32) -> (u64, u64) {
        match self {
            Self::Plain(_) | Self::Tunnel(_) => client.written(c),
            Self::Tls(socket) => socket.session.taken(),
        }
    }

    /// Send pending TLS records, as far as the socket takes them: mostly an alert.
    pub(crate) fn flush(&mut self) {
        if let Self::Tls(socket) = self {
            let _ = socket.session.flush(&mut &socket.socket);
        }
    }

    /// Send close_notify to a TLS peer, as far as the socket takes it.
    pub(crate) fn close(mut self) {
        if let Self::Tls(socket) = &mut self {
            socket.session.close();
        }
        self.flush();
    }
}

impl TlsStream {
    fn decrypt(
        &mut self,
        client: &mut Client,
        c: u32,
        mut wire: &[u8],
        (stamp_ns, mut was_before): (Option<u64>, impl FnMut(u64) -> bool),
        now: u64,
    ) -> Result<TlsState, TlsFault> {
        let session = &mut self.session;
        let mut handshaking = session.is_handshaking();
        while !wire.is_empty() && !session.is_closed_by_peer() {
            let received = session.receive(&mut wire);
            // Records before a broken one are intact: a response that ends with them is complete.
            let mut left = *received.as_ref().unwrap_or(&usize::MAX);
            if handshaking && received.is_ok() && !session.is_handshaking() {
                handshaking = false;
                client.secured(c, session.is_resumed(), now);
            }
            while left > 0 {
                let plaintext = session.plaintext();
                if plaintext.is_empty() {
                    break;
                }
                client.received_when(c, plaintext, (stamp_ns, &mut was_before), now);
                let n = plaintext.len();
                session.consume(n);
                left -= n;
            }
            received.map_err(|error| tls::fault(&error))?;
        }
        Ok(TlsState { closed: session.is_closed_by_peer(), wants_write: session.wants_flush() })
    }

    /// Send what is pending: TLS's own records first, then the request.
    fn write(&mut self, client: &mut Client, c: u32) -> io::Result<()> {
        loop {
            self.session.flush(&mut &self.socket)?;
            if let sent @ 1.. = self.session.take_sent() {
                client.sent(c, sent);
            }
            let outgoing = client.outgoing(c);
            if outgoing.is_empty() {
                return Ok(());
            }
            if client.written(c).1 == 0 {
                self.session.mark();
            }
            self.session.seal(outgoing);
        }
    }
}
