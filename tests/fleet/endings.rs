//! Runs that end as planned.

use std::fs;

use rustls::ALL_VERSIONS;

use crate::secure_target::{Authority, SecureTarget, config, for_clients};
use crate::stage::{Log, Room};

#[test]
fn three_workers_send_the_one_schedule_and_are_counted_as_one() {
    let (log, room) = (Log::start(), Room::new());
    let plan = room.plan(log.addr, "{rate: 3000/s, duration: 4s, concurrency: 300}", "fail");
    let (mut coordinator, url) = room.coordinator(&plan, "3", &[]);
    let mut workers: Vec<_> =
        (0..3).map(|i| room.worker(&format!("w{i}"), &url, &["--threads", "1"])).collect();
    let code = coordinator.end();
    assert!(matches!(code, Some(0 | 4)), "{code:?}: {}", coordinator.said());
    workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.said()));
    let (report, arrivals) = (room.report(), log.arrivals());
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
    let (log, room) = (Log::start(), Room::new());
    let plan = room.plan(log.addr, "{requests: 100, concurrency: 10}", "fail");
    let other = room.path("other.yaml");
    std::fs::write(&other, std::fs::read_to_string(&plan).expect("it is there").replace("100", "50"))
        .expect("room on the disk");
    let report = room.path("report.json");
    let args = ["--role", "coordinator", "--workers", "2", "--listen", "127.0.0.1:0", "--report", &report];
    let mut coordinator = room.start("coordinator", &args, &[]);
    let url = coordinator.said_after("coordinator at ").split("/ ").next().expect("a URL").to_owned();
    let mut first = room.worker("w0", &url, &["--plan", &plan]);
    coordinator.said_after("worker 0");
    let mut wrong = room.worker("wrong", &url, &["--plan", &other]);
    assert_eq!(wrong.end(), Some(2));
    assert_eq!(wrong.said().matches("sha256:").count(), 2, "both are named: {}", wrong.said());
    let mut second = room.worker("w1", &url, &["--plan", &plan]);
    assert_eq!(
        (coordinator.end(), first.end(), second.end()),
        (Some(0), Some(0), Some(0)),
        "{}",
        coordinator.said()
    );
    assert_eq!((&room.report()["totals"]["ok"], log.arrivals().len()), (&100.into(), 100));
}

/// A target that only the plan's own CA vouches for, and that asks for a certificate of ours.
#[test]
fn the_files_that_a_plan_names_travel_with_it() {
    let (room, authority) = (Room::new(), Authority::new("a CA of the test"));
    let (of_target, own) = (authority.sign(&["localhost"]), authority.sign_with(&["us"], for_clients));
    let of_target = config(&of_target, ALL_VERSIONS, Some(&authority));
    let target =
        SecureTarget::answer(of_target, usize::MAX, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    for (name, text) in [("ca.pem", &authority.pem()), ("own.pem", &own.certificate), ("own.key", &own.key)] {
        fs::write(room.path(name), text).expect("room on the disk");
    }
    let text = format!(
        "base_url: {}\nload: {{requests: 40, concurrency: 4}}\nscenarios: [{{name: a, path: /}}]\n\
         tls: {{ca: ca.pem, cert: own.pem, key: own.key}}\n",
        target.url()
    );
    let plan = room.path("plan.yaml");
    fs::write(&plan, text).expect("room on the disk");
    let (mut coordinator, url) = room.coordinator(&plan, "2", &[]);
    let mut workers = ["w0", "w1"].map(|name| room.worker(name, &url, &["--threads", "1"]));
    let code = coordinator.end();
    assert!(matches!(code, Some(0 | 4)), "{code:?}: {}", coordinator.said());
    workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.said()));
    let report = room.report();
    assert_eq!(report["totals"]["ok"], 40, "{report:#}");
    for said in [report.to_string(), coordinator.said(), workers[0].said()] {
        assert!(!said.contains("PRIVATE KEY"), "{said}");
    }
    fs::remove_file(room.path("ca.pem")).expect("it was there");
    let args = ["--role", "coordinator", "--plan", &plan, "--workers", "2", "--listen", "127.0.0.1:0"];
    let mut without = room.start("without", &args, &[]);
    assert_eq!(without.end(), Some(2), "{}", without.said());
    assert!(without.said().contains("tls.ca") && without.said().contains("ca.pem"), "{}", without.said());
}
