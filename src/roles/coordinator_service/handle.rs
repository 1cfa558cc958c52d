//! Serializes calls to a coordinator, and holds answers back until their records are on disk.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::CoordinatorService;
use crate::fleet::Refusal;
use crate::journal::{Journal, Writer};

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
            self.with(|service| {
                service.journal_failed(&format!("--state-dir: the journal cannot be written: {e}"))
            });
            Refusal::JournalFailed
        })
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
