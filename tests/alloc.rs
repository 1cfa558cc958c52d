//! Nothing is allocated while load flows: an allocator that counts, thread by thread.
//!
//! A program of its own, because a process has one allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, unbounded};
use loadtester::client::{Action, Client, RunSpec};
use loadtester::load::{self, Control, Job, Peer, Pem, Route, TALLIES_PER_THREAD, tls_config};
use loadtester::plan::{self, Overrides, Shard, ShardLoad};
use loadtester::sys::{Address, Clock};
use loadtester::tally::{Outcome, RowTime, Tally};

use script::{Script, Step, response, send};

use secure_target::{Authority, SecureTarget};

#[path = "it/secure_target.rs"]
#[allow(dead_code, reason = "the tests in it/ use the rest")]
mod secure_target;

#[path = "it/script.rs"]
#[allow(dead_code, reason = "the tests in it/ use the rest")]
mod script;

/// More threads than this program starts.
const MAX_THREADS: usize = 1_024;

/// The allocations of one thread.
struct Slot {
    thread: AtomicI32,
    allocations: AtomicU64,
}

static SLOTS: [Slot; MAX_THREADS] =
    [const { Slot { thread: AtomicI32::new(0), allocations: AtomicU64::new(0) } }; MAX_THREADS];
static SLOTS_TAKEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// This thread's place in [`SLOTS`]; needs neither memory nor a destructor.
    static OWN: Cell<usize> = const { Cell::new(usize::MAX) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn own_slot() -> &'static Slot {
    let place = OWN.get();
    if place != usize::MAX {
        return &SLOTS[place];
    }
    let place = SLOTS_TAKEN.fetch_add(1, SeqCst);
    OWN.set(place);
    // SAFETY: gettid has no preconditions.
    SLOTS[place].thread.store(unsafe { libc::gettid() }, SeqCst);
    &SLOTS[place]
}

// SAFETY: everything is System's; counting touches neither the memory nor the layout, and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        own_slot().allocations.fetch_add(1, SeqCst);
        // SAFETY: the caller keeps to alloc's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to dealloc's contract, and all memory is System's.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        own_slot().allocations.fetch_add(1, SeqCst);
        // SAFETY: the caller keeps to realloc's contract, and all memory is System's.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Allocations so far of the thread with this name; `None`: there is none.
fn allocations_of(name: &str) -> Option<u64> {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux has it");
    let mut ids = threads.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let id = ids.find(|id| {
        std::fs::read_to_string(format!("/proc/self/task/{id}/comm"))
            .is_ok_and(|comm| comm.trim_end() == name)
    })?;
    let slot = SLOTS.iter().find(|slot| slot.thread.load(SeqCst) == id)?;
    Some(slot.allocations.load(SeqCst))
}

const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n";

/// Scenarios that are the same each time, and scenarios with holes of every kind.
const CONSTANT: &str =
    "scenarios: [{ name: a, path: /a, weight: 2 }, { name: b, path: /b, method: POST, body: x }]";
const WITH_HOLES: &str = r#"
data: { u: { rows: [{ id: 1, name: "a b" }, { id: 2, name: c }], order: shuffle } }
scenarios:
  - { name: a, path: "/{{u.id}}/{{random.uuid}}?n={{u.name}}&at={{now}}", weight: 2 }
  - name: b
    method: POST
    path: /b
    headers: { X-Signature: "{{hmac_sha256('key', now.s)}}-{{base64(u.name)}}" }
    body: '{"n": {{flow.number}}, "x": "{{random.letters(8)}}", "y": {{random.int(1, 9)}}, "z": {{u.name | json}}}'
"#;

fn spec(base_url: &str, load: &str, scenarios: &str) -> (Arc<RunSpec>, ShardLoad) {
    let tls = if base_url.starts_with("https") { "tls: { ca: ca.pem }\n" } else { "" };
    let text = format!("base_url: {base_url}\n{tls}load: {load}\n{scenarios}\n");
    let plan = plan::parse(&text, "test", &Overrides::default(), &|_| None).expect("a valid plan");
    let share = plan::shard_load(&plan, Shard { slot: 0, of: 1 });
    (Arc::new(RunSpec::new(plan, 1)), share)
}

/// 100,000 exchanges in virtual time, each answered after 20 µs in pieces of `piece` bytes.
fn check_client(load: &str, response: &str, piece: usize) {
    check_client_of(CONSTANT, load, response, piece);
}

fn check_client_of(scenarios: &str, load: &str, response: &str, piece: usize) {
    const EXCHANGES: u64 = 100_000;
    let (spec, share) = spec("http://target", load, scenarios);
    let tally = || Box::new(Tally::new(2));
    let mut spare = vec![tally(), tally()];
    let connections = share.connections as usize;
    let mut client = Client::new(spec, share, tally());
    let mut waiting = Vec::with_capacity(connections);
    client.open();
    while let Some(action) = client.next(0) {
        let Action::Connect(c) = action else { panic!("{action:?} before the start") };
        client.connected(c, 1_000);
    }
    client.start(2_000);
    let (mut now, mut ok) = (2_000, 0);
    let before = own_slot().allocations.load(SeqCst);
    while ok < EXCHANGES {
        client.advance(now);
        while let Some(action) = client.next(now) {
            match action {
                Action::Send(c) => {
                    let n = client.outgoing(c).len();
                    client.sent(c, n);
                    waiting.push(c);
                }
                Action::Connect(c) => client.connected(c, now),
                Action::Close(c) => panic!("{c} is closed for no reason"),
                Action::AwaitRow => unreachable!("no file is large"),
            }
        }
        now += 20_000;
        if waiting.is_empty() {
            now = now.max(client.wait_until(now).expect("the run is not over"));
        }
        while let Some(c) = waiting.pop() {
            for bytes in response.as_bytes().chunks(piece) {
                client.received(c, bytes, Some(now - 5_000), now);
            }
        }
        let mut empty = spare.pop().expect("two go round");
        empty.clear();
        let full = client.swap_tally(empty, now);
        ok += full.sum(Outcome::Ok);
        spare.push(full);
    }
    let allocated = own_slot().allocations.load(SeqCst) - before;
    assert_eq!(allocated, 0, "allocations in {ok} exchanges of {load}");
}

#[test]
fn a_client_allocates_nothing_in_the_closed_model() {
    let load = "{ concurrency: 50, duration: 1h }";
    check_client(load, LENGTH, usize::MAX);
    check_client(load, CHUNKED, usize::MAX);
    // The head arrives whole, the body in pieces.
    check_client(load, CHUNKED, CHUNKED.find("5\r\n").expect("the first chunk"));
}

#[test]
fn a_client_allocates_nothing_in_the_open_model() {
    for arrivals in ["even", "poisson"] {
        let load = format!("{{ rate: 50k/s, arrivals: {arrivals}, concurrency: 50, duration: 1h }}");
        check_client(&load, LENGTH, usize::MAX);
        check_client(&load, CHUNKED, usize::MAX);
    }
}

#[test]
fn a_client_allocates_nothing_to_fill_holes() {
    for load in ["{ concurrency: 50, duration: 1h }", "{ rate: 50k/s, concurrency: 50, duration: 1h }"] {
        check_client_of(WITH_HOLES, load, LENGTH, usize::MAX);
    }
}

/// A real load thread against a real target allocates nothing.
fn check_thread(load: &str, response: &str) {
    let script = Script::play([Step::Read, send(response)]);
    let (allocated, ok) = allocations_of_thread(&script.url(), None, load);
    assert_eq!(allocated, 0, "allocations while {ok} exchanges of {load} went by");
}

/// The allocations of a real load thread between its first and its third window, and the exchanges in them.
fn allocations_of_thread(url: &str, files: Option<&Pem>, load: &str) -> (u64, u64) {
    let (allocated, ok, _) = allocations_in_windows(url, files, load, 3, || Tally::new(2));
    (allocated, ok)
}

/// The same up to another window, with tallies made by `tally`.
fn allocations_in_windows(
    url: &str,
    files: Option<&Pem>,
    load: &str,
    last: usize,
    tally: impl Fn() -> Tally,
) -> (u64, u64, Duration) {
    // Threads are found by name: one at a time.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let began = Instant::now();
    let (spec, share) = spec(url, load, CONSTANT);
    let tls =
        files.map(|files| tls_config(spec.plan.targets[0].tls.as_ref().expect("https"), files).expect("PEM"));
    let (settle, settled) = unbounded();
    let (close, windows) = bounded(TALLIES_PER_THREAD);
    let (give_back, empties) = bounded(TALLIES_PER_THREAD);
    for _ in 1..TALLIES_PER_THREAD {
        give_back.send(Box::new(tally())).expect("capacity");
    }
    let (control, clock) = (Arc::new(Control::default()), Clock::start());
    let target = &spec.plan.targets[0];
    let host: IpAddr = target.host.parse().expect("an address");
    let address = Address::Inet((host, target.port).into());
    let peer = Peer { route: Arc::new(Route::new(vec![address], &[])), tls };
    let job = Job {
        thread: 0,
        core: None,
        spec,
        share,
        peers: [peer].into(),
        clock,
        rows: None,
        kernel_timestamps: true,
        busy_poll: false,
        may_poll: true,
        control: control.clone(),
        settled: settle,
        windows: close,
        failures: bounded(1).0,
        empties,
        timetables: crossbeam_channel::never(),
    };
    let thread = load::spawn(job).expect("a thread");
    assert_eq!(*settled.recv().expect("it settles").reached, [Ok(true)]);
    control.start(clock.now() + 1);
    let (mut counts, mut ok) = (Vec::new(), 0);
    // Its name is gone with it: the last window's count is nobody's.
    while let Ok(mut window) = windows.recv() {
        counts.extend(allocations_of("load-0").filter(|_| window.last.is_none()));
        if (2..=last).contains(&counts.len()) && window.last.is_none() {
            ok += window.tally.sum(Outcome::Ok);
        }
        let counted = window.tally.merged();
        let timed = counted.times(RowTime::Response).count();
        assert_eq!(timed, counted.completed(), "each exchange is timed in its window");
        if counts.len() == last {
            control.stop();
        }
        window.tally.clear();
        let _ = give_back.send(window.tally);
    }
    thread.join().expect("it ends well");
    assert!(counts.len() >= last && ok > 50, "{} windows, {ok} exchanges", counts.len());
    (counts[last - 1] - counts[0], ok, began.elapsed())
}

#[test]
fn a_load_thread_allocates_nothing_in_the_closed_model() {
    check_thread("{ concurrency: 4, duration: 30s }", &response("200 OK", "hello"));
}

#[test]
fn a_load_thread_allocates_nothing_in_the_open_model() {
    check_thread("{ rate: 1000/s, concurrency: 8, duration: 30s }", CHUNKED);
}

#[test]
fn a_load_thread_allocates_nothing_when_its_tallies_run_out_of_pages() {
    let script = Script::play([Step::Read, send(response("200 OK", "hello"))]);
    let load = "{ concurrency: 4, duration: 30s }";
    let (allocated, ok, took) =
        allocations_in_windows(&script.url(), None, load, 20, || Tally::with_pages(2, 8, 9_000));
    assert_eq!(allocated, 0, "allocations while {ok} exchanges went by");
    // The tally that the thread began with lasts for a second each time, the two small ones do not.
    assert!(took.as_secs() < 15, "windows are shipped before their second is over");
}

#[test]
fn a_load_thread_allocates_nothing_for_large_bodies() {
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 14, "x".repeat(1 << 14));
    let text = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(100));
    check_thread("{ concurrency: 4, duration: 30s }", &text);
}

/// What rustls needs: the record that goes out, and the plaintext that comes in.
#[test]
fn under_tls_a_load_thread_allocates_what_records_need() {
    const PER_EXCHANGE: u64 = 2;
    let authority = Authority::new("a CA");
    let own = authority.sign(&["127.0.0.1"]);
    let versions = &[&rustls::version::TLS13];
    let target = SecureTarget::answer(
        secure_target::config(&own, versions, None),
        usize::MAX,
        response("200 OK", "hello"),
    );
    let files = Pem { ca: Some(authority.pem().into_bytes()), ..Pem::default() };
    let url = target.url().replace("localhost", "127.0.0.1");
    let (allocated, ok) =
        allocations_of_thread(&url, Some(&files), "{ rate: 1000/s, concurrency: 8, duration: 30s }");
    // One window's edge belongs to neither side exactly.
    let most = PER_EXCHANGE * (ok + ok / 10);
    assert!(allocated <= most, "{allocated} allocations while {ok} exchanges went by, {most} at the most");
    println!("{:.2} allocations an exchange", allocated as f64 / ok as f64);
}

/// The counter counts, and finds a thread by its name.
#[test]
fn an_allocation_is_seen() {
    let (sender, received) = unbounded();
    let (go_on, wait) = unbounded::<()>();
    let work = move || {
        let before = own_slot().allocations.load(SeqCst);
        std::hint::black_box(vec![1u8; 100]);
        sender.send(own_slot().allocations.load(SeqCst) - before).expect("somebody listens");
        let _ = wait.recv();
    };
    let thread = std::thread::Builder::new().name("seen".into()).spawn(work).expect("a thread");
    assert_eq!(received.recv(), Ok(1));
    assert!(allocations_of("seen") >= Some(1));
    drop(go_on);
    thread.join().expect("it ends well");
}
