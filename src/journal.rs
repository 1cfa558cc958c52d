//! The coordinator's journal: an append-only file of records that are complete or absent.
//!
//! ```text
//! file   = magic, group*
//! group  = length (u32), checksum of the length (u32), checksum of the content (u32), content
//! content = (length of a record (u32), record)+
//! ```
//!
//! Records are appended in memory and written in groups, since a disk takes as long for one record as for a
//! hundred. What `Journal::append` was given is on disk when a `Writer::write` that began later has returned;
//! only then may an answer leave. A group is written and synced before the next one begins. So a crash can
//! leave only the last group torn. None of it was acknowledged, and it is cut off. Damage followed by whole
//! groups is different: something acknowledged is lost, and the journal is refused. The content of records is
//! opaque here.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::Crc;

/// The format's name and version.
const MAGIC: &[u8; 16] = b"loadtester jrn 3";
/// The prefix of every journal, whatever its version, which is one digit.
const NAME: &[u8] = b"loadtester jrn ";
const HEAD_BYTES: usize = 12;
/// The longest record in bytes: a report or a plan with its metadata.
const MAX_RECORD_BYTES: usize = 17 << 20;
/// The longest group in bytes: one record of the maximum length, or thousands of typical ones.
const MAX_GROUP_BYTES: usize = LENGTH_BYTES + MAX_RECORD_BYTES;
const LENGTH_BYTES: usize = 4;
/// The longest journal that is read back, in bytes. A day of a thousand workers at 2 KiB/s would be longer,
/// but a journal is read into memory as a whole.
const MAX_JOURNAL_BYTES: u64 = 8 << 30;
const JOURNAL_FILE: &str = "journal";
const LOCK_FILE: &str = "lock";

/// An open journal. No other process can open the same directory.
#[derive(Debug)]
pub struct Journal {
    /// Appended, but not passed to the writer yet.
    pending: Vec<Vec<u8>>,
    writer: Arc<Writer>,
    /// Held as long as the journal is open.
    _lock: File,
}

/// Writes records to disk, one caller at a time, while others append.
#[derive(Debug)]
pub(crate) struct Writer(Mutex<Option<File>>);

impl Journal {
    /// Open the journal in `directory`, which is created if needed; `take` gets each record in order.
    ///
    /// # Errors
    /// A sentence with a remedy: another process has it open, it is damaged, or an I/O error.
    pub fn open(directory: &Path, mut take: impl FnMut(&[u8]) -> Result<(), String>) -> Result<Self, String> {
        let shown = directory.display();
        let failed = |what: &str, e: io::Error| format!("--state-dir {shown}: {what}: {e}");
        // A plan is stored with its secrets.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|e| failed("cannot be made", e))?;
        let folder = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
            .open(directory)
            .map_err(|e| failed("cannot be opened (a symbolic link is not followed)", e))?;
        let metadata = folder.metadata().map_err(|e| failed("cannot be read", e))?;
        is_private(&metadata).map_err(|why| format!("--state-dir {shown}: {why}"))?;
        let open = |name: &str| {
            let path = directory.join(name);
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(libc::O_NOFOLLOW)
                .open(path)
        };
        let lock = open(LOCK_FILE).map_err(|e| failed("cannot be written", e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "--state-dir {shown}: another coordinator is using it: end that one, or name another directory"
                ));
            }
            Err(TryLockError::Error(e)) => return Err(failed("cannot be locked", e)),
        }
        let mut file = open(JOURNAL_FILE).map_err(|e| failed("the journal cannot be opened", e))?;
        let length = file.metadata().map_err(|e| failed("the journal cannot be read", e))?.len();
        if length > MAX_JOURNAL_BYTES {
            return Err(format!(
                "--state-dir {shown}: the journal is larger than 8 GiB: name another directory"
            ));
        }
        let mut bytes = Vec::with_capacity(length as usize);
        file.read_to_end(&mut bytes).map_err(|e| failed("the journal cannot be read", e))?;
        if let Some(why) = foreign(&bytes) {
            return Err(format!("--state-dir {shown}: {why}"));
        }
        let whole = read(&bytes, &mut take).map_err(|why| {
            format!(
                "--state-dir {shown}: {why}: keep it for whoever looks into it, and name another directory"
            )
        })?;
        let prepare = |file: &mut File| {
            file.set_len(whole)?;
            file.seek(SeekFrom::Start(whole))?;
            if whole == 0 {
                file.write_all(MAGIC)?;
            }
            file.sync_all()?;
            // The directory entries have to survive a crash, too.
            folder.sync_all()
        };
        prepare(&mut file).map_err(|e| failed("the journal cannot be written", e))?;
        Ok(Self { pending: Vec::new(), writer: Arc::new(Writer(Mutex::new(Some(file)))), _lock: lock })
    }

    /// Append a record made of these parts in memory; it is not on disk yet.
    ///
    /// # Errors
    /// The record is too long.
    pub(crate) fn append(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if length > MAX_RECORD_BYTES {
            return Err(io::Error::other("the record is too long"));
        }
        self.pending.push([&(length as u32).to_le_bytes()[..], &parts.concat()].concat());
        Ok(())
    }

    /// Everything appended since the last call; only for [`Writer::write`].
    pub(crate) fn take(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.pending)
    }

    /// The writer of this journal.
    pub(crate) fn writer(&self) -> Arc<Writer> {
        self.writer.clone()
    }
}

impl Writer {
    /// Write what `take` returns once this caller has the lock; earlier callers' records are on disk by then.
    /// After an error nothing more can be written, since the content of the disk is unknown. Every later
    /// caller gets the error, even without records of its own: another caller may have taken and lost them.
    ///
    /// # Errors
    /// The system's error, or that an earlier write failed.
    pub(crate) fn write(&self, take: impl FnOnce() -> Vec<Vec<u8>>) -> io::Result<()> {
        let mut turn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let records = take();
        let mut rest = &records[..];
        let failed = || io::Error::other("an earlier write has failed");
        if turn.is_none() {
            return Err(failed());
        }
        while !rest.is_empty() {
            let mut file = turn.take().ok_or_else(failed)?;
            let (group, more) = rest.split_at(first_group(rest));
            let content = group.concat();
            file.write_all(&[&head(&content)[..], &content].concat())?;
            file.sync_data()?;
            (*turn, rest) = (Some(file), more);
        }
        Ok(())
    }
}

/// Check that no other user can read or change what is in a directory.
fn is_private(directory: &Metadata) -> Result<(), String> {
    let (owner, own) = (directory.uid(), rustix::process::geteuid().as_raw());
    if owner != own {
        return Err(format!(
            "it belongs to user {owner}, and this is user {own}: name a directory that is yours, or one that is not there yet"
        ));
    }
    match directory.mode() & 0o077 {
        0 => Ok(()),
        _ => Err(format!(
            "others may read or change it (mode {:03o}), and a plan is kept there with its secrets: chmod 700 it, or \
             name a directory that is not there yet",
            directory.mode() & 0o777
        )),
    }
}

/// How many of these records fit into the first group; at least one.
fn first_group(records: &[Vec<u8>]) -> usize {
    let mut bytes = 0;
    let fits = |record: &&Vec<u8>| {
        bytes += record.len();
        bytes <= MAX_GROUP_BYTES
    };
    records.iter().take_while(fits).count().max(1)
}

#[cfg(test)]
impl Journal {
    /// A journal on a full disk.
    pub(crate) fn full() -> Self {
        let open = || OpenOptions::new().write(true).open("/dev/full").expect("Linux has one");
        Self { pending: Vec::new(), writer: Arc::new(Writer(Mutex::new(Some(open())))), _lock: open() }
    }
}

fn head(content: &[u8]) -> [u8; HEAD_BYTES] {
    let length = (content.len() as u32).to_le_bytes();
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(&length);
    head[4..8].copy_from_slice(&checksum(&length).to_le_bytes());
    head[8..].copy_from_slice(&checksum(content).to_le_bytes());
    head
}

/// CRC-32 with the magic as a prefix, so that zeros are no valid group.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(MAGIC);
    crc.update(bytes);
    crc.sum()
}

/// Pass the records of `bytes` to `take`; returns how many bytes are valid.
fn read(bytes: &[u8], take: &mut impl FnMut(&[u8]) -> Result<(), String>) -> Result<u64, String> {
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
        // A crash within the first write left less than the magic.
        return Ok(0);
    };
    while let Some(content) = group(rest) {
        let mut records = content;
        while !records.is_empty() {
            let (record, more) = record(records).ok_or("the journal holds a group of another version")?;
            take(record)?;
            records = more;
        }
        rest = &rest[HEAD_BYTES + content.len()..];
    }
    let at = bytes.len() - rest.len();
    let behind = (1..rest.len()).find(|skip| group(&rest[*skip..]).is_some());
    match behind {
        Some(skip) => {
            Err(format!("the journal is damaged at byte {at} (whole records follow at {})", at + skip))
        }
        None => Ok(at as u64),
    }
}

/// Why a file that begins with neither [`MAGIC`] nor a prefix of it is refused, and the remedy.
fn foreign(bytes: &[u8]) -> Option<String> {
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

/// The content of the complete group at the start of `bytes`, if there is one.
fn group(bytes: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let length = word(0)?;
    let is_length = word(4)? == checksum(&length.to_le_bytes()) && length as usize <= MAX_GROUP_BYTES;
    let content = bytes.get(HEAD_BYTES..HEAD_BYTES + length as usize).filter(|_| is_length)?;
    (word(8)? == checksum(content)).then_some(content)
}

/// The first record of a group's content, and the rest.
fn record(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = content.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("loadtester-journal-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            Self(path)
        }

        fn open(&self) -> Result<(Journal, Vec<Vec<u8>>), String> {
            let mut records = Vec::new();
            let journal = Journal::open(&self.0, |record| {
                records.push(record.to_vec());
                Ok(())
            })?;
            Ok((journal, records))
        }

        fn file(&self) -> PathBuf {
            self.0.join(JOURNAL_FILE)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn records(n: u8) -> Vec<Vec<u8>> {
        (0..n).map(|i| vec![i; usize::from(i) * 7]).collect()
    }

    fn write(journal: &mut Journal) -> io::Result<()> {
        journal.writer().write(|| journal.take())
    }

    fn filled(folder: &Folder, n: u8) -> Vec<u8> {
        let (mut journal, before) = folder.open().unwrap();
        assert!(before.is_empty());
        for r in records(n) {
            journal.append(&[&r[..r.len() / 2], &r[r.len() / 2..]]).unwrap();
            write(&mut journal).unwrap();
        }
        std::fs::read(folder.file()).unwrap()
    }

    #[test]
    fn what_was_appended_is_read_back_and_goes_on() {
        let folder = Folder::new("back");
        filled(&folder, 5);
        let (mut journal, read) = folder.open().unwrap();
        assert_eq!(read, records(5));
        journal.append(&[b"more"]).unwrap();
        write(&mut journal).unwrap();
        drop(journal);
        assert_eq!(folder.open().unwrap().1.last().unwrap(), b"more");
    }

    /// However much of the last record the crash left, even zeros in its place.
    #[test]
    fn a_torn_tail_is_cut_off_at_every_byte() {
        let folder = Folder::new("torn");
        let bytes = filled(&folder, 4);
        let last = HEAD_BYTES + LENGTH_BYTES + records(4)[3].len();
        let three = bytes.len() - last;
        for kept in 0..last {
            for filler in [0, last - kept] {
                let torn = [&bytes[..three + kept], &vec![0; filler]].concat();
                std::fs::write(folder.file(), &torn).unwrap();
                let (mut journal, read) = folder.open().unwrap();
                // Zeros would be valid where the content ends in zeros; here it does not.
                assert_eq!(read, records(3), "{kept} of {last}, then {filler} zeros");
                journal.append(&[b"next"]).unwrap();
                write(&mut journal).unwrap();
                drop(journal);
                assert_eq!(folder.open().unwrap().1.len(), 4);
            }
        }
        for kept in 0..MAGIC.len() {
            std::fs::write(folder.file(), &bytes[..kept]).unwrap();
            assert!(folder.open().unwrap().1.is_empty());
        }
    }

    #[test]
    fn a_journal_of_another_format_is_refused_with_both_formats_and_a_remedy() {
        let folder = Folder::new("format");
        let mut bytes = filled(&folder, 2);
        bytes[NAME.len()] = b'2';
        std::fs::write(folder.file(), &bytes).unwrap();
        let error = folder.open().unwrap_err();
        assert!(error.contains("format 2") && error.contains("format 3"), "{error}");
        assert_eq!(std::fs::read(folder.file()).unwrap(), bytes, "it is left as it is");
        std::fs::write(folder.file(), "what is this?").unwrap();
        assert!(folder.open().unwrap_err().contains("--state-dir"));
    }

    #[test]
    fn damage_before_whole_records_is_refused_at_every_byte() {
        let folder = Folder::new("damage");
        let bytes = filled(&folder, 4);
        let third = bytes.len() - HEAD_BYTES - LENGTH_BYTES - records(4)[3].len();
        for at in 0..third {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            std::fs::write(folder.file(), &damaged).unwrap();
            let error = folder.open().unwrap_err();
            assert!(error.contains("damaged") || at < MAGIC.len(), "{at}: {error}");
            assert_eq!(std::fs::read(folder.file()).unwrap(), damaged, "it is left as it is");
        }
    }

    /// Its records took effect together, or not at all.
    #[test]
    fn of_a_torn_group_nothing_is_left() {
        let folder = Folder::new("group");
        let before = filled(&folder, 2).len();
        let (mut journal, _) = folder.open().unwrap();
        for r in records(5) {
            journal.append(&[&r]).unwrap();
        }
        assert_eq!(std::fs::read(folder.file()).unwrap().len(), before, "appended is not written");
        write(&mut journal).unwrap();
        drop(journal);
        let bytes = std::fs::read(folder.file()).unwrap();
        assert_eq!(folder.open().unwrap().1, [records(2), records(5)].concat());
        for kept in before..bytes.len() {
            std::fs::write(folder.file(), &bytes[..kept]).unwrap();
            assert_eq!(folder.open().unwrap().1, records(2), "{kept} of {}", bytes.len());
        }
    }

    #[test]
    fn groups_are_bounded_and_nothing_is_written_after_a_failure() {
        let lengths = |records: &[usize]| -> Vec<Vec<u8>> { records.iter().map(|n| vec![0; *n]).collect() };
        let most = MAX_GROUP_BYTES;
        assert_eq!(first_group(&lengths(&[most - 5, 5, 1])), 2);
        assert_eq!(first_group(&lengths(&[most, 1])), 1);
        let mut journal = Journal::full();
        assert!(journal.append(&[&vec![0; MAX_RECORD_BYTES + 1]]).is_err());
        write(&mut journal).unwrap();
        for _ in 0..2 {
            journal.append(&[b"x"]).unwrap();
            assert!(write(&mut journal).is_err());
        }
        assert!(write(&mut journal).is_err(), "what it wrote for others is not there");
    }

    #[test]
    fn a_journal_is_open_in_one_process_at_most() {
        let folder = Folder::new("two");
        let (journal, _) = folder.open().unwrap();
        assert!(folder.open().unwrap_err().contains("--state-dir"));
        drop(journal);
        folder.open().unwrap();
    }

    #[test]
    fn a_directory_that_others_can_touch_and_links_are_refused() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = Folder::new("shared");
        std::fs::create_dir(&folder.0).unwrap();
        let set = |mode| std::fs::set_permissions(&folder.0, std::fs::Permissions::from_mode(mode)).unwrap();
        for mode in [0o755, 0o770, 0o701] {
            set(mode);
            assert!(folder.open().unwrap_err().contains("chmod 700"), "{mode:o}");
        }
        set(0o700);
        folder.open().unwrap();
        let (link, victim) = (Folder::new("link"), folder.0.join("victim"));
        symlink(&folder.0, &link.0).unwrap();
        assert!(link.open().is_err());
        std::fs::remove_file(&link.0).unwrap();
        std::fs::remove_file(folder.file()).unwrap();
        symlink(&victim, folder.file()).unwrap();
        assert!(folder.open().is_err() && !victim.exists());
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&folder.0, Some(65_532), None).unwrap();
            assert!(folder.open().unwrap_err().contains("belongs to user 65532"));
        }
    }
}
