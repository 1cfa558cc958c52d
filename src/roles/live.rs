//! The live view of a run on standard error: on a terminal a line redrawn in place, with a row for each
//! worker of a fleet; elsewhere a plain line now and then; nothing when quiet.
//!
//! `report::terminal` decides the content; this module only draws it, and rarely: each redraw takes CPU time
//! that the load may need.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::log;
use crate::report::terminal::live_line;
use crate::run::Fleet;
use crate::run::SharedSnapshot;

/// Interval between redraws in place: often enough to look alive.
const REDRAW_EVERY: Duration = Duration::from_millis(250);
/// Interval between plain lines: an hour's log stays under a thousand lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Draws the progress of a run.
pub(crate) struct Live {
    surface: LiveOutput,
    next: Instant,
}

/// Prints lines on standard error without disturbing the redrawn view.
pub(crate) enum Notes {
    /// Discards them.
    Nowhere,
    /// Prints them one after the other.
    Plain,
    /// Prints them above the redrawn view.
    Above(ProgressBar),
}

impl Notes {
    pub(crate) fn say(&self, line: &str) {
        let write = || log::info(line);
        match self {
            Self::Nowhere => {}
            Self::Plain => write(),
            Self::Above(shown) => shown.suspend(write),
        }
    }
}

enum LiveOutput {
    Nothing,
    Lines(Box<dyn Write + Send>),
    Redrawn(ProgressBar),
}

impl Live {
    /// A view on standard error; `tty`: whether it is a terminal.
    pub(crate) fn new(quiet: bool, tty: bool) -> Self {
        let surface = match (quiet, tty && !log::is_json()) {
            (true, _) => LiveOutput::Nothing,
            (false, true) => LiveOutput::Redrawn(spinner(ProgressDrawTarget::stderr())),
            (false, false) => LiveOutput::Lines(Box::new(std::io::stderr())),
        };
        Self::on(surface, Instant::now())
    }

    fn on(surface: LiveOutput, now: Instant) -> Self {
        let first = if matches!(surface, LiveOutput::Lines(_)) { LINE_EVERY } else { Duration::ZERO };
        Self { surface, next: now + first }
    }

    /// Draw the snapshot if it is due; cheap otherwise. Call it several times a second. It releases the
    /// snapshot before it draws, so a stopped terminal blocks nothing else.
    pub(crate) fn tick(&mut self, shared: &SharedSnapshot) {
        self.tick_at(Instant::now(), shared);
    }

    fn tick_at(&mut self, now: Instant, shared: &SharedSnapshot) {
        if now < self.next {
            return;
        }
        match &mut self.surface {
            LiveOutput::Nothing => {}
            LiveOutput::Lines(out) => {
                self.next = now + LINE_EVERY;
                let line = log::info_line(&shared.read(live_line));
                // Standard error may be closed; the run and its report go on.
                let _ = writeln!(out, "{line}");
            }
            LiveOutput::Redrawn(line) => {
                self.next = now + REDRAW_EVERY;
                let (message, rows) =
                    shared.read(|s| (live_line(s), s.fleet.as_ref().map_or(Vec::new(), Fleet::live_rows)));
                line.set_message(message);
                if !rows.is_empty() {
                    line.set_style(style("{spinner} {wide_msg}\n{prefix}"));
                    line.set_prefix(rows.join("\n"));
                }
                line.tick();
            }
        }
    }

    /// Where to print lines that stay.
    pub(crate) fn notes(&self) -> Notes {
        match &self.surface {
            LiveOutput::Nothing => Notes::Nowhere,
            LiveOutput::Lines(_) => Notes::Plain,
            LiveOutput::Redrawn(line) => Notes::Above(line.clone()),
        }
    }

    /// Clear the view, so that the summary starts on a clean line.
    pub(crate) fn finish(self) {
        if let LiveOutput::Redrawn(line) = self.surface {
            line.finish_and_clear();
        }
    }
}

/// One line, cut to the terminal's width. Figures use the columns better than a bar.
fn spinner(target: ProgressDrawTarget) -> ProgressBar {
    ProgressBar::with_draw_target(None, target).with_style(style("{spinner} {wide_msg}"))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is well formed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{RunInfo, Snapshot, State};
    use std::sync::{Arc, Mutex};

    /// A writer whose text tests can read.
    #[derive(Clone, Default)]
    struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

    impl Write for SharedBuffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn shared() -> SharedSnapshot {
        let run = RunInfo {
            plan_name: None,
            plan_source: "plan.yaml".to_owned(),
            plan_digest: String::new(),
            plan_parts: crate::plan::PartDigests::default(),
            plan_text: None,
            load: "–".into(),
            model: "closed",
            seed: 1,
            target: "http://127.0.0.1".to_owned(),
            base_url: "http://127.0.0.1:8081/v1".into(),
            scenarios: vec![("a".to_owned(), 1)],
            requests: None,
            duration_ns: Some(100),
            warmup_ns: 0,
            target_rate: None,
            pieces: Vec::new(),
            timestamps: "kernel",
            connections: 1,
            insecure: None,
            thresholds: Vec::new(),
            metrics_scenarios: 100,
            labels: Vec::new(),
            strict: false,
            baseline: None,
        };
        let mut snapshot = Snapshot::new(run, 1, 0.0);
        (snapshot.state, snapshot.elapsed_ns) = (State::Running, 25);
        SharedSnapshot::new(snapshot)
    }

    #[test]
    fn away_from_a_terminal_there_is_one_plain_line_every_five_seconds() {
        let (paper, shared, start) = (SharedBuffer::default(), shared(), Instant::now());
        let mut live = Live::on(LiveOutput::Lines(Box::new(paper.clone())), start);
        for tenth in 0..=110 {
            live.tick_at(start + Duration::from_millis(100 * tenth), &shared);
        }
        live.finish();
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, format!("{0}\n{0}\n", shared.read(live_line)));
    }

    #[test]
    fn on_a_terminal_the_line_follows_the_board() {
        let (shown, shared, start) = (spinner(ProgressDrawTarget::hidden()), shared(), Instant::now());
        let mut live = Live::on(LiveOutput::Redrawn(shown.clone()), start);
        live.tick_at(start, &shared);
        let first = shared.read(live_line);
        assert_eq!(shown.message(), first);
        shared.update(|snapshot| snapshot.elapsed_ns = 50);
        live.tick_at(start + REDRAW_EVERY / 2, &shared);
        assert_eq!(shown.message(), first, "not yet time to draw again");
        live.tick_at(start + REDRAW_EVERY, &shared);
        assert_ne!(shown.message(), first);
        assert_eq!(shown.message(), shared.read(live_line));
    }

    #[test]
    fn on_a_terminal_a_fleet_has_its_rows_below_the_line() {
        let (shown, shared, start) = (spinner(ProgressDrawTarget::hidden()), shared(), Instant::now());
        let mut live = Live::on(LiveOutput::Redrawn(shown.clone()), start);
        live.tick_at(start, &shared);
        assert_eq!(shown.prefix(), "");
        let fleet = Fleet::example(1);
        shared.update(|snapshot| snapshot.fleet = Some(fleet.clone()));
        live.tick_at(start + REDRAW_EVERY, &shared);
        assert_eq!(shown.message(), shared.read(live_line));
        assert_eq!(shown.prefix(), fleet.live_rows().join("\n"));
        assert_eq!(shown.prefix().lines().count(), 2, "a heading and a row");
    }
}
