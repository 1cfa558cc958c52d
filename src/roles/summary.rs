//! The end of a run: the summary, the report files, the exit code.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::Exit;
use super::standalone::Failure;
use crate::cli::Options;
use crate::collector::Board;
use crate::report::figures::Verdict;
use crate::report::{json, terminal};

/// Open every report file for writing before a request is sent: a result that cannot be kept is not
/// worth making. Existing files keep their content until there is a result.
///
/// # Errors
/// Which file, why, and the flag to change.
pub fn check_writable(reports: &[PathBuf]) -> Result<(), String> {
    reports.iter().try_for_each(|path| {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        opened.map(drop).map_err(|e| format!("--report {}: cannot be written: {e}", path.display()))
    })
}

/// Print the summary, write the reports, and choose the exit code.
///
/// # Errors
/// When a report cannot be written; the summary is printed all the same.
pub fn conclude(options: &Options, board: &Board) -> Result<Exit, Failure> {
    let (summary, report, exit) = board.read(|snapshot| {
        let instrument = snapshot.instrument();
        let colour = !options.no_color && io::stdout().is_terminal();
        let summary = terminal::summary(snapshot, &instrument, colour, terminal::DEFAULT_WIDTH);
        let report = (!options.reports.is_empty()).then(|| json::report(snapshot, &instrument));
        let exit = match Verdict::of(snapshot, &instrument) {
            Verdict::Interrupted => Exit::Interrupted,
            Verdict::Incomplete => Exit::Incomplete,
            Verdict::Failed => Exit::Failed,
            Verdict::Inconclusive => Exit::Inconclusive,
            Verdict::Passed if options.strict && !instrument.trustworthy => Exit::Inconclusive,
            Verdict::Passed => Exit::Passed,
        };
        (summary, report, exit)
    });
    if !options.quiet {
        // A closed pipe at the other end takes nothing from the reports.
        let _ = io::stdout().write_all(summary.as_bytes());
    }
    for path in &options.reports {
        write(path, report.as_deref().unwrap_or_default())
            .map_err(|e| Failure::incomplete(format!("--report {}: not written: {e}", path.display())))?;
    }
    Ok(exit)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.flush()
}
