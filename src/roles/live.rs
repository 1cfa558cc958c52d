//! The progress of a run on standard error: a view on a terminal; elsewhere a plain line now and then; nothing
//! when quiet.
//!
//! `report::terminal` decides the content; this module only shows it, and rarely: each frame takes CPU time
//! that the load may need.

pub(crate) mod screen;
mod view;

use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, Instant};

use self::view::View;
use super::{log, tty};
use crate::cli::Options;
use crate::report::terminal::{DEFAULT_WIDTH, live_line, live_line_within};
use crate::run::SharedSnapshot;

/// Interval between plain lines: an hour's log stays under a thousand lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows the progress of a run until it is dropped.
pub(crate) struct Live {
    output: LiveOutput,
}

/// Prints lines that stay. While there is a view they are in it, and printed when it ends.
pub(crate) enum Notes {
    /// Discards them.
    Nowhere,
    /// Prints them one after the other.
    Plain,
}

impl Notes {
    pub(crate) fn say(&self, line: &str) {
        match self {
            Self::Nowhere => {}
            Self::Plain => log::info(line),
        }
    }
}

enum LiveOutput {
    Nothing,
    Lines(Lines),
    Screen(Box<View>),
}

/// A plain line now and then.
struct Lines {
    out: Box<dyn Write + Send>,
    /// The longest line; `None`: any length.
    columns: Option<usize>,
    next: Instant,
}

impl Live {
    /// Progress on standard error as these options want it.
    pub(crate) fn new(options: &Options) -> Self {
        let now = Instant::now();
        let is_screen = io::stderr().is_terminal() && tty::takes_escapes() && !log::is_json();
        let output = match (options.quiet, is_screen) {
            (true, _) => LiveOutput::Nothing,
            (false, true) => LiveOutput::Screen(Box::new(View::new(tty::wants_color(options), now))),
            (false, false) => {
                let columns = tty::size(io::stderr()).map_or(DEFAULT_WIDTH, |(columns, _)| columns);
                let columns = Some(columns).filter(|_| !log::is_json());
                LiveOutput::Lines(Lines { out: Box::new(io::stderr()), columns, next: now + LINE_EVERY })
            }
        };
        Self { output }
    }

    /// Show the snapshot if that is due; cheap otherwise. Call it several times a second. It releases the
    /// snapshot before it writes, so a stopped terminal blocks nothing else.
    pub(crate) fn tick(&mut self, shared: &SharedSnapshot) {
        self.tick_at(Instant::now(), shared);
    }

    fn tick_at(&mut self, now: Instant, shared: &SharedSnapshot) {
        match &mut self.output {
            LiveOutput::Nothing => {}
            LiveOutput::Lines(lines) => lines.tick(now, shared),
            LiveOutput::Screen(view) => view.tick(now, shared),
        }
    }

    /// Where to print lines that stay.
    pub(crate) fn notes(&self) -> Notes {
        match &self.output {
            LiveOutput::Nothing => Notes::Nowhere,
            LiveOutput::Lines(_) | LiveOutput::Screen(_) => Notes::Plain,
        }
    }

    /// Say what matters only while the run goes on.
    pub(crate) fn remark(&mut self, text: &str) {
        match &mut self.output {
            LiveOutput::Screen(view) => view.remark(text),
            _ => self.notes().say(text),
        }
    }

    /// End the view, so that the summary starts on a clean line.
    pub(crate) fn finish(self) {}
}

impl Lines {
    fn tick(&mut self, now: Instant, shared: &SharedSnapshot) {
        if now < self.next {
            return;
        }
        self.next = now + LINE_EVERY;
        let line = shared.read(|snapshot| match self.columns {
            Some(columns) => live_line_within(snapshot, columns),
            None => live_line(snapshot),
        });
        // Standard error may be closed; the run and its report go on.
        let _ = writeln!(self.out, "{}", log::info_line(&line));
    }
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
            targets: Vec::new(),
            data: Vec::new(),
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
        let lines = Lines { out: Box::new(paper.clone()), columns: Some(40), next: start + LINE_EVERY };
        let mut live = Live { output: LiveOutput::Lines(lines) };
        for tenth in 0..=110 {
            live.tick_at(start + Duration::from_millis(100 * tenth), &shared);
        }
        live.finish();
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        let line = shared.read(|snapshot| live_line_within(snapshot, 40));
        assert_eq!(text, format!("{line}\n{line}\n"));
        assert!(line.contains("left") && line.len() < shared.read(live_line).len(), "{line}");
    }
}
