//! What decoding a response's body costs the load thread, and what it does to other requests on the same thread.
//!
//! ```text
//! cargo bench --bench decoding -- [rounds] [seconds of each run]
//! ```
//!
//! Half of the requests get a JSON body of 64 KiB, the others two bytes. The program is pinned to core 0, the target to
//! core 1. The rows are medians over the rounds, which take the cases in turn.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_loadtester");
const BODY_BYTES: usize = 64 << 10;
const RATE: u32 = 2_000;

/// What is expected of the large body, and whether it comes compressed.
const CASES: [(&str, bool, &str); 4] = [
    ("a status, plain", false, ""),
    ("a text in it, plain", false, ", expect: { body_contains: last-one }"),
    ("a status, gzip", true, ""),
    ("a text in it, gzip", true, ", expect: { body_contains: last-one }"),
];

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let rounds = numbers.first().copied().unwrap_or(5);
    let seconds = numbers.get(1).copied().unwrap_or(3);
    let address = serve();
    let folder = std::env::temp_dir().join(format!("loadtester-decoding-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for plans");
    let mut rows = vec![Vec::new(); CASES.len()];
    for _ in 0..rounds {
        for (rows, case) in rows.iter_mut().zip(CASES) {
            rows.push(run(&folder, &address, case, seconds));
        }
    }
    println!("{RATE}/s, half of them with {} KiB; medians of {rounds} runs of {seconds} s", BODY_BYTES >> 10);
    println!(
        "| expected of the large body | busy | receive delay p99 | small ones, service time p50 | p99 |"
    );
    println!("|---|---|---|---|---|");
    for (rows, (name, ..)) in rows.iter().zip(CASES) {
        let median = |i: usize| {
            let mut values: Vec<f64> = rows.iter().map(|row| row[i]).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        println!(
            "| {name} | {:.1} % | {:.0} µs | {:.0} µs | {:.0} µs |",
            median(0) * 100.0,
            median(1) * 1e6,
            median(2) * 1e6,
            median(3) * 1e6
        );
    }
    let _ = std::fs::remove_dir_all(&folder);
}

/// Busy, the receive delay's p99, and p50 and p99 of the small responses' service time, in seconds.
fn run(
    folder: &Path,
    address: &str,
    (_, compressed, expect): (&str, bool, &str),
    seconds: usize,
) -> [f64; 4] {
    let path = if compressed { "/gzip" } else { "/plain" };
    let plan = folder.join("plan.yaml");
    let text = format!(
        "base_url: http://{address}\nload: {{ rate: {RATE}/s, duration: {seconds}s, concurrency: 16 }}\nscenarios:\n\
         - {{ name: large, path: {path}{expect} }}\n- {{ name: small, path: / }}\n"
    );
    std::fs::write(&plan, text).expect("disk space");
    let report = folder.join("report.json");
    let status = Command::new("taskset")
        .args(["-c", "0", PROGRAM, "--plan"])
        .arg(&plan)
        .args(["--threads", "1", "--quiet", "--no-listen", "--report"])
        .arg(&report)
        .stdout(Stdio::null())
        .status()
        .expect("taskset is there (util-linux)");
    assert!(status.success(), "the run failed: {status}");
    let report: Value = serde_json::from_slice(&std::fs::read(&report).expect("a report")).expect("JSON");
    let number = |value: &Value| value.as_f64().expect("a number");
    let small = &report["scenarios"][1]["service_time"];
    [
        number(&report["instrument"]["threads"][0]["busy"]),
        number(&report["instrument"]["receive_delay"]["p99"]),
        number(&small["p50"]),
        number(&small["p99"]),
    ]
}

/// A target in a process of its own would need a program of its own: threads on core 1 do.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let mut text = String::from("[");
    while text.len() < BODY_BYTES {
        text += &format!("{{\"id\":{},\"name\":\"user {}\"}},", text.len(), text.len() * 7);
    }
    text += "\"last-one\"]";
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).expect("memory");
    let response = |encoding: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\n{encoding}Content-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let responses = Arc::new([
        response("Content-Encoding: gzip\r\n", &encoder.finish().expect("memory")),
        response("", text.as_bytes()),
        response("", b"ok"),
    ]);
    std::thread::spawn(move || {
        // Its threads inherit the core.
        let mut cores = rustix::thread::CpuSet::new();
        cores.set(1);
        let _ = rustix::thread::sched_setaffinity(None, &cores);
        for connection in listener.incoming().flatten() {
            let responses = responses.clone();
            std::thread::spawn(move || drop(answer(connection, &responses)));
        }
    });
    address
}

fn answer(connection: TcpStream, responses: &[Vec<u8>; 3]) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut writer = connection;
    let (mut line, mut path) = (String::new(), String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.to_owned();
        } else if line == "\r\n" {
            let i = if path.starts_with("/gzip") {
                0
            } else if path.starts_with("/plain") {
                1
            } else {
                2
            };
            writer.write_all(&responses[i])?;
        }
    }
}
