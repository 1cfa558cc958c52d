//! A fleet sends what one process sends: requests with holes depend on the seed alone.

use crate::keeper::{Arrived, Keeper};
use crate::processes::RunDir;

/// Sorted, since neither order nor connections are the same.
fn sent_by(load: &str, run: impl FnOnce(&RunDir, &str)) -> Vec<Arrived> {
    let (keeper, dir) = (Keeper::start(), RunDir::new());
    let plan = format!(
        "base_url: http://{}\nload: {load}\nscenarios:\n\
         - {{name: a, weight: 2, method: POST, path: '/{{{{random.uuid}}}}', body: '{{{{flow.number}}}} {{{{random.hex(8)}}}}'}}\n\
         - {{name: b, method: POST, path: '/b/{{{{random.int(1, 9)}}}}', body_file: body.bin}}\n",
        keeper.address
    );
    std::fs::write(dir.path("body.bin"), "a file {{now}}").expect("disk space");
    let path = dir.path("plan.yaml");
    std::fs::write(&path, plan).expect("disk space");
    run(&dir, &path);
    let mut sent = keeper.take();
    // The port is another one each time.
    sent.iter_mut().for_each(|request| request.fields.retain(|field| !field.starts_with("Host: ")));
    sent.sort();
    sent
}

#[test]
fn three_workers_send_the_same_requests_as_one_process() {
    for load in ["{rate: 600/s, requests: 300, concurrency: 12}", "{requests: 300, concurrency: 12}"] {
        let one = sent_by(load, |dir, plan| {
            let mut process = dir.start("alone", &["--plan", plan, "--seed", "7", "--no-listen"], &[]);
            assert!(matches!(process.end(), Some(0 | 4)), "{}", process.output());
        });
        let three = sent_by(load, |dir, plan| {
            let (mut coordinator, url) = dir.coordinator(plan, "3", &["--seed", "7"]);
            let mut workers = ["w0", "w1", "w2"].map(|name| dir.worker(name, &url, &["--threads", "1"]));
            let code = coordinator.end();
            assert!(matches!(code, Some(0 | 4)), "{code:?}: {}", coordinator.output());
            workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.output()));
        });
        assert_eq!(one.len(), 300, "{load}");
        assert_eq!(one, three, "{load}");
        assert!(one.iter().filter(|request| request.body == "a file {{now}}").count() == 100, "{load}");
    }
}
