//! Messages on standard error: lines for people, or with `--log-format json` one JSON object a line.
//!
//! The process has one standard error, so what applies to it is global: the format, the run and the worker.

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::LogFormat;

static IS_JSON: AtomicBool = AtomicBool::new(false);
static CONTEXT: Mutex<Context> = Mutex::new(Context { run: None, worker: None });

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
    // Standard error may be gone; the run goes on.
    let _ = writeln!(std::io::stderr(), "{line}");
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
