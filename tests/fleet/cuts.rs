//! The network between a worker and its coordinator goes away for a while: two hosts of our own, with
//! one link for what the fleet says and another for the load.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::Command;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;

use crate::harness::{Skipped, needed, program};
use crate::processes::{Log, Process, RunDir, ended, now_ns};

const S: u64 = 1_000_000_000;
/// A listener that is not on loopback wants one.
const TOKEN: [(&str, &str); 1] = [("LOADTESTER_TOKEN", "a-token-for-workers-77b0")];

/// Two hosts, `home` with coordinator and target, `away` with a worker, and two links between them.
struct Hosts {
    home: String,
    away: String,
}

impl Hosts {
    /// Skipped where this machine lets us make no hosts.
    fn new(case: &str) -> Result<Self, Skipped> {
        program("ip", "iproute2")?;
        let name = |host: &str| format!("lt-{case}-{host}-{}", std::process::id());
        let hosts = Self { home: name("home"), away: name("away") };
        for host in [&hosts.home, &hosts.away] {
            try_ip(&["netns", "add", host]).map_err(|_| {
                Skipped(
                    "no network namespace can be made (run it as root; in a container: --privileged)".into(),
                )
            })?;
            ip(&["-n", host, "link", "set", "lo", "up"]);
        }
        for (i, link) in ["control", "data"].into_iter().enumerate() {
            let (home, away) = (["-n", &hosts.home], ["-n", &hosts.away]);
            let pair = ["link", "add", link, "type", "veth", "peer", "name", link, "netns", &hosts.away];
            ip(&[&home[..], &pair].concat());
            for (host, last) in [(home, 1), (away, 2)] {
                let address = format!("10.77.{i}.{last}/30");
                ip(&[&host[..], &["address", "add", &address, "dev", link]].concat());
                ip(&[&host[..], &["link", "set", link, "up"]].concat());
            }
        }
        Ok(hosts)
    }

    /// The fleet's link, from the worker's side.
    fn set_control(&self, state: &str) {
        ip(&["-n", &self.away, "link", "set", "control", state]);
    }

    /// A target at home, on the load's link.
    fn target(&self) -> Log {
        self.at_home(|| Log::start_at([10, 77, 1, 1]))
    }

    /// What `act` comes to at home.
    fn at_home<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.home);
        let enter_and_act = move || {
            let host = File::open(path).expect("it was made above");
            move_into_link_name_space(host.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("root may enter it");
            act()
        };
        std::thread::scope(|scope| scope.spawn(enter_and_act).join()).expect("it is done")
    }

    fn start(&self, dir: &RunDir, host: &str, name: &str, args: &[&str]) -> Process {
        dir.start_by(&["ip", "netns", "exec", host], name, args, &TOKEN)
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in [&self.home, &self.away] {
            // Not made, or to be gone: either way nothing is left.
            let _ = try_ip(&["netns", "del", host]);
        }
    }
}

fn ip(args: &[&str]) {
    try_ip(args).unwrap_or_else(|why| panic!("ip {} failed: {why}", args.join(" ")));
}

fn try_ip(args: &[&str]) -> Result<(), String> {
    let done = Command::new("ip").args(args).output().expect("iproute2 is there");
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

/// What came of a run in which one of two workers could not reach its coordinator for a while.
struct Cut {
    code: Option<i32>,
    report: Value,
    output: String,
    arrivals: Vec<u64>,
    /// From when to when, on CLOCK_MONOTONIC.
    from_ns: u64,
    to_ns: u64,
}

/// 400/s from two workers, one at home and one away; once load flows the latter is cut off for `length`.
fn cut_off(hosts: &Hosts, length: Duration, seconds: u64, loss: &str) -> Cut {
    let dir = RunDir::new();
    let log = hosts.target();
    let load = format!("{{rate: 400/s, duration: {seconds}s, concurrency: 20}}");
    let (plan, report) = (dir.plan(log.addr, &load, loss), dir.path("report.json"));
    let run = ["--role", "coordinator", "--plan", &plan, "--workers", "2", "--report", &report];
    let listen = ["--listen", "10.77.0.1:8080"];
    let mut coordinator = hosts.start(&dir, &hosts.home, "coordinator", &[&run[..], &listen].concat());
    let url = coordinator.url();
    let work =
        ["--role", "worker", "--coordinator", "http://10.77.0.1:8080", "--no-listen", "--threads", "1"];
    let _stays = hosts.start(&dir, &hosts.home, "stays", &work);
    let _cut = hosts.start(&dir, &hosts.away, "cut", &work);
    let token = format!("Authorization: Bearer {}\r\n", TOKEN[0].1);
    hosts.at_home(|| ended(&url, &token, 1_200));
    hosts.set_control("down");
    let from_ns = now_ns();
    std::thread::sleep(length);
    hosts.set_control("up");
    let to_ns = now_ns();
    let (code, output) = (coordinator.end(), coordinator.output());
    Cut { code, report: dir.report(), output, arrivals: log.arrivals(), from_ns, to_ns }
}

#[test]
fn a_cut_shorter_than_the_lease_costs_nothing() {
    let Some(hosts) = needed(Hosts::new("short")) else { return };
    let cut = cut_off(&hosts, Duration::from_secs(3), 10, "fail");
    assert_eq!(cut.code, Some(0), "{}", cut.output);
    let totals = &cut.report["totals"];
    assert_eq!((&totals["due"], &totals["dropped"]), (&4_000.into(), &0.into()), "{totals:#} {}", cut.output);
    assert_eq!(totals["sent"], cut.arrivals.len(), "{totals:#}");
    assert_eq!(cut.report["fleet"]["missing"], serde_json::json!([]));
}

#[test]
fn a_cut_longer_than_the_lease_ends_the_load_of_who_is_cut_off_and_counts_nothing_twice() {
    let Some(hosts) = needed(Hosts::new("long")) else { return };
    let cut = cut_off(&hosts, Duration::from_secs(15), 24, "continue");
    assert_eq!(cut.code, Some(4), "less was offered than asked: {}", cut.output);
    // A lease after the cut, and a second for what was sent before: one worker's 200/s are left.
    let alone = cut.from_ns + 6 * S..cut.to_ns;
    let seconds = (alone.end - alone.start) as f64 / S as f64;
    let rate = cut.arrivals.iter().filter(|at| alone.contains(at)).count() as f64 / seconds;
    assert!((190.0..=210.0).contains(&rate), "{rate}/s arrived while one worker had no lease");
    // What it had sent before is reported when the network is back: once, and all of it.
    assert_eq!(cut.report["totals"]["sent"], cut.arrivals.len(), "{:#}", cut.report["totals"]);
    assert_eq!(cut.report["fleet"]["missing"], serde_json::json!([]));
    let rows = cut.report["fleet"]["workers"].as_array().expect("rows");
    let gone: Vec<f64> = rows.iter().filter_map(|row| row["gone_from"].as_f64()).collect();
    assert!(gone.len() == 1 && (2.0..7.0).contains(&gone[0]), "{rows:#?}");
    assert!(cut.output.contains("lost"), "{}", cut.output);
}
