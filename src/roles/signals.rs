//! SIGINT and SIGTERM: the first ends the run gracefully, the second at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::Exit;
use super::live::screen;

/// Counts the signals received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupts {
    count: Arc<AtomicUsize>,
    /// Whether SIGTERM was among them.
    by_term: Arc<AtomicBool>,
}

impl Interrupts {
    /// Install the handlers.
    ///
    /// # Errors
    /// The system refuses the handlers.
    pub(crate) fn listen() -> io::Result<Self> {
        let count = Arc::new(AtomicUsize::new(0));
        let (asked, by_term) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM] {
            // The order matters: only a signal that finds the flag set ends the process, and the live view has
            // to give the terminal back before.
            let was_asked = asked.clone();
            let give_back = move || {
                if was_asked.load(Ordering::Relaxed) {
                    screen::give_back();
                }
            };
            // SAFETY: giving the terminal back is async-signal-safe.
            unsafe { signal_hook::low_level::register(signal, give_back) }?;
            flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, asked.clone())?;
            flag::register(signal, asked.clone())?;
            if signal == SIGTERM {
                flag::register(signal, by_term.clone())?;
            }
            let count = count.clone();
            let add = move || {
                count.fetch_add(1, Ordering::Relaxed);
            };
            // SAFETY: adding to an atomic is async-signal-safe.
            unsafe { signal_hook::low_level::register(signal, add) }?;
        }
        Ok(Self { count, by_term })
    }

    /// Whether any signal was received.
    pub(crate) fn any(&self) -> bool {
        self.count() > 0
    }

    /// Number of signals received.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether SIGTERM was received: orchestrators send it to move processes, keyboards do not.
    pub(crate) fn by_term(&self) -> bool {
        self.by_term.load(Ordering::Relaxed)
    }
}
