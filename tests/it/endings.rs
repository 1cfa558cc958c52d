//! How the program ends: the exit code of every way out, and what it prints.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use rustix::process::Signal;
use serde_json::Value;

use crate::live;
use crate::run::{Ended, RunDir, Running, eventually, run, run_plan, start, start_with};
use crate::script::{Script, Step, response, send};

fn answering() -> Script {
    Script::play([Step::Read, send(response("200 OK", "ok"))])
}

/// Exit code `code`, nothing on standard output, all of `words` on standard error, and no more in the report
/// than why there is none.
fn check_refusal(ended: Ended, code: i32, words: &[&str]) -> Ended {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "no {word:?} in {ended:?}");
    }
    // Null: it could not be written.
    assert!(ended.report == Value::Null || ended.report["error"].is_string(), "{:#}", ended.report);
    assert!(ended.report == Value::Null || ended.report["totals"]["due"] == 0, "{:#}", ended.report);
    ended
}

#[test]
fn a_flag_that_does_not_exist_is_usage() {
    check_refusal(run(&["http://127.0.0.1:1/", "--concurency", "3"]), 2, &["--concurency", "-c"]);
    check_refusal(run(&["http://127.0.0.1:1/", "-c", "many"]), 2, &["-c", "many"]);
    check_refusal(run(&[]), 2, &["--demo"]);
}

#[test]
fn all_faults_of_a_plan_are_printed_at_once_with_their_lines() {
    let plan = "base_url: ftp://x
load: { rate: 5/s }
scenarios:
  - name: a
    path: /
    weigth: 2
    timeout: soon
";
    let words = ["plan.yaml:1:", "plan.yaml:2:", "plan.yaml:6:", "`weight`", "plan.yaml:7:", "250ms"];
    let ended = check_refusal(run_plan(plan, &[]), 2, &words);
    assert_eq!(ended.stderr.lines().count(), 4, "{ended:?}");
}

#[test]
fn a_file_that_is_no_plan_is_refused() {
    let dir = RunDir::new();
    let odd = dir.write("odd.yaml", b"base_url: \xff");
    check_refusal(run(&["--plan", &odd]), 2, &["odd.yaml", "UTF-8", "byte 10"]);
    check_refusal(run(&["--plan", &dir.file("missing.yaml")]), 2, &["missing.yaml", "http://"]);
    check_refusal(run(&["--plan", &dir.file(".")]), 2, &[&dir.file(".")]);
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_a_request_is_sent() {
    let script = answering();
    let ended = run(&[&script.url(), "-n", "1", "--report", "/nowhere/a.json"]);
    check_refusal(ended, 2, &["--report", "/nowhere/a.json"]);
    assert_eq!(script.connections(), 0);
}

#[test]
fn a_target_that_refuses_connections_is_reported_once() {
    // Bound and not listening: the port is ours, and refuses.
    let closed = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&closed, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = SocketAddr::try_from(getsockname(&closed).unwrap()).unwrap().to_string();
    let url = format!("http://{address}/");
    for args in [&["-n", "10"][..], &["-c", "50", "-d", "5s", "--threads", "2"], &["-r", "100/s", "-d", "5s"]]
    {
        let ended = check_refusal(run(&[&[url.as_str()], args].concat()), 3, &[&address, "refused"]);
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
}

#[test]
fn a_host_without_an_address_is_reported_once() {
    let ended = check_refusal(run(&["http://nowhere.invalid/", "-n", "1"]), 3, &["nowhere.invalid"]);
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}

#[test]
fn a_status_address_that_is_taken_is_named() {
    let (script, taken) = (answering(), TcpListener::bind(("127.0.0.1", 0)).unwrap());
    let address = taken.local_addr().unwrap().to_string();
    let ended = run(&[&script.url(), "-n", "1", "--listen", &address]);
    check_refusal(ended, 2, &[&address, "--listen"]);
    assert_eq!(script.requests(), 0);
}

#[test]
fn a_rate_that_was_not_offered_supports_no_verdict() {
    let script = answering();
    let url = script.url();
    for more in [&[][..], &["--strict"]] {
        let args = [&[url.as_str(), "-r", "2000000/s", "-c", "2", "-d", "1s"], more].concat();
        let ended = run(&args).lawful();
        assert_eq!((ended.code, &ended.report["verdict"]), (Some(4), &"inconclusive".into()), "{ended:?}");
        assert_eq!(ended.number("totals.due"), 2_000_000);
        assert!(ended.number("totals.dropped") > 0);
        assert_eq!(ended.report["instrument"]["trustworthy"], false);
        let names = ended.report["instrument"]["reason_names"].as_array().unwrap();
        assert!(names.contains(&"load_not_offered".into()), "{names:?}");
    }
}

/// Until load flows.
fn flows(run: &Running, script: &Script) {
    eventually("the first request", || (script.requests() > 0).then_some(()));
    assert_eq!(run.stderr(), "");
}

#[test]
fn an_interrupted_run_reports_what_it_measured() {
    for (signal, load) in [(Signal::INT, "-c"), (Signal::TERM, "-r")] {
        let script = answering();
        let run = start(&[&script.url(), load, "20", "-d", "50s"]);
        flows(&run, &script);
        eventually("more requests", || (script.requests() > 4).then_some(()));
        run.signal(signal);
        let ended = run.end().lawful();
        assert_eq!((ended.code, &ended.report["verdict"]), (Some(130), &"interrupted".into()), "{ended:?}");
        assert_eq!(
            (ended.number("totals.completed"), ended.number("totals.due")),
            (script.requests(), script.requests())
        );
        assert!(ended.stdout.to_lowercase().contains("interrupted"), "{ended:?}");
        assert!(ended.seconds("measured_seconds") < 40.0);
    }
}

#[test]
fn a_run_an_operator_ended_is_shown_as_interrupted() {
    let script = answering();
    let args = [&script.url(), "-c", "20", "-d", "50s", "--listen", "127.0.0.1:0", "--linger", "50s"];
    let run = start_with(&args, |command| {
        command.env("LOADTESTER_OPERATOR_TOKEN", "kept-between-us-two");
    });
    let address = run.await_stderr("dashboard at http://").trim_end_matches('/').parse().unwrap();
    eventually("the first request", || (script.requests() > 0).then_some(()));
    let stop = format!("http://{address}/api/v1/run/stop");
    let asked = live::agent(live::PROMPTLY).post(stop).header("Authorization", "Bearer kept-between-us-two");
    assert_eq!(asked.send_empty().unwrap().status(), 202);
    // The last part that a page gets shows how the run ended.
    let last = eventually("the last picture", || {
        let (code, part) = live::get(address, "/live/now");
        (code == 286).then_some(part)
    });
    assert!(last.contains("Interrupted"), "{last}");
    let asked = Instant::now();
    run.signal(Signal::INT);
    let ended = run.end().lawful();
    assert!(asked.elapsed() < Duration::from_secs(20), "the first signal ends the lingering");
    assert_eq!((ended.code, &ended.report["verdict"]), (Some(130), &"interrupted".into()), "{ended:?}");
}

#[test]
fn with_a_token_pages_are_read_off_loopback_by_who_has_it_or_if_all_may() {
    for (more, without) in [(None, 401), (Some("--public-status"), 200)] {
        let script = answering();
        let args = [&script.url(), "-c", "2", "-d", "50s", "--listen", "0.0.0.0:0"];
        let run = start_with(&[&args[..], more.as_slice()].concat(), |command| {
            command.env("LOADTESTER_OPERATOR_TOKEN", "kept-between-us-two");
            command.env("LOADTESTER_READ_TOKEN", "only-for-reading-1");
        });
        let line = run.await_stderr("dashboard at http://0.0.0.0:");
        let url = format!("http://127.0.0.1:{}/metrics", line.trim_end_matches('/'));
        let read = |token: Option<&str>| {
            let mut asked = live::agent(live::PROMPTLY).get(&url);
            if let Some(token) = token {
                asked = asked.header("Authorization", format!("Bearer {token}"));
            }
            asked.call().unwrap().status().as_u16()
        };
        assert_eq!((read(None), read(Some("kept-between-us-two"))), (without, 200), "{more:?}");
        assert_eq!(read(Some("only-for-reading-1")), 200, "{more:?}");
        let stop = format!("http://127.0.0.1:{}/api/v1/run/stop", line.trim_end_matches('/'));
        let stop =
            live::agent(live::PROMPTLY).post(stop).header("Authorization", "Bearer only-for-reading-1");
        assert_eq!(stop.send_empty().unwrap().status(), 401, "it reads and no more");
        run.signal(Signal::INT);
        assert_eq!(run.end().code, Some(130));
    }
}

#[test]
fn a_token_that_is_none_is_usage() {
    let run = start_with(&["http://127.0.0.1:1/", "-n", "1", "--listen", "127.0.0.1:0"], |command| {
        command.env("LOADTESTER_OPERATOR_TOKEN", " ");
    });
    check_refusal(run.end(), 2, &["LOADTESTER_OPERATOR_TOKEN", "empty"]);
    for variable in ["LOADTESTER_OPERATOR_TOKEN", "LOADTESTER_READ_TOKEN"] {
        let run = start_with(&["http://127.0.0.1:1/", "-n", "1", "--listen", "127.0.0.1:0"], |command| {
            command.env(variable, "fifteen-signs-x");
        });
        check_refusal(run.end(), 2, &["openssl rand -hex 32"]);
    }
}

#[test]
fn an_interrupted_warm_up_measured_nothing() {
    let script = answering();
    let plan = format!(
        "base_url: {}\nload: {{ warmup: 50s, duration: 1s }}\nscenarios: [{{ name: a, path: / }}]\n",
        script.url()
    );
    let dir = RunDir::new();
    let run = start(&["--plan", &dir.write("plan.yaml", plan)]);
    flows(&run, &script);
    run.signal(Signal::INT);
    let ended = run.end().lawful();
    assert_eq!((ended.code, &ended.report["verdict"]), (Some(130), &"interrupted".into()), "{ended:?}");
    assert_eq!((ended.number("totals.due"), ended.seconds("measured_seconds")), (0, 0.0));
}

#[test]
fn a_second_interrupt_ends_the_drain_at_once() {
    let script = Script::play([Step::Read, Step::Freeze]);
    let plan = format!(
        "base_url: {}\nload: {{ duration: 50s, drain: 50s, concurrency: 2 }}\nscenarios: [{{ name: a, path: / }}]\n",
        script.url()
    );
    let dir = RunDir::new();
    let run = start(&["--plan", &dir.write("plan.yaml", plan)]);
    flows(&run, &script);
    // The first window has closed, which nothing outside shows without a status server.
    std::thread::sleep(Duration::from_secs(2));
    let asked = Instant::now();
    run.signal(Signal::INT);
    let waits = run.await_stderr("stopping: ");
    assert_eq!(waits, "waiting up to 50 s for 2 in flight; Ctrl-C again ends at once, without a report");
    run.signal(Signal::INT);
    let ended = run.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(asked.elapsed() < Duration::from_secs(20), "it drained on");
}

#[test]
fn an_interrupt_while_connecting_sends_nothing() {
    // A listener whose queue is full answers no more attempts.
    let deaf = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&deaf, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    rustix::net::listen(&deaf, 0).unwrap();
    let address = SocketAddr::try_from(getsockname(&deaf).unwrap()).unwrap();
    let _first = std::net::TcpStream::connect(address).unwrap();
    let run = start_with(&[&format!("http://{address}/"), "-c", "4", "-d", "50s"], |_| {});
    std::thread::sleep(Duration::from_millis(500));
    run.signal(Signal::INT);
    check_refusal(run.end(), 130, &["interrupted"]);
}
