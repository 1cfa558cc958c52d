//! The demo target as a process: what it answers, what it counts, and that it never stays behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use loadtester::roles::demo_target::{DemoTarget, PLAN, PLAN_VARIABLE};
use loadtester::roles::target::PARENT_GUARD;

const PROGRAM: &str = env!("CARGO_BIN_EXE_loadtester");
/// Long past anything a noisy machine needs; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

fn target() -> DemoTarget {
    DemoTarget::start_program(Path::new(PROGRAM), None).expect("the target starts")
}

/// `--role target` without a demo around it, killed on drop.
struct Bare(Child);

impl Bare {
    fn start(listen: &str) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["--role", "target", "--listen", listen]);
        Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn address_in(line: &str) -> SocketAddr {
    let address = line.strip_prefix("listening on http://").and_then(|rest| rest.strip_suffix('\n'));
    address.unwrap_or_else(|| panic!("no address in {line:?}")).parse().unwrap()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One keep-alive connection.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self(BufReader::new(socket))
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// The next response's status code and body.
    fn receive(&mut self) -> (u16, String) {
        let (mut status, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "closed before the response's head ended");
            let line = line.trim_end().to_ascii_lowercase();
            if status.is_none() {
                status = Some(line.strip_prefix("http/1.1 ").unwrap()[..3].parse().unwrap());
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (status.unwrap(), String::from_utf8(body).unwrap())
    }

    fn ask(&mut self, method: &str, path: &str) -> (u16, String) {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: t\r\n\r\n").as_bytes());
        self.receive()
    }

    fn post(&mut self, path: &str, body: &str) -> (u16, String) {
        let length = body.len();
        self.send(
            format!("POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes(),
        );
        self.receive()
    }

    fn count(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.ask("GET", "/count").1).unwrap()
    }
}

#[test]
fn it_announces_its_address_in_one_line_and_ends_well_at_sigterm() {
    let mut bare = Bare::start("127.0.0.1:0");
    let mut stdout = BufReader::new(bare.0.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(Client::connect(address_in(&line)).ask("GET", "/healthz"), (200, "ok\n".into()));
    bare.terminate();
    assert!(bare.0.wait().unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn every_route_answers() {
    let target = target();
    let mut client = Client::connect(target.addr());
    let (status, users) = client.ask("GET", "/v1/users?page=1");
    assert_eq!(status, 200);
    let users: serde_json::Value = serde_json::from_str(&users).unwrap();
    assert_eq!(users[0]["name"], "John");
    assert_eq!(users.as_array().unwrap().len(), 2);
    let (status, user) = client.ask("GET", "/v1/users/1");
    assert_eq!((status, serde_json::from_str::<serde_json::Value>(&user).unwrap()), (200, users[0].clone()));
    assert_eq!(client.ask("HEAD", "/v1/users"), (200, String::new()));
    assert_eq!(client.ask("GET", "/slow?ms=1"), (200, "slow\n".into()));
    assert_eq!(client.ask("GET", "/bytes?n=3000000").1.len(), 3_000_000);
    assert_eq!(client.ask("GET", "/bytes?n=0"), (200, String::new()));
    for code in [200, 204, 404, 503, 599] {
        assert_eq!(client.ask("GET", &format!("/status?code={code}")), (code, String::new()));
    }
    assert_eq!(client.ask("GET", "/v1/nobody").0, 404);
    assert_eq!(client.ask("DELETE", "/v1/users").0, 404);
}

#[test]
fn a_bad_request_is_answered_with_the_right_parameter() {
    let target = target();
    let mut client = Client::connect(target.addr());
    for path in ["/slow", "/slow?ms=60001", "/bytes?n=10485761", "/bytes?n=-1", "/status?code=100"] {
        let (status, remedy) = client.ask("GET", path);
        assert_eq!(status, 400, "{path}");
        assert!(remedy.contains("=N: "), "{path}: {remedy}");
    }
    client.send(b"POST /v1/users HTTP/1.1\r\nHost: t\r\nContent-Length: 1e3\r\n\r\n");
    assert_eq!(client.receive().0, 400);
}

#[test]
fn a_request_after_a_long_body_is_a_request_of_its_own() {
    let target = target();
    let mut client = Client::connect(target.addr());
    let body = "GET / HTTP/1.1\r\n\r\n".repeat(10_000);
    client.send(b"POST /v1/users HTTP/1.1\r\nHost: t\r\nContent-Length: 180000\r\n\r\n");
    // The head is read before the body comes.
    std::thread::sleep(Duration::from_millis(20));
    client.send(body.as_bytes());
    assert_eq!(client.receive(), (201, r#"{"id":3,"received_bytes":180000}"#.into()));
    assert_eq!(client.post("/nowhere", &body).0, 404);
    assert_eq!(client.ask("GET", "/v1/users/1").0, 200);
    assert_eq!(client.count()["total"], 3);
}

#[test]
fn counts_are_exact_over_many_connections() {
    let target = target();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::connect(target.addr());
                for i in 0..90 {
                    match i % 3 {
                        0 => assert_eq!(client.post("/v1/users", "{}").0, 201),
                        _ => assert_eq!(client.ask("GET", "/v1/users?page=2").0, 200),
                    }
                }
                assert_eq!(client.ask("BREW", "/coffee").0, 404);
            });
        }
    });
    let expected = serde_json::json!({
        "total": 364,
        "routes": { "GET /v1/users": 240, "POST /v1/users": 120, "other other": 4 },
    });
    let mut client = Client::connect(target.addr());
    assert_eq!(client.count(), expected);
    assert_eq!(client.count(), expected, "asking for the count is not counted");
}

#[test]
fn a_slow_answer_holds_up_nobody_else() {
    let target = target();
    let mut slow: Vec<Client> = (0..32).map(|_| Client::connect(target.addr())).collect();
    for client in &mut slow {
        client.send(b"GET /slow?ms=60000 HTTP/1.1\r\nHost: t\r\n\r\n");
    }
    let mut quick = Client::connect(target.addr());
    eventually("all slow requests have arrived", || quick.count()["total"] == 32);
    assert_eq!(quick.ask("GET", "/v1/users").0, 200);
}

#[test]
fn an_address_in_use_is_refused_with_its_remedy() {
    let target = target();
    let mut second = Bare::start(&target.addr().to_string());
    eventually("the second target gave up", || second.0.try_wait().unwrap().is_some());
    assert!(!second.0.wait().unwrap().success());
    let mut error = String::new();
    second.0.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert!(error.contains(&target.addr().to_string()) && error.contains("--listen"), "{error}");
}

#[test]
fn a_dropped_demo_target_leaves_no_process() {
    let target = target();
    let process = format!("/proc/{}", target.pid());
    assert!(Path::new(&process).exists());
    drop(target);
    assert!(!Path::new(&process).exists());
}

#[test]
fn a_program_that_is_no_target_is_an_error() {
    let ended = DemoTarget::start_program(Path::new("/bin/true"), None).unwrap_err().to_string();
    let printed = DemoTarget::start_program(Path::new("/bin/echo"), None).unwrap_err().to_string();
    assert_ne!(ended, printed, "no address, and something else in its place");
}

#[test]
fn it_ends_when_its_standard_input_does() {
    let mut command = Command::new(PROGRAM);
    command.args(["--role", "target"]).env(PARENT_GUARD, "1");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut bare = Bare(child);
    let mut line = String::new();
    BufReader::new(bare.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    address_in(&line);
    assert!(bare.0.try_wait().unwrap().is_none());
    drop(bare.0.stdin.take());
    eventually("the target ended", || bare.0.try_wait().unwrap().is_some());
}

/// The shell stands for a demo that dies without a word; the input it passed on stays open.
#[test]
fn it_ends_when_its_parent_is_killed() {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"exec 3<&0; "$0" --role target <&3 & wait"#, PROGRAM]).env(PARENT_GUARD, "1");
    let mut bare = Bare(shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(bare.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = address_in(&line);
    assert!(TcpStream::connect(address).is_ok());
    bare.0.kill().unwrap();
    eventually("the target ended", || TcpStream::connect(address).is_err());
}

#[test]
fn it_runs_on_other_cores_than_the_load() {
    let allowed = |status: &str| {
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with("Cpus_allowed_list:")).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let ours = allowed("/proc/thread-self/status");
    let first: usize = ours.split(['-', ',']).next().unwrap().parse().unwrap();
    let target = DemoTarget::start_program(Path::new(PROGRAM), Some(&[first])).unwrap();
    let theirs = allowed(&format!("/proc/{}/status", target.pid()));
    assert_eq!(allowed("/proc/thread-self/status"), ours, "the caller stays where it was");
    if ours == first.to_string() {
        assert_eq!(theirs, ours, "with one core there is no other");
    } else {
        let core: usize = theirs.split(['-', ',']).next().unwrap().parse().unwrap();
        assert!(core > first, "{theirs} of {ours}");
    }
}

#[test]
fn the_sample_plan_goes_to_the_target() {
    let line = format!("base_url: ${{{PLAN_VARIABLE}}}");
    assert_eq!(PLAN.lines().filter(|l| *l == line).count(), 1);
}
