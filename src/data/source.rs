//! The content of files that plans name.

use std::fmt;
use std::sync::Arc;

/// A file that is read piece by piece.
pub trait Source: fmt::Debug + Send + Sync {
    /// How many bytes it has.
    fn bytes(&self) -> u64;

    /// Reads into `buffer` from `offset` on; fewer bytes than asked for only at the end of the file.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, String>;

    /// # Errors
    /// It is not the file any more that it was at first.
    fn check_unchanged(&self) -> Result<(), String>;
}

/// The content of a file.
#[derive(Clone, Debug)]
pub enum Content {
    /// All of it.
    Bytes(Vec<u8>),
    /// The file itself, which is too large for memory.
    Large(Arc<dyn Source>),
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}
