//! The messages a worker prints about its coordinator and its run: few lines, none when quiet.
//!
//! The reason a worker ends is printed elsewhere, always.

use crate::roles::log;

/// Minimum interval between two messages about an unreachable coordinator.
const AGAIN_NS: u64 = 10_000_000_000;
const S: u64 = 1_000_000_000;

/// The state of the printed messages.
pub(crate) struct ProgressMessages {
    url: String,
    is_quiet: bool,
    /// When it was last printed that the coordinator is unreachable.
    last_printed_ns: Option<u64>,
    /// Whether the last message about it was that it is unreachable.
    is_away: bool,
    was_reached: bool,
}

impl ProgressMessages {
    pub(crate) fn new(url: &str, is_quiet: bool) -> Self {
        Self { url: url.to_owned(), is_quiet, last_printed_ns: None, is_away: false, was_reached: false }
    }

    /// The message to print now, if any. `in_vain`: why calls fail, and until when they are retried, in
    /// nanoseconds.
    pub(crate) fn look(&mut self, in_vain: Option<(&str, u64)>, now: u64) -> Option<String> {
        let url = &self.url;
        let Some((why, until_ns)) = in_vain else {
            let is_back = std::mem::take(&mut self.is_away);
            let how = if self.was_reached { "is back" } else { "is reached" };
            self.was_reached |= is_back;
            return is_back.then(|| format!("the coordinator at {url} {how}"));
        };
        if self.last_printed_ns.is_some_and(|at| now < at + AGAIN_NS) {
            return None;
        }
        (self.last_printed_ns, self.is_away) = (Some(now), true);
        let left_s = until_ns.saturating_sub(now).div_ceil(S);
        let left = if left_s > 60 { format!("{} min", left_s.div_ceil(60)) } else { format!("{left_s} s") };
        Some(format!("cannot reach the coordinator at {url}: {why}; trying for another {left}"))
    }

    /// Print that the coordinator accepted this worker.
    pub(crate) fn joined(&mut self, worker: u32, run: &dyn std::fmt::Display) {
        self.was_reached = true;
        log::of_run(run, Some(worker));
        self.say(&format!("joined as worker {worker} of run {run}"));
    }

    /// Print a line on standard error, unless quiet.
    pub(crate) fn say(&self, line: &str) {
        if !self.is_quiet {
            log::info(&format!("fleet: {line}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinator_that_is_away_is_told_of_at_once_and_then_seldom_and_so_is_its_return() {
        let mut progress_messages = ProgressMessages::new("http://c:1", true);
        let away =
            |left| format!("cannot reach the coordinator at http://c:1: no; trying for another {left}");
        let until = 900 * S;
        assert_eq!(progress_messages.look(None, 0), None);
        assert_eq!(progress_messages.look(Some(("no", until)), 0), Some(away("15 min")));
        assert_eq!(progress_messages.look(Some(("no", until)), 10 * S - 1), None);
        assert_eq!(progress_messages.look(Some(("no", until)), 10 * S), Some(away("15 min")));
        assert_eq!(progress_messages.look(Some(("no", until)), 841 * S), Some(away("59 s")));
        assert_eq!(
            progress_messages.look(None, 842 * S),
            Some("the coordinator at http://c:1 is reached".to_owned())
        );
        assert_eq!(progress_messages.look(None, 843 * S), None);
        // An outage between two messages is not worth one.
        assert_eq!(progress_messages.look(Some(("no", 963 * S)), 844 * S), None);
        assert_eq!(progress_messages.look(None, 845 * S), None);
        assert_eq!(progress_messages.look(Some(("no", 980 * S)), 860 * S), Some(away("2 min")));
        assert_eq!(
            progress_messages.look(None, 861 * S),
            Some("the coordinator at http://c:1 is back".to_owned())
        );
    }

    #[test]
    fn one_that_was_never_away_at_first_is_back_later() {
        let mut progress_messages = ProgressMessages::new("http://c:1", true);
        progress_messages.joined(0, &"r");
        assert!(progress_messages.look(Some(("no", 120 * S)), 0).is_some_and(|line| line.contains("2 min")));
        assert_eq!(progress_messages.look(None, S), Some("the coordinator at http://c:1 is back".to_owned()));
    }
}
