//! What careless and hostile clients do to a status server, and that others do not notice.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use loadtester::run::SharedSnapshot;
use loadtester::web::{Listen, Site, serve};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, setrlimit};

use crate::live::{
    PROMPTLY, assert_serves, connect, impatient_server_of, read_all, say, server, server_of, snapshot,
};

/// The status of a whole answer, which also promises to hang up.
fn status_of(answer: &str) -> u16 {
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer:?}");
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line")
}

#[test]
fn a_huge_content_length_is_refused_unread() {
    let server = server();
    for length in ["99999999999", "18446744073709551615", "184467440737095516150", "16777217"] {
        let request =
            format!("POST /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\nx");
        assert_eq!(status_of(&say(server.addr(), &request)), 413, "{length}");
    }
    assert_serves(server.addr());
}

#[test]
fn a_body_as_long_as_the_limit_is_read_and_answered() {
    let server = server();
    let mut socket = connect(server.addr());
    let length = loadtester::web::BODY_BYTES;
    write!(socket, "POST /api/v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n").unwrap();
    socket.write_all(&vec![b'x'; length]).expect("it is read to the end");
    assert_eq!(status_of(&read_all(&socket)), 404);
    // Requests for pages wait in a queue, and have no use for a body.
    let page = format!("POST /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    assert_eq!(status_of(&say(server.addr(), &page)), 413);
    assert_serves(server.addr());
}

#[test]
fn a_stalled_body_times_out_and_delays_nobody() {
    let server = impatient_server_of(Arc::new(SharedSnapshot::new(snapshot())));
    let mut stalled = connect(server.addr());
    stalled
        .write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nten bytes.")
        .unwrap();
    assert_serves(server.addr());
    assert_eq!(status_of(&read_all(&stalled)), 408);
    assert_serves(server.addr());
}

#[test]
fn one_byte_every_150_ms_times_out_as_a_whole() {
    let server = impatient_server_of(Arc::new(SharedSnapshot::new(snapshot())));
    let mut slow = connect(server.addr());
    let reader = slow.try_clone().expect("a descriptor");
    let answer = thread::spawn(move || read_all(&reader));
    let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(1_000));
    for byte in request.bytes() {
        // Fails once the server has hung up.
        if answer.is_finished() || slow.write_all(&[byte]).is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(150));
    }
    assert_eq!(status_of(&answer.join().expect("no panic")), 408);
    assert_serves(server.addr());
}

#[test]
fn two_hundred_idle_connections_starve_nobody() {
    let server = server();
    let idle: Vec<TcpStream> = (0..200).map(|_| connect(server.addr())).collect();
    (0..5).for_each(|_| assert_serves(server.addr()));
    // The longest idle ones made room.
    assert_eq!(status_of(&read_all(&idle[0])), 503);
    drop(idle);
    assert_serves(server.addr());
}

#[test]
fn a_head_of_64_mib_is_refused_after_16_kib() {
    let server = server();
    let mut socket = connect(server.addr());
    let reader = socket.try_clone().expect("a descriptor");
    let answer = thread::spawn(move || read_all(&reader));
    socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ").unwrap();
    let mebibyte = vec![b'x'; 1024 * 1024];
    // Fails once the server has hung up.
    let _ = (0..64).try_for_each(|_| socket.write_all(&mebibyte));
    assert_eq!(status_of(&answer.join().expect("no panic")), 431);
    assert_serves(server.addr());
}

#[test]
fn bad_and_duplicate_content_lengths_are_refused() {
    let server = server();
    for fields in [
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 1, 1\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: one\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\nx");
        assert_eq!(status_of(&say(server.addr(), &request)), 400, "{fields:?}");
    }
    let chunked = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(status_of(&say(server.addr(), chunked)), 411);
    assert_serves(server.addr());
}

#[test]
fn cr_and_lf_smuggle_nothing() {
    let server = server();
    for request in [
        "GET / HTTP/1.1\nHost: localhost\n\n\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\nY: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rContent-Length: 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n folded: b\r\n\r\n",
        "GET /\rx HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n\r\n",
    ] {
        assert_eq!(status_of(&say(server.addr(), request)), 400, "{request:?}");
    }
    let answer = say(server.addr(), "GET /%0d%0aX-Ours:%201 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(status_of(&answer), 404);
    assert!(!answer.contains("X-Ours"));
    assert_serves(server.addr());
}

#[test]
fn of_pipelined_requests_the_first_is_answered() {
    let server = server();
    let answer = say(server.addr(), &"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000));
    assert_eq!(status_of(&answer), 200);
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1);
    assert_serves(server.addr());
}

/// Metrics of some 20 MB: more than the socket buffers of both sides hold.
fn long_answers() -> Arc<SharedSnapshot> {
    let mut snapshot = snapshot();
    snapshot.run.scenarios.iter_mut().for_each(|(name, _)| *name = "x".repeat(200_000));
    Arc::new(SharedSnapshot::new(snapshot))
}

/// A client that asks for them and does not read.
fn deaf_client(addr: SocketAddr) -> TcpStream {
    let mut deaf = connect(addr);
    deaf.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    deaf
}

/// Whether the answer ends before it is complete.
fn is_cut_off(client: &TcpStream) -> bool {
    let answer = read_all(client);
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let length = head.split_once("Content-Length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
    body.len() < length.expect("a length")
}

#[test]
fn a_client_that_does_not_read_is_cut_off_and_delays_nobody() {
    let server = impatient_server_of(long_answers());
    let deaf = deaf_client(server.addr());
    assert_serves(server.addr());
    // Longer than a response may take. Reading would show its end, and prevent it.
    thread::sleep(Duration::from_secs(2));
    assert!(is_cut_off(&deaf));
    assert_serves(server.addr());
}

#[test]
fn clients_that_do_not_read_share_one_bound_of_memory() {
    let server = server_of(long_answers());
    let deaf: Vec<TcpStream> = (0..6).map(|_| deaf_client(server.addr())).collect();
    // Pages are drawn in the order in which they are asked for.
    assert_eq!(status_of(&say(server.addr(), "GET /last HTTP/1.1\r\nHost: localhost\r\n\r\n")), 404);
    assert!(is_cut_off(&deaf[0]), "six answers of 20 MB are more than 64 MiB");
    assert!(!is_cut_off(&deaf[5]), "the last one still has its time");
    assert_serves(server.addr());
}

#[test]
fn a_host_name_that_dns_could_rebind_is_refused_on_loopback_only() {
    let ask = |addr: SocketAddr, host: &str| {
        status_of(&say(addr, &format!("GET /status HTTP/1.1\r\nHost: {host}\r\n\r\n")))
    };
    let local = server();
    assert_eq!(ask(local.addr(), "evil.example"), 421);
    assert_eq!(ask(local.addr(), &format!("localhost:{}", local.addr().port())), 200);
    let anywhere = Listen::At(([0, 0, 0, 0], 0).into());
    let public = serve(anywhere, Site::of(Arc::new(SharedSnapshot::new(snapshot())))).expect("a free port");
    let addr = SocketAddr::from(([127, 0, 0, 1], public.addr().port()));
    assert_eq!(ask(addr, "coordinator-svc:8080"), 200);
    assert_eq!(status_of(&say(addr, "GET / HTTP/1.1\r\n\r\n")), 400);
    assert_eq!(status_of(&say(addr, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")), 400);
}

#[test]
fn stopping_takes_about_a_second_whatever_clients_do() {
    let server = server();
    let addr = server.addr();
    let mut clients: Vec<TcpStream> = (0..10).map(|_| connect(addr)).collect();
    clients[0].write_all(b"GET / HTTP").unwrap();
    let started = Instant::now();
    server.stop();
    assert!(started.elapsed() < PROMPTLY);
    assert!(TcpStream::connect_timeout(&addr, PROMPTLY).is_err(), "nobody listens any more");
}

// ── in a process of its own ──

/// Set for the copy of this test binary that serves in a process of its own.
const CHILD: &str = "LOADTESTER_TEST_SERVES";
const CHILD_DESCRIPTORS: u64 = 64;

/// A status server in a child process that can be stopped and starved of file descriptors.
struct Served {
    child: Child,
    orders: ChildStdin,
    reports: BufReader<std::process::ChildStdout>,
    addr: SocketAddr,
}

impl Served {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this test binary"))
            .args(["--exact", "frontend::serves_in_a_process_of_its_own", "--nocapture"])
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test binary starts");
        let orders = child.stdin.take().expect("piped");
        let mut reports = BufReader::new(child.stdout.take().expect("piped"));
        let addr = report(&mut reports, "listening on ").parse().expect("an address");
        Self { child, orders, reports, addr }
    }

    /// Give an order and wait until it is carried out.
    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("the child reads");
        report(&mut self.reports, order);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("our child");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rest of the next line with this in it; the test harness writes to the same socket.
fn report(reports: &mut impl BufRead, prefix: &str) -> String {
    let lines = reports.lines().map(|line| line.expect("text"));
    let found = lines.into_iter().find_map(|line| Some(line.split_once(prefix)?.1.to_owned()));
    found.unwrap_or_else(|| panic!("the child ended without saying {prefix:?}"))
}

fn descriptors_open() -> u64 {
    fs::read_dir("/proc/self/fd").expect("Linux").count() as u64 - 1
}

/// The child's side of [`Served`]; on its own it serves one round and ends.
#[test]
fn serves_in_a_process_of_its_own() {
    let server = server();
    if std::env::var_os(CHILD).is_none() {
        return assert_serves(server.addr());
    }
    let allow = |descriptors| {
        let limit = Rlimit { current: Some(descriptors), maximum: Some(CHILD_DESCRIPTORS) };
        setrlimit(Resource::Nofile, limit).expect("lowering is allowed");
    };
    allow(CHILD_DESCRIPTORS);
    println!("listening on {}", server.addr());
    let mut hoard = Vec::new();
    for order in std::io::stdin().lines().map_while(Result::ok) {
        match order.as_str() {
            "take all descriptors" => hoard.extend(std::iter::from_fn(|| fs::File::open("/dev/null").ok())),
            "free all descriptors" => hoard.clear(),
            "allow no descriptor" => allow(descriptors_open()),
            "allow descriptors" => allow(CHILD_DESCRIPTORS),
            other => panic!("unknown order {other:?}"),
        }
        println!("{order}");
    }
}

#[test]
fn at_the_descriptor_limit_it_still_answers() {
    let mut served = Served::start();
    assert_serves(served.addr);
    served.order("take all descriptors");
    (0..5).for_each(|_| assert_serves(served.addr));
    let idle: Vec<TcpStream> = (0..20).map(|_| connect(served.addr)).collect();
    assert_serves(served.addr);
    served.order("free all descriptors");
    (0..5).for_each(|_| assert_serves(served.addr));
    drop(idle);
    // More than there are descriptors.
    let idle: Vec<TcpStream> = (0..100).map(|_| connect(served.addr)).collect();
    assert_serves(served.addr);
    drop(idle);
    assert_serves(served.addr);
}

#[test]
fn when_no_descriptor_can_be_had_it_waits_for_better_times() {
    let mut served = Served::start();
    served.order("allow no descriptor");
    let waiting: Vec<TcpStream> = (0..20).map(|_| connect(served.addr)).collect();
    // Several rounds of backing off.
    thread::sleep(Duration::from_millis(500));
    served.order("allow descriptors");
    assert_serves(served.addr);
    drop(waiting);
    assert_serves(served.addr);
}

#[test]
fn connections_reset_before_they_were_accepted_do_no_harm() {
    let served = Served::start();
    served.signal(Signal::STOP);
    for i in 0..100 {
        let mut socket = connect(served.addr);
        if i % 2 == 0 {
            socket.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        }
        // Closing with a linger of zero resets.
        rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).expect("a valid option");
    }
    served.signal(Signal::CONT);
    (0..5).for_each(|_| assert_serves(served.addr));
}

#[test]
fn a_connection_reset_in_the_middle_does_no_harm() {
    let server = server();
    for request in ["G", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut socket = connect(server.addr());
        socket.write_all(request.as_bytes()).unwrap();
        if request.len() > 1 {
            socket.read_exact(&mut [0; 1]).expect("the answer begins");
        }
        rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).expect("a valid option");
    }
    assert_serves(server.addr());
}
