//! A live status server on a free port of loopback, and plain clients for it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use loadtester::run::SharedSnapshot;
use loadtester::run::{RunInfo, Snapshot, State};
use loadtester::tally::{Counter, Outcome, RowCounter, RowTimer, StepId, ThreadHealth, Timer};
use loadtester::web::{Deadlines, Listen, Server, Site, serve};

/// Shorter than every deadline of the front-end server: who is answered within it did not wait for one.
pub const PROMPTLY: Duration = Duration::from_secs(4);
/// Longer than every deadline of the front-end server.
pub const AT_LAST: Duration = Duration::from_secs(30);

/// A run of two scenarios, some way in.
pub fn snapshot() -> Snapshot {
    let run = RunInfo {
        plan_name: None,
        plan_source: "loadplan.yaml".into(),
        plan_digest: "sha256:0".into(),
        plan_parts: loadtester::plan::PartDigests::default(),
        plan_text: None,
        load: "–".into(),
        model: "open",
        seed: 1,
        target: "http://127.0.0.1:8081".into(),
        base_url: "http://127.0.0.1:8081/v1".into(),
        scenarios: vec![("Get users".into(), 2), ("say \"hi\" \\ twice".into(), 1)],
        targets: Vec::new(),
        data: Vec::new(),
        requests: None,
        duration_ns: Some(10_000_000_000),
        warmup_ns: 0,
        target_rate: Some(500.0),
        pieces: Vec::new(),
        timestamps: "kernel",
        connections: 50,
        insecure: None,
        thresholds: Vec::new(),
        metrics_scenarios: 100,
        labels: Vec::new(),
        strict: false,
        baseline: None,
    };
    let mut snapshot = Snapshot::new(run, 2, 1_700_000_000.0);
    snapshot.state = State::Running;
    snapshot.elapsed_ns = 2_500_000_000;
    snapshot.measured_ns = 2_500_000_000;
    snapshot.threads[0] = ThreadHealth {
        core: Some(0),
        busy_ns: 1_000_000_000,
        observed_ns: 2_500_000_000,
        in_flight: 3,
        backlog: 1,
        connections: 25,
    };
    snapshot.throttled_ns = 1_500_000_000;
    snapshot.throttled_periods = 4;
    let tally = &mut snapshot.tally;
    tally.set(Counter::ConnectionsOpened, 50);
    let users = tally.row_mut(StepId(0));
    users.set(RowCounter::Due, 1_005);
    users.set(RowCounter::Sent, 1_003);
    users.set(RowCounter::Dropped, 2);
    users.set(RowCounter::BytesSent, 100_000);
    users.set(RowCounter::BytesReceived, 2_000_000);
    users.set(Outcome::Ok, 998);
    users.set(Outcome::Timeout, 2);
    (0..998).for_each(|_| users.count_status(200));
    (1..=1_000).for_each(|i| users.record(RowTimer::ResponseOk, i * 100_000));
    (1..=1_000).for_each(|i| users.record(RowTimer::ServiceOk, i * 50_000));
    (1..=1_000).for_each(|i| tally.record(Timer::Slip, i));
    tally.record(Timer::ReceiveDelay, 12_000);
    snapshot
}

/// A server that shows [`snapshot`].
pub fn server() -> Server {
    server_of(Arc::new(SharedSnapshot::new(snapshot())))
}

/// A server that shows `shared`.
pub fn server_of(shared: Arc<SharedSnapshot>) -> Server {
    serve_here(Site::of(shared))
}

/// A server that shows `shared` to clients that have a second for each step.
pub fn impatient_server_of(shared: Arc<SharedSnapshot>) -> Server {
    let deadlines = Deadlines { request: Duration::from_secs(1), response: Duration::from_secs(1) };
    serve_here(Site { deadlines, ..Site::of(shared) })
}

fn serve_here(site: Site) -> Server {
    serve(Listen::At(([127, 0, 0, 1], 0).into()), site).expect("a free port of loopback")
}

/// A client that gives up rather than hang.
pub fn agent(timeout: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder();
    config.proxy(None).http_status_as_error(false).timeout_global(Some(timeout)).build().into()
}

/// Status and body of a GET that is answered promptly.
pub fn get(addr: SocketAddr, path: &str) -> (u16, String) {
    let mut answer = agent(PROMPTLY).get(format!("http://{addr}{path}")).call().expect("an answer");
    (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
}

/// The server is in good health: it answers others promptly.
pub fn assert_serves(addr: SocketAddr) {
    assert_eq!(get(addr, "/healthz"), (200, "ok\n".into()));
}

/// A connection on which nothing waits for ever.
pub fn connect(addr: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect_timeout(&addr, PROMPTLY).expect("the listener takes it");
    socket.set_read_timeout(Some(AT_LAST)).expect("a valid timeout");
    socket.set_write_timeout(Some(AT_LAST)).expect("a valid timeout");
    socket
}

/// Everything the server says until it hangs up, in whatever way it does.
pub fn read_all(mut socket: &TcpStream) -> String {
    let (mut all, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = socket.read(&mut chunk) {
        all.extend_from_slice(&chunk[..n]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// What the server says to these bytes.
pub fn say(addr: SocketAddr, bytes: &str) -> String {
    let mut socket = connect(addr);
    socket.write_all(bytes.as_bytes()).expect("a new connection takes a few bytes");
    read_all(&socket)
}
