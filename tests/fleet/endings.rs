//! Runs that end as planned.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use rustls::ALL_VERSIONS;

use crate::processes::{Log, RunDir, ended, eventually};
use crate::secure_target::{Authority, SecureTarget, config, for_clients};

#[test]
fn three_workers_send_the_one_schedule_and_are_counted_as_one() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{rate: 3000/s, duration: 4s, concurrency: 300}", "fail");
    let (mut coordinator, url) = dir.coordinator(&plan, "3", &[]);
    let mut workers: Vec<_> =
        (0..3).map(|i| dir.worker(&format!("w{i}"), &url, &["--threads", "1"])).collect();
    let code = coordinator.end();
    assert!(matches!(code, Some(0 | 4)), "{code:?}: {}", coordinator.output());
    workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.output()));
    let (report, arrivals) = (dir.report(), log.arrivals());
    let totals = &report["totals"];
    assert_eq!((&totals["due"], &totals["sent"]), (&12_000.into(), &12_000.into()), "{report:#}");
    assert_eq!(arrivals.len(), 12_000);
    assert_eq!(report["response_time"]["count"], 12_000);
    for worker in report["fleet"]["workers"].as_array().expect("rows") {
        assert_eq!((&worker["state"], &worker["due"]), (&"done".into(), &4_000.into()), "{worker:#}");
    }
    assert_eq!(report["fleet"]["missing"], serde_json::json!([]));
    let bound = report["fleet"]["start_skew_bound"].as_f64().expect("it is known");
    assert!(bound < 1.0, "{bound}");
}

/// The first README's form: workers bring the plan, the coordinator has none.
#[test]
fn workers_bring_the_plan_and_a_second_other_one_is_refused() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{requests: 100, concurrency: 10}", "fail");
    let other = dir.path("other.yaml");
    std::fs::write(&other, std::fs::read_to_string(&plan).expect("it is there").replace("100", "50"))
        .expect("disk space");
    let report = dir.path("report.json");
    let args = ["--role", "coordinator", "--workers", "2", "--listen", "127.0.0.1:0", "--report", &report];
    let mut coordinator = dir.start("coordinator", &args, &[]);
    let url = coordinator.url();
    let mut first = dir.worker("w0", &url, &["--plan", &plan]);
    coordinator.wait_for_output("worker 0");
    let mut wrong = dir.worker("wrong", &url, &["--plan", &other]);
    assert_eq!(wrong.end(), Some(2));
    assert_eq!(wrong.output().matches("sha256:").count(), 2, "both are named: {}", wrong.output());
    let mut second = dir.worker("w1", &url, &["--plan", &plan]);
    assert_eq!(
        (coordinator.end(), first.end(), second.end()),
        (Some(0), Some(0), Some(0)),
        "{}",
        coordinator.output()
    );
    assert_eq!((&dir.report()["totals"]["ok"], log.arrivals().len()), (&100.into(), 100));
}

/// A target that only the plan's own CA vouches for, and that asks for a certificate of ours.
#[test]
fn the_files_that_a_plan_names_travel_with_it() {
    let (dir, authority) = (RunDir::new(), Authority::new("a CA of the test"));
    let (of_target, own) = (authority.sign(&["localhost"]), authority.sign_with(&["us"], for_clients));
    let of_target = config(&of_target, ALL_VERSIONS, Some(&authority));
    let target =
        SecureTarget::answer(of_target, usize::MAX, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    for (name, text) in [("ca.pem", &authority.pem()), ("own.pem", &own.certificate), ("own.key", &own.key)] {
        fs::write(dir.path(name), text).expect("disk space");
    }
    let text = format!(
        "base_url: {}\nload: {{requests: 40, concurrency: 4}}\nscenarios: [{{name: a, path: /}}]\n\
         tls: {{ca: ca.pem, cert: own.pem, key: own.key}}\n",
        target.url()
    );
    let plan = dir.path("plan.yaml");
    fs::write(&plan, text).expect("disk space");
    // Not to whoever asks: there is a key.
    let open = ["--role", "coordinator", "--plan", &plan, "--workers", "2", "--listen", "127.0.0.1:0"];
    let mut without = dir.start("without", &open, &[]);
    assert_eq!(without.end(), Some(2), "{}", without.output());
    without.assert_output(&["tls.key", "LOADTESTER_TOKEN"]);
    let token_file = dir.path("token");
    fs::write(&token_file, "a-token-for-workers-5f1c").expect("disk space");
    let token = ["--token-file", token_file.as_str()];
    let (mut coordinator, url) = dir.coordinator(&plan, "2", &token);
    let args = [&["--threads", "1"][..], &token].concat();
    let mut workers = ["w0", "w1"].map(|name| dir.worker(name, &url, &args));
    let code = coordinator.end();
    assert!(matches!(code, Some(0 | 4)), "{code:?}: {}", coordinator.output());
    workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.output()));
    let report = dir.report();
    assert_eq!(report["totals"]["ok"], 40, "{report:#}");
    let travels = STANDARD.encode(&own.key);
    let own_line = own.key.lines().nth(1).expect("base64");
    for output in [report.to_string(), coordinator.output(), workers[0].output(), workers[1].output()] {
        for secret in ["PRIVATE KEY", own_line, &travels[..60], &travels[60..120]] {
            assert!(!output.contains(secret), "{output}");
        }
    }
    fs::remove_file(dir.path("ca.pem")).expect("it was there");
    let mut without = dir.start("without", &[&open[..], &token].concat(), &[]);
    assert_eq!(without.end(), Some(2), "{}", without.output());
    without.assert_output(&["tls.ca", "ca.pem"]);
}

/// Nothing of its result is missing, and the run fails all the same.
#[test]
fn an_interrupted_worker_has_left_and_the_run_fails() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{rate: 200/s, duration: 60s, concurrency: 20}", "fail");
    let (mut coordinator, url) = dir.coordinator(&plan, "2", &[]);
    let mut workers = ["w0", "w1"].map(|name| dir.worker(name, &url, &["--threads", "1"]));
    ended(&url, "", 100);
    workers[0].signal(Signal::INT);
    assert_eq!(workers.each_mut().map(|worker| worker.end()), [Some(130), Some(0)]);
    assert_eq!(coordinator.end(), Some(1), "{}", coordinator.output());
    let report = dir.report();
    let rows = report["fleet"]["workers"].as_array().expect("rows");
    let left: Vec<_> = rows.iter().filter(|row| row["state"] == "left").map(|row| &row["worker"]).collect();
    assert_eq!((left.len(), &report["fleet"]["missing"]), (1, &serde_json::json!([])), "{report:#}");
    let named = format!("worker {} ", left[0]);
    assert!(report["fleet"]["stopped"].as_str().is_some_and(|why| why.contains(&named)), "{report:#}");
    assert!(rows.iter().all(|row| row["state"] != "lost"), "{report:#}");
    // The name of its state is printed with its number, and never the other one.
    let output = coordinator.output();
    let of_worker: Vec<_> = output.lines().filter(|line| line.contains(&named)).collect();
    assert!(of_worker.iter().any(|line| line.contains(" left")), "{output}");
    assert!(of_worker.iter().all(|line| !line.contains(" lost")), "{output}");
    assert_eq!(report["totals"]["sent"], log.arrivals().len());
}

/// What an eviction is to a coordinator with a journal: the run goes on with the next process.
#[test]
fn a_terminated_coordinator_leaves_the_run_to_the_next_one() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{rate: 200/s, duration: 10s, concurrency: 20}", "fail");
    let state = dir.path("state");
    let (mut moved, url) = dir.coordinator(&plan, "2", &["--state-dir", &state]);
    let mut workers: Vec<_> =
        (0..2).map(|i| dir.worker(&format!("w{i}"), &url, &["--threads", "1"])).collect();
    ended(&url, "", 300);
    moved.signal(Signal::TERM);
    assert_eq!(moved.end(), Some(130), "{}", moved.output());
    moved.assert_output(&["--state-dir", "2 min"]);
    let so_far = dir.report();
    assert_eq!(so_far["verdict"], "interrupted");
    assert!((300..2_000).contains(&so_far["totals"]["ok"].as_u64().expect("a count")), "{so_far:#}");
    let listen = url.trim_start_matches("http://");
    let again = ["--state-dir", &state, "--listen", listen];
    let (mut next, _) = dir.coordinator(&plan, "2", &again);
    let code = next.end();
    workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.output()));
    let report = dir.report();
    assert_eq!(code, Some(if report["totals"]["dropped"] == 0 { 0 } else { 4 }), "{}", next.output());
    assert_eq!(report["totals"]["due"], 2_000, "{report:#}");
    assert_eq!(report["totals"]["sent"], log.arrivals().len(), "{report:#}");
}

#[test]
fn an_interrupted_coordinator_ends_the_run_and_its_workers() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{rate: 200/s, duration: 60s, concurrency: 20}", "fail");
    let state = dir.path("state");
    let (mut coordinator, url) = dir.coordinator(&plan, "2", &["--state-dir", &state]);
    let mut workers: Vec<_> =
        (0..2).map(|i| dir.worker(&format!("w{i}"), &url, &["--threads", "1"])).collect();
    ended(&url, "", 200);
    coordinator.signal(Signal::INT);
    assert_eq!(coordinator.end(), Some(130), "{}", coordinator.output());
    for worker in &mut workers {
        assert_eq!(worker.end(), Some(0), "{}", worker.output());
        worker.assert_output(&["interrupted"]);
    }
    assert_eq!(dir.report()["totals"]["sent"], log.arrivals().len());
    // The run has ended and its exit code was given.
    assert_eq!(again(&dir, &plan, &state).0, Some(2));
}

/// Another coordinator with this plan and directory: its exit code and output.
fn again(dir: &RunDir, plan: &str, state: &str) -> (Option<i32>, String) {
    let args = ["--role", "coordinator", "--plan", plan, "--listen", "127.0.0.1:0", "--state-dir", state];
    let mut again = dir.start("again", &[&args[..], &["--report", &dir.path("report.json")]].concat(), &[]);
    (again.end(), again.output())
}

/// Otherwise a pipeline would pass for ever without load.
#[test]
fn the_result_in_a_state_directory_is_reported_once() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{requests: 40, concurrency: 2}", "fail");
    let state = dir.path("state");
    let (mut coordinator, url) = dir.coordinator(&plan, "1", &["--state-dir", &state, "--linger", "60s"]);
    let mut worker = dir.worker("w0", &url, &["--threads", "1"]);
    assert_eq!(worker.end(), Some(0), "{}", worker.output());
    eventually("the report", || fs::metadata(dir.path("report.json")).ok().filter(|file| file.len() > 0));
    // It dies before it has given its exit code.
    coordinator.signal(Signal::KILL);
    assert_eq!(coordinator.end(), None);
    fs::remove_file(dir.path("report.json")).expect("it was there");
    let (code, output) = again(&dir, &plan, &state);
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains(&state), "{output}");
    assert_eq!(dir.report()["totals"]["ok"], 40);
    let (code, output) = again(&dir, &plan, &state);
    assert_eq!(code, Some(2), "{output}");
    assert!(output.contains(&state), "{output}");
    assert_eq!(log.arrivals().len(), 40);
}

#[test]
fn a_directory_that_holds_a_run_of_another_plan_is_refused_and_both_are_named() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{requests: 40, concurrency: 2}", "fail");
    let state = dir.path("state");
    let (mut coordinator, _) = dir.coordinator(&plan, "1", &["--state-dir", &state]);
    coordinator.signal(Signal::KILL);
    assert_eq!(coordinator.end(), None);
    let plan = dir.plan(log.addr, "{requests: 41, concurrency: 2}", "fail");
    let (code, output) = again(&dir, &plan, &state);
    assert_eq!(code, Some(2), "{output}");
    assert!(output.contains(&state), "{output}");
    assert_eq!(output.matches("sha256:").count(), 2, "{output}");
}

/// The same text is another plan when the files that it names hold something else.
#[test]
fn a_plan_of_the_same_text_with_other_files_is_another_plan() {
    let (log, dir) = (Log::start(), RunDir::new());
    let text = dir.plan(log.addr, "{requests: 10, concurrency: 2}", "fail");
    let text = fs::read_to_string(text).expect("it is there").replace("http://", "https://");
    let brings = |folder: &str| {
        fs::create_dir(dir.path(folder)).expect("disk space");
        let ca = Authority::new("a CA of the test").pem();
        fs::write(dir.path(&format!("{folder}/ca.pem")), ca).expect("disk space");
        let plan = dir.path(&format!("{folder}/plan.yaml"));
        fs::write(&plan, format!("{text}tls: {{ca: ca.pem}}\n")).expect("disk space");
        plan
    };
    let (first, second) = (brings("first"), brings("second"));
    let args = ["--role", "coordinator", "--workers", "2", "--listen", "127.0.0.1:0"];
    let coordinator = dir.start("coordinator", &args, &[]);
    let url = coordinator.url();
    let _first = dir.worker("w0", &url, &["--plan", &first]);
    coordinator.wait_for_output("worker 0");
    let mut wrong = dir.worker("w1", &url, &["--plan", &second]);
    assert_eq!(wrong.end(), Some(2));
    assert_eq!(wrong.output().matches("sha256:").count(), 2, "both are named: {}", wrong.output());
}
