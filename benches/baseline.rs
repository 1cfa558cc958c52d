//! How far `--baseline` can be trusted: the same plan twice against the demo target, and against one
//! slower by a fifth, many times over.
//!
//! ```text
//! cargo bench --bench baseline -- [repetitions] [seconds of each run]
//! ```
//!
//! Wanted: no significant difference between equal runs, and the slower target failing the run, in at
//! least 19 of 20 repetitions each.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use loadtester::roles::demo_target::DemoTarget;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_loadtester");
const PASSED: i32 = 0;
const FAILED: i32 = 1;

fn main() {
    let numbers: Vec<u32> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let repetitions = numbers.first().copied().unwrap_or(20);
    let seconds = numbers.get(1).copied().unwrap_or(2);
    let target = DemoTarget::start_program(Path::new(PROGRAM), None).expect("the demo target starts");
    let base = format!("http://{}", target.addr());
    let folder = std::env::temp_dir().join(format!("loadtester-baseline-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for reports");
    let file = |name: &str| folder.join(name);
    println!("{repetitions} repetitions of {seconds} s, 500/s; equal: 5 ms twice, slower: 5 ms, then 6 ms");
    let (mut equal, mut found) = (0, 0);
    for i in 1..=repetitions {
        let duration = format!("{seconds}s");
        let url = |ms: u32| format!("{base}/slow?ms={ms}");
        run(&url(5), &duration, &file("before.json"), None);
        let again = run(&url(5), &duration, &file("again.json"), Some(&file("before.json")));
        let slower = run(&url(6), &duration, &file("slower.json"), Some(&file("before.json")));
        let again_changes = significant(&file("again.json"));
        equal += u32::from(again_changes.is_empty() && again == PASSED);
        found += u32::from(slower == FAILED);
        let largest = significant(&file("slower.json")).join(", ");
        println!(
            "{i:3}: equal: exit {again}, [{}]; slower: exit {slower}, [{largest}]",
            again_changes.join(", ")
        );
    }
    println!("equal runs without a significant difference: {equal} of {repetitions}");
    println!("slower target found: {found} of {repetitions}");
    let _ = std::fs::remove_dir_all(&folder);
}

/// Run the program; its exit code.
fn run(url: &str, duration: &str, report: &Path, baseline: Option<&PathBuf>) -> i32 {
    let mut command = Command::new(PROGRAM);
    command.args([url, "-r", "500/s", "-d", duration, "--quiet", "--no-listen", "--report"]).arg(report);
    if let Some(baseline) = baseline {
        command.arg("--baseline").arg(baseline).arg("--baseline-any-plan");
    }
    let status = command.stdout(Stdio::null()).status().expect("the program starts");
    status.code().unwrap_or(-1)
}

/// The changes that a report calls significant.
fn significant(report: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(report).unwrap_or_default();
    let report: Value = serde_json::from_str(&text).unwrap_or_default();
    let changes = report["baseline"]["changes"].as_array().cloned().unwrap_or_default();
    let significant_changes = changes.iter().filter(|c| c["significant"] == true);
    significant_changes
        .map(|c| {
            format!(
                "{} {:+.1}%",
                c["figure"].as_str().unwrap_or("?"),
                c["change"].as_f64().unwrap_or(0.0) * 100.0
            )
        })
        .collect()
}
