//! One call at a time to a coordinator, and when its answers may leave.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::CoordinatorService;
use crate::fleet::Refusal;
use crate::journal::{Journal, Writer};

/// A coordinator's service, for one caller at a time.
pub(crate) struct ServiceHandle {
    service: Mutex<CoordinatorService>,
    /// What takes the journal to the disk, without holding the service up.
    writer: Option<Arc<Writer>>,
    /// Whoever answers calls knows that nothing can be written any more.
    is_failure_reported: AtomicBool,
}

impl ServiceHandle {
    /// Nobody has had a turn yet.
    pub(crate) fn new(service: CoordinatorService) -> Self {
        let writer = service.journal.as_ref().map(Journal::writer);
        Self { service: Mutex::new(service), writer, is_failure_reported: AtomicBool::new(false) }
    }

    /// One at a time.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut CoordinatorService) -> T) -> T {
        act(&mut self.service.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Have on the disk what was taken in before. Others have their turns meanwhile, but none of their
    /// answers may leave before a later call of this has come back.
    ///
    /// # Errors
    /// When it can not be written: the run is stopped then.
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

    /// The same for answers that were drawn since the last call of this: they may leave if all is well. After a
    /// failure those leave that were drawn when it was known, and say so; nothing before.
    ///
    /// # Errors
    /// As [`Self::settle`], once.
    pub(crate) fn let_leave(&self) -> Result<(), Refusal> {
        let settled = self.settle();
        let was_reported = settled.is_err() && self.is_failure_reported.swap(true, Ordering::Relaxed);
        if was_reported { Ok(()) } else { settled }
    }
}
