//! The state of a run where many read it.

use std::sync::{Mutex, PoisonError};

use super::snapshot::Snapshot;

/// Where the collector publishes and everybody else reads. Load threads never touch it, so a slow
/// reader delays the picture, not the load.
#[derive(Debug)]
pub struct SharedSnapshot(Mutex<Snapshot>);

impl SharedSnapshot {
    /// Publish `snapshot`.
    pub fn new(snapshot: Snapshot) -> Self {
        Self(Mutex::new(snapshot))
    }

    /// Look at the picture; draw into memory and write it out after this returns.
    pub fn read<T>(&self, look: impl FnOnce(&Snapshot) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Change the picture.
    pub fn update<T>(&self, change: impl FnOnce(&mut Snapshot) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
