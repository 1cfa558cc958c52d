//! Reads a journal group by group, so that memory does not grow with the file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::group::{self, HEAD_BYTES, Head, MAGIC};

/// What a search for whole groups behind damage reads at once.
pub(super) const SEARCHED_BYTES: usize = 1 << 20;

/// Pass the records in the first `length` bytes of `file` to `take`; returns how many bytes are valid. What
/// follows them is the end of a group that a crash cut off.
///
/// # Errors
/// The file cannot be read, whole groups follow damaged ones, or what `take` says.
pub(super) fn read(
    file: &File,
    length: u64,
    mut take: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<u64, String> {
    let failed = |e: io::Error| format!("the journal cannot be read: {e}");
    let mut at = MAGIC.len() as u64;
    if length < at {
        // A crash within the first write left less than the magic.
        return Ok(0);
    }
    let mut content = Vec::new();
    while read_group(file, at..length, &mut content).map_err(failed)? {
        let mut records = &content[..];
        while !records.is_empty() {
            let (record, more) =
                group::first_record(records).ok_or("the journal holds a group of another version")?;
            take(record)?;
            records = more;
        }
        at += (HEAD_BYTES + content.len()) as u64;
    }
    match find_group(file, at + 1..length, &mut content).map_err(failed)? {
        Some(behind) => {
            Err(format!("the journal is damaged at byte {at} (whole records follow at {behind})"))
        }
        None => Ok(at),
    }
}

/// Read the content of the group at the start of `range`; returns whether there is a whole one.
fn read_group(file: &File, range: std::ops::Range<u64>, content: &mut Vec<u8>) -> io::Result<bool> {
    let Some(left) = range.end.checked_sub(range.start + HEAD_BYTES as u64) else { return Ok(false) };
    let mut head = [0; HEAD_BYTES];
    file.read_exact_at(&mut head, range.start)?;
    let Some(head) = Head::read(&head).filter(|head| head.length as u64 <= left) else { return Ok(false) };
    content.resize(head.length, 0);
    file.read_exact_at(content, range.start + HEAD_BYTES as u64)?;
    Ok(head.fits(content))
}

/// The place of the first whole group that begins in `range`, if there is one.
fn find_group(file: &File, range: std::ops::Range<u64>, content: &mut Vec<u8>) -> io::Result<Option<u64>> {
    let mut chunk = Vec::new();
    let mut at = range.start;
    while at + HEAD_BYTES as u64 <= range.end {
        chunk.resize((range.end - at).min(SEARCHED_BYTES as u64) as usize, 0);
        file.read_exact_at(&mut chunk, at)?;
        for (place, head) in (at..).zip(chunk.windows(HEAD_BYTES)) {
            if Head::read(head).is_some() && read_group(file, place..range.end, content)? {
                return Ok(Some(place));
            }
        }
        // A head may begin in the last bytes of this chunk.
        at += (chunk.len() + 1 - HEAD_BYTES) as u64;
    }
    Ok(None)
}
