//! How the target is reached, on real sockets: addresses, sources, Unix sockets, and connections that are
//! used as the plan says.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, unbounded};
use loadtester::client::RunSpec;
use loadtester::load::{self, Control, Job, Peer, Route, TALLIES_PER_THREAD};
use loadtester::plan::{self, Overrides, Shard};
use loadtester::sys::{Address, Clock};
use loadtester::tally::{Merged, Tally};

use crate::harness::SocketDir;
use crate::run::{Ended, run, run_plan};
use crate::script::{Script, Step, response};

/// Every request head a target saw, with where its connection came from.
type Heads = Arc<Mutex<Vec<(Option<IpAddr>, String)>>>;

/// Answer every request on `socket` until it ends.
fn serve(mut socket: impl Read + Write, peer: Option<IpAddr>, heads: &Heads, answer: &str) {
    let (mut unread, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        while let Some(end) = unread.windows(4).position(|w| w == b"\r\n\r\n") {
            let head: Vec<u8> = unread.drain(..end + 4).collect();
            heads.lock().unwrap().push((peer, String::from_utf8(head).unwrap()));
            if socket.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
        match socket.read(&mut chunk) {
            Ok(n @ 1..) => unread.extend_from_slice(&chunk[..n]),
            _ => return,
        }
    }
}

/// A target on `address`, for as long as the tests run.
fn target(address: &str) -> (SocketAddr, Heads) {
    let listener = TcpListener::bind(address).unwrap();
    let (at, heads) = (listener.local_addr().unwrap(), Heads::default());
    let log = heads.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let (peer, log) = (socket.peer_addr().ok().map(|peer| peer.ip()), log.clone());
            std::thread::spawn(move || serve(socket, peer, &log, &response("200 OK", "hello")));
        }
    });
    (at, heads)
}

/// The same on a Unix socket, with answers too large for one read.
fn unix_target(address: &UnixAddr) -> Heads {
    let listener = UnixListener::bind_addr(address).unwrap();
    let heads = Heads::default();
    let log = heads.clone();
    std::thread::spawn(move || {
        let answer = response("200 OK", &"x".repeat(300_000));
        for socket in listener.incoming().map_while(Result::ok) {
            let (log, answer) = (log.clone(), answer.clone());
            std::thread::spawn(move || serve(socket, None, &log, &answer));
        }
    });
    heads
}

fn plan(base_url: &str, load: &str, more: &str) -> String {
    format!(
        "base_url: '{base_url}'\nload: {{ requests: 40, {load} }}\n{more}\nscenarios: [{{ name: a, path: /x }}]\n"
    )
}

/// All 40 are answered well.
fn check_ok(plan: &str) -> Ended {
    let ended = run_plan(plan, &["--threads", "1"]).lawful();
    assert_eq!(ended.outcomes(), [("ok".to_owned(), 40)], "{ended:#?}");
    ended
}

fn heads(seen: &Heads) -> Vec<String> {
    seen.lock().unwrap().iter().map(|(_, head)| head.clone()).collect()
}

#[test]
fn an_ipv6_address_is_a_target() {
    let (at, seen) = target("[::1]:0");
    check_ok(&plan(&format!("http://{at}"), "concurrency: 2", ""));
    assert!(heads(&seen).iter().all(|head| head.contains(&format!("\r\nHost: [::1]:{}\r\n", at.port()))));
}

#[test]
fn a_unix_socket_is_a_target_and_its_responses_say_that_they_are_not_stamped() {
    let dir = SocketDir::new();
    let path = dir.path("app.sock");
    let seen = unix_target(&UnixAddr::from_pathname(&path).unwrap());
    let ended = check_ok(&plan(&format!("unix:{path}:/v1"), "concurrency: 2", ""));
    assert_eq!(heads(&seen).len(), 40);
    assert!(heads(&seen).iter().all(|head| head.starts_with("GET /v1/x HTTP/1.1\r\nHost: localhost\r\n")));
    assert!(ended.number("totals.bytes_received") > 40 * 300_000);
    assert_eq!(ended.number("instrument.unstamped"), 40);
    let (name, n) = (format!("loadtester-test-{}", std::process::id()), "40");
    let seen = unix_target(&UnixAddr::from_abstract_name(&name).unwrap());
    let ended = run(&[&format!("unix:@{name}:/y"), "-n", n]).lawful();
    assert_eq!(ended.outcomes(), [("ok".to_owned(), 40)], "{ended:#?}");
    assert!(heads(&seen).iter().all(|head| head.starts_with("GET /y HTTP/1.1\r\n")));
}

/// A target that answers once, and closes while the next request lies there unread.
#[test]
fn a_request_that_meets_the_end_of_an_idle_unix_connection_is_sent_again() {
    let dir = SocketDir::new();
    let path = dir.path("once.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                match socket.read(&mut byte) {
                    Ok(1) => head.push(byte[0]),
                    _ => break,
                }
            }
            let _ = socket.write_all(response("200 OK", "hello").as_bytes());
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let ended = check_ok(&plan(&format!("unix:{path}"), "concurrency: 1", ""));
    assert!(ended.number("totals.retried") > 20, "{ended:#?}");
}

#[test]
fn a_unix_socket_that_is_not_there_is_unreachable() {
    let dir = SocketDir::new();
    let path = dir.path("nobody.sock");
    let ended = run_plan(&plan(&format!("unix:{path}"), "concurrency: 2", ""), &[]);
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    assert!(ended.stderr.contains(&path), "{}", ended.stderr);
}

#[test]
fn connections_come_from_the_source_addresses_in_turn() {
    let (at, seen) = target("127.0.0.1:0");
    check_ok(&plan(&format!("http://{at}"), "concurrency: 4, source_addresses: [127.0.0.2, 127.0.0.3]", ""));
    let mut by_source = BTreeMap::<_, u64>::new();
    seen.lock().unwrap().iter().for_each(|(peer, _)| *by_source.entry(peer.unwrap()).or_default() += 1);
    let sources: Vec<String> = by_source.keys().map(ToString::to_string).collect();
    assert_eq!(sources, ["127.0.0.2", "127.0.0.3"], "{by_source:?}");
}

#[test]
fn a_source_address_of_another_machine_is_refused_with_a_remedy() {
    let (at, _) = target("127.0.0.1:0");
    for (source, expected) in [("203.0.113.7", "`ip address`"), ("::1", "IPv4")] {
        let load = format!("concurrency: 1, source_addresses: ['{source}']");
        let ended = run_plan(&plan(&format!("http://{at}"), &load, ""), &[]);
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
}

#[test]
fn an_ipv6_source_address_is_one_too() {
    let (at, seen) = target("[::1]:0");
    check_ok(&plan(&format!("http://{at}"), "concurrency: 2, source_addresses: [127.0.0.2, '::1']", ""));
    assert!(seen.lock().unwrap().iter().all(|(peer, _)| peer.unwrap().to_string() == "::1"));
}

#[test]
fn first_byte_timeouts_and_timeouts_are_counted_apart() {
    let impatient = "defaults: { first_byte_timeout: 200ms, timeout: 600ms }";
    let four = |url: &str| plan(url, "concurrency: 4", impatient).replace("requests: 40", "requests: 4");
    let silent = Script::play([Step::Read, Step::Freeze]);
    let ended = run_plan(&four(&silent.url()), &[]).lawful();
    assert_eq!(ended.outcomes(), [("first_byte_timeout".to_owned(), 4)], "{ended:#?}");
    let (least, most) = (ended.seconds("response_time.min"), ended.seconds("response_time.max"));
    assert!(least > 0.19 && most < 0.5, "at its deadline: {ended:#?}");
    let text = response("200 OK", "hello");
    let dripping = Script::play([Step::Read, Step::Drip(text.as_bytes().into(), Duration::from_secs(1))]);
    let ended = run_plan(&four(&dripping.url()), &[]).lawful();
    assert_eq!(ended.outcomes(), [("timeout".to_owned(), 4)], "{ended:#?}");
    assert!(ended.seconds("response_time.min") > 0.59, "at its deadline: {ended:#?}");
}

/// A listener whose queue is full answers nobody: the kernel drops what comes.
#[test]
fn an_attempt_to_connect_that_nobody_answers_ends_at_its_deadline() {
    let (family, kind) = (rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM);
    let listener = rustix::net::socket(family, kind, None).unwrap();
    rustix::net::bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let at = SocketAddr::try_from(rustix::net::getsockname(&listener).unwrap()).unwrap();
    let mut queued = Vec::new();
    while let Ok(socket) = TcpStream::connect_timeout(&at, Duration::from_millis(300)) {
        queued.push(socket);
        assert!(queued.len() < 10, "a queue of none takes one or two");
    }
    let begun = Instant::now();
    let ended = run_plan(&plan(&format!("http://{at}"), "concurrency: 2, connect_timeout: 300ms", ""), &[]);
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    assert!(ended.stderr.contains("`load.connect_timeout`"), "{}", ended.stderr);
    assert!(begun.elapsed() < Duration::from_secs(20), "not after the default of 10 s for each of several");
}

#[test]
fn connect_to_changes_the_address_and_not_the_host_field() {
    let (at, seen) = target("127.0.0.1:0");
    let more = format!("connect_to: ['api.example.com:80:127.0.0.1:{}']", at.port());
    check_ok(&plan("http://api.example.com", "concurrency: 2", &more));
    assert!(heads(&seen).iter().all(|head| head.contains("\r\nHost: api.example.com\r\n")));
}

#[test]
fn without_keep_alive_every_request_opens_a_connection_and_asks_for_its_end() {
    let (at, seen) = target("127.0.0.1:0");
    let ended = check_ok(&plan(&format!("http://{at}"), "concurrency: 2, keep_alive: false", ""));
    assert!(heads(&seen).iter().all(|head| head.contains("\r\nConnection: close\r\n")));
    let opened = ended.number("totals.connections_opened");
    assert!((40..=42).contains(&opened), "{opened}");
    assert_eq!(ended.number("connections.closed.keep_alive_off"), 40);
    assert_eq!(ended.number("connections.reconnects"), opened - 2);
}

#[test]
fn a_connection_is_closed_after_its_requests() {
    let (at, _) = target("127.0.0.1:0");
    let ended = check_ok(&plan(&format!("http://{at}"), "concurrency: 1, requests_per_connection: 10", ""));
    assert_eq!(ended.number("connections.closed.requests_reached"), 4);
    let opened = ended.number("totals.connections_opened");
    assert!((4..=5).contains(&opened), "{opened}");
}

#[test]
fn redirects_are_followed_over_the_wire() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let elsewhere = "HTTP/1.1 302 Found\r\nLocation: y?z\r\nContent-Length: 4\r\n\r\nover";
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut chunk = [0; 4096];
                while let Ok(n @ 1..) = socket.read(&mut chunk) {
                    let answer = if chunk[..n].starts_with(b"GET /y?z ") {
                        response("200 OK", "there")
                    } else {
                        elsewhere.to_owned()
                    };
                    if socket.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let url = format!("http://{at}");
    let ended = check_ok(&plan(&url, "concurrency: 2", "defaults: { follow_redirects: 1 }"));
    assert_eq!((ended.number("redirects"), ended.number("status_codes.200")), (40, 40));
    assert_eq!(ended.number("totals.sent"), 40);
    let ended = check_ok(&plan(&url, "concurrency: 2", ""));
    assert_eq!((ended.number("redirects"), ended.number("status_codes.302")), (0, 40));
}

/// A load thread on `route` for as long as `watch` says so; what it counted.
fn load_thread(load: &str, route: &Arc<Route>, mut watch: impl FnMut() -> bool) -> Merged {
    let text = format!("base_url: http://127.0.0.1:1\nload: {load}\nscenarios: [{{path: /}}]\n");
    let plan = plan::parse(&text, "x", &Overrides::default(), &|_| None).unwrap();
    let share = plan::shard_load(&plan, Shard { slot: 0, of: 1 });
    let (settle, settled) = unbounded();
    let (close, windows) = bounded(TALLIES_PER_THREAD);
    let (give_back, empties) = bounded(TALLIES_PER_THREAD);
    for _ in 1..TALLIES_PER_THREAD {
        give_back.send(Box::new(Tally::new(1))).unwrap();
    }
    let (control, clock) = (Arc::new(Control::default()), Clock::start());
    let thread = load::spawn(Job {
        thread: 0,
        core: None,
        spec: Arc::new(RunSpec::new(plan, 1)),
        share,
        peers: [Peer { route: route.clone(), tls: None }].into(),
        clock,
        rows: None,
        kernel_timestamps: true,
        busy_poll: false,
        may_poll: false,
        control: control.clone(),
        settled: settle,
        windows: close,
        failures: bounded(1).0,
        empties,
        timetables: crossbeam_channel::never(),
    })
    .unwrap();
    assert_eq!(*settled.recv().unwrap().reached, [Ok(true)]);
    control.start(clock.now() + 1);
    let mut total = Merged::new(1);
    while let Ok(mut window) = windows.recv() {
        total.merge_window(&window.tally);
        if !watch() {
            control.stop();
        }
        window.tally.clear();
        let _ = give_back.send(window.tally);
    }
    thread.join().unwrap();
    total
}

/// An address of loopback where nobody listens.
fn nobody() -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Address::Inet(listener.local_addr().unwrap())
}

#[test]
fn all_addresses_are_used_and_one_where_nobody_listens_is_passed_over() {
    let ((first, seen_first), (second, seen_second)) = (target("127.0.0.1:0"), target("127.0.0.1:0"));
    let addresses = vec![nobody(), Address::Inet(first), Address::Inet(second)];
    let route = Arc::new(Route::new(addresses, &[]));
    let total = load_thread("{concurrency: 6, requests: 60}", &route, || true);
    assert_eq!(total.completed(), 60);
    assert_eq!(total.failed(), 0);
    let seen = (heads(&seen_first).len(), heads(&seen_second).len());
    assert!(seen.0 > 0 && seen.1 > 0 && seen.0 + seen.1 == 60, "{seen:?}");
}

#[test]
fn new_connections_go_to_where_the_name_leads_now() {
    let ((before, _), (now, seen_now)) = (target("127.0.0.1:0"), target("127.0.0.1:0"));
    let route = Arc::new(Route::new(vec![Address::Inet(before)], &[]));
    let load = "{rate: 200/s, concurrency: 2, duration: 20s, requests_per_connection: 5}";
    let (published, seen) = (route.clone(), seen_now.clone());
    let total = load_thread(load, &route, move || {
        if published.addresses()[0] == Address::Inet(before) {
            published.publish(vec![Address::Inet(now)]);
        }
        heads(&seen).is_empty()
    });
    assert!(!heads(&seen_now).is_empty());
    assert_eq!(total.failed(), 0, "the change cost nothing");
}
