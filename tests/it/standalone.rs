//! A run alone, from the plan to the report: what it says is what the target saw.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use loadtester::roles::demo_target::DemoTarget;
use rustix::process::Signal;
use serde_json::Value;

use crate::live;
use crate::output::state_and_parent;
use crate::run::{Ended, PROGRAM, RunDir, eventually, run, run_plan, start};
use crate::script::{Script, Step, pause_ms, response, send};

fn target() -> DemoTarget {
    DemoTarget::start_program(Path::new(PROGRAM), None).expect("the target starts")
}

fn counts(target: &DemoTarget) -> Value {
    serde_json::from_str(&live::get(target.addr(), "/count").1).expect("JSON")
}

fn sample(base_url: &str, load: &str) -> String {
    format!(
        "base_url: {base_url}
{load}defaults:
  method: GET
  headers:
    Authorization: Bearer dummy-token
    Content-Type: application/json
  timeout: 5s
  concurrency: 10
  requests: 100

scenarios:
  - name: Get users
    path: /v1/users
    method: GET
    weight: 2
  - name: Create user
    path: /v1/users
    method: POST
    body: |
      {{
        \"name\": \"John\",
        \"email\": \"john@example.com\"
      }}
    weight: 1
"
    )
}

/// Passed, all answered well, and the target's count is ours.
fn check_count(ended: Ended, requests: u64, seen: u64) -> Ended {
    assert_eq!((ended.code, &ended.report["verdict"]), (Some(0), &Value::from("passed")), "{ended:#?}");
    assert_eq!(ended.outcomes(), [("ok".to_owned(), requests)]);
    assert_eq!((ended.number("totals.sent"), seen), (requests, requests));
    ended.lawful()
}

#[test]
fn the_sample_plan_sends_exactly_67_and_33() {
    for args in [&[][..], &["--threads", "2"], &["-c", "3"], &["--threads", "2", "-c", "3", "--seed", "7"]] {
        let target = target();
        let ended = run_plan(&sample(&format!("http://{}", target.addr()), ""), args);
        let counted = counts(&target);
        let routes = &counted["routes"];
        assert_eq!(
            (&routes["GET /v1/users"], &routes["POST /v1/users"]),
            (&67.into(), &33.into()),
            "{args:?}"
        );
        let ended = check_count(ended, 100, counted["total"].as_u64().unwrap());
        assert_eq!(ended.report["scenarios"][0]["totals"]["ok"], 67);
        assert_eq!(ended.report["scenarios"][1]["status_codes"]["201"], 33);
    }
}

#[test]
fn at_full_speed_the_target_counts_what_we_count() {
    for threads in ["1", "2"] {
        let target = target();
        let url = format!("http://{}/v1/users", target.addr());
        let ended = run(&[&url, "-c", "16", "-d", "2s", "--threads", threads]);
        let seen = counts(&target)["total"].as_u64().unwrap();
        let sent = ended.number("totals.sent");
        assert!(sent > 1_000, "{sent} in two seconds");
        check_count(ended, sent, seen);
    }
}

#[test]
fn more_connections_than_requests_send_no_more_requests() {
    for (connections, requests, threads) in [("20", 3, "2"), ("1", 1, "1"), ("7", 7, "2")] {
        let target = target();
        let (url, n) = (format!("http://{}/healthz", target.addr()), requests.to_string());
        let ended = run(&[&url, "-c", connections, "-n", &n, "--threads", threads]);
        check_count(ended, requests, counts(&target)["total"].as_u64().unwrap());
    }
}

#[test]
fn the_warm_up_is_sent_and_not_counted() {
    let target = target();
    let load = "load: { warmup: 300ms, requests: 50 }\n";
    let ended = run_plan(&sample(&format!("http://{}", target.addr()), load), &["-c", "2"]);
    let seen = counts(&target)["total"].as_u64().unwrap();
    assert!(seen > 50, "{seen} requests arrived, so there was no warm-up");
    check_count(ended, 50, 50);
}

#[test]
fn a_duration_on_the_command_line_overrides_the_plans_end() {
    let target = target();
    let ended = run_plan(&sample(&format!("http://{}", target.addr()), ""), &["-d", "400ms"]).lawful();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let measured = ended.seconds("measured_seconds");
    assert!((0.39..=0.4).contains(&measured), "{measured} s measured");
    assert!(ended.number("totals.due") > 100, "the plan's end was kept");
}

/// Answers after 300 ms.
fn slow() -> Script {
    Script::play([Step::Read, pause_ms(300), send(response("200 OK", "slow"))])
}

#[test]
fn what_is_on_its_way_at_the_end_completes_in_the_drain() {
    let script = slow();
    let ended = run(&[&script.url(), "-c", "3", "-d", "1s"]);
    let requests = script.requests();
    assert!(requests >= 3, "{requests}");
    assert!(ended.seconds("response_time.min") > 0.25, "{ended:#?}");
    check_count(ended, requests, requests);
}

#[test]
fn what_a_short_drain_cuts_off_is_unfinished() {
    let script = slow();
    let load = "load: { concurrency: 4, duration: 100ms, drain: 10ms }\n";
    let ended = run_plan(&sample(&script.url(), load), &[]).lawful();
    assert_eq!((ended.number("totals.due"), ended.number("totals.unfinished")), (4, 4), "{ended:#?}");
    assert_eq!(script.requests(), 4);
}

#[test]
fn an_open_run_sends_exactly_what_the_schedule_asks() {
    for threads in ["1", "2"] {
        let target = target();
        let url = format!("http://{}/healthz", target.addr());
        let ended = run(&[&url, "-r", "500/s", "-d", "2s", "--threads", threads]).lawful();
        let seen = counts(&target)["total"].as_u64().unwrap();
        assert_eq!((ended.number("totals.due"), seen), (1_000, 1_000));
        assert_eq!(ended.outcomes(), [("ok".to_owned(), 1_000)]);
        assert_eq!(ended.report["rate"]["target"], 500.0);
    }
}

#[test]
fn a_full_backlog_drops_and_says_so() {
    // One connection that answers ten a second, a place for five more, asked for a hundred a second.
    let script = Script::play([Step::Read, pause_ms(100), send(response("200 OK", ""))]);
    let load = "load: { rate: 100/s, duration: 1s, concurrency: 1, backlog: 5 }\n";
    let ended = run_plan(&sample(&script.url(), load), &[]).lawful();
    let dropped = ended.number("totals.dropped");
    assert_eq!((ended.code, ended.number("totals.due")), (Some(4), 100), "{ended:#?}");
    assert!((60..=95).contains(&dropped), "{dropped} dropped");
    assert_eq!(ended.number("totals.sent"), script.requests());
    assert_eq!(ended.report["verdict"], "inconclusive");
    assert_eq!(ended.report["instrument"]["reason_names"][0], "load_not_offered", "{ended:#?}");
    assert!(ended.report["instrument"]["reasons"][0].as_str().unwrap().contains("concurrency"), "{ended:#?}");
}

#[test]
fn requests_at_a_rate_take_as_long_as_they_take_to_fall_due() {
    let target = target();
    let url = format!("http://{}/v1/users", target.addr());
    for more in [&[][..], &["-d", "30s"]] {
        let ended = run(&[&[url.as_str(), "-r", "50", "-n", "20"], more].concat()).lawful();
        assert_eq!((ended.code, ended.number("totals.ok")), (Some(0), 20), "{ended:#?}");
        assert_eq!(ended.seconds("measured_seconds"), 0.4, "{more:?}");
        for rate in ["target", "offered", "achieved"] {
            assert_eq!(ended.seconds(&format!("rate.{rate}")), 50.0, "{rate}");
        }
    }
    let one = run(&[&url, "-r", "50", "-n", "1"]).lawful();
    assert_eq!((one.seconds("rate.offered"), one.seconds("rate.achieved")), (50.0, 50.0), "{one:#?}");
}

#[test]
fn a_jump_to_zero_at_the_end_of_a_stage_sends_what_the_stage_asks_for() {
    let target = target();
    let stages = "stages: [{for: 200ms, rate: 500/s}, {for: 0s, rate: 0/s}, {for: 300ms, rate: 0/s}]";
    let plan =
        format!("base_url: http://{}\nload: {{{stages}}}\nscenarios: [{{path: /v1/users}}]\n", target.addr());
    let ended = run_plan(&plan, &[]).lawful();
    assert_eq!((ended.number("totals.due"), ended.number("totals.ok")), (50, 50), "{ended:#?}");
}

/// A process that is stopped while its target times out an idle connection sends late, to an answer that is there.
#[test]
fn an_answer_that_came_before_its_request_is_not_believed() {
    for method in ["GET", "POST"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (answered, release) = (mpsc::channel(), mpsc::channel::<()>());
        let (tell, wait) = (answered.0, release.1);
        let server = std::thread::spawn(move || {
            for n in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut served = 0;
                while read_head(&mut stream) {
                    stream.write_all(response("200 OK", "ok").as_bytes()).unwrap();
                    served += 1;
                    if n == 0 && served == 1 {
                        tell.send(()).unwrap();
                        wait.recv().unwrap();
                        stream.write_all(response("408 Request Timeout", "").as_bytes()).unwrap();
                        tell.send(()).unwrap();
                        break;
                    }
                }
            }
        });
        let run = start(&[&url, "-m", method, "-c", "1", "-r", "2", "-n", "3", "--threads", "1"]);
        answered.1.recv().unwrap();
        run.signal(Signal::STOP);
        eventually("it is stopped", || {
            state_and_parent(run.pid()).filter(|(state, _)| *state == 'T').map(|_| ())
        });
        release.0.send(()).unwrap();
        answered.1.recv().unwrap();
        // The next request falls due meanwhile, and is sent late.
        std::thread::sleep(Duration::from_millis(600));
        run.signal(Signal::CONT);
        let ended = run.end().lawful();
        assert_eq!(ended.outcomes(), [("ok".to_owned(), 3)], "{method} {ended:#?}");
        server.join().unwrap();
    }
}

/// `cargo test --test it twenty_stops -- --ignored`
#[test]
#[ignore = "takes 15 s"]
fn twenty_stops_among_twenty_thousand_requests_make_no_answer_that_was_none() {
    // A connection is used every 10 ms: only a stop makes it idle for so long.
    const IDLE: Duration = Duration::from_millis(50);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let timed_out = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = timed_out.clone();
    // Ends with the process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, count) = (stream.unwrap(), count.clone());
            std::thread::spawn(move || {
                stream.set_read_timeout(Some(IDLE)).unwrap();
                while read_head(&mut stream) {
                    if stream.write_all(response("200 OK", "ok").as_bytes()).is_err() {
                        return;
                    }
                }
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let _ = stream.write_all(response("408 Request Timeout", "").as_bytes());
                let _ = stream.shutdown(std::net::Shutdown::Write);
                // Until the other side has closed, too: a reset would take the answer back.
                while matches!(stream.read(&mut [0; 64]), Ok(1..)) {}
            });
        }
    });
    let plan = format!(
        "base_url: {url}\nload: {{rate: 2000/s, requests: 20000, concurrency: 20}}\nscenarios: [{{path: /}}]\n\
         thresholds: [error_rate < 1%]\n"
    );
    for threads in ["1", "2"] {
        let before = timed_out.load(std::sync::atomic::Ordering::Relaxed);
        let dir = RunDir::new();
        let run = start(&["--plan", &dir.write("plan.yaml", &plan), "--threads", threads]);
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(360));
            run.signal(Signal::STOP);
            std::thread::sleep(Duration::from_millis(90));
            run.signal(Signal::CONT);
        }
        let ended = run.end().lawful();
        let stale = timed_out.load(std::sync::atomic::Ordering::Relaxed) - before;
        eprintln!("{threads} threads: {stale} connections were timed out, outcomes {:?}", ended.outcomes());
        assert!(stale >= 100, "the target sent 408 to {stale} connections alone");
        assert_eq!(ended.number("status_codes.200"), ended.number("totals.completed"), "{ended:#?}");
        // A 408 that crosses its request on the wire cannot be told from its answer (`src/http1/policy.md`).
        assert!(ended.number("totals.ok") >= 19_990 && ended.code != Some(1), "{ended:#?}");
    }
}

/// Whether a request without a body came.
fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}
