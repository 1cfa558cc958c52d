//! Serializes calls to a coordinator, and holds answers back until their records are on disk.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::CoordinatorService;
use crate::fleet::Refusal;
use crate::journal::{Journal, Replacement, Writer};

/// A coordinator's service behind a lock.
pub(crate) struct ServiceHandle {
    service: Mutex<CoordinatorService>,
    /// Writes the journal to disk without holding the lock.
    writer: Option<Arc<Writer>>,
    /// Whether a journal failure was already returned by [`Self::let_leave`].
    is_failure_reported: AtomicBool,
}

impl ServiceHandle {
    pub(crate) fn new(service: CoordinatorService) -> Self {
        let writer = service.journal.as_ref().map(Journal::writer);
        Self { service: Mutex::new(service), writer, is_failure_reported: AtomicBool::new(false) }
    }

    /// Run `act` under the lock.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut CoordinatorService) -> T) -> T {
        act(&mut self.service.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Write everything journaled so far to disk. Other calls proceed meanwhile, but none of their answers
    /// may leave before a later call of this has returned.
    ///
    /// # Errors
    /// It cannot be written; the run is stopped then.
    pub(crate) fn settle(&self) -> Result<(), Refusal> {
        let Some(writer) = &self.writer else { return Ok(()) };
        let unwritten = || self.with(|service| service.journal.as_mut().map_or(Vec::new(), Journal::take));
        writer.write(unwritten).map_err(|e| {
            self.fail(&e);
            Refusal::JournalFailed
        })
    }

    /// Whether the journal has grown so long that it should begin anew with [`Self::checkpoint`].
    pub(super) fn is_checkpoint_due(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| writer.is_checkpoint_due())
    }

    /// Begin the journal anew with a checkpoint. Calls proceed and are settled meanwhile. If the checkpoint
    /// cannot be written, the journal goes on as it was; if what is on disk is unknown, the run is stopped.
    pub(crate) fn checkpoint(&self) {
        let Some(writer) = &self.writer else { return };
        let capture = || {
            self.with(|service| {
                let checkpoint = service.checkpoint()?;
                Some((service.journal.as_mut().map_or(Vec::new(), Journal::take), checkpoint))
            })
        };
        match writer.replace(capture, |checkpoint, draft| checkpoint.write(draft)) {
            Ok(Replacement::Done | Replacement::Unwanted) => {}
            Ok(Replacement::Failed(e)) => self.with(|service| {
                service
                    .say(&format!("--state-dir: no checkpoint could be written, so the journal grows: {e}"));
            }),
            Err(e) => self.fail(&e),
        }
    }

    fn fail(&self, e: &io::Error) {
        self.with(|service| {
            service.journal_failed(&format!("--state-dir: the journal cannot be written: {e}"));
        });
    }

    /// Like [`Self::settle`], for the answers drawn since the last call: on success they may leave. The first
    /// failure is returned, so that those answers are replaced by it. Later ones are not: answers drawn by
    /// then already report the failure.
    ///
    /// # Errors
    /// As [`Self::settle`], once.
    pub(crate) fn let_leave(&self) -> Result<(), Refusal> {
        let settled = self.settle();
        let was_reported = settled.is_err() && self.is_failure_reported.swap(true, Ordering::Relaxed);
        if was_reported { Ok(()) } else { settled }
    }
}

/// Bounds the journal's length by checkpoints, on a thread of their own: a slow volume takes seconds, and the
/// main thread has signals and thresholds to look at. Dropped, it waits for the one being written.
pub(crate) struct Checkpointer {
    handle: Arc<ServiceHandle>,
    running: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(crate) fn new(handle: Arc<ServiceHandle>) -> Self {
        Self { handle, running: None }
    }

    /// Begin a checkpoint if one is due and none is being written.
    pub(crate) fn look(&mut self) {
        if self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        self.join();
        if self.handle.is_checkpoint_due() {
            let handle = self.handle.clone();
            let begun = thread::Builder::new().name("checkpoint".into()).spawn(move || handle.checkpoint());
            // Without a thread, the next look tries again.
            self.running = begun.ok();
        }
    }

    fn join(&mut self) {
        if let Some(running) = self.running.take() {
            // If it panicked, the writer knows, and nothing more can be written.
            let _ = running.join();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.join();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::RunDir;
    use super::*;

    #[test]
    fn the_main_thread_goes_on_while_a_checkpoint_is_written_and_waits_for_it_at_the_end() {
        let run_dir = RunDir::new("checkpointer");
        let handle = Arc::new(ServiceHandle::new(run_dir.service(true)));
        handle.settle().unwrap();
        let mut checkpointer = Checkpointer::new(handle.clone());
        checkpointer.look();
        assert!(checkpointer.running.is_none(), "none is due");
        let writer = handle.writer.clone().unwrap();
        writer.make_due();
        // The checkpoint waits for this lock: on this thread it would wait for ever.
        handle.with(|_| {
            checkpointer.look();
            checkpointer.look();
            assert!(checkpointer.running.as_ref().is_some_and(|running| !running.is_finished()));
        });
        drop(checkpointer);
        assert!(writer.due() > 0, "it is done");
        let journal = std::fs::read(run_dir.0.join("state/journal")).unwrap();
        let begins = String::from_utf8_lossy(&journal[..200]).into_owned();
        assert!(begins.contains("checkpoint") || begins.contains("piece"), "{begins}");
    }
}
