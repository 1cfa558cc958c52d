//! What is known of a member only while this process lives.

use crate::fleet::messages::{Health, WorkerState};
use crate::plan::Shard;

/// A member as it was last heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemberStatus {
    pub(crate) heard_ns: u64,
    pub(crate) state: WorkerState,
    pub(crate) health: Health,
    pub(crate) prepared: Option<Shard>,
    pub(crate) start_error_ns: Option<u64>,
    pub(crate) ahead_ns: Option<i64>,
    /// It was answered after the result was sealed.
    pub(crate) heard_of_end: bool,
}

impl MemberStatus {
    pub(crate) fn new(now: u64) -> Self {
        Self {
            heard_ns: now,
            state: WorkerState::Joined,
            health: Health::default(),
            prepared: None,
            start_error_ns: None,
            ahead_ns: None,
            heard_of_end: false,
        }
    }
}
