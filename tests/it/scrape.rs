//! A real Prometheus scrapes a live status server.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use loadtester::run::SharedSnapshot;
use loadtester::tally::{Outcome, StepId};

use crate::harness::{needed, program};
use crate::live::{PROMPTLY, agent, server_of, snapshot};

/// A Prometheus of our own, its data in a directory of its own.
struct Prometheus {
    child: Child,
    addr: SocketAddr,
    dir: PathBuf,
}

impl Prometheus {
    fn scraping(program: &Path, target: SocketAddr) -> Self {
        let dir = std::env::temp_dir().join(format!("loadtester-scrape-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a temporary directory");
        let config = format!(
            "scrape_configs:\n  - job_name: loadtester\n    scrape_interval: 200ms\n    \
             scrape_timeout: 200ms\n    static_configs:\n      - targets: ['{target}']\n"
        );
        fs::write(dir.join("prometheus.yml"), config).expect("our own directory");
        // Free a moment ago; Prometheus takes no listener from us and does not tell the port it chose.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
        let child = Command::new(program)
            .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address={free}"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.join("log")).expect("our own directory"))
            .spawn()
            .expect("Prometheus starts");
        Self { child, addr: free, dir }
    }

    /// The values of an instant query; none while it is not up or knows nothing yet.
    fn query(&self, query: &str) -> Vec<f64> {
        let url = format!("http://{}/api/v1/query", self.addr);
        let Ok(mut answer) = agent(PROMPTLY).get(url).query("query", query).call() else { return Vec::new() };
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let series = json["data"]["result"].as_array().cloned().unwrap_or_default();
        series.iter().filter_map(|s| s["value"][1].as_str()?.parse().ok()).collect()
    }

    fn await_value(&self, query: &str, value: f64) {
        let started = Instant::now();
        while self.query(query) != [value] {
            if started.elapsed() > Duration::from_secs(60) {
                let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                panic!("{query} is {:?}, not {value}\n{log}", self.query(query));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn prometheus_stores_what_the_board_shows() {
    let Some(program) = needed(program("prometheus", "prometheus")) else { return };
    let shared = Arc::new(SharedSnapshot::new(snapshot()));
    let server = server_of(Arc::clone(&shared));
    let prometheus = Prometheus::scraping(&program, server.addr());
    prometheus.await_value("up", 1.0);
    let ok = r#"loadtester_requests_total{scenario="Get users",outcome="ok"}"#;
    prometheus.await_value(ok, 998.0);
    prometheus.await_value("sum(loadtester_requests_total)", 1_000.0);
    prometheus.await_value(r#"loadtester_response_time_seconds_count{scenario="Get users"}"#, 1_000.0);
    prometheus
        .await_value(r#"loadtester_response_time_seconds_bucket{scenario="Get users",le="0.05"}"#, 499.0);
    prometheus.await_value(r#"loadtester_requests_total{scenario="say \"hi\" \\ twice"}"#, 0.0);
    shared.update(|snapshot| snapshot.tally.row_mut(StepId(0)).set(Outcome::Ok, 1_500));
    prometheus.await_value(ok, 1_500.0);
}
