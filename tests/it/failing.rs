//! Runs that fail in their midst: what was measured is reported.

use std::time::{Duration, Instant};

use crate::run::start_with;
use crate::script::{Script, Step, response, send};

fn answering() -> Script {
    Script::play([Step::Read, send(response("200 OK", "ok"))])
}

#[test]
fn a_load_thread_that_fails_ends_the_run_and_what_was_measured_is_reported() {
    for (fault, load) in [("panic-1", "-c"), ("panic-0", "-r"), ("wait-1", "-c"), ("wait-1", "-r")] {
        let script = answering();
        let begun = Instant::now();
        let args = [&script.url(), load, "100", "-d", "50s", "--threads", "2"];
        let ended = start_with(&args, |command| {
            command.env("LOADTESTER_FAULT", fault);
        });
        let ended = ended.end().lawful();
        assert_eq!((ended.code, &ended.report["verdict"]), (Some(3), &"incomplete".into()), "{ended:?}");
        let thread = format!("load-{}", &fault[fault.len() - 1..]);
        let error = ended.report["error"].as_str().unwrap_or_default();
        assert!(error.contains(&thread), "{fault}: {error:?} names no {thread}");
        assert!(ended.stdout.contains(&thread) && ended.number("totals.completed") > 0, "{ended:?}");
        // The system's error, not a guess.
        assert!(fault.starts_with("panic") || error.contains("os error 22"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(20), "it went on");
    }
}
