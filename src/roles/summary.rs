//! The end of a run: prints the summary, writes report files and CI annotations, and selects the exit code.
//!
//! The summary goes to standard output, unless a report does (`--report -`). Then it goes to standard error,
//! so that the pipe has the report alone. With `--log-format json` it is one message there, without color.
//! Annotations are never part of a message: GitHub reads only lines that begin with `::`.
//!
//! A result that nobody can read is no result: if the summary or a report cannot be written, the exit code is that
//! of a run that could not be carried out.

use std::io::{self, IsTerminal, Write};

use super::github::Job;
use super::timing::wall_clock;
use super::{Exit, Failure, log, report_files, tty};
use crate::cli::{Options, Report};
use crate::report::figures::{Threshold, Verdict};
use crate::report::terminal::{DEFAULT_WIDTH, Layout};
use crate::report::{InstrumentFigures, file, github, terminal};
use crate::run::{Ending, RunInfo, SharedSnapshot, Snapshot};

/// Check that every report can be written, before any request is sent.
///
/// # Errors
/// The file, the reason, and the flag to change.
pub(crate) fn check_writable(options: &Options) -> Result<(), String> {
    report_files::check_writable(options.reports.iter().filter_map(|report| report.path()))
}

/// All final output, drawn from one snapshot.
struct FinalOutput {
    summary: String,
    reports: Vec<String>,
    annotations: String,
    job_summary: String,
    exit: Exit,
}

/// Print the summary, write the reports, and choose the exit code.
///
/// # Errors
/// The summary or a report cannot be written; the others are written all the same.
pub(crate) fn conclude(options: &Options, shared: &SharedSnapshot) -> Result<Exit, Failure> {
    let job = Job::from_environment();
    let to_stderr = options.reports.iter().any(|report| report.path().is_none());
    let is_message = to_stderr && log::is_json();
    let layout = layout(options, to_stderr, is_message);
    let output = shared.read(|snapshot| render(options, snapshot, layout, job.is_some()));
    let mut words = output.summary;
    if is_message {
        log::info(words.trim_end());
        words.clear();
    }
    words += &output.annotations;
    let printed = match to_stderr {
        true => io::stderr().write_all(words.as_bytes()).map_err(|e| ("standard error", e)),
        false => print(&words).map_err(|e| ("standard output", e)),
    };
    if let Some(Err(message)) = job.map(|job| job.summarise(&output.job_summary)) {
        log::note(&message);
    }
    let mut unwritten: Vec<String> = Vec::new();
    unwritten.extend(printed.err().map(|(place, e)| format!("summary: not written to {place}: {e}")));
    for (report, text) in options.reports.iter().zip(&output.reports) {
        unwritten.extend(put(report, text).err().map(|e| format!("--report {report}: not written: {e}")));
    }
    if unwritten.is_empty() { Ok(output.exit) } else { Err(Failure::incomplete(unwritten.join("\n"))) }
}

/// How the summary looks where it goes.
fn layout(options: &Options, to_stderr: bool, is_message: bool) -> Layout {
    let is_terminal = if to_stderr { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
    let is_terminal = is_terminal && !is_message;
    let size = if to_stderr { tty::size(io::stderr()) } else { tty::size(io::stdout()) };
    Layout {
        width: match size.filter(|_| is_terminal) {
            Some((columns, _)) => columns,
            None => tty::columns_asked().unwrap_or(DEFAULT_WIDTH),
        },
        color: is_terminal && tty::wants_color(options),
        glyphs: tty::glyphs(),
        verdict_last: is_terminal,
    }
}

/// Print all that `what` has to say on standard output.
///
/// # Errors
/// It cannot be written.
pub(crate) fn print_all(what: &str, text: &str) -> Result<(), Failure> {
    print(text).map_err(|e| Failure::incomplete(format!("{what}: not written to standard output: {e}")))
}

/// Write to standard output and see that it arrives.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
}

/// The run failed: write the reason into every requested report, so that a file of an earlier run is not
/// mistaken for this one's. Returns `failure` for printing.
pub(crate) fn fail(options: &Options, shared: &SharedSnapshot, failure: Failure) -> Failure {
    // These two write no reports.
    if options.check || options.once {
        return failure;
    }
    let interrupted = failure.exit == Exit::Interrupted;
    let ending = if interrupted { Ending::Interrupted } else { Ending::Incomplete };
    shared.update(|s| s.fail(ending, failure.message.clone()));
    let job = Job::from_environment();
    let output =
        shared.read(|snapshot| render(options, snapshot, layout(options, true, true), job.is_some()));
    if let Some(job) = job {
        // Where it cannot be printed, the exit code still tells.
        let _ = io::stderr().write_all(output.annotations.as_bytes());
        if let Err(message) = job.summarise(&output.job_summary) {
            log::note(&message);
        }
    }
    // Print why the run failed, not that a report could not be written.
    options.reports.iter().zip(&output.reports).for_each(|(report, text)| drop(put(report, text)));
    failure
}

/// Like `fail`, for a command line that could not be parsed: `options` has the reports it names.
pub fn fail_unread(options: &Options, failure: Failure) -> Failure {
    let snapshot = Snapshot::new(RunInfo::unknown(), 0, wall_clock());
    fail(options, &SharedSnapshot::new(snapshot), failure)
}

fn put(report: &Report, text: &str) -> io::Result<()> {
    match report.path() {
        Some(path) => report_files::write(path, text),
        None => print(text),
    }
}

fn render(options: &Options, snapshot: &Snapshot, layout: Layout, in_job: bool) -> FinalOutput {
    let instrument = snapshot.instrument();
    let thresholds = Threshold::all(snapshot);
    let for_job = |draw: fn(&Snapshot, &InstrumentFigures, &[Threshold]) -> String| {
        if in_job { draw(snapshot, &instrument, &thresholds) } else { String::new() }
    };
    FinalOutput {
        summary: terminal::summary_in(snapshot, &instrument, layout),
        reports: options
            .reports
            .iter()
            .map(|report| file(report.format, snapshot, &instrument, &thresholds))
            .collect(),
        annotations: for_job(github::annotations),
        job_summary: for_job(github::summary),
        exit: exit(snapshot, &instrument),
    }
}

fn exit(snapshot: &Snapshot, instrument: &InstrumentFigures) -> Exit {
    match Verdict::of(snapshot, instrument) {
        Verdict::Interrupted => Exit::Interrupted,
        Verdict::Incomplete => Exit::Incomplete,
        Verdict::Failed => Exit::Failed,
        Verdict::Inconclusive => Exit::Inconclusive,
        Verdict::Passed => Exit::Passed,
    }
}
