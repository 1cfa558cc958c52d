//! One call at a time, and when the next is due: retry, backoff and jitter.

/// The first wait after a failure; it doubles with each further one.
const FIRST_BACKOFF_NS: u64 = 200_000_000;

/// Calls of one kind, one after the other.
#[derive(Debug)]
pub(crate) struct CallSlot<T> {
    under_way: Option<UnderWay<T>>,
    /// When the next call may be made.
    pub(crate) due_ns: u64,
    failures: u32,
}

/// A call without an answer yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnderWay<T> {
    pub(crate) call: u64,
    pub(crate) sent_ns: u64,
    /// When its answer is no longer awaited.
    pub(crate) until_ns: u64,
    pub(crate) what: T,
}

impl<T> Default for CallSlot<T> {
    fn default() -> Self {
        Self { under_way: None, due_ns: 0, failures: 0 }
    }
}

impl<T: Copy> CallSlot<T> {
    /// Whether a call may be made.
    pub(crate) fn is_free(&self, now: u64) -> bool {
        self.under_way.is_none() && now >= self.due_ns
    }

    /// Record a call.
    pub(crate) fn begin(&mut self, call: u64, what: T, now: u64, timeout_ns: u64) {
        // The caller times out first; this covers one that never reports it.
        self.under_way = Some(UnderWay { call, sent_ns: now, until_ns: now + 2 * timeout_ns, what });
    }

    /// The call with this number has ended; `None`: it is not awaited.
    pub(crate) fn end(&mut self, call: u64) -> Option<UnderWay<T>> {
        self.under_way.take_if(|u| u.call == call)
    }

    /// Give up a call whose end was never reported.
    pub(crate) fn expire(&mut self, now: u64) -> Option<UnderWay<T>> {
        self.under_way.take_if(|u| now >= u.until_ns)
    }

    /// The last call was answered; the next is due at `due_ns`.
    pub(crate) fn succeeded(&mut self, due_ns: u64) {
        self.failures = 0;
        self.due_ns = due_ns;
    }

    /// The last call failed: back off exponentially up to `most_ns`, with half of it as jitter.
    pub(crate) fn failed(&mut self, now: u64, most_ns: u64, rng: &mut fastrand::Rng) {
        let backoff_ns = FIRST_BACKOFF_NS.saturating_mul(1 << self.failures.min(16)).min(most_ns);
        self.failures = self.failures.saturating_add(1);
        self.due_ns = now + backoff_ns / 2 + rng.u64(0..=backoff_ns / 2);
    }

    /// When this slot needs attention next.
    pub(crate) fn wait_until(&self) -> u64 {
        self.under_way.as_ref().map_or(self.due_ns, |u| u.until_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound_and_differ() {
        let (mut lane, mut rng) = (CallSlot::<()>::default(), fastrand::Rng::with_seed(3));
        let mut waits = Vec::new();
        for _ in 0..40 {
            lane.failed(0, 5_000_000_000, &mut rng);
            waits.push(lane.due_ns);
        }
        assert!((100_000_000..=200_000_000).contains(&waits[0]), "{waits:?}");
        assert!(waits[10..].iter().all(|w| (2_500_000_000..=5_000_000_000).contains(w)), "{waits:?}");
        assert!(waits[10..].windows(2).any(|w| w[0] != w[1]));
    }

    #[test]
    fn an_answer_that_nobody_waits_for_is_none() {
        let mut lane = CallSlot::default();
        lane.begin(7, 'x', 100, 50);
        assert_eq!(lane.end(6), None);
        assert_eq!(lane.expire(199), None);
        assert_eq!(lane.expire(200).map(|u| u.call), Some(7));
        assert_eq!(lane.end(7), None);
    }
}
