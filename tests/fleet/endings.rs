//! Runs that end as planned.

use crate::stage::{Log, Room};

#[test]
fn three_workers_send_the_one_schedule_and_are_counted_as_one() {
    let (log, room) = (Log::start(), Room::new());
    let plan = room.plan(log.addr, "{rate: 3000/s, duration: 4s, concurrency: 30}", "fail");
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
