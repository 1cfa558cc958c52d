//! A journal that is being written, to replace the present one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::group::{self, MAGIC};
use super::space;

/// Its name until it replaces the journal.
pub(super) const DRAFT_FILE: &str = "journal.new";
/// Records are written once they come to this many bytes.
const GROUP_BYTES: usize = 1 << 20;
/// What is copied at once.
const COPIED_BYTES: usize = 64 << 10;

/// A new journal beside the present one. Dropped before [`Draft::replace`], it is removed.
#[derive(Debug)]
pub(crate) struct Draft {
    path: PathBuf,
    file: File,
    length: u64,
    /// What is left to the journal of the volume's space while the checkpoint is written.
    reserved_bytes: u64,
    records: Vec<Vec<u8>>,
    is_renamed: bool,
}

impl Draft {
    /// An empty journal in `directory`; one that a crash left there is removed. The volume keeps
    /// `reserved_bytes` of free space while the checkpoint is written.
    pub(super) fn create(directory: &Path, reserved_bytes: u64) -> io::Result<Self> {
        remove_leftover(directory)?;
        let path = directory.join(DRAFT_FILE);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)?;
        let records = Vec::new();
        let mut draft = Self { path, file, length: 0, reserved_bytes, records, is_renamed: false };
        draft.write(MAGIC)?;
        Ok(draft)
    }

    /// Append a record made of these parts.
    ///
    /// # Errors
    /// The record is too long, the volume is almost full, or the system's error.
    pub(crate) fn append(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        self.records.push(group::record_of(parts)?);
        let bytes: usize = self.records.iter().map(Vec::len).sum();
        if bytes >= GROUP_BYTES { self.end_group() } else { Ok(()) }
    }

    /// End the group: what is appended next stands or falls without what came before.
    ///
    /// # Errors
    /// The volume is almost full, or the system's error.
    pub(crate) fn end_group(&mut self) -> io::Result<()> {
        let records = std::mem::take(&mut self.records);
        let mut rest = &records[..];
        while !rest.is_empty() {
            let (group, more) = rest.split_at(group::first_group(rest));
            let group = group::of(group);
            // Others write to the journal meanwhile: without space for that the run would be stopped.
            space::check(&self.file, group.len() as u64, self.reserved_bytes)?;
            self.write(&group)?;
            rest = more;
        }
        Ok(())
    }

    /// Write everything appended to disk; returns the length in bytes.
    pub(super) fn settle(&mut self) -> io::Result<u64> {
        self.end_group()?;
        self.file.sync_all()?;
        Ok(self.length)
    }

    /// Append the bytes of `journal` in this range, which are whole groups.
    pub(super) fn copy(&mut self, journal: &File, range: std::ops::Range<u64>) -> io::Result<()> {
        let (mut at, mut chunk) = (range.start, vec![0; COPIED_BYTES]);
        while at < range.end {
            let length = (range.end - at).min(COPIED_BYTES as u64) as usize;
            journal.read_exact_at(&mut chunk[..length], at)?;
            self.write(&chunk[..length])?;
            at += length as u64;
        }
        Ok(())
    }

    /// Give it this name, in place of the file that has it. The directory has to be synced afterwards.
    pub(super) fn replace(mut self, name: &Path) -> io::Result<(File, u64)> {
        let file = self.file.try_clone()?;
        fs::rename(&self.path, name)?;
        self.is_renamed = true;
        Ok((file, self.length))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_renamed {
            // If it stays, the next one removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Remove a draft that did not become the journal.
pub(super) fn remove_leftover(directory: &Path) -> io::Result<()> {
    match fs::remove_file(directory.join(DRAFT_FILE)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
