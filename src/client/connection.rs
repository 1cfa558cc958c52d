//! One connection to the target, as the client sees it.
//!
//! ```text
//!          ┌──────────────── close ────────────────┐
//!          ▼                                        │
//!        Down ──connect──▶ Connecting ──▶ Idle ⇄ Busy
//!          ▲                   │            │
//!          └────── failed ─────┴── closed ──┘
//! ```

use super::exchange::Exchange;
use crate::http1::Decoder;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No socket.
    Down,
    /// A connection attempt is under way.
    Connecting,
    /// Established, nothing outstanding.
    Idle,
    /// A request is being sent or its response awaited.
    Busy,
}

/// A connection and what it carries.
#[derive(Debug)]
pub struct Connection {
    pub state: State,
    /// The exchange it carries, or that waits for it to connect.
    pub exchange: Option<Exchange>,
    pub decoder: Decoder,
    /// Request bytes the kernel has taken, of the current exchange.
    pub written: u32,
    /// Bytes the kernel has taken since it was established.
    pub written_total: u64,
    /// Responses since it was established after which it stayed open.
    pub served: u64,
    /// Whether any of the current response has come.
    pub heard: bool,
    /// Whether it was established before.
    pub reopened: bool,
    /// When it was established.
    pub opened_ns: u64,
    /// Connection attempts that failed in a row.
    pub failures: u32,
    /// Whether it stands in the queue of free connections (where it may have gone stale).
    pub queued: bool,
    /// Whether it stands in the queue of ready connections, where none stands twice.
    pub is_ready: bool,
    /// When the current attempt began.
    pub connecting_since_ns: u64,
    /// Since when the target has left it free: the last byte of the last response.
    pub idle_since_ns: u64,
}

impl Connection {
    pub fn new() -> Self {
        Self {
            state: State::Down,
            exchange: None,
            decoder: Decoder::new(),
            written: 0,
            written_total: 0,
            served: 0,
            heard: false,
            reopened: false,
            opened_ns: 0,
            failures: 0,
            queued: false,
            is_ready: false,
            connecting_since_ns: 0,
            idle_since_ns: 0,
        }
    }
}
