//! Open dashboards: which pages ask for their parts, and whether each has the final picture.
//!
//! A server that stops with the run would leave them with the picture of a second before the end. A page
//! gives itself a number and sends it with each request for a part.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::report::dashboard::Fragment;

/// A page asks each second, on a busy machine less often, and says when it is closed. One that has not asked for this
/// long has gone without a word, or its browser lets it sleep.
const OPEN_FOR: Duration = Duration::from_secs(8);
/// The most pages that are remembered: as many as the server has clients.
const MAX_PAGES: usize = 64;

/// The open pages.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<Vec<Watcher>>);

#[derive(Debug)]
struct Watcher {
    page: u64,
    asked: Instant,
    /// For each part, whether it was sent as it is at the end.
    has_final: [bool; Fragment::ALL.len()],
}

impl Watchers {
    /// `page` asked for `part` at `now`; `is_final`: the answer shows the end of the run.
    pub(crate) fn asked(&self, page: u64, part: Fragment, is_final: bool, now: Instant) {
        let mut watchers = self.lock();
        let known = watchers.iter().position(|watcher| watcher.page == page);
        let place = known.unwrap_or_else(|| {
            if watchers.len() == MAX_PAGES {
                let oldest = (0..MAX_PAGES).min_by_key(|i| watchers[*i].asked);
                watchers.swap_remove(oldest.expect("there are some"));
            }
            watchers.push(Watcher { page, asked: now, has_final: Default::default() });
            watchers.len() - 1
        });
        let watcher = &mut watchers[place];
        watcher.asked = now;
        watcher.has_final[part as usize] |= is_final;
    }

    /// `page` was closed.
    pub(crate) fn closed(&self, page: u64) {
        self.lock().retain(|watcher| watcher.page != page);
    }

    /// Whether a page is open at `now` that lacks a part of the final picture.
    pub(crate) fn is_any_waiting(&self, now: Instant) -> bool {
        let is_open = |watcher: &Watcher| now.saturating_duration_since(watcher.asked) < OPEN_FOR;
        self.lock().iter().any(|watcher| is_open(watcher) && watcher.has_final.contains(&false))
    }

    /// Whether a page is open at `now`.
    pub(crate) fn is_any_open(&self, now: Instant) -> bool {
        self.lock().iter().any(|watcher| now.saturating_duration_since(watcher.asked) < OPEN_FOR)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Watcher>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_waits_until_it_has_every_final_part_or_is_closed() {
        let (watchers, start) = (Watchers::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert!(!watchers.is_any_waiting(start), "there is none");
        watchers.asked(7, Fragment::Now, false, at(0));
        assert!(watchers.is_any_waiting(at(7_000)));
        assert!(!watchers.is_any_waiting(at(8_000)), "gone");
        for (part, more) in [(Fragment::Now, true), (Fragment::Charts, true), (Fragment::Details, false)] {
            watchers.asked(7, part, true, at(8_000));
            assert_eq!(watchers.is_any_waiting(at(8_000)), more, "{part:?}");
        }
        watchers.asked(8, Fragment::Charts, false, at(8_100));
        assert!(watchers.is_any_waiting(at(8_100)), "another page");
        watchers.closed(8);
        assert!(!watchers.is_any_waiting(at(8_100)), "closed");
    }

    #[test]
    fn numbers_made_up_without_end_take_no_room() {
        let (watchers, now) = (Watchers::default(), Instant::now());
        for page in 0..1_000 {
            watchers.asked(page, Fragment::Now, false, now + Duration::from_millis(page));
        }
        let watchers = watchers.lock();
        assert_eq!(watchers.len(), MAX_PAGES);
        assert!(watchers.iter().all(|watcher| watcher.page >= 1_000 - MAX_PAGES as u64));
    }
}
