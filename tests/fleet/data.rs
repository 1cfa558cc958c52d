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
