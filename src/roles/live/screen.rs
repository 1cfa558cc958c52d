//! The terminal while the live view has it: the alternate screen without a cursor, and keys without Enter.
//!
//! Whatever ends or stops the process gives the terminal back first: the end of the run, a panic, Ctrl-C twice,
//! Ctrl-Z, Ctrl-\ and a hang-up. Only SIGKILL leaves no time for that.

use std::io;
use std::os::fd::AsFd;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{SIGHUP, SIGQUIT, SIGTSTP, c_int};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr,
};

use crate::roles::log;

/// The alternate screen, cleared, without a cursor. Lines that are too long are cut, not wrapped.
const TAKE: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
/// The end of a frame, if it was under way, and the opposite of [`TAKE`].
const GIVE_BACK: &str = "\x1b[?2026l\x1b[?7h\x1b[?25h\x1b[?1049l";

/// How the terminal was before it was taken; null: it is not.
static BEFORE: AtomicPtr<Before> = AtomicPtr::new(std::ptr::null_mut());

/// The settings of the keyboard's terminal; `None`: they are as they were.
struct Before(Option<Termios>);

/// Whether the view has the terminal.
pub(crate) fn is_taken() -> bool {
    !BEFORE.load(Ordering::Acquire).is_null()
}

/// Whether this process may use the terminal of standard error: it is not in the background.
pub(crate) fn is_ours() -> bool {
    is_foreground(io::stderr())
}

/// A process that uses a terminal in whose background it is gets stopped. One that has another controlling
/// terminal, or none, is in no background.
fn is_foreground(terminal: impl AsFd) -> bool {
    tcgetpgrp(terminal).map_or(true, |foreground| foreground == getpgrp())
}

/// Take the terminal. The result is whether keys can be read.
pub(crate) fn take() -> bool {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(prepare);
    let keyboard = io::stdin();
    let before = Some(&keyboard).filter(|keyboard| isatty(keyboard) && is_foreground(keyboard));
    let before = before.and_then(|keyboard| tcgetattr(keyboard).ok());
    let changed = before.clone().map(|mut settings| {
        settings.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        // A read returns at once, with or without a key.
        settings.special_codes[SpecialCodeIndex::VMIN] = 0;
        settings.special_codes[SpecialCodeIndex::VTIME] = 0;
        settings
    });
    // Never freed, since a signal handler may be about to read it: a few bytes each time the terminal is taken.
    BEFORE.store(Box::leak(Box::new(Before(before))), Ordering::Release);
    let has_keys =
        changed.is_some_and(|settings| tcsetattr(&keyboard, OptionalActions::Now, &settings).is_ok());
    write(TAKE);
    has_keys
}

/// Give the terminal back, if it was taken. Safe in a signal handler: an atomic, and plain system calls.
pub(crate) fn give_back() {
    let before = BEFORE.swap(std::ptr::null_mut(), Ordering::AcqRel);
    // SAFETY: null, or leaked by `take` and never freed.
    let Some(Before(settings)) = (unsafe { before.as_ref() }) else { return };
    write(GIVE_BACK);
    if let Some(settings) = settings
        && is_foreground(io::stdin())
    {
        // Without a terminal nothing has to be restored.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, settings);
    }
}

/// Show a frame, unless the terminal does not take one now, as after Ctrl-S: the run does not wait for it.
pub(crate) fn show(frame: &str) {
    let stderr = io::stderr();
    let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
    if poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|n| n > 0) {
        write(frame);
    }
}

/// Keys that were pressed since the last call. Call it only if [`take`] says that there are keys.
pub(crate) fn keys() -> Vec<u8> {
    let mut keys = [0; 64];
    if !is_foreground(io::stdin()) {
        return Vec::new();
    }
    let n = rustix::io::read(io::stdin(), &mut keys).unwrap_or(0);
    keys[..n].to_vec()
}

fn write(text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        match rustix::io::write(io::stderr(), rest) {
            Ok(n) => rest = &rest[n..],
            Err(Errno::INTR) => {}
            // Standard error may be closed; the run and its report go on.
            Err(_) => return,
        }
    }
}

/// Have the terminal given back before a panic is reported and before a signal stops or ends the process.
fn prepare() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back();
        log::release_if_free();
        report(panic);
    }));
    for signal in [SIGTSTP, SIGQUIT, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)) {
        let act = move || {
            give_back();
            act_by_default(signal);
        };
        // SAFETY: both calls are safe in a signal handler.
        let registered = unsafe { signal_hook::low_level::register(signal, act) };
        if let Err(error) = registered {
            log::note(&format!("signal {signal} will not restore the terminal: {error}"));
        }
    }
}

/// A program that was started with a signal ignored, as by nohup, goes on ignoring it.
fn is_ignored(signal: c_int) -> bool {
    // SAFETY: the structure is valid as zeroes, and a null action only asks.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action);
        action.sa_sigaction == libc::SIG_IGN
    }
}

/// What the signal does to a process that does not handle it. Called from its handler.
fn act_by_default(signal: c_int) {
    if signal != SIGTSTP {
        // It ends the process.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        return;
    }
    // Not SIGSTOP: it would also stop a process whose shell is gone, and nobody could continue it.
    // SAFETY: these calls are safe in a signal handler, and their structures are valid as zeroes.
    unsafe {
        let (mut ours, mut default): (libc::sigaction, libc::sigaction) = std::mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(signal, &raw const default, &raw mut ours);
        let (mut only, mut mask): (libc::sigset_t, libc::sigset_t) = std::mem::zeroed();
        libc::sigemptyset(&raw mut only);
        libc::sigaddset(&raw mut only, signal);
        libc::raise(signal);
        // The signal is blocked in its own handler: here the process stops, and here it goes on.
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const only, &raw mut mask);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut());
        libc::sigaction(signal, &raw const ours, std::ptr::null_mut());
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Set in the process of the test that panics.
    const PANICS: &str = "LOADTESTER_TEST_PANICS";

    /// This test runs itself again in another process, which panics while it has the terminal.
    #[test]
    fn a_panic_is_reported_on_the_terminal_that_was_given_back() {
        if std::env::var_os(PANICS).is_some() {
            log::hold();
            take();
            log::info("held back");
            panic!("on purpose");
        }
        let mut again = Command::new(std::env::current_exe().unwrap());
        let name = "roles::live::screen::tests::a_panic_is_reported_on_the_terminal_that_was_given_back";
        let output = again.args(["--exact", name, "--nocapture"]).env(PANICS, "1").output().unwrap();
        assert!(!output.status.success());
        let shown = String::from_utf8(output.stderr).unwrap();
        let (_, taken) = shown.split_once(TAKE).expect("the terminal was taken");
        let (_, after) = taken.split_once(GIVE_BACK).expect("the terminal was given back");
        let (before_report, _) = after.split_once("on purpose").expect("the panic is reported");
        assert!(before_report.starts_with("held back\n"), "{shown:?}");
    }
}
