//! The content of files that plans name.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// A file that is read piece by piece.
pub trait Source: fmt::Debug + Send + Sync {
    /// How many bytes it has.
    fn bytes(&self) -> u64;

    /// Reads into `buffer` from `offset` on; fewer bytes than asked for only at the end of the file.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, String>;

    /// The hex SHA-256 of all of it.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn sha256(&self) -> Result<String, String>;

    /// # Errors
    /// It is not the file any more that it was at first.
    fn check_unchanged(&self) -> Result<(), String>;
}

/// The hex SHA-256 of what `source` has.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn sha256_of(source: &dyn Source) -> Result<String, String> {
    let (mut hash, mut buffer, mut at) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        let n = source.read_at(at, &mut buffer)?;
        if n == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..n]);
        at += n as u64;
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file that a plan names, and what tells it from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// As in the plan.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// The hex SHA-256 of its content.
    pub sha256: String,
}

/// The content of a file.
#[derive(Clone, Debug)]
pub enum Content {
    /// All of it.
    Bytes(Vec<u8>),
    /// The file itself, which is too large for memory.
    Large(Arc<dyn Source>),
}

impl Content {
    /// What tells the file called `name` from others.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn identity(&self, name: &str) -> Result<NamedFile, String> {
        let (bytes, sha256) = match self {
            Self::Bytes(bytes) => (bytes.len() as u64, hex(&Sha256::digest(bytes))),
            Self::Large(source) => (source.bytes(), source.sha256()?),
        };
        Ok(NamedFile { name: name.to_owned(), bytes, sha256 })
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}
