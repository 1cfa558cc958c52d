//! What a run writes and shows, searched for what must not be in it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::processes::{Log, RunDir, ended, exchange, marks};

const WORK: &str = "a-token-for-workers-5f1c";
const OPERATE: &str = "a-token-for-operators-93d2";
const OF_PLAN: &str = "a-secret-of-the-plan-77be";

fn assert_none(place: &str, bytes: &[u8]) {
    assert!(!bytes.is_empty(), "{place} says nothing: nothing was looked at");
    let text = String::from_utf8_lossy(bytes);
    for secret in [WORK, OPERATE, OF_PLAN] {
        assert!(!text.contains(secret), "{place} tells {secret}: {text}");
    }
}

#[test]
fn secrets_are_in_no_report_no_answer_and_no_output_and_the_state_is_its_owners() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.path("plan.yaml");
    let text = format!(
        "base_url: http://{}\nload: {{rate: 50/s, duration: 4s, concurrency: 4}}\nscenarios:\n\
         - {{name: a, path: '/?key=${{PLAN_SECRET}}', headers: {{Authorization: 'Bearer ${{PLAN_SECRET}}', \
         X-Other: '${{PLAN_SECRET}}'}}, expect: {{status: 500}}}}\n",
        log.addr
    );
    fs::write(&plan, text).expect("disk space");
    let state = dir.path("state");
    let reports = ["json", "html", "xml", "csv", "hlog"].map(|end| dir.path(&format!("report.{end}")));
    let mut args = vec!["--role", "coordinator", "--plan", &plan, "--workers", "2"];
    args.extend(["--listen", "127.0.0.1:0", "--state-dir", &state]);
    reports.iter().for_each(|report| args.extend(["--report", report]));
    let work = ("LOADTESTER_TOKEN", WORK);
    let tokens = [work, ("LOADTESTER_OPERATOR_TOKEN", OPERATE), ("PLAN_SECRET", OF_PLAN)];
    let mut coordinator = dir.start("coordinator", &args, &tokens);
    let url = coordinator.url();
    let args = ["--role", "worker", "--coordinator", &url, "--threads", "1", "--listen", "127.0.0.1:0"];
    let mut workers = ["w0", "w1"].map(|name| dir.start(name, &args, &[work]));
    let of_worker = workers[0].wait_for_output(marks::STATUS_AT).trim().trim_end_matches('/').to_owned();
    ended(&url, &format!("Authorization: Bearer {OPERATE}\r\n"), 50);
    for (url, token, path) in [
        (&url, OPERATE, "/"),
        (&url, OPERATE, "/status"),
        (&url, OPERATE, "/metrics"),
        (&of_worker, WORK, "/status"),
        (&of_worker, WORK, "/metrics"),
    ] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n");
        let (status, body) = exchange(url, request.as_bytes());
        assert_eq!(status, 200, "{path}: {body}");
        assert_none(path, body.as_bytes());
    }
    // Nothing was as expected: reports hold samples of the failures, too.
    coordinator.end();
    workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.output()));
    assert!(!log.arrivals().is_empty());
    for report in &reports {
        assert_none(report, &fs::read(report).expect("a report was written"));
    }
    assert_none("standard output", &fs::read(dir.path("coordinator.out")).expect("a file"));
    for file in ["coordinator.err", "w0.err", "w1.err"] {
        assert_none(file, &fs::read(dir.path(file)).expect("a file"));
    }
    // A plan travels and is kept with its secrets.
    let mode = |path: &str| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    let mut modes = fs::read_dir(&state).expect("a directory").map(|entry| {
        let path = entry.expect("an entry").path();
        mode(path.to_str().expect("UTF-8"))
    });
    assert!(modes.all(|mode| mode == 0o600));
    let journal = fs::read(format!("{state}/journal")).expect("a journal");
    assert!(String::from_utf8_lossy(&journal).contains(OF_PLAN), "which is why");
}
