//! Tests that this machine cannot run: listed in one line at the end of their suite, and a failure where
//! `CI=true`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Why a test cannot run: what is missing here, and how to get it.
#[derive(Debug)]
pub struct Skipped(pub String);

/// The skipped tests by reason.
static SKIPPED: Mutex<BTreeMap<String, Vec<String>>> = Mutex::new(BTreeMap::new());

/// Note that the test `name` cannot run.
///
/// # Panics
/// Where `CI=true`: there nothing may be missing.
pub fn skip(name: &str, Skipped(why): &Skipped) {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!is_ci, "{name} cannot run, and with CI=true that is a failure: {why}");
    let mut skipped = SKIPPED.lock().unwrap_or_else(PoisonError::into_inner);
    if skipped.is_empty() {
        // libtest has no hook for the end of a suite, and ends the process itself.
        // SAFETY: the function is there for as long as the process is, and does not unwind.
        unsafe { libc::atexit(list) };
    }
    skipped.entry(why.clone()).or_default().push(name.to_owned());
}

/// What the running libtest test needs; where that is not there, the test is noted as skipped.
pub fn needed<T>(found: Result<T, Skipped>) -> Option<T> {
    let thread = std::thread::current();
    found.inspect_err(|why| skip(thread.name().unwrap_or_default(), why)).ok()
}

/// Print all skipped tests in one line, past libtest, which would take it for the output of a test.
extern "C" fn list() {
    let skipped = SKIPPED.lock().unwrap_or_else(PoisonError::into_inner);
    let count: usize = skipped.values().map(Vec::len).sum();
    let reasons: Vec<_> = skipped.iter().map(|(why, names)| format!("{why}: {}", names.join(", "))).collect();
    let _ = writeln!(std::io::stderr(), "skipped {count}: {}", reasons.join("; "));
}

/// A program of the machine, or how to install it.
pub fn program(name: &str, package: &str) -> Result<PathBuf, Skipped> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where Debian puts servers, which is on no ordinary user's path.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| Skipped(format!("`{name}` is not installed (apt-get install {package})")))
}
