//! A place for Unix sockets, whose paths have at most 107 bytes: the folder of the repository may be deeper.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder with a short path, removed when dropped.
pub struct SocketDir(PathBuf);

impl SocketDir {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Not the environment's TMPDIR: that may be deep, too.
        let name = format!("/tmp/loadtester-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        fs::create_dir(&name).expect("a folder in /tmp");
        Self(name.into())
    }

    /// The path of a socket in it.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for SocketDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
