//! The captured part of a response, for a plan's expectations, redirects and `--once`. Other responses cost
//! nothing.

use super::Status;

/// Receives heads and bodies from a decoder.
pub trait ResponseSink {
    /// A complete head with its final line break. Interim heads come first, the final one last.
    fn head(&mut self, bytes: &[u8]);
    /// Decoded body bytes, in order.
    fn body(&mut self, bytes: &[u8]);
}

/// Discards everything.
impl ResponseSink for () {
    #[inline]
    fn head(&mut self, _: &[u8]) {}
    #[inline]
    fn body(&mut self, _: &[u8]) {}
}

/// Capacity kept from one response to the next. Larger buffers are freed, so that many connections do not
/// each hold a large body forever.
const MAX_IDLE_BYTES: usize = 64 << 10;

/// A complete response to judge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseView<'a> {
    pub(crate) status: Status,
    /// The final head, if it was captured; see [`each_field`](super::each_field).
    pub(crate) head: &'a [u8],
    /// The start of the body, or all of it if it was no longer than the capture limit.
    pub(crate) body: &'a [u8],
    /// The length of the whole body, where body bytes were captured.
    pub(crate) body_bytes: u64,
}

/// The captured part of one response. Reused: [`Self::begin`] discards the previous response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CapturedResponse {
    head: Vec<u8>,
    body: Vec<u8>,
    body_bytes: u64,
    wants_head: bool,
    most_body_bytes: usize,
}

impl CapturedResponse {
    /// Discard the previous response. Of the next, keep the head if `wants_head`, and up to `most_body_bytes`
    /// of the body.
    pub fn begin(&mut self, wants_head: bool, most_body_bytes: usize) {
        for kept in [&mut self.head, &mut self.body] {
            if kept.capacity() > MAX_IDLE_BYTES {
                *kept = Vec::new();
            }
            kept.clear();
        }
        (self.wants_head, self.most_body_bytes, self.body_bytes) = (wants_head, most_body_bytes, 0);
    }

    /// Whether the decoder must pass body bytes to it.
    pub(crate) fn wants_body(&self) -> bool {
        self.most_body_bytes > 0
    }

    /// The final head, empty unless wanted.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The start of the body, up to the `most_body_bytes` of [`Self::begin`].
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn view(&self, status: u16) -> ResponseView<'_> {
        ResponseView {
            status: Status(status),
            head: &self.head,
            body: &self.body,
            body_bytes: self.body_bytes,
        }
    }
}

impl ResponseSink for CapturedResponse {
    fn head(&mut self, bytes: &[u8]) {
        if self.wants_head {
            self.head.clear();
            self.head.extend_from_slice(bytes);
        }
    }

    fn body(&mut self, bytes: &[u8]) {
        self.body_bytes += bytes.len() as u64;
        let free_bytes = self.most_body_bytes - self.body.len();
        self.body.extend_from_slice(&bytes[..bytes.len().min(free_bytes)]);
    }
}
