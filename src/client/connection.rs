//! The state of one connection to the target.
//!
//! ```text
//!          ┌──────────── close ────────────┐
//!          ▼                               │
//!        Down ──connect──▶ Connecting ──▶ Established
//!          ▲                   │
//!          └────── failed ─────┘
//! ```

use super::exchanges::ExchangeId;
use super::wire::Wire;

/// The states of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No socket.
    Down,
    /// A connection attempt is in progress.
    Connecting,
    /// Requests may be sent; its [`Wire`] has the current exchange.
    Established,
}

/// A connection and the protocol on it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) state: State,
    /// The number of the target it leads to.
    pub(crate) target: u16,
    pub(crate) wire: Wire,
    /// The exchange to send on it next: it waits for the connection, is sent again, or follows a redirect.
    pub(crate) reserved: Option<ExchangeId>,
    /// Bytes the kernel has taken since it was established.
    pub(crate) written: u64,
    /// Responses since it was established that left it open.
    pub(crate) served: u64,
    /// Whether it was established before.
    pub(crate) reopened: bool,
    /// When it was established.
    pub(crate) opened_ns: u64,
    /// Consecutive connection attempts that failed.
    pub(crate) failures: u32,
    /// Whether it is in the queue of free connections (where it may have gone stale).
    pub(crate) is_queued: bool,
    /// Whether it is in the queue of ready connections, which has no duplicates.
    pub(crate) is_ready: bool,
    /// When the current attempt began.
    pub(crate) connecting_since_ns: u64,
    /// Since when it has been free: since it was established, or since the last byte of the last response.
    pub(crate) idle_since_ns: u64,
}

impl Connection {
    pub(crate) fn to(target: u16) -> Self {
        Self {
            state: State::Down,
            target,
            wire: Wire::new(),
            reserved: None,
            written: 0,
            served: 0,
            reopened: false,
            opened_ns: 0,
            failures: 0,
            is_queued: false,
            is_ready: false,
            connecting_since_ns: 0,
            idle_since_ns: 0,
        }
    }

    /// Whether an exchange may start on it that is not reserved for it.
    #[inline]
    pub(crate) fn is_free(&self) -> bool {
        self.state == State::Established && self.wire.capacity() > 0 && self.reserved.is_none()
    }
}
