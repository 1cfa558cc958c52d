//! A data file on disk.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::data::{Source, sha256_of};

/// A file that stays open while its rows are used.
#[derive(Debug)]
pub(crate) struct DataFile {
    file: File,
    path: PathBuf,
    at_first: Identity,
    sha256: OnceLock<String>,
}

/// What changes with a file's content, or when another file takes its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl DataFile {
    /// `file`, which was opened at `path` and has this metadata.
    pub(super) fn new(file: File, path: PathBuf, metadata: &Metadata) -> Self {
        Self { file, path, at_first: Identity::of(metadata), sha256: OnceLock::new() }
    }
}

impl Source for DataFile {
    fn bytes(&self) -> u64 {
        self.at_first.bytes
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, String> {
        let mut read = 0;
        while read < buffer.len() {
            match self.file.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(n) => read += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(read)
    }

    fn sha256(&self) -> Result<String, String> {
        if let Some(known) = self.sha256.get() {
            return Ok(known.clone());
        }
        let sha256 = sha256_of(self)?;
        Ok(self.sha256.get_or_init(|| sha256).clone())
    }

    fn check_unchanged(&self) -> Result<(), String> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) if Identity::of(&metadata) == self.at_first => Ok(()),
            Ok(_) => Err("has changed".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_cut_changed_replaced_or_gone_is_noticed() {
        let path = std::env::temp_dir().join(format!("loadtester-data-file-{}", std::process::id()));
        let changes: [fn(&PathBuf); 4] = [
            |path| File::options().write(true).open(path).unwrap().set_len(3).unwrap(),
            |path| {
                let file = File::options().write(true).open(path).unwrap();
                file.write_at(b"x", 0).unwrap();
                file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            },
            |path| {
                let other = path.with_extension("new");
                std::fs::write(&other, "id\n1\n").unwrap();
                std::fs::rename(other, path).unwrap();
            },
            |path| std::fs::remove_file(path).unwrap(),
        ];
        for change in changes {
            std::fs::write(&path, "id\n1\n").unwrap();
            let file = File::open(&path).unwrap();
            let metadata = file.metadata().unwrap();
            let file = DataFile::new(file, path.clone(), &metadata);
            let mut buffer = [0; 9];
            assert_eq!((file.read_at(3, &mut buffer), &buffer[..2], file.bytes()), (Ok(2), &b"1\n"[..], 5));
            assert_eq!(file.check_unchanged(), Ok(()));
            change(&path);
            assert!(file.check_unchanged().is_err());
        }
    }
}
