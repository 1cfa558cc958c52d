//! SIGINT and SIGTERM: the first asks the run to end well, the second ends it at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::Exit;

/// How often we were asked to end.
#[derive(Clone, Debug, Default)]
pub struct Interrupts(Arc<AtomicUsize>);

impl Interrupts {
    /// Listen from now on.
    ///
    /// # Errors
    /// When the system refuses the handlers.
    pub fn listen() -> io::Result<Self> {
        let count = Arc::new(AtomicUsize::new(0));
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: only a signal that finds the flag set ends the process.
            flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, asked.clone())?;
            flag::register(signal, asked.clone())?;
            let count = count.clone();
            let add = move || {
                count.fetch_add(1, Ordering::Relaxed);
            };
            // SAFETY: adding to an atomic is async-signal-safe.
            unsafe { signal_hook::low_level::register(signal, add) }?;
        }
        Ok(Self(count))
    }

    /// Whether we were asked to end.
    pub fn any(&self) -> bool {
        self.count() > 0
    }

    /// How often.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
