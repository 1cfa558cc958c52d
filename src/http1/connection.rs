//! The HTTP/1.1 state of one connection: request bytes out, one response in. No sockets, no time.

use super::{Decoder, DiscardableBody, FeedResult, Head, HeadMemo, ProtocolError, Request};
use crate::http::CapturedResponse;

/// The state of the current exchange.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    decoder: Decoder,
    /// Length of the current request; the kernel has taken `written` of it.
    request_bytes: usize,
    written: usize,
    to_head_request: bool,
    /// Whether any of the response has arrived.
    heard: bool,
}

impl Connection {
    /// Start over on a newly established connection, to which nothing was written.
    pub(crate) fn reset(&mut self) {
        self.written = 0;
    }

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

    /// Count `n` more request bytes as taken by the kernel.
    #[inline]
    pub(crate) fn sent(&mut self, n: usize) {
        self.written += n;
    }

    /// Request bytes that the kernel has taken.
    #[inline]
    pub(crate) fn written(&self) -> usize {
        self.written
    }

    /// Whether the kernel has taken the whole request.
    #[inline]
    pub(crate) fn is_sent(&self) -> bool {
        self.written == self.request_bytes
    }

    pub(crate) fn is_heard(&self) -> bool {
        self.heard
    }

    /// Decode a piece of the response; `captured` receives what is to be inspected.
    ///
    /// # Errors
    /// When it is not a valid response; the connection is unusable afterwards.
    #[inline(always)]
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

    /// Count `n` body bytes as consumed unseen, at most [`Self::skippable`]. Returns whether the response is
    /// complete.
    #[inline]
    pub(crate) fn skip(&mut self, n: u64) -> bool {
        self.decoder.skip(n)
    }

    /// Body bytes that need not be read.
    #[inline]
    pub(crate) fn skippable(&self) -> DiscardableBody {
        self.decoder.skippable()
    }

    /// Whether a response's head comes next.
    #[inline]
    pub(crate) fn expects_head(&self) -> bool {
        self.decoder.expects_head()
    }

    /// What arrived of a head that is not complete.
    pub(crate) fn partial_head(&self) -> &[u8] {
        self.decoder.partial_head()
    }

    /// Whether the end of input here completes the response.
    pub(crate) fn ends_here(&self) -> bool {
        self.decoder.ends_here()
    }

    /// The head of the final response, once it was parsed.
    #[inline]
    pub(crate) fn head(&self) -> Option<Head> {
        self.decoder.head()
    }
}
