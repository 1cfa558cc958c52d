//! One connection's HTTP/1.1, one exchange at a time: request bytes out, a response in. No sockets, no time.

use super::{Decoder, DiscardableBody, FeedResult, Head, HeadMemo, ProtocolError, Request};
use crate::http::CapturedResponse;

/// The state of the current exchange.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    decoder: Decoder,
    /// Bytes of the current request, and how many of them the kernel has taken.
    request_bytes: usize,
    written: usize,
    to_head_request: bool,
    /// Whether any of the response has come.
    heard: bool,
}

impl Connection {
    /// A new connection was established: nothing was written to it.
    pub(crate) fn reset(&mut self) {
        self.written = 0;
    }

    /// Begin an exchange with `request`.
    #[inline]
    pub(crate) fn begin(&mut self, request: &Request) {
        self.decoder.begin();
        (self.request_bytes, self.written) = (request.bytes.len(), 0);
        (self.to_head_request, self.heard) = (request.is_head, false);
    }

    /// The bytes of `request`, the current one, that the kernel has not taken yet.
    #[inline]
    pub(crate) fn outgoing<'a>(&self, request: &'a Request) -> &'a [u8] {
        &request.bytes[self.written..]
    }

    /// The kernel has taken `n` more of the request's bytes.
    #[inline]
    pub(crate) fn sent(&mut self, n: usize) {
        self.written += n;
    }

    /// How many of the request's bytes the kernel has taken.
    #[inline]
    pub(crate) fn written(&self) -> usize {
        self.written
    }

    /// Whether the kernel has taken the whole request.
    #[inline]
    pub(crate) fn is_sent(&self) -> bool {
        self.written == self.request_bytes
    }

    /// Whether any of the response has come.
    pub(crate) fn is_heard(&self) -> bool {
        self.heard
    }

    /// Take in a piece of the response; `captured` keeps what somebody wants to look at.
    ///
    /// # Errors
    /// When it cannot be a response; the connection is of no use afterwards.
    #[inline]
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        memo: &mut HeadMemo,
        captured: Option<&mut CapturedResponse>,
    ) -> Result<FeedResult, ProtocolError> {
        self.heard = true;
        match captured {
            None => self.decoder.feed(bytes, self.to_head_request, memo),
            Some(captured) => self.decoder.feed_to(bytes, self.to_head_request, memo, captured),
        }
    }

    /// `n` bytes of the body, at most [`Self::skippable`], went by unseen; whether the response is complete.
    #[inline]
    pub(crate) fn skip(&mut self, n: u64) -> bool {
        self.decoder.skip(n)
    }

    /// Body bytes that need not be looked at.
    #[inline]
    pub(crate) fn skippable(&self) -> DiscardableBody {
        self.decoder.skippable()
    }

    /// Whether a response's head comes next.
    #[inline]
    pub(crate) fn expects_head(&self) -> bool {
        self.decoder.expects_head()
    }

    /// Whether an end of the stream here completes the response.
    pub(crate) fn ends_here(&self) -> bool {
        self.decoder.ends_here()
    }

    /// The head of the final response, once it was seen.
    #[inline]
    pub(crate) fn head(&self) -> Option<Head> {
        self.decoder.head()
    }
}
