//! The journal's form on disk: its name, and groups of records with their checksums.

use std::io;

use flate2::Crc;

/// The format's name and version.
pub(super) const MAGIC: &[u8; 16] = b"loadtester jrn 4";
/// The prefix of every journal, whatever its version, which is one digit.
pub(super) const NAME: &[u8] = b"loadtester jrn ";
pub(super) const HEAD_BYTES: usize = 12;
/// The longest record in bytes: a report or a plan with its metadata.
pub(super) const MAX_RECORD_BYTES: usize = 17 << 20;
/// The longest group in bytes: one record of the maximum length, or thousands of typical ones.
pub(super) const MAX_GROUP_BYTES: usize = LENGTH_BYTES + MAX_RECORD_BYTES;
pub(super) const LENGTH_BYTES: usize = 4;

/// The head of a group whose own checksum is right.
pub(super) struct Head {
    /// The content's length in bytes, at least 1.
    pub(super) length: usize,
    checksum: u32,
}

impl Head {
    /// Parse the first [`HEAD_BYTES`] bytes of a group; `None`: this is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let length = word(0)?;
        // The cheap check first: a search for groups looks at every byte.
        let may_be = (1..=MAX_GROUP_BYTES).contains(&(length as usize));
        let is_head = may_be && word(4)? == checksum(&length.to_le_bytes());
        is_head.then_some(Self { length: length as usize, checksum: word(8)? })
    }

    /// Whether `content` is the content of this group.
    pub(super) fn fits(&self, content: &[u8]) -> bool {
        content.len() == self.length && checksum(content) == self.checksum
    }
}

/// A group of these records, as bytes.
pub(super) fn of(records: &[Vec<u8>]) -> Vec<u8> {
    let mut group = vec![0; HEAD_BYTES];
    records.iter().for_each(|record| group.extend_from_slice(record));
    let content = &group[HEAD_BYTES..];
    let length = (content.len() as u32).to_le_bytes();
    let sums = [checksum(&length), checksum(content)];
    group[..4].copy_from_slice(&length);
    group[4..8].copy_from_slice(&sums[0].to_le_bytes());
    group[8..HEAD_BYTES].copy_from_slice(&sums[1].to_le_bytes());
    group
}

/// A record made of these parts, with its length in front.
///
/// # Errors
/// The record is too long.
pub(super) fn record_of(parts: &[&[u8]]) -> io::Result<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    if length > MAX_RECORD_BYTES {
        return Err(io::Error::other("the record is too long"));
    }
    let mut record = Vec::with_capacity(LENGTH_BYTES + length);
    record.extend_from_slice(&(length as u32).to_le_bytes());
    parts.iter().for_each(|part| record.extend_from_slice(part));
    Ok(record)
}

/// How many of these records fit into the first group; at least one.
pub(super) fn first_group(records: &[Vec<u8>]) -> usize {
    let mut bytes = 0;
    let fits = |record: &&Vec<u8>| {
        bytes += record.len();
        bytes <= MAX_GROUP_BYTES
    };
    records.iter().take_while(fits).count().max(1)
}

/// The first record of a group's content, and the rest.
pub(super) fn first_record(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = content.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// CRC-32 with the magic as a prefix, so that zeros are no valid group.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(MAGIC);
    crc.update(bytes);
    crc.sum()
}

/// Why a file that begins with neither [`MAGIC`] nor a prefix of it is refused, and the remedy.
pub(super) fn foreign(bytes: &[u8]) -> Option<String> {
    if bytes.starts_with(MAGIC) || MAGIC.starts_with(bytes) {
        return None;
    }
    let version = |bytes: &[u8]| bytes.strip_prefix(NAME)?.first().copied().filter(u8::is_ascii_digit);
    Some(match (version(bytes), version(MAGIC)) {
        (Some(theirs), Some(ours)) => format!(
            "the journal there has format {}, this version of loadtester reads format {}: finish that run \
             with the version that began it, or name another directory",
            char::from(theirs),
            char::from(ours),
        ),
        _ => "the file `journal` there is not a journal: name another directory".to_owned(),
    })
}
