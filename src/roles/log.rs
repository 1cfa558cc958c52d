//! Messages on standard error: lines for people, or with `--log-format json` one JSON object a line.
//!
//! The process has one standard error, so what applies to it is global: the format, the run and the worker, and
//! whether the live view has the terminal. Then messages are held back until it ends; the view shows the newest.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::LogFormat;

static IS_JSON: AtomicBool = AtomicBool::new(false);
static CONTEXT: Mutex<Context> = Mutex::new(Context { run: None, worker: None });

static MESSAGES: Mutex<Messages> = Mutex::new(Messages { recent: VecDeque::new(), held: None, forgotten: 0 });
/// Messages that the live view can show.
const MOST_RECENT: usize = 8;
/// Messages that are held back; older ones are forgotten.
const MOST_HELD: usize = 1_000;

/// What was said.
struct Messages {
    recent: VecDeque<String>,
    /// What is printed later; `None`: messages are printed at once.
    held: Option<VecDeque<String>>,
    forgotten: u64,
}

/// Which run and which worker messages are about.
#[derive(Clone, Default)]
struct Context {
    run: Option<String>,
    worker: Option<u32>,
}

/// How grave a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Info,
    Warning,
    Error,
}

/// One message.
#[derive(Serialize)]
struct Entry<'a> {
    time: String,
    level: Level,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<u32>,
}

/// From now on, write messages in this format.
pub fn write_as(format: LogFormat) {
    IS_JSON.store(format == LogFormat::Json, Ordering::Relaxed);
}

/// Whether messages are JSON objects.
pub(crate) fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// From now on, messages are about this run, and are of this worker if it is one.
pub(crate) fn of_run(run: &dyn std::fmt::Display, worker: Option<u32>) {
    let context = Context { run: Some(run.to_string()), worker };
    *CONTEXT.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = context;
}

/// Why the program ends.
pub fn error(message: &str) {
    write(Level::Error, "loadtester: ", message);
}

/// What may make a result worthless.
pub(crate) fn warning(message: &str) {
    write(Level::Warning, "warning: ", message);
}

/// What somebody may want to change.
pub(crate) fn note(message: &str) {
    write(Level::Warning, "note: ", message);
}

/// What goes on.
pub(crate) fn info(message: &str) {
    write(Level::Info, "", message);
}

fn write(level: Level, prefix: &str, message: &str) {
    let line = if is_json() { line(level, message) } else { format!("{prefix}{message}") };
    let mut messages = MESSAGES.lock().unwrap_or_else(PoisonError::into_inner);
    messages.recent.extend(line.lines().map(str::to_owned));
    while messages.recent.len() > MOST_RECENT {
        messages.recent.pop_front();
    }
    match &mut messages.held {
        Some(held) => {
            held.push_back(line);
            if held.len() > MOST_HELD {
                held.pop_front();
                messages.forgotten += 1;
            }
        }
        None => print(&line),
    }
}

fn print(line: &str) {
    // Standard error may be gone; the run goes on.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// From now on, hold messages back.
pub(crate) fn hold() {
    MESSAGES.lock().unwrap_or_else(PoisonError::into_inner).held.get_or_insert_default();
}

/// Print what was held back, and from now on every message at once.
pub(crate) fn release() {
    MESSAGES.lock().unwrap_or_else(PoisonError::into_inner).release();
}

/// The same in a panic, which may have come in the middle of a message: then nothing happens.
pub(crate) fn release_if_free() {
    if let Ok(mut messages) = MESSAGES.try_lock() {
        messages.release();
    }
}

impl Messages {
    fn release(&mut self) {
        if let forgotten @ 1.. = std::mem::take(&mut self.forgotten) {
            print(&format!("({forgotten} earlier messages are left out)"));
        }
        self.held.take().into_iter().flatten().for_each(|line| print(&line));
    }
}

/// The newest messages, the latest one last.
pub(crate) fn recent() -> Vec<String> {
    MESSAGES.lock().unwrap_or_else(PoisonError::into_inner).recent.iter().cloned().collect()
}

/// `message` of level info in the format of the process.
pub(crate) fn info_line(message: &str) -> String {
    if is_json() { line(Level::Info, message) } else { message.to_owned() }
}

fn line(level: Level, message: &str) -> String {
    let Context { run, worker } = CONTEXT.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
    let time = format!("{:.3}", Timestamp::now());
    let entry = Entry { time, level, message, run, worker };
    serde_json::to_string(&entry).expect("texts and numbers have a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_is_in_it() {
        let text = line(Level::Error, "two\nlines and \"quotes\"");
        assert_eq!(text.lines().count(), 1);
        let entry: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&entry["level"], &entry["message"]),
            (&"error".into(), &"two\nlines and \"quotes\"".into())
        );
        assert!(entry["time"].as_str().is_some_and(|time| time.ends_with('Z') && time.len() == 24), "{text}");
    }
}
