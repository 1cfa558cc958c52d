//! The metrics page, as text and in the eyes of Prometheus' own linter.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use loadtester::report::prometheus::text;
use loadtester::run::{RunInfo, Snapshot};

use crate::harness::{needed, program};
use crate::live::snapshot;

#[test]
fn a_small_snapshot_gives_this_page() {
    let page = text(&snapshot()).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/metrics.golden.txt");
        return std::fs::write(path, page).expect("disk space");
    }
    let golden = include_str!("metrics.golden.txt");
    for (line, expected) in page.lines().zip(golden.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(page.lines().count(), golden.lines().count());
}

#[test]
fn promtool_finds_nothing() {
    let Some(promtool) = needed(program("promtool", "prometheus")) else { return };
    let assert_lints = |snapshot: &Snapshot| assert_lints(&promtool, snapshot);
    assert_lints(&snapshot());
    let run = RunInfo { target_rate: None, model: "closed", ..snapshot().run };
    assert_lints(&Snapshot::new(run, 1, 0.0));
    let run = RunInfo { labels: vec![("team".into(), "a \"b\"".into())], ..snapshot().run };
    assert_lints(&Snapshot::new(run, 1, 0.0));
    let run = RunInfo { insecure: Some(false), ..snapshot().run };
    let secure = Snapshot::new(run, 1, 0.0);
    assert_lints(&secure);
    for sample in ["handshakes_total{kind=\"resumed\"} 0", "failures_total{reason=\"expired\"} 0"] {
        assert!(text(&secure).contains(&format!("\nloadtester_tls_{sample}\n")), "{sample}");
    }
}

#[test]
fn the_labels_of_a_run_are_a_metric() {
    let mut snapshot = snapshot();
    assert!(!text(&snapshot).contains("loadtester_run_info"), "without labels there is nothing to say");
    snapshot.run.labels = vec![("build".into(), "17".into()), ("team".into(), "a \"b\"".into())];
    assert!(text(&snapshot).contains("\nloadtester_run_info{build=\"17\",team=\"a \\\"b\\\"\"} 1\n"));
}

fn assert_lints(promtool: &Path, snapshot: &Snapshot) {
    let mut promtool = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let page = text(snapshot);
    promtool.stdin.take().expect("piped").write_all(page.as_bytes()).expect("promtool reads");
    let found = promtool.wait_with_output().expect("promtool ends");
    let printed =
        format!("{}{}", String::from_utf8_lossy(&found.stdout), String::from_utf8_lossy(&found.stderr));
    assert!(found.status.success() && printed.is_empty(), "{printed}\n{page}");
}

#[test]
fn the_closed_model_asks_for_no_rate() {
    let mut snapshot = snapshot();
    assert!(text(&snapshot).contains("\nloadtester_target_rate 500\n"));
    snapshot.run.target_rate = None;
    assert!(!text(&snapshot).contains("loadtester_target_rate"));
}
