//! Serializes calls to a coordinator, and holds answers back until their records are on disk.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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

    /// Begin the journal anew with a checkpoint if it has grown long; see [`Self::checkpoint`].
    pub(crate) fn bound_journal(&self) {
        if self.writer.as_ref().is_some_and(|writer| writer.is_checkpoint_due()) {
            self.checkpoint();
        }
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
