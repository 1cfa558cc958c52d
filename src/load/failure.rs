//! How a load thread fails, and how it is made to in tests.

use std::any::Any;
use std::io;

/// A load thread ended that should not have.
#[derive(Clone, Debug)]
pub struct ThreadFailure {
    pub(super) thread: usize,
    pub(super) why: String,
}

impl ThreadFailure {
    /// The thread's wait for the kernel failed.
    pub(super) fn of_error(thread: usize, error: &io::Error) -> Self {
        Self { thread, why: format!("failed: {error}") }
    }

    /// The thread panicked with this payload.
    pub(super) fn of_panic(thread: usize, payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self { thread, why: format!("panicked: {}", text.unwrap_or("see above")) }
    }

    /// For people, naming the thread as its panic does.
    pub(crate) fn message(&self) -> String {
        format!("load thread load-{} {}", self.thread, self.why)
    }
}

/// What is to go wrong with a thread once it has sent its first window: nothing, outside of debug builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    Panic,
    Wait,
}

impl Fault {
    /// `LOADTESTER_FAULT` says `panic` or `wait` and the thread's place, as `panic-1`.
    pub(super) fn of(thread: usize) -> Self {
        if !cfg!(debug_assertions) {
            return Self::None;
        }
        let wanted = std::env::var("LOADTESTER_FAULT").unwrap_or_default();
        match wanted.rsplit_once('-').filter(|(_, place)| *place == thread.to_string()) {
            Some(("panic", _)) => Self::Panic,
            Some(("wait", _)) => Self::Wait,
            _ => Self::None,
        }
    }
}
