//! How long this thread let requests lie that a connection was free for.

/// The last time in which requests came due, a connection was free for them, and this thread did not look:
/// because it was stopped, or woke late.
///
/// Had it looked, each request that came due in that time would have been sent then, and the connection would
/// have been free again for the next one. So a request that had a free connection when it came due owes its
/// wait to the lapse, though when the thread looked again others were before it: up to the lapse's length its
/// wait is send delay.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lapse {
    from_ns: u64,
    until_ns: u64,
    length_ns: u64,
}

impl Lapse {
    /// Since when a request that was due at `due_ns` could have been sent over a connection that is free since
    /// `free_ns`.
    #[inline]
    pub(super) fn possible_ns(&self, due_ns: u64, free_ns: u64) -> u64 {
        let had_free = (self.from_ns..=self.until_ns).contains(&due_ns);
        free_ns.saturating_sub(if had_free { self.length_ns } else { 0 })
    }

    /// That request is sent `now`. A longer lapse takes the place of a shorter one, any that of one which is
    /// over: requests are sent in the order in which they came due.
    #[inline]
    pub(super) fn sent(&mut self, due_ns: u64, free_ns: u64, now: u64) {
        let length_ns = now.saturating_sub(free_ns.max(due_ns));
        if due_ns > self.until_ns || length_ns > self.length_ns {
            *self = Self { from_ns: free_ns, until_ns: now, length_ns };
        }
    }
}
