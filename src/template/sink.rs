//! Where rendered bytes go: a buffer, an encoder or a hash. Nothing is stored in between.

use sha2::digest::Update;

pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Feeds a hash.
pub(super) struct Hashed<'a, H>(pub(super) &'a mut H);

impl<H: Update> Sink for Hashed<'_, H> {
    fn put(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}
