//! The protocol on one connection, as the client uses it: exchanges start, bytes go out, responses come in.
//! All variants have the same interface; HTTP/1.1 carries one exchange at a time.

use super::exchanges::ExchangeId;
use crate::http::CapturedResponse;
use crate::http1::{self, DiscardableBody, FeedResult, Head, HeadMemo, ProtocolError, Request};

/// One connection's protocol.
#[derive(Debug)]
pub(crate) enum Wire {
    Http1(Http1),
}

/// HTTP/1.1 and the current exchange.
#[derive(Debug, Default)]
pub(crate) struct Http1 {
    connection: http1::Connection,
    exchange: Option<ExchangeId>,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self::Http1(Http1::default())
    }

    /// How many more exchanges may start now.
    #[inline]
    pub(crate) fn capacity(&self) -> u32 {
        match self {
            Self::Http1(http1) => u32::from(http1.exchange.is_none()),
        }
    }

    /// The current exchange, if there is one.
    #[inline]
    pub(crate) fn exchange(&self) -> Option<ExchangeId> {
        match self {
            Self::Http1(http1) => http1.exchange,
        }
    }

    #[inline]
    pub(crate) fn start(&mut self, exchange: ExchangeId, request: &Request) {
        match self {
            Self::Http1(http1) => {
                debug_assert!(http1.exchange.is_none());
                http1.connection.begin(request);
                http1.exchange = Some(exchange);
            }
        }
    }

    /// End the current exchange, whatever its outcome, and return it.
    #[inline]
    pub(crate) fn end(&mut self) -> Option<ExchangeId> {
        match self {
            Self::Http1(http1) => http1.exchange.take(),
        }
    }

    /// Start over on a newly established connection.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::Http1(http1) => http1.connection.reset(),
        }
    }

    /// The bytes of `request`, the current one, that the kernel has not taken yet.
    #[inline]
    pub(crate) fn outgoing<'a>(&'a self, request: &'a Request) -> &'a [u8] {
        match self {
            Self::Http1(http1) => http1.connection.outgoing(request),
        }
    }

    /// Count `n` more bytes as taken by the kernel.
    #[inline]
    pub(crate) fn sent(&mut self, n: usize) {
        match self {
            Self::Http1(http1) => http1.connection.sent(n),
        }
    }

    /// Bytes of the current request that the kernel has taken.
    #[inline]
    pub(crate) fn written(&self) -> usize {
        match self {
            Self::Http1(http1) => http1.connection.written(),
        }
    }

    /// Whether the kernel has taken the whole current request.
    #[inline]
    pub(crate) fn is_sent(&self) -> bool {
        match self {
            Self::Http1(http1) => http1.connection.is_sent(),
        }
    }

    pub(crate) fn is_heard(&self) -> bool {
        match self {
            Self::Http1(http1) => http1.connection.is_heard(),
        }
    }

    /// Decode what was read; `captured` receives what is to be inspected.
    ///
    /// # Errors
    /// When it is not a valid response.
    #[inline(always)]
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        memo: &mut HeadMemo,
        captured: Option<&mut CapturedResponse>,
    ) -> Result<FeedResult, ProtocolError> {
        match self {
            Self::Http1(http1) => http1.connection.feed(bytes, memo, captured),
        }
    }

    /// Count `n` bytes as discarded, at most [`Self::skippable`]. Returns whether the response is complete.
    #[inline]
    pub(crate) fn skip(&mut self, n: u64) -> bool {
        match self {
            Self::Http1(http1) => http1.connection.skip(n),
        }
    }

    /// Bytes that may be discarded unseen.
    #[inline]
    pub(crate) fn skippable(&self) -> DiscardableBody {
        match self {
            Self::Http1(http1) => http1.connection.skippable(),
        }
    }

    /// Whether a response head comes next.
    #[inline]
    pub(crate) fn expects_head(&self) -> bool {
        match self {
            Self::Http1(http1) => http1.connection.expects_head(),
        }
    }

    /// Whether the end of input here completes the response.
    pub(crate) fn ends_here(&self) -> bool {
        match self {
            Self::Http1(http1) => http1.connection.ends_here(),
        }
    }

    /// What arrived of a head that is not complete.
    pub(crate) fn partial_head(&self) -> &[u8] {
        match self {
            Self::Http1(http1) => http1.connection.partial_head(),
        }
    }

    /// The head of the current final response, once it was parsed.
    #[inline]
    pub(crate) fn head(&self) -> Option<Head> {
        match self {
            Self::Http1(http1) => http1.connection.head(),
        }
    }
}
