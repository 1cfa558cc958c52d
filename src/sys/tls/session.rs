//! The TLS session of one connection.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Error, HandshakeKind, InvalidMessage};

use super::error::TlsError;

/// Plaintext encrypted at once: one record of the largest size, so that a large request is encrypted as the
/// socket takes it and a connection buffers no more than this.
const MAX_SEALED_BYTES: usize = 16 * 1024;

/// Converts between one connection's plaintext and its wire bytes.
///
/// ```text
/// begin ─▶ handshaking ──receive, flush──▶ established ──receive, seal, flush──▶ closed by the peer
/// ```
#[derive(Debug)]
pub struct Session {
    connection: ClientConnection,
    shows_certificate: bool,
    /// Plaintext bytes encrypted since the last [`Session::take_sent`].
    unsent: usize,
    /// Wire bytes written since the connection began; `marked`: up to the last [`Session::mark`].
    taken: u64,
    marked: u64,
    peer_closed: bool,
    broken: bool,
}

impl Session {
    pub(super) fn begin(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        shows_certificate: bool,
    ) -> Result<Self, Box<TlsError>> {
        let connection = ClientConnection::new(config, name)
            .map_err(|error| Box::new(TlsError { error, is_answered: true, shows_certificate }))?;
        let (peer_closed, broken) = (false, false);
        Ok(Self { connection, shows_certificate, unsent: 0, taken: 0, marked: 0, peer_closed, broken })
    }

    /// Whether the handshake is incomplete.
    #[inline]
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the handshake resumed an earlier session; meaningful once it is complete.
    pub fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Whether the peer has sent close_notify.
    #[inline]
    pub fn is_closed_by_peer(&self) -> bool {
        self.peer_closed
    }

    /// Process wire bytes, as many as fit at once; `wire` keeps the rest. Returns the number of plaintext
    /// bytes available, all of which must be taken ([`Session::plaintext`]) before the next call. Afterwards
    /// [`Session::flush`] may have something to send. Once the peer has closed, nothing more is read.
    ///
    /// # Errors
    /// The received bytes are invalid. The connection is over; an alert may wait for [`Session::flush`], and
    /// earlier plaintext in [`Session::plaintext`].
    #[inline]
    pub fn receive(&mut self, wire: &mut &[u8]) -> Result<usize, Box<TlsError>> {
        // Reading from memory does not fail; a message over the maximum length does.
        if self.connection.read_tls(wire).is_err() {
            let error = Error::InvalidMessage(InvalidMessage::MessageTooLarge);
            return Err(self.error(error, true));
        }
        match self.connection.process_new_packets() {
            Ok(state) => {
                self.peer_closed = state.peer_has_closed();
                Ok(state.plaintext_bytes_to_read())
            }
            Err(error) => {
                self.broken = true;
                Err(self.error(error, self.connection.protocol_version().is_some()))
            }
        }
    }

    #[cold]
    fn error(&self, error: Error, is_answered: bool) -> Box<TlsError> {
        Box::new(TlsError { error, is_answered, shows_certificate: self.shows_certificate })
    }

    /// The next contiguous plaintext; not empty until [`Session::receive`]'s count is used up.
    #[inline]
    pub fn plaintext(&mut self) -> &[u8] {
        self.connection.reader().into_first_chunk().unwrap_or_default()
    }

    /// Mark `n` bytes of [`Session::plaintext`] as taken.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        io::BufRead::consume(&mut self.connection.reader(), n);
    }

    /// Encrypt the beginning of `plaintext`; [`Session::take_sent`] returns how much, once it is sent.
    #[inline]
    pub fn seal(&mut self, plaintext: &[u8]) {
        let piece = &plaintext[..plaintext.len().min(MAX_SEALED_BYTES)];
        // Writing to memory does not fail; only the number of bytes taken matters.
        self.unsent += io::Write::write(&mut self.connection.writer(), piece).unwrap_or(0);
    }

    /// Whether there is something to [`Session::flush`].
    #[inline]
    pub fn wants_flush(&self) -> bool {
        self.connection.wants_write()
    }

    /// Write all pending wire bytes to `socket`.
    ///
    /// # Errors
    /// The socket's error: `WouldBlock` when it takes no more for now.
    #[inline]
    pub fn flush(&mut self, socket: &mut dyn io::Write) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(socket)? {
                0 => return Err(io::ErrorKind::WouldBlock.into()),
                n => self.taken += n as u64,
            }
        }
        Ok(())
    }

    /// Plaintext bytes sent since the last call; valid after a successful [`Session::flush`].
    #[inline]
    pub fn take_sent(&mut self) -> usize {
        std::mem::take(&mut self.unsent)
    }

    /// A request begins: wire bytes from here on count toward it.
    #[inline]
    pub(crate) fn mark(&mut self) {
        self.marked = self.taken;
    }

    /// Wire bytes written since the connection began, and since the last mark.
    pub(crate) fn taken(&self) -> (u64, u64) {
        (self.taken, self.taken - self.marked)
    }

    /// Queue close_notify (RFC 8446, section 6.1), unless the handshake is incomplete, the peer
    /// has closed or the connection failed.
    pub(crate) fn close(&mut self) {
        if !self.peer_closed && !self.broken && !self.is_handshaking() {
            self.connection.send_close_notify();
        }
    }
}
