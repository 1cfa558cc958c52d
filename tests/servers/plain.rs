//! HTTP without TLS: counts are the server's, and nothing is left unexplained.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use crate::haproxy::Haproxy;
use crate::harness::{CaseResult, program};
use crate::nginx::{Config, Nginx, REQUESTS_PER_CONNECTION, TEXT_BYTES};
use crate::run::{RunDir, run, run_plan};
use crate::service::{Service, all_ok, catches_up, free_address, statuses};

const REQUESTS: u64 = 20_000;
const CONNECTIONS: u64 = 10;

pub fn nginx_logs_what_is_reported_and_ends_connections_after_a_hundred_requests() -> CaseResult {
    let nginx = Nginx::start(Config::default())?;
    let (n, c) = (REQUESTS.to_string(), CONNECTIONS.to_string());
    let ended = all_ok(run(&[&format!("http://{}/", nginx.address), "-n", &n, "-c", &c]), REQUESTS);
    catches_up(REQUESTS, || nginx.requests());
    let log = nginx.log();
    assert!(log.iter().all(|line| line.status == 200));
    assert_eq!(ended.number("totals.bytes_received"), log.iter().map(|line| line.bytes).sum::<u64>());
    // Each connection ends with its hundredth answer; the last ones may not have come so far.
    let (opened, served) = (ended.number("totals.connections_opened"), nginx.connections());
    assert!(served <= opened && opened <= served + CONNECTIONS, "{opened} opened, {served} logged");
    let fewest = REQUESTS / REQUESTS_PER_CONNECTION;
    assert!((fewest..=fewest + 2 * CONNECTIONS).contains(&opened), "{opened} opened");
    Ok(())
}

pub fn nginx_compresses_and_all_is_well() -> CaseResult {
    let nginx = Nginx::start(Config::default())?;
    let url = format!("http://{}/text", nginx.address);
    let plain = all_ok(run(&[&url, "-n", "2000", "-c", "4"]), 2_000);
    let small = all_ok(run(&[&url, "-n", "2000", "-c", "4", "-H", "Accept-Encoding: gzip"]), 2_000);
    catches_up(4_000, || nginx.requests());
    let logged: u64 = nginx.log().iter().map(|line| line.bytes).sum();
    let (plain, small) = (plain.number("totals.bytes_received"), small.number("totals.bytes_received"));
    assert_eq!(logged, plain + small, "{plain} without and {small} with compression");
    // As chunks: nginx does not know the compressed length when it begins to send.
    assert!(plain > 2_000 * TEXT_BYTES as u64 && small < plain / 10, "{plain} and {small}");
    Ok(())
}

pub fn what_nginx_compressed_is_decoded_for_expectations() -> CaseResult {
    let nginx = Nginx::start(Config::default())?;
    let plan = |limit: &str| {
        format!(
            "base_url: http://{}\nload: {{ requests: 600, concurrency: 4 }}\nscenarios:\n\
             - {{ path: /text, headers: {{ Accept-Encoding: gzip }}, expect: {{ header: {{ Content-Encoding: gzip }}, \
             body_contains: a dull text{limit} }} }}\n",
            nginx.address
        )
    };
    all_ok(run_plan(&plan(""), &[]), 600);
    let ended = run_plan(&plan(", max_body: 1000"), &[]);
    assert_eq!(ended.number("outcomes.body_too_large"), 600, "{}", ended.stdout);
    Ok(())
}

pub fn nginx_answers_head_not_modified_and_not_found() -> CaseResult {
    let nginx = Nginx::start(Config::default())?;
    let plan = format!(
        "base_url: http://{}\nload: {{ requests: 3000, concurrency: 4 }}\nscenarios:\n\
         - {{ name: head, path: /text, method: HEAD }}\n\
         - {{ name: same, path: /text, headers: {{ If-Modified-Since: 'Fri, 01 Jan 2100 00:00:00 GMT' }} }}\n\
         - {{ name: none, path: /none, expect: {{ status: [404] }} }}\n",
        nginx.address
    );
    let ended = all_ok(run_plan(&plan, &[]), 3_000);
    catches_up(3_000, || nginx.requests());
    let expected = [("200", 1_000), ("304", 1_000), ("404", 1_000)].map(|(code, n)| (code.to_owned(), n));
    assert_eq!(statuses(&ended), expected);
    Ok(())
}

pub fn haproxy_counts_what_is_reported() -> CaseResult {
    let haproxy = Haproxy::start(None)?;
    let before = haproxy.requests();
    let url = format!("http://{}/", haproxy.address);
    all_ok(run(&[&url, "-n", &REQUESTS.to_string(), "-c", "10"]), REQUESTS);
    catches_up(REQUESTS, || haproxy.requests() - before);
    Ok(())
}

pub fn haproxy_before_nginx_ends_connections_as_it_likes() -> CaseResult {
    let nginx = Nginx::start(Config::default())?;
    let haproxy = Haproxy::start(Some(nginx.address))?;
    let before = haproxy.requests();
    let url = format!("http://{}/text", haproxy.address);
    all_ok(run(&[&url, "-n", "5000", "-c", "10", "-H", "Accept-Encoding: gzip"]), 5_000);
    catches_up(5_000, || haproxy.requests() - before);
    catches_up(5_000, || nginx.requests());
    Ok(())
}

/// A Node server: two chunks for each answer, and a count at `/count`.
const NODE: &str = r#"
let count = 0;
require("http").createServer((request, response) => {
    if (request.url === "/count") return response.end(String(count));
    count += 1;
    response.write("hello, ");
    setImmediate(() => response.end("world"));
}).listen(Number(process.argv[2]), "127.0.0.1");
"#;

pub fn node_sends_chunks() -> CaseResult {
    let node = program("node", "nodejs")?;
    let (run_dir, address) = (RunDir::new(), free_address());
    let mut command = Command::new(node);
    command.arg(run_dir.write("server.js", NODE)).arg(address.port().to_string());
    let _service = Service::start(command, run_dir, address);
    let ended = all_ok(run(&[&format!("http://{address}/"), "-n", "10000", "-c", "10"]), 10_000);
    catches_up(10_000, || fetch(address, "/count").parse().expect("a count"));
    assert_eq!(ended.number("totals.connections_opened"), 10, "they stay");
    Ok(())
}

pub fn python_speaks_http_1_0_and_closes() -> CaseResult {
    let python = program("python3", "python3")?;
    let (run_dir, address) = (RunDir::new(), free_address());
    run_dir.write("hello", "hello");
    let mut command = Command::new(python);
    command.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", &run_dir.file("")]);
    command.arg(address.port().to_string());
    let service = Service::start(command, run_dir, address);
    let ended = all_ok(run(&[&format!("http://{address}/hello"), "-n", "1000", "-c", "4"]), 1_000);
    catches_up(1_000, || service.read("output").matches("\"GET /hello HTTP/1.1\" 200").count() as u64);
    let opened = ended.number("totals.connections_opened");
    assert!((1_000..=1_004).contains(&opened), "{opened} opened");
    Ok(())
}

/// The body of an answer, by a connection of its own.
fn fetch(address: SocketAddr, path: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("it listens");
    write!(socket, "GET {path} HTTP/1.0\r\n\r\n").expect("it reads");
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("text");
    text.split_once("\r\n\r\n").expect("a head and a body").1.to_owned()
}
