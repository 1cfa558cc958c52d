//! Responses, as far as somebody looks into them: what a plan expects, a redirect, `--once`. Everyone else pays
//! nothing.

use super::Status;

/// Where a decoder hands on what it passes over.
pub trait ResponseSink {
    /// A whole head, line end included; interim ones too, the final one last.
    fn head(&mut self, bytes: &[u8]);
    /// Decoded body bytes, in order.
    fn body(&mut self, bytes: &[u8]);
}

/// Keeps nothing.
impl ResponseSink for () {
    #[inline]
    fn head(&mut self, _: &[u8]) {}
    #[inline]
    fn body(&mut self, _: &[u8]) {}
}

/// Memory kept from one response to the next; what a larger one needed is given back, so that many
/// connections do not hold a large body each for ever.
const MAX_IDLE_BYTES: usize = 64 << 10;

/// A complete response, to be judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseView<'a> {
    /// Its status.
    pub(crate) status: Status,
    /// The final head, if it was captured; see [`each_field`](super::each_field).
    pub(crate) head: &'a [u8],
    /// The start of the body: all of it, unless it is longer than was captured.
    pub(crate) body: &'a [u8],
    /// The length of the whole body, where body bytes were captured.
    pub(crate) body_bytes: u64,
}

/// The part of one response that is wanted. Reused: [`Self::begin`] forgets the last one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CapturedResponse {
    head: Vec<u8>,
    body: Vec<u8>,
    body_bytes: u64,
    wants_head: bool,
    most_body_bytes: usize,
}

impl CapturedResponse {
    /// Forget the last response; of the next keep the head, if wanted, and so much of the body.
    pub fn begin(&mut self, wants_head: bool, most_body_bytes: usize) {
        for kept in [&mut self.head, &mut self.body] {
            if kept.capacity() > MAX_IDLE_BYTES {
                *kept = Vec::new();
            }
            kept.clear();
        }
        (self.wants_head, self.most_body_bytes, self.body_bytes) = (wants_head, most_body_bytes, 0);
    }

    /// Whether body bytes have to come by here.
    pub(crate) fn wants_body(&self) -> bool {
        self.most_body_bytes > 0
    }

    /// The final head, if it was wanted.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The body's beginning: all of it, unless it is longer than was wanted.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The length of the whole body, where body bytes were wanted.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// The complete response, whose status is `status`.
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
        let room = self.most_body_bytes - self.body.len();
        self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}
