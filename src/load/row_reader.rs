//! The thread that reads rows of large files for the load threads. It is not pinned: a disk may keep it waiting.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::client::{RowBatch, RowSupply, RunSpec};
use crate::data::LargeTable;

/// How often a file is checked for changes.
const CHECK_EVERY: Duration = Duration::from_millis(200);

/// The load threads' ends of the channels, one for each; empty: all rows are in memory.
pub(crate) type RowChannels = Vec<(Sender<RowBatch>, Receiver<RowBatch>)>;

/// Start the thread, if the plan has a large file. It ends when all load threads have.
///
/// # Errors
/// When the system cannot start a thread.
pub(crate) fn spawn_row_reader(
    spec: &Arc<RunSpec>,
    threads: usize,
) -> io::Result<(RowChannels, Option<JoinHandle<()>>)> {
    let capacity = RowSupply::capacity(spec);
    if capacity == 0 {
        return Ok((Vec::new(), None));
    }
    let (ask, asked) = bounded(capacity * threads);
    let (answers, ends): (Vec<_>, RowChannels) = (0..threads)
        .map(|_| {
            let (answer, read) = bounded(capacity);
            (answer, (ask.clone(), read))
        })
        .unzip();
    let spec = spec.clone();
    let work = move || read_rows(&spec, &asked, &answers);
    Ok((ends, Some(std::thread::Builder::new().name("rows".to_owned()).spawn(work)?)))
}

fn read_rows(spec: &RunSpec, asked: &Receiver<RowBatch>, answers: &[Sender<RowBatch>]) {
    let tables: Vec<Option<&LargeTable>> = spec.plan.data.iter().map(|set| set.large()).collect();
    let mut readers: Vec<_> = tables.iter().map(|table| table.map(LargeTable::reader)).collect();
    let mut checked: Vec<Option<Instant>> = vec![None; tables.len()];
    while let Ok(mut batch) = asked.recv() {
        let set = usize::from(batch.set);
        batch.cells.clear();
        let is_due = checked[set].is_none_or(|at| at.elapsed() >= CHECK_EVERY);
        if is_due {
            checked[set] = Some(Instant::now());
        }
        let is_unchanged = !is_due || tables[set].is_some_and(|table| table.check_unchanged().is_ok());
        batch.failed = !is_unchanged
            || match &mut readers[set] {
                Some(Ok(reader)) => batch.rows.iter().any(|row| reader.read(*row, &mut batch.cells).is_err()),
                _ => true,
            };
        // A thread that has ended takes nothing.
        let thread = batch.thread;
        let _ = answers[thread].try_send(batch);
    }
}
