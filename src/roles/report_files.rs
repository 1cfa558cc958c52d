//! Writes report files whole or not at all.
//!
//! A report is written to a temporary file next to its destination and then renamed, so that readers see the
//! old file or the new one, never half of one, and an earlier result stays until it is replaced. Anything but
//! a regular file (a pipe, a device) is written directly.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Check that every report can be written before any request is sent: a result that cannot be kept is not
/// worth making. Changes no file.
///
/// # Errors
/// The file, the reason, and the flag to change.
pub(crate) fn check_writable<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), String> {
    paths.into_iter().try_for_each(|path| {
        check(path).map_err(|e| format!("--report {}: cannot be written: {e}", path.display()))
    })
}

fn check(path: &Path) -> io::Result<()> {
    match Place::of(path)? {
        Place::Special => Ok(()),
        Place::File { at, existing } => {
            if existing.is_some() {
                OpenOptions::new().append(true).open(&at)?;
            }
            let beside = beside(&at);
            create(&beside)?;
            fs::remove_file(&beside)
        }
    }
}

/// Write `text` to `path`.
///
/// # Errors
/// The system's error; the old content of `path` is then still there.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let (at, existing) = match Place::of(path)? {
        Place::Special => return OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes()),
        Place::File { at, existing } => (at, existing),
    };
    let beside = beside(&at);
    let written = write_whole(&beside, text, existing).and_then(|()| fs::rename(&beside, &at));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_whole(path: &Path, text: &str, permissions: Option<fs::Permissions>) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(permissions.unwrap_or_else(usual_permissions))?;
    // On disk before it replaces the old file: a crash leaves one of the two.
    file.sync_all()
}

/// Create a new file that no other user can read while it is written.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// The mode of a new file under this process's umask.
fn usual_permissions() -> fs::Permissions {
    // umask(2) can only be read by changing it, for all threads.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    let umask = umask.and_then(|text| u32::from_str_radix(text.trim(), 8).ok()).unwrap_or(0o077);
    fs::Permissions::from_mode(0o666 & !umask)
}

/// The kind of file at a report's path.
enum Place {
    /// A regular file, or none yet: its resolved path, and its permissions if it exists.
    File { at: PathBuf, existing: Option<fs::Permissions> },
    /// A pipe or a device: it cannot be replaced, only written to.
    Special,
}

impl Place {
    fn of(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            Ok(there) if there.is_file() => {
                Ok(Self::File { at: fs::canonicalize(path)?, existing: Some(there.permissions()) })
            }
            Ok(_) => Ok(Self::Special),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Ok(Self::File { at: path.to_owned(), existing: None })
            }
            Err(e) => Err(e),
        }
    }
}

/// A unique name in the same directory, and so on the same file system.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}-{:08x}.tmp", std::process::id(), fastrand::u32(..)));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("loadtester-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<OsString> {
            let mut names: Vec<_> = fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn an_earlier_report_stays_until_there_is_another_and_keeps_its_permissions() {
        let folder = Folder::new("earlier");
        let path = folder.0.join("a.json");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        check_writable([path.as_path()]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        write(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(folder.names(), ["a.json"]);
    }

    #[test]
    fn what_lies_beside_a_report_is_neither_followed_nor_taken_over() {
        let folder = Folder::new("beside");
        let (victim, beside) = (folder.0.join("victim"), folder.0.join("beside"));
        fs::write(&victim, "kept").unwrap();
        symlink(&victim, &beside).unwrap();
        assert!(write_whole(&beside, "new", None).is_err() && write_whole(&victim, "new", None).is_err());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
        let secret = create(&folder.0.join("new")).unwrap();
        assert_eq!(secret.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let (report, usual) = (folder.0.join("a.json"), folder.0.join("usual"));
        write(&report, "new").unwrap();
        fs::write(&usual, "new").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&report), mode(&usual));
    }

    #[test]
    fn a_check_leaves_nothing_behind_and_names_the_flag_when_it_fails() {
        let folder = Folder::new("check");
        check_writable([folder.0.join("new.json").as_path()]).unwrap();
        assert!(folder.names().is_empty());
        let error = check_writable([folder.0.join("none/new.json").as_path()]).unwrap_err();
        assert!(error.starts_with("--report "), "{error}");
        assert!(check_writable([folder.0.as_path()]).is_err(), "a directory");
    }

    #[test]
    fn links_are_followed_and_devices_are_not_replaced() {
        let folder = Folder::new("links");
        let (real, link) = (folder.0.join("real.json"), folder.0.join("link.json"));
        fs::write(&real, "old").unwrap();
        symlink(&real, &link).unwrap();
        write(&link, "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        check_writable([Path::new("/dev/null")]).unwrap();
        write(Path::new("/dev/null"), "gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
