//! The program at a terminal: a pseudo-terminal with a small emulator behind it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::run::{PROGRAM, eventually};
use crate::script::{Script, Step, response, send};

/// What the terminal shows: enough of an emulator for what the program writes.
#[derive(Clone, Debug, Default)]
struct Screen {
    columns: usize,
    rows: Vec<String>,
    /// Where the next character goes.
    at: (usize, usize),
    /// Whether the alternate screen is shown, the cursor is hidden, and long lines are cut.
    alternate: bool,
    hidden: bool,
    cuts: bool,
    /// Whether a line of the view was ever longer than the screen is wide, or a frame longer than it is high.
    overflowed: bool,
    /// What was written outside of the alternate screen.
    main: String,
    colored: bool,
    frames: usize,
}

impl Screen {
    fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows: vec![String::new(); rows], ..Self::default() }
    }

    fn feed(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\x1b' => {
                    let sequence = rest.strip_prefix('[').expect("no other sequences are used");
                    let end = sequence.find(|c: char| c.is_ascii_alphabetic()).expect("a whole sequence");
                    self.control(&sequence[..end], &sequence[end..=end]);
                    rest = &sequence[end + 1..];
                }
                _ if !self.alternate => self.main.push(c),
                '\r' => self.at.1 = 0,
                '\n' => {
                    self.overflowed |= self.at.0 + 1 >= self.rows.len();
                    self.at.0 = (self.at.0 + 1).min(self.rows.len() - 1);
                }
                _ => self.put(c),
            }
        }
    }

    fn put(&mut self, c: char) {
        let (row, column) = self.at;
        self.overflowed |= column >= self.columns;
        let line = &mut self.rows[row];
        let mut letters: Vec<char> = line.chars().collect();
        letters.resize(letters.len().max(column + 1), ' ');
        letters[column] = c;
        *line = letters.into_iter().collect();
        self.at.1 += 1;
    }

    fn control(&mut self, parameters: &str, function: &str) {
        let (row, column) = self.at;
        match (parameters, function) {
            ("?1049", _) => self.alternate = function == "h",
            ("?25", _) => self.hidden = function == "l",
            ("?7", _) => self.cuts = function == "l",
            ("?2026", _) => self.frames += usize::from(function == "h"),
            (_, "m") => self.colored = true,
            ("", "H") => self.at = (0, 0),
            ("2", "J") => self.rows.iter_mut().for_each(String::clear),
            ("", "K") => self.rows[row] = self.rows[row].chars().take(column).collect(),
            ("", "J") => {
                self.rows[row] = self.rows[row].chars().take(column).collect();
                self.rows[row + 1..].iter_mut().for_each(String::clear);
            }
            _ => panic!("an unknown sequence: {parameters}{function}"),
        }
    }

    fn text(&self) -> String {
        self.rows.join("\n")
    }
}

/// Somebody at a terminal.
struct Seat {
    keyboard: File,
    theirs: OwnedFd,
    /// What the program has written since [`Self::forget`], and the screen then.
    output: Arc<Mutex<String>>,
    before: Screen,
    child: Child,
}

impl Seat {
    /// Start `program` with this terminal as its controlling one.
    fn start(program: &str, args: &[&str], environment: &[(&str, &str)], size: (usize, usize)) -> Self {
        let (ours, theirs) = open_terminal();
        set_size(&theirs, size);
        let output = Arc::new(Mutex::new(String::new()));
        let (mut reader, heard) = (File::from(ours.try_clone().unwrap()), output.clone());
        std::thread::spawn(move || {
            let (mut chunk, mut bytes) = ([0; 4096], Vec::new());
            // Ends with an error when the last writer is gone.
            while let Ok(n @ 1..) = reader.read(&mut chunk) {
                bytes.extend_from_slice(&chunk[..n]);
                let whole = std::str::from_utf8(&bytes).map_or_else(|e| e.valid_up_to(), str::len);
                heard.lock().unwrap().push_str(std::str::from_utf8(&bytes[..whole]).unwrap());
                bytes.drain(..whole);
            }
        });
        let mut command = Command::new(program);
        command.args(args).env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR");
        command.envs(environment.iter().copied());
        let end = || theirs.try_clone().unwrap();
        command.stdin(end()).stdout(end()).stderr(end());
        // SAFETY: these calls may be made between fork and exec.
        unsafe {
            command.pre_exec(|| {
                // These tests may run under nohup.
                libc::signal(libc::SIGHUP, libc::SIG_DFL);
                let began = libc::setsid() >= 0 && libc::ioctl(0, libc::TIOCSCTTY, 0) == 0;
                if began { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            });
        }
        let before = Screen::new(size.0, size.1);
        Self { keyboard: File::from(ours), child: command.spawn().unwrap(), theirs, output, before }
    }

    /// Change the size, as somebody who drags a corner. What is on the screen is of no interest any more.
    fn resize(&mut self, (columns, rows): (usize, usize)) {
        self.forget();
        set_size(&self.theirs, (columns, rows));
        (self.before.columns, self.before.rows) = (columns, vec![String::new(); rows]);
    }

    /// Forget what was written, except for what state it has put the terminal into.
    fn forget(&mut self) {
        let mut output = self.output.lock().unwrap();
        let length = whole(&output).len();
        self.before.feed(&output[..length]);
        (self.before.main, self.before.frames) = (String::new(), 0);
        output.drain(..length);
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn screen(&self) -> Screen {
        let output = self.output.lock().unwrap().clone();
        let mut screen = self.before.clone();
        screen.feed(whole(&output));
        screen
    }

    fn await_screen(&self, what: &str, is_there: impl Fn(&Screen) -> bool) -> Screen {
        eventually(what, || Some(self.screen()).filter(&is_there))
    }

    /// Whether keys are echoed and wait for Enter, as a shell's user has it.
    fn is_restored(&self) -> bool {
        let modes = tcgetattr(&self.theirs).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(&mut self) -> (ExitStatus, Screen) {
        let status = eventually("the end of the program", || self.child.try_wait().unwrap());
        // The last bytes may still be on their way.
        std::thread::sleep(Duration::from_millis(50));
        (status, self.screen())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `output` up to its last frame or sequence that has not come in whole.
fn whole(output: &str) -> &str {
    let frame = output.rfind("\x1b[?2026h").filter(|at| !output[*at..].contains("\x1b[?2026l"));
    let output = &output[..frame.unwrap_or(output.len())];
    let open = output.rfind('\x1b').filter(|at| !output[*at..].contains(|c: char| c.is_ascii_alphabetic()));
    &output[..open.unwrap_or(output.len())]
}

fn open_terminal() -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let (name, settings, size) = (std::ptr::null_mut(), std::ptr::null(), std::ptr::null());
    // SAFETY: both descriptors are written to live variables; null asks for no name and for defaults.
    let result = unsafe { libc::openpty(&raw mut ours, &raw mut theirs, name, settings, size) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    for end in [ours, theirs] {
        // SAFETY: both are open. Other children of this process must not hold them open.
        assert_eq!(unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) }, 0);
    }
    // SAFETY: openpty has just opened both and nobody else knows them.
    unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

fn set_size(terminal: impl AsFd, (columns, rows): (usize, usize)) {
    let size = Winsize { ws_row: rows as u16, ws_col: columns as u16, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

/// A target whose answers come at once, and arguments for a run of a minute against it.
fn target() -> (Script, [String; 6]) {
    let script = Script::play([Step::Read, send(response("200 OK", "ok"))]);
    let args = [script.url(), "-r".into(), "50".into(), "-d".into(), "1m".into(), "--no-listen".into()];
    (script, args)
}

fn seat(args: &[String], more: &[&str], environment: &[(&str, &str)]) -> Seat {
    let args: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Seat::start(PROGRAM, &args, environment, (80, 24))
}

fn is_shown(screen: &Screen) -> bool {
    screen.alternate && screen.text().contains("RUNNING") && screen.text().contains(" left")
}

#[test]
fn the_view_follows_the_size_of_the_terminal_and_q_ends_the_run() {
    let (_script, args) = target();
    let mut seat = seat(&args, &[], &[]);
    let screen = seat.await_screen("the view", is_shown);
    assert!(screen.hidden && screen.cuts && screen.colored && !screen.overflowed, "{screen:#?}");
    assert!(screen.text().contains("q ends the run") && !seat.is_restored(), "{screen:#?}");
    for (columns, rows) in [(60, 10), (132, 40), (61, 24)] {
        seat.resize((columns, rows));
        let screen = seat.await_screen("a frame of the new size", |screen| screen.frames > 1);
        assert!(screen.rows[0].starts_with("RUNNING") && screen.rows[0].ends_with(" left"), "{screen:#?}");
    }
    seat.forget();
    seat.press("xq");
    let (status, screen) = seat.end();
    assert_eq!(status.code(), Some(130), "{screen:#?}");
    assert!(!screen.alternate && !screen.hidden && !screen.cuts && seat.is_restored(), "{screen:#?}");
    let text = screen.main.replace('\r', "");
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.starts_with("INTERRUPTED"), "the verdict comes last: {text}");
}

/// A frame that is drawn for a size must fit that size; [`Screen`] is fed with the size of its time.
#[test]
fn no_frame_is_wider_or_higher_than_the_terminal() {
    let (_script, args) = target();
    for size in [(60, 5), (80, 24), (200, 3)] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let seat = Seat::start(PROGRAM, &args, &[], size);
        let screen = seat.await_screen("some frames", |screen| screen.frames > 2);
        assert!(!screen.overflowed && screen.rows[0].contains(" left"), "{screen:#?}");
    }
}

#[test]
fn whatever_ends_the_process_gives_the_terminal_back() {
    // Answers never come, so that the end takes its time.
    let script = Script::play([Step::Read, Step::Freeze]);
    let args = [script.url(), "-r".into(), "50".into(), "-d".into(), "1m".into(), "--no-listen".into()];
    for signals in
        [&[Signal::INT, Signal::INT][..], &[Signal::TERM, Signal::INT], &[Signal::QUIT], &[Signal::HUP]]
    {
        let mut seat = seat(&args, &[], &[]);
        seat.await_screen("the view", is_shown);
        for signal in signals {
            seat.signal(*signal);
            // Two signals at once are one.
            std::thread::sleep(Duration::from_millis(20));
        }
        let (status, screen) = seat.end();
        assert!(!status.success(), "{signals:?}: {status}");
        let is_back = !screen.alternate && !screen.hidden && !screen.cuts && seat.is_restored();
        assert!(is_back, "{signals:?}: {screen:#?}");
    }
}

#[test]
fn a_stopped_process_leaves_the_terminal_and_comes_back_to_it() {
    let (_script, args) = target();
    // A shell with job control, as it has a process group of its own.
    let shell = "\"$0\" \"$@\"; echo \"it stopped\"; read -r _; fg; echo \"it ended with $?\"";
    let words = ["--noprofile", "--norc", "-m", "-c", shell, PROGRAM];
    let args: Vec<&str> = words.into_iter().chain(args.iter().map(String::as_str)).collect();
    let mut seat = Seat::start("bash", &args, &[], (80, 24));
    seat.await_screen("the view", is_shown);
    seat.press("\x1a");
    let screen = seat.await_screen("the shell", |screen| screen.main.contains("it stopped"));
    assert!(!screen.alternate && !screen.hidden && seat.is_restored(), "{screen:#?}");
    seat.forget();
    seat.press("\n");
    seat.await_screen("the view again", is_shown);
    seat.press("q");
    let (_, screen) = seat.end();
    assert!(screen.main.contains("it ended with 130") && !screen.alternate, "{screen:#?}");
}

#[test]
fn a_process_in_the_background_uses_no_terminal_and_is_not_stopped() {
    let (_script, mut args) = target();
    args[4] = "2s".to_owned();
    let shell = "\"$0\" \"$@\" & wait; echo \"it ended with $?\"";
    let words = ["--noprofile", "--norc", "-m", "-c", shell, PROGRAM];
    let args: Vec<&str> = words.into_iter().chain(args.iter().map(String::as_str)).collect();
    let mut seat = Seat::start("bash", &args, &[], (80, 24));
    let (_, screen) = seat.end();
    assert!(screen.main.contains("it ended with 0") && screen.main.contains("DONE"), "{screen:#?}");
    assert_eq!(screen.frames, 0);
}

#[test]
fn there_is_no_view_without_a_terminal_that_knows_escape_sequences_or_when_quiet() {
    let (_script, mut args) = target();
    args[4] = "1s".to_owned();
    for (more, environment) in
        [(&["--quiet"][..], &[][..]), (&[], &[("TERM", "dumb")]), (&[], &[("TERM", "")])]
    {
        let mut seat = seat(&args, more, environment);
        let (status, screen) = seat.end();
        assert_eq!((status.code(), screen.frames), (Some(0), 0), "{screen:#?}");
        assert!(screen.main.trim_end().lines().last().unwrap().starts_with("DONE"), "{screen:#?}");
    }
    args[4] = "2s".to_owned();
    for (more, environment) in [(&["--no-color"][..], &[][..]), (&[], &[("NO_COLOR", "1")])] {
        let mut seat = seat(&args, more, environment);
        let (_, screen) = seat.end();
        assert!(screen.frames > 1 && !screen.colored, "{screen:#?}");
    }
}

#[test]
fn a_keyboard_that_is_no_terminal_is_left_alone() {
    let (_script, mut args) = target();
    args[4] = "2s".to_owned();
    let shell = "exec \"$0\" \"$@\" </dev/null";
    let args: Vec<&str> = ["-c", shell, PROGRAM].into_iter().chain(args.iter().map(String::as_str)).collect();
    let mut seat = Seat::start("sh", &args, &[], (80, 24));
    let screen = seat.await_screen("the view", is_shown);
    assert!(!screen.text().contains("q ends") && seat.is_restored(), "{screen:#?}");
    assert_eq!(seat.end().0.code(), Some(0));
}
