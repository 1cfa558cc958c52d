//! The live view on a terminal: when it is drawn, and what a frame is made of.

use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, kill_process};
use rustix::time::{ClockId, clock_gettime};

use super::screen;
use crate::report::terminal::{Glyphs, History, Line, LiveView};
use crate::roles::{log, tty};
use crate::run::SharedSnapshot;

/// Interval between frames.
const REDRAW_EVERY: Duration = Duration::from_millis(500);
/// The view of a run that ends sooner would only flash.
const FIRST_AFTER: Duration = Duration::from_millis(300);
/// Drawing takes at most one part in so many of this thread's time: large plans are drawn less often.
const TIMES_DRAWING: u32 = 100;
/// Columns and rows of a terminal that does not say.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// The view on the terminal of standard error.
pub(crate) struct View {
    color: bool,
    glyphs: Glyphs,
    history: History,
    /// Messages that are of no interest once the run has ended.
    remarks: Vec<String>,
    size: (usize, usize),
    has_keys: bool,
    /// Whether a key has ended the run.
    has_quit: bool,
    next: Instant,
}

impl View {
    pub(crate) fn new(color: bool, now: Instant) -> Self {
        Self {
            color,
            glyphs: tty::glyphs(),
            history: History::default(),
            remarks: Vec::new(),
            size: USUAL_SIZE,
            has_keys: false,
            has_quit: false,
            next: now + FIRST_AFTER,
        }
    }

    /// Read keys, and draw a frame if one is due or the terminal has another size.
    pub(crate) fn tick(&mut self, now: Instant, shared: &SharedSnapshot) {
        self.read_keys();
        let size = tty::size(std::io::stderr()).unwrap_or(USUAL_SIZE);
        if now < self.next && (size == self.size || !screen::is_taken()) {
            return;
        }
        if !screen::is_ours() {
            self.next = now + REDRAW_EVERY;
            return;
        }
        // At first, and when the process was stopped and goes on.
        if !screen::is_taken() {
            log::hold();
            self.has_keys = screen::take();
        }
        let began = cpu_time();
        self.size = size;
        let messages = [log::recent(), self.remarks.clone()].concat();
        let snapshot = shared.current();
        self.history.look(&snapshot);
        let view = LiveView {
            snapshot: &snapshot,
            history: &self.history,
            messages: &messages,
            has_keys: self.has_keys,
            glyphs: self.glyphs,
        };
        screen::show(&frame(&view.draw(size.0, size.1), size, self.color));
        self.next = now + REDRAW_EVERY.max((cpu_time() - began) * TIMES_DRAWING);
    }

    /// A message to show until the run has ended.
    pub(crate) fn remark(&mut self, text: &str) {
        self.remarks.push(text.to_owned());
    }

    /// `q` is Ctrl-C. It ends the run once: a second Ctrl-C would end the process, and `q` pressed twice should not.
    fn read_keys(&mut self) {
        if !(self.has_keys && screen::is_taken()) || self.has_quit {
            return;
        }
        let keys = screen::keys();
        // Arrows and the like begin with an escape character.
        if keys.iter().any(|key| matches!(key, b'q' | b'Q')) && keys[0] != b'\x1b' {
            self.has_quit = true;
            // There is a handler, and this process exists.
            let _ = kill_process(getpid(), Signal::INT);
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        screen::give_back();
        log::release();
    }
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The bytes that put `lines` on a screen of this size: over what was there, without clearing it first, as one
/// update where the terminal knows such.
fn frame(lines: &[Line], (columns, rows): (usize, usize), color: bool) -> String {
    const BEGIN: &str = "\x1b[?2026h\x1b[H";
    const END: &str = "\x1b[?2026l";
    const ERASE_LINE: &str = "\x1b[K";
    const ERASE_BELOW: &str = "\x1b[J";
    let mut frame = BEGIN.to_owned();
    for (i, line) in lines.iter().take(rows).enumerate() {
        let next = if i > 0 { "\r\n" } else { "" };
        // In the last column the cursor still stands on the last character, which would be erased.
        let erase = if line.width() < columns { ERASE_LINE } else { "" };
        frame.extend([next, &line.print(color), erase]);
    }
    if lines.len() < rows {
        let next = if lines.is_empty() { "" } else { "\r\n" };
        frame.extend([next, ERASE_BELOW]);
    }
    frame + END
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{RunInfo, Snapshot};

    #[test]
    fn a_frame_overwrites_the_last_one_and_erases_what_is_left_of_it() {
        let history = History::default();
        let snapshot = Snapshot::new(RunInfo::unknown(), 1, 0.0);
        let view = LiveView {
            snapshot: &snapshot,
            history: &history,
            messages: &["x".repeat(100)],
            has_keys: false,
            glyphs: Glyphs::Ascii,
        };
        let lines = view.draw(40, 20);
        assert!(lines.iter().any(|line| line.width() == 40) && lines.len() < 20);
        let shown = frame(&lines, (40, 20), true);
        assert!(
            shown.starts_with("\x1b[?2026h\x1b[H") && shown.ends_with("\r\n\x1b[J\x1b[?2026l"),
            "{shown:?}"
        );
        assert_eq!(shown.matches("\r\n").count(), lines.len());
        let short = lines.iter().filter(|line| line.width() < 40).count();
        assert_eq!(shown.matches("\x1b[K").count(), short, "not after a line that fills the width");
        assert!(!frame(&lines, (40, lines.len()), true).contains("\x1b[J"), "there is nothing below");
        assert_eq!(frame(&[], (40, 5), true), "\x1b[?2026h\x1b[H\x1b[J\x1b[?2026l");
    }
}
