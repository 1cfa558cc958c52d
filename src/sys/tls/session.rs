//! The TLS of one connection.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Error, HandshakeKind, InvalidMessage};

use super::error::TlsError;

/// Plaintext sealed at once: one record of the largest size, so that a large request is encrypted as the
/// socket takes it and a connection holds no more than this.
const MAX_SEALED_BYTES: usize = 16 * 1024;

/// TLS between one connection's plaintext and its wire bytes.
///
/// ```text
/// begin ─▶ handshaking ──receive, flush──▶ established ──receive, seal, flush──▶ closed by the peer
/// ```
#[derive(Debug)]
pub struct Session {
    connection: ClientConnection,
    shows_certificate: bool,
    /// Plaintext bytes sealed whose wire bytes have not all been taken.
    unsent: usize,
    /// Wire bytes taken since the beginning, and up to the last [`Session::mark`].
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

    /// Whether the handshake is not over yet.
    #[inline]
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the handshake took up an earlier session; meaningful once it is over.
    pub fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Whether the peer has sent close_notify.
    #[inline]
    pub fn is_closed_by_peer(&self) -> bool {
        self.peer_closed
    }

    /// Take in wire bytes, as many as go at once; `wire` keeps the rest. Returns how many bytes of plaintext
    /// can be had, all of which must be taken ([`Session::plaintext`]) before the next call. After it
    /// [`Session::flush`] may have something to send. Once the peer has closed nothing is taken any more.
    ///
    /// # Errors
    /// What is wrong with what came. The connection is over; an alert that says so may wait in
    /// [`Session::flush`], and in [`Session::plaintext`] what came before.
    #[inline]
    pub fn receive(&mut self, wire: &mut &[u8]) -> Result<usize, Box<TlsError>> {
        // Reading from memory does not fail; a message longer than any may be does.
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

    /// The next plaintext, in one piece; not empty as long as [`Session::receive`]'s count is not used up.
    #[inline]
    pub fn plaintext(&mut self) -> &[u8] {
        self.connection.reader().into_first_chunk().unwrap_or_default()
    }

    /// `n` bytes of [`Session::plaintext`] have been taken.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        io::BufRead::consume(&mut self.connection.reader(), n);
    }

    /// Encrypt the beginning of `plaintext`; [`Session::take_sent`] gives how much once it is out.
    #[inline]
    pub fn seal(&mut self, plaintext: &[u8]) {
        let piece = &plaintext[..plaintext.len().min(MAX_SEALED_BYTES)];
        // Writing to memory does not fail; how much was taken is what counts.
        self.unsent += io::Write::write(&mut self.connection.writer(), piece).unwrap_or(0);
    }

    /// Whether there is something to [`Session::flush`].
    #[inline]
    pub fn wants_flush(&self) -> bool {
        self.connection.wants_write()
    }

    /// Hand all wire bytes that wait to `socket`.
    ///
    /// # Errors
    /// The socket's: `WouldBlock` when it takes no more for now.
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

    /// The plaintext bytes that have gone out since the last call; ask after a [`Session::flush`] that succeeded.
    #[inline]
    pub fn take_sent(&mut self) -> usize {
        std::mem::take(&mut self.unsent)
    }

    /// A request begins: wire bytes from here on are its own.
    #[inline]
    pub(crate) fn mark(&mut self) {
        self.marked = self.taken;
    }

    /// Wire bytes taken since the connection began, and those since the last mark.
    pub(crate) fn taken(&self) -> (u64, u64) {
        (self.taken, self.taken - self.marked)
    }

    /// Send close_notify (RFC 8446, section 6.1), unless the peer is gone.
    pub(crate) fn close(&mut self) {
        if !self.peer_closed && !self.broken && !self.is_handshaking() {
            self.connection.send_close_notify();
        }
    }
}
