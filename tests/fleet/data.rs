//! Rows of data files in a fleet: no row twice, whoever sends it and whoever is lost.

use std::collections::BTreeMap;

use rustix::process::Signal;

use crate::keeper::Keeper;
use crate::processes::{RunDir, eventually};

/// A plan's file beside `ids.csv` with so many rows.
fn plan(dir: &RunDir, keeper: &Keeper, rows: u64, load: &str, loss: &str) -> String {
    let rows: String = (0..rows).map(|i| format!("{i}\n")).collect();
    std::fs::write(dir.path("ids.csv"), format!("id\n{rows}")).expect("disk space");
    let plan = format!(
        "base_url: http://{}\nload: {load}\nfleet: {{on_worker_loss: {loss}}}\n\
         data: {{ids: {{file: ids.csv, order: once}}}}\n\
         scenarios: [{{path: '/{{{{ids.id}}}}/{{{{random.hex(8)}}}}'}}, {{path: /plain}}]\n",
        keeper.address
    );
    let path = dir.path("plan.yaml");
    std::fs::write(&path, plan).expect("disk space");
    path
}

/// How often each row arrived, and with which random value last.
fn arrived(keeper: &Keeper) -> BTreeMap<u64, (u64, String)> {
    let mut rows: BTreeMap<u64, (u64, String)> = BTreeMap::new();
    for request in keeper.take() {
        let Some((id, random)) = request.target[1..].split_once('/') else { continue };
        let row = rows.entry(id.parse().unwrap()).or_default();
        *row = (row.0 + 1, random.to_owned());
    }
    rows
}

#[test]
fn three_workers_take_the_rows_that_one_process_takes() {
    for load in ["{rate: 600/s, requests: 300, concurrency: 12}", "{requests: 300, concurrency: 12}"] {
        let (keeper, dir) = (Keeper::start(), RunDir::new());
        let path = plan(&dir, &keeper, 150, load, "continue");
        let mut process = dir.start("alone", &["--plan", &path, "--seed", "7", "--no-listen"], &[]);
        assert!(matches!(process.end(), Some(0 | 4)), "{}", process.output());
        let one = arrived(&keeper);
        let (mut coordinator, url) = dir.coordinator(&path, "3", &["--seed", "7"]);
        let mut workers = ["w0", "w1", "w2"].map(|name| dir.worker(name, &url, &["--threads", "1"]));
        let code = coordinator.end();
        assert!(matches!(code, Some(0 | 4)), "{code:?}: {}", coordinator.output());
        workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.output()));
        let three = arrived(&keeper);
        assert_eq!(one, three, "{load}");
        assert!(one.keys().copied().eq(0..150) && one.values().all(|(times, _)| *times == 1), "{one:?}");
    }
}

#[test]
fn no_row_comes_twice_when_a_worker_is_killed_and_its_share_is_redistributed() {
    let (keeper, dir) = (Keeper::start(), RunDir::new());
    let path = plan(&dir, &keeper, 4_500, "{rate: 750/s, duration: 12s, concurrency: 12}", "redistribute");
    let (mut coordinator, url) = dir.coordinator(&path, "3", &["--seed", "7"]);
    let workers = ["w0", "w1", "w2"].map(|name| dir.worker(name, &url, &["--threads", "1"]));
    // In the middle of the run.
    eventually("a third of the requests", || (keeper.count() > 2_000).then_some(()));
    workers[1].signal(Signal::KILL);
    let code = coordinator.end();
    assert!(matches!(code, Some(0 | 4)), "{code:?}: {}", coordinator.output());
    let rows = arrived(&keeper);
    assert!(rows.values().all(|(times, _)| *times == 1), "{:?}", rows.iter().find(|row| row.1.0 > 1));
    assert!(rows.keys().all(|row| *row < 4_500));
    // A third of what fell due while nobody knew of the loss is missing, and no more.
    assert!(rows.len() > 3_000 && rows.len() < 4_400, "{}", rows.len());
}

#[test]
fn a_coordinator_refuses_a_plan_with_too_few_rows() {
    let (keeper, dir) = (Keeper::start(), RunDir::new());
    let path = plan(&dir, &keeper, 149, "{rate: 600/s, requests: 300, concurrency: 12}", "continue");
    let args = ["--role", "coordinator", "--plan", &path, "--listen", "127.0.0.1:0", "--seed", "7"];
    let mut coordinator = dir.start("coordinator", &args, &[]);
    assert_eq!(coordinator.end(), Some(2), "{}", coordinator.output());
    coordinator.assert_output(&["data.ids: it has 149 rows and `order: once`, and 150 requests take one"]);
}

/// A plan's file beside `ids.csv`, whose 300 rows have so many bytes each.
fn wide_plan(dir: &RunDir, keeper: &Keeper, row_bytes: usize, load: &str) -> String {
    let path = plan(dir, keeper, 300, load, "continue");
    let note = "x".repeat(row_bytes);
    let rows: String = (0..300).map(|i| format!("{i},{note}\n")).collect();
    std::fs::write(dir.path("ids.csv"), format!("id,note\n{rows}")).expect("disk space");
    path
}

/// Files that are too large to travel: one that fits into memory, and one that does not.
#[test]
fn large_files_lie_on_every_worker_and_are_used_as_by_one_process() {
    for row_bytes in [20_000, 240_000] {
        let (keeper, dir) = (Keeper::start(), RunDir::new());
        let path = wide_plan(&dir, &keeper, row_bytes, "{rate: 600/s, requests: 600, concurrency: 12}");
        let mut process = dir.start("alone", &["--plan", &path, "--seed", "7", "--no-listen"], &[]);
        assert!(matches!(process.end(), Some(0 | 4)), "{}", process.output());
        let one = arrived(&keeper);
        let (mut coordinator, url) = dir.coordinator(&path, "2", &["--seed", "7"]);
        let data = dir.path("");
        let more = ["--threads", "1", "--data-dir", &data];
        let mut workers = ["w0", "w1"].map(|name| dir.worker(name, &url, &more));
        let code = coordinator.end();
        assert!(matches!(code, Some(0 | 4)), "{code:?}: {}", coordinator.output());
        workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.output()));
        assert_eq!(one, arrived(&keeper));
        assert!(one.keys().copied().eq(0..300) && one.values().all(|(times, _)| *times == 1), "{one:?}");
    }
}

#[test]
fn a_worker_without_the_file_or_with_another_one_says_what_to_do() {
    let (keeper, dir) = (Keeper::start(), RunDir::new());
    let path = wide_plan(&dir, &keeper, 20_000, "{requests: 10, concurrency: 2}");
    let other = dir.path("other");
    std::fs::create_dir_all(&other).expect("disk space");
    std::fs::write(format!("{other}/ids.csv"), "id,note\nsecret,x\n").expect("disk space");
    std::fs::create_dir_all(dir.path("empty")).expect("disk space");
    let empty = dir.path("empty");
    let cases: [(&[&str], &str); 3] = [
        (&[], "--data-dir DIR"),
        (&["--data-dir", &other], "is not the file that the coordinator has"),
        (&["--data-dir", &empty], "ids.csv"),
    ];
    for (i, (more, words)) in cases.into_iter().enumerate() {
        let (coordinator, url) = dir.coordinator(&path, "1", &[]);
        let mut worker = dir.worker(&format!("w{i}"), &url, more);
        worker.wait_for_output(words);
        assert!(!worker.output().contains("secret"), "{}", worker.output());
        worker.end();
        coordinator.signal(Signal::KILL);
    }
    assert!(keeper.take().is_empty());
}

#[test]
fn a_coordinator_that_is_killed_finds_its_large_file_again() {
    let (keeper, dir) = (Keeper::start(), RunDir::new());
    let path = wide_plan(&dir, &keeper, 20_000, "{rate: 60/s, requests: 540, concurrency: 4}");
    let (state, data) = (dir.path("state"), dir.path(""));
    let (coordinator, url) = dir.coordinator(&path, "1", &["--state-dir", &state]);
    let mut worker = dir.worker("w0", &url, &["--threads", "1", "--data-dir", &data]);
    eventually("a third of the requests", || (keeper.count() > 180).then_some(()));
    coordinator.signal(Signal::KILL);
    drop(coordinator);
    let again = ["--state-dir", &state, "--listen", url.trim_start_matches("http://")];
    let (mut coordinator, _) = dir.coordinator(&path, "1", &again);
    let code = coordinator.end();
    assert!(matches!(code, Some(0 | 4)), "{code:?}: {}", coordinator.output());
    assert_eq!(worker.end(), Some(0), "{}", worker.output());
    let rows = arrived(&keeper);
    assert!(rows.values().all(|(times, _)| *times == 1), "{rows:?}");
}
