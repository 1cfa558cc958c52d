//! Shared access to the state of a run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::snapshot::Snapshot;

/// The snapshot that the collector publishes and all others read. Load threads never touch it, so a slow
/// reader delays the snapshot, not the load.
#[derive(Debug)]
pub struct SharedSnapshot(Mutex<Arc<Snapshot>>);

impl SharedSnapshot {
    /// Share `snapshot`.
    pub fn new(snapshot: Snapshot) -> Self {
        Self(Mutex::new(Arc::new(snapshot)))
    }

    /// Read the current snapshot. Blocks no writer: changes made meanwhile go to a copy.
    pub fn read<T>(&self, look: impl FnOnce(&Snapshot) -> T) -> T {
        look(&self.current())
    }

    /// The current snapshot, to look at later.
    pub(crate) fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.lock())
    }

    /// Change the snapshot; it is copied only if a reader holds it.
    pub fn update<T>(&self, change: impl FnOnce(&mut Snapshot) -> T) -> T {
        change(Arc::make_mut(&mut self.lock()))
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Snapshot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunInfo;

    #[test]
    fn a_reader_keeps_its_picture_and_the_writer_does_not_wait() {
        let shared = SharedSnapshot::new(Snapshot::new(RunInfo::unknown(), 0, 0.0));
        shared.read(|before| {
            // With a lock held by the reader this would deadlock.
            let free = shared.0.try_lock().is_ok();
            assert!(free, "the reader holds nobody up");
            shared.update(|snapshot| snapshot.elapsed_ns = 7);
            assert_eq!(before.elapsed_ns, 0);
        });
        assert_eq!(shared.read(|snapshot| snapshot.elapsed_ns), 7);
        let place = |shared: &SharedSnapshot| shared.read(std::ptr::from_ref);
        let before = place(&shared);
        shared.update(|snapshot| snapshot.elapsed_ns = 8);
        assert_eq!(place(&shared), before, "nothing is copied when nobody reads");
    }
}
