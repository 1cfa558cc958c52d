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
//!
//! When it has grown long, a `Draft` that begins with a checkpoint, records that stand for all earlier ones,
//! replaces it (`Writer::replace`). Until the draft has the journal's name and the directory is synced, the
//! journal goes on as before. A crash leaves one of the two, and each holds all that was acknowledged. A draft
//! is given up before it takes the space that the journal needs meanwhile.

mod draft;
mod group;
mod reader;
mod space;

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use draft::Draft;

const JOURNAL_FILE: &str = "journal";
const LOCK_FILE: &str = "lock";
/// A journal is replaced once it has grown by this many bytes: seconds of reading, and minutes of a large
/// fleet.
const CHECKPOINT_AFTER_BYTES: u64 = 64 << 20;
/// And at least by this many times the size of its checkpoint, so that checkpoints add a quarter at most to
/// what is written.
const CHECKPOINT_AFTER_TIMES: u64 = 4;
/// What a draft leaves free of its volume, beside itself: space for the longest group that may be written to
/// the journal meanwhile.
const RESERVED_BYTES: u64 = (group::HEAD_BYTES + group::MAX_GROUP_BYTES) as u64;

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
pub(crate) struct Writer {
    directory: PathBuf,
    /// The same directory, open.
    folder: File,
    /// See [`CHECKPOINT_AFTER_BYTES`].
    checkpoint_after_bytes: u64,
    /// See [`RESERVED_BYTES`].
    reserved_bytes: u64,
    /// `None` after an error.
    tail: Mutex<Option<Tail>>,
    /// Held while a draft is written: there is one at a time.
    drafting: Mutex<()>,
}

/// The end of the journal's file, where the next group goes.
#[derive(Debug)]
struct Tail {
    file: File,
    length: u64,
    /// A checkpoint is due from this length on.
    due: u64,
}

/// What became of a checkpoint.
#[derive(Debug)]
pub(crate) enum Replacement {
    /// The journal begins with it.
    Done,
    /// There was none to write.
    Unwanted,
    /// It could not be written; the journal goes on as it was.
    Failed(io::Error),
}

impl Journal {
    /// Open the journal in `directory`, which is created if needed; `take` gets each record in order.
    ///
    /// # Errors
    /// A sentence with a remedy: another process has it open, it is damaged, or an I/O error.
    pub fn open(directory: &Path, take: impl FnMut(&[u8]) -> Result<(), String>) -> Result<Self, String> {
        let shown = directory.display();
        let failed = |what: &str, e: io::Error| format!("--state-dir {shown}: {what}: {e}");
        let folder = open_folder(directory)?;
        let lock = open_file(directory, LOCK_FILE).map_err(|e| failed("cannot be written", e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "--state-dir {shown}: another coordinator is using it: end that one, or name another directory"
                ));
            }
            Err(TryLockError::Error(e)) => return Err(failed("cannot be locked", e)),
        }
        let mut file =
            open_file(directory, JOURNAL_FILE).map_err(|e| failed("the journal cannot be opened", e))?;
        let unreadable = |e| failed("the journal cannot be read", e);
        let length = file.metadata().map_err(unreadable)?.len();
        let mut magic = vec![0; group::MAGIC.len().min(usize::try_from(length).unwrap_or(usize::MAX))];
        file.read_exact_at(&mut magic, 0).map_err(unreadable)?;
        if let Some(why) = group::foreign(&magic) {
            return Err(format!("--state-dir {shown}: {why}"));
        }
        let whole = reader::read(&file, length, take).map_err(|why| {
            format!("--state-dir {shown}: {why}: keep it for analysis, and name another directory")
        })?;
        let prepare = |file: &mut File| {
            draft::remove_leftover(directory)?;
            file.set_len(whole)?;
            file.seek(SeekFrom::Start(whole))?;
            if whole == 0 {
                file.write_all(group::MAGIC)?;
            }
            file.sync_all()?;
            // The directory entries have to survive a crash, too.
            folder.sync_all()
        };
        prepare(&mut file).map_err(|e| failed("the journal cannot be written", e))?;
        let checkpoint_after_bytes = checkpoint_after_bytes();
        let length = whole.max(group::MAGIC.len() as u64);
        let writer = Writer {
            directory: directory.to_owned(),
            folder,
            checkpoint_after_bytes,
            reserved_bytes: RESERVED_BYTES,
            tail: Mutex::new(Some(Tail { file, length, due: checkpoint_after_bytes })),
            drafting: Mutex::new(()),
        };
        Ok(Self { pending: Vec::new(), writer: Arc::new(writer), _lock: lock })
    }

    /// Append a record made of these parts in memory; it is not on disk yet.
    ///
    /// # Errors
    /// The record is too long.
    pub(crate) fn append(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        self.pending.push(group::record_of(parts)?);
        Ok(())
    }

    /// Everything appended since the last call; only for [`Writer::write`] and [`Writer::replace`].
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
        let mut turn = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let records = take();
        write_groups(&mut turn, &records)
    }

    /// Whether the journal has grown by so much that it should be replaced.
    pub(crate) fn is_checkpoint_due(&self) -> bool {
        let turn = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        turn.as_ref().is_some_and(|tail| tail.length >= tail.due)
    }

    /// The journal that was read begins with a checkpoint of this many bytes: when the next one is due depends
    /// on that.
    pub(crate) fn begins_with_checkpoint(&self, checkpoint_bytes: u64) {
        let mut turn = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tail) = turn.as_mut() {
            tail.due = checkpoint_bytes + self.growth_after(checkpoint_bytes);
        }
    }

    /// By how many bytes a journal grows after a checkpoint of this size until the next one is due.
    fn growth_after(&self, checkpoint_bytes: u64) -> u64 {
        self.checkpoint_after_bytes.max(CHECKPOINT_AFTER_TIMES * checkpoint_bytes)
    }

    /// Replace the journal by one that begins with a checkpoint. `capture` returns everything appended so far
    /// and the state that all records up to then come to; `None`: no checkpoint is wanted. `write` appends
    /// the checkpoint to the draft. Other callers write to the journal meanwhile, and wait only at the end,
    /// while their groups are copied.
    ///
    /// # Errors
    /// As [`Self::write`]: what is on disk is unknown, and nothing more can be written.
    pub(crate) fn replace<S>(
        &self,
        capture: impl FnOnce() -> Option<(Vec<Vec<u8>>, S)>,
        write: impl FnOnce(S, &mut Draft) -> io::Result<()>,
    ) -> io::Result<Replacement> {
        let _one = self.drafting.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, from) = {
            let mut turn = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
            let Some((records, state)) = capture() else { return Ok(Replacement::Unwanted) };
            write_groups(&mut turn, &records)?;
            (state, turn.as_ref().ok_or_else(write_failed)?.length)
        };
        let drafted = Draft::create(&self.directory, self.reserved_bytes).and_then(|mut draft| {
            write(state, &mut draft)?;
            let length = draft.settle()?;
            Ok((draft, length))
        });
        let mut turn = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tail = turn.take().ok_or_else(write_failed)?;
        let replaced = drafted.and_then(|(mut draft, checkpoint_bytes)| {
            draft.copy(&tail.file, from..tail.length)?;
            draft.settle()?;
            let (file, length) = draft.replace(&self.directory.join(JOURNAL_FILE))?;
            Ok(Tail { file, length, due: length + self.growth_after(checkpoint_bytes) })
        });
        match replaced {
            Ok(tail) => {
                // If this fails, which of the two files has the name after a crash is unknown.
                self.folder.sync_all()?;
                *turn = Some(tail);
                Ok(Replacement::Done)
            }
            Err(e) => {
                tail.due = tail.length + self.checkpoint_after_bytes;
                *turn = Some(tail);
                Ok(Replacement::Failed(e))
            }
        }
    }
}

/// Write and sync these records; afterwards `turn` is `None` if that failed.
fn write_groups(turn: &mut Option<Tail>, records: &[Vec<u8>]) -> io::Result<()> {
    let mut rest = records;
    if turn.is_none() {
        return Err(write_failed());
    }
    while !rest.is_empty() {
        let mut tail = turn.take().ok_or_else(write_failed)?;
        let (records, more) = rest.split_at(group::first_group(rest));
        let group = group::of(records);
        tail.file.write_all(&group)?;
        tail.file.sync_data()?;
        tail.length += group.len() as u64;
        (*turn, rest) = (Some(tail), more);
    }
    Ok(())
}

fn write_failed() -> io::Error {
    io::Error::other("an earlier write has failed")
}

/// [`CHECKPOINT_AFTER_BYTES`]; in debug builds `LOADTESTER_CHECKPOINT_BYTES` replaces it, for tests with
/// short runs.
fn checkpoint_after_bytes() -> u64 {
    let wanted = cfg!(debug_assertions).then(|| std::env::var("LOADTESTER_CHECKPOINT_BYTES").ok()).flatten();
    wanted.and_then(|bytes| bytes.parse().ok()).unwrap_or(CHECKPOINT_AFTER_BYTES)
}

/// Open a journal's directory, which is created if needed.
fn open_folder(directory: &Path) -> Result<File, String> {
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
    Ok(folder)
}

fn open_file(directory: &Path, name: &str) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(directory.join(name))
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

#[cfg(test)]
impl Writer {
    /// From which length on a checkpoint is due.
    pub(crate) fn due(&self) -> u64 {
        self.tail.lock().unwrap().as_ref().unwrap().due
    }

    /// A checkpoint is due at once.
    pub(crate) fn make_due(&self) {
        self.tail.lock().unwrap().as_mut().unwrap().due = 0;
    }
}

#[cfg(test)]
impl Journal {
    /// A journal on a full disk.
    pub(crate) fn full() -> Self {
        let open = |name| OpenOptions::new().read(true).write(true).open(name).expect("Linux has one");
        let writer = Writer {
            directory: PathBuf::from("/dev/full"),
            folder: open("/dev/null"),
            checkpoint_after_bytes: u64::MAX,
            reserved_bytes: 0,
            tail: Mutex::new(Some(Tail { file: open("/dev/full"), length: 0, due: u64::MAX })),
            drafting: Mutex::new(()),
        };
        Self { pending: Vec::new(), writer: Arc::new(writer), _lock: open("/dev/null") }
    }
}

#[cfg(test)]
mod tests {
    use super::group::{
        HEAD_BYTES, LENGTH_BYTES, MAGIC, MAX_GROUP_BYTES, MAX_RECORD_BYTES, NAME, first_group,
    };
    use super::*;

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
        bytes[NAME.len()] = b'3';
        std::fs::write(folder.file(), &bytes).unwrap();
        let error = folder.open().unwrap_err();
        assert!(error.contains("format 3") && error.contains("format 4"), "{error}");
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

    /// As many bytes that are no group as make its head lie across the places where a search reads on.
    #[test]
    fn whole_groups_are_found_behind_damage_of_any_length() {
        let folder = Folder::new("far");
        let bytes = filled(&folder, 2);
        let group = &bytes[bytes.len() - HEAD_BYTES - LENGTH_BYTES - 7..];
        for short in 0..=HEAD_BYTES + 1 {
            let damage = vec![0xff; reader::SEARCHED_BYTES + 2 - short];
            let damaged = [MAGIC, &damage[..], group].concat();
            std::fs::write(folder.file(), &damaged).unwrap();
            let error = folder.open().unwrap_err();
            assert!(error.contains(&format!("follow at {}", MAGIC.len() + damage.len())), "{short}: {error}");
            std::fs::write(folder.file(), &damaged[..damaged.len() - 1]).unwrap();
            assert!(folder.open().unwrap().1.is_empty(), "without a whole group it is a torn end");
        }
    }

    fn append(journal: &Mutex<Journal>, record: &[u8]) {
        journal.lock().unwrap().append(&[record]).unwrap();
    }

    fn settle(journal: &Mutex<Journal>) {
        let writer = journal.lock().unwrap().writer();
        writer.write(|| journal.lock().unwrap().take()).unwrap();
    }

    /// A checkpoint of one record, while `meanwhile` happens.
    fn replace(journal: &Mutex<Journal>, checkpoint: &[u8], meanwhile: impl FnOnce()) -> Replacement {
        let writer = journal.lock().unwrap().writer();
        let capture = || Some((journal.lock().unwrap().take(), ()));
        let write = |(), draft: &mut Draft| {
            draft.append(&[checkpoint])?;
            meanwhile();
            Ok(())
        };
        writer.replace(capture, write).unwrap()
    }

    #[test]
    fn a_checkpoint_stands_for_all_before_it_and_what_was_written_meanwhile_follows_it() {
        let folder = Folder::new("replaced");
        let long = filled(&folder, 100).len() as u64;
        let journal = Mutex::new(folder.open().unwrap().0);
        append(&journal, b"in the checkpoint");
        let replaced = replace(&journal, b"checkpoint", || {
            for meanwhile in [b"one", b"two"] {
                append(&journal, meanwhile);
                settle(&journal);
            }
            append(&journal, b"not yet written");
        });
        assert!(matches!(replaced, Replacement::Done));
        assert!(folder.file().metadata().unwrap().len() < long / 10);
        assert_eq!(folder.file().metadata().unwrap().mode() & 0o777, 0o600);
        settle(&journal);
        append(&journal, b"last");
        settle(&journal);
        drop(journal);
        let expected =
            ["checkpoint", "one", "two", "not yet written", "last"].map(|record| record.as_bytes().to_vec());
        assert_eq!(folder.open().unwrap().1, expected);
    }

    /// The journal still has its name, whatever of the draft is on disk; or the draft has it.
    #[test]
    fn a_crash_at_any_point_of_a_checkpoint_leaves_one_of_both_journals() {
        let folder = Folder::new("midway");
        filled(&folder, 4);
        let journal = Mutex::new(folder.open().unwrap().0);
        let mut drafted = Vec::new();
        let draft = folder.0.join(draft::DRAFT_FILE);
        let writer = journal.lock().unwrap().writer();
        let capture = || Some((Vec::new(), ()));
        let write = |(), new: &mut Draft| {
            new.append(&[b"checkpoint"])?;
            new.end_group()?;
            drafted = std::fs::read(&draft)?;
            Err(io::Error::other("a crash"))
        };
        assert!(matches!(writer.replace(capture, write).unwrap(), Replacement::Failed(_)));
        assert!(!draft.exists(), "what failed is removed");
        drop((writer, journal));
        for kept in 0..=drafted.len() {
            std::fs::write(&draft, &drafted[..kept]).unwrap();
            assert_eq!(folder.open().unwrap().1, records(4), "{kept} bytes of the draft");
            assert!(!draft.exists(), "{kept}");
        }
        std::fs::write(&draft, &drafted).unwrap();
        std::fs::rename(&draft, folder.file()).unwrap();
        assert_eq!(folder.open().unwrap().1, [b"checkpoint".to_vec()]);
    }

    #[test]
    fn a_link_in_the_place_of_a_draft_is_removed_and_not_followed() {
        let folder = Folder::new("linked");
        filled(&folder, 2);
        let victim = folder.0.join("victim");
        std::fs::write(&victim, "precious").unwrap();
        let journal = Mutex::new(folder.open().unwrap().0);
        std::os::unix::fs::symlink(&victim, folder.0.join(draft::DRAFT_FILE)).unwrap();
        assert!(matches!(replace(&journal, b"checkpoint", || ()), Replacement::Done));
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
        drop(journal);
        assert_eq!(folder.open().unwrap().1, [b"checkpoint".to_vec()]);
    }

    #[test]
    fn without_a_checkpoint_the_journal_goes_on() {
        let folder = Folder::new("kept");
        filled(&folder, 3);
        let journal = Mutex::new(folder.open().unwrap().0);
        // There can be no draft in place of a directory that is not empty.
        std::fs::create_dir_all(folder.0.join(draft::DRAFT_FILE).join("full")).unwrap();
        append(&journal, b"captured");
        assert!(matches!(replace(&journal, b"checkpoint", || ()), Replacement::Failed(_)));
        append(&journal, b"later");
        settle(&journal);
        let writer = journal.lock().unwrap().writer();
        let unwanted = writer.replace::<()>(|| None, |(), _| unreachable!("there is nothing to write"));
        assert!(matches!(unwanted.unwrap(), Replacement::Unwanted));
        drop((writer, journal));
        std::fs::remove_dir_all(folder.0.join(draft::DRAFT_FILE)).unwrap();
        let expected = [records(3), vec![b"captured".to_vec(), b"later".to_vec()]].concat();
        assert_eq!(folder.open().unwrap().1, expected);
    }

    #[test]
    fn a_checkpoint_is_due_after_a_fixed_growth_and_after_a_multiple_of_the_last_one() {
        let folder = Folder::new("due");
        let mut journal = folder.open().unwrap().0;
        let writer = Arc::get_mut(&mut journal.writer).unwrap();
        writer.checkpoint_after_bytes = 1_000;
        writer.tail.get_mut().unwrap().as_mut().unwrap().due = 1_000;
        let writer = journal.writer();
        let journal = Mutex::new(journal);
        let grow = |bytes: usize| {
            append(&journal, &vec![1; bytes]);
            settle(&journal);
            writer.is_checkpoint_due()
        };
        assert!(!grow(900) && grow(100));
        replace(&journal, b"short", || ());
        assert!(!writer.is_checkpoint_due() && !grow(900) && grow(100));
        replace(&journal, &[1; 10_000], || ());
        assert!(!grow(39_000) && grow(2_000));
    }

    /// Else a journal whose checkpoint is long would be replaced at every start.
    #[test]
    fn after_a_restart_a_checkpoint_is_due_as_it_was_before() {
        let folder = Folder::new("due-again");
        let journal = Mutex::new(folder.open().unwrap().0);
        replace(&journal, &[1; 20_000], || ());
        let read = folder.file().metadata().unwrap().len();
        drop(journal);
        let mut journal = folder.open().unwrap().0;
        Arc::get_mut(&mut journal.writer).unwrap().checkpoint_after_bytes = 1_000;
        let writer = journal.writer();
        writer.begins_with_checkpoint(read);
        let journal = Mutex::new(journal);
        assert!(!writer.is_checkpoint_due());
        for (bytes, is_due) in [(79_000, false), (2_000, true)] {
            append(&journal, &vec![1; bytes]);
            settle(&journal);
            assert_eq!(writer.is_checkpoint_due(), is_due, "{bytes}");
        }
    }

    #[test]
    fn a_checkpoint_is_put_off_before_it_takes_the_space_that_the_journal_needs() {
        let folder = Folder::new("space");
        filled(&folder, 3);
        let mut journal = folder.open().unwrap().0;
        let left = space::left(&journal.writer.folder).expect("this volume says it");
        assert!(left > 0);
        Arc::get_mut(&mut journal.writer).unwrap().reserved_bytes = u64::MAX / 2;
        let journal = Mutex::new(journal);
        match replace(&journal, b"checkpoint", || append(&journal, b"meanwhile")) {
            Replacement::Failed(e) => {
                assert_eq!(e.kind(), io::ErrorKind::StorageFull);
                assert!(e.to_string().contains("MiB left"), "{e}");
            }
            other => panic!("{other:?}"),
        }
        assert!(!folder.0.join(draft::DRAFT_FILE).exists(), "its space is free again");
        assert!(!journal.lock().unwrap().writer().is_checkpoint_due(), "not tried again at once");
        settle(&journal);
        drop(journal);
        assert_eq!(folder.open().unwrap().1, [records(3), vec![b"meanwhile".to_vec()]].concat());
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
        } else {
            let of_another = Journal::open(Path::new("/"), |_| Ok(()));
            assert!(of_another.unwrap_err().contains("belongs to user"));
        }
    }
}
