//! The end of a run: prints the summary, writes report files and CI annotations, and selects the exit code.
//!
//! The summary goes to standard output, unless a report does (`--report -`). Then it goes to standard error,
//! so that the pipe has the report alone. With `--log-format json` it is one message there, without color.
//! Annotations are never part of a message: GitHub reads only lines that begin with `::`.

use std::io::{self, IsTerminal, Write};

use super::github::Job;
use super::timing::wall_clock;
use super::{Exit, Failure, log, report_files};
use crate::cli::{Options, Report};
use crate::report::figures::{Threshold, Verdict};
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
/// A report cannot be written; the summary is printed all the same.
pub(crate) fn conclude(options: &Options, shared: &SharedSnapshot) -> Result<Exit, Failure> {
    let job = Job::from_environment();
    let to_stdout = options.reports.iter().any(|report| report.path().is_none());
    let is_message = to_stdout && log::is_json();
    let terminal = if to_stdout { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
    let color = terminal && !is_message && !options.no_color && !no_color_asked();
    let output = shared.read(|snapshot| render(options, snapshot, color, job.is_some()));
    let mut words = if options.quiet && to_stdout { String::new() } else { output.summary };
    if is_message && !words.is_empty() {
        log::info(words.trim_end());
        words.clear();
    }
    words += &output.annotations;
    // A closed pipe does not keep the reports from being written.
    let _ = if to_stdout {
        io::stderr().write_all(words.as_bytes())
    } else {
        io::stdout().write_all(words.as_bytes())
    };
    if let Some(Err(message)) = job.map(|job| job.summarise(&output.job_summary)) {
        log::note(&message);
    }
    for (report, text) in options.reports.iter().zip(&output.reports) {
        put(report, text).map_err(|e| Failure::incomplete(format!("--report {report}: not written: {e}")))?;
    }
    Ok(output.exit)
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
    let output = shared.read(|snapshot| render(options, snapshot, false, false));
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
        None => io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()),
    }
}

/// The convention of no-color.org: set and not empty.
fn no_color_asked() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

fn render(options: &Options, snapshot: &Snapshot, color: bool, in_job: bool) -> FinalOutput {
    let instrument = snapshot.instrument();
    let thresholds = Threshold::all(snapshot);
    let for_job = |draw: fn(&Snapshot, &InstrumentFigures, &[Threshold]) -> String| {
        if in_job { draw(snapshot, &instrument, &thresholds) } else { String::new() }
    };
    FinalOutput {
        summary: terminal::summary(snapshot, &instrument, color, terminal::DEFAULT_WIDTH),
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
