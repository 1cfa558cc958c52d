//! A server that goes away in the middle of a run: every request is accounted for, and the run goes on.

use std::net::TcpStream;
use std::time::Duration;

use crate::harness::CaseResult;
use crate::nginx::{Config, Nginx};
use crate::run::{Ended, Running, eventually, start};

const CONNECTIONS: u64 = 20;

/// An open run of four seconds at 2,000/s, once it flows.
fn begun(nginx: &Nginx) -> Running {
    let args = ["-r", "2000/s", "-d", "4s", "-c", &CONNECTIONS.to_string(), "--threads", "1"];
    let url = format!("http://{}/", nginx.address);
    let running = start(&[&[url.as_str()], &args[..]].concat());
    eventually("load flows", || (nginx.requests() > 500).then_some(()));
    running
}

fn count(ended: &Ended, outcome: &str) -> u64 {
    ended.outcomes().iter().find(|(name, _)| name == outcome).map_or(0, |(_, n)| *n)
}

/// No outcome but these occurs, and all that was due has become something.
fn only(ended: &Ended, outcomes: &[&str]) {
    assert_eq!(ended.number("totals.due"), 8_000, "{ended:?}");
    let strange: Vec<_> =
        ended.outcomes().into_iter().filter(|(name, _)| !outcomes.contains(&name.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?}: {ended:?}");
}

/// What was answered in the last whole second of the run.
fn answered_at_the_end(ended: &Ended) -> u64 {
    let seconds = ended.report["timeline"].as_array().expect("a timeline");
    let last = seconds.iter().rev().find(|second| second["t"].as_f64() <= Some(4.01)).expect("a second");
    last["completed"].as_u64().expect("a count")
}

pub fn nginx_reloaded_under_load_loses_nothing() -> CaseResult {
    let nginx = Nginx::start(Config { master: true, ..Config::default() })?;
    let running = begun(&nginx);
    for _ in 0..3 {
        nginx.reload();
        std::thread::sleep(Duration::from_millis(600));
    }
    let ended = running.end().lawful();
    // An old worker closes a connection with a request on its way: it is sent again where that is sure.
    only(&ended, &["ok", "reset", "closed_early"]);
    let (ok, logged) = (count(&ended, "ok"), nginx.requests());
    assert!(ok >= 7_990, "{ended:?}");
    assert!((ok..=8_000).contains(&logged), "{ok} answered, {logged} logged");
    assert!(answered_at_the_end(&ended) > 1_500, "{ended:?}");
    let opened = ended.number("totals.connections_opened");
    assert!(opened > 2 * CONNECTIONS, "{opened} opened");
    let address = nginx.address;
    drop(nginx);
    eventually("the last worker is gone", || TcpStream::connect(address).is_err().then_some(()));
    Ok(())
}

pub fn nginx_killed_and_started_again_is_met_again() -> CaseResult {
    let nginx = Nginx::start(Config::default())?;
    let running = begun(&nginx);
    let opened_before = nginx.connections();
    let start_again = nginx.kill();
    std::thread::sleep(Duration::from_millis(700));
    let nginx = start_again();
    let ended = running.end().lawful();
    only(&ended, &["ok", "reset", "closed_early", "connect_refused"]);
    let (ok, logged) = (count(&ended, "ok"), nginx.requests());
    // Those in the dying process's hands may be logged and not answered, or answered and not logged.
    assert!(ok.abs_diff(logged) <= CONNECTIONS, "{ok} answered, {logged} logged");
    assert!(count(&ended, "connect_refused") > 100, "{ended:?}");
    assert!((4_000..7_900).contains(&ok), "{ended:?}");
    assert!(answered_at_the_end(&ended) > 1_500, "{ended:?}");
    let opened = ended.number("totals.connections_opened");
    assert!(opened >= opened_before + CONNECTIONS / 2, "{opened_before} opened, then {opened}");
    Ok(())
}
