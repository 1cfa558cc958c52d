//! What one step on the hot path costs: `cargo bench --bench micro`.

use std::sync::Arc;

use divan::{Bencher, black_box};
use loadtester::client::{Action, Client, RunSpec};
use loadtester::http1::{self, Decoder, HeadMemo};
use loadtester::plan::{self, Overrides, Shard};
use loadtester::schedule::{Arrivals, Picker, Piece, Schedule};
use loadtester::tally::{Merged, Outcome, RowTimer, StepId, Tally, Timer};

fn main() {
    divan::main();
}

/// Response times between 20 µs and some milliseconds, the way they come.
fn some_times_ns() -> Vec<u64> {
    let mut rng = fastrand::Rng::with_seed(1);
    (0..4096).map(|_| 20_000 + (rng.f64().powi(8) * 5e6) as u64).collect()
}

#[divan::bench(args = [&[1][..], &[2, 1], &[97, 31, 7, 3, 1]])]
fn picker_pick(bencher: Bencher, weights: &[u32]) {
    let picker = Picker::new(weights, 1).expect("short periods");
    let mut k = 0;
    bencher.bench_local(|| {
        k += 1;
        picker.pick(black_box(k))
    });
}

/// The next due instant: a constant rate, one of four slices, and a plan of ten stages half-way through.
#[divan::bench(args = ["even", "poisson", "even 1/4", "poisson 1/4", "ten stages"])]
fn schedule_advance(bencher: Bencher, kind: &str) {
    const FOR_EVER_NS: u64 = 1 << 60;
    let constant = vec![Piece { from: 1e4, to: 1e4, length_ns: FOR_EVER_NS }];
    let stages = (0..10u64)
        .map(|i| Piece { from: 1e4, to: 2e4, length_ns: if i == 5 { FOR_EVER_NS } else { 1_000_000_000 } })
        .collect();
    let pieces = if kind == "ten stages" { stages } else { constant };
    let arrivals = if kind.starts_with("poisson") { Arrivals::Poisson } else { Arrivals::Even };
    let slice = if kind.ends_with("1/4") { (1, 4) } else { (0, 1) };
    let mut schedule = Schedule::new(&pieces, arrivals, 1, slice, 0, None);
    bencher.bench_local(|| {
        schedule.advance();
        schedule.peek()
    });
}

#[divan::bench]
fn tally_record(bencher: Bencher) {
    let (times, mut tally, mut i) = (some_times_ns(), Tally::new(1), 0);
    bencher.bench_local(|| {
        i = (i + 1) % times.len();
        tally.record_row(StepId(0), RowTimer::ResponseOk, black_box(times[i]));
    });
}

/// One window of one thread, of 1, 10 and 100 scenarios that have all been used.
#[divan::bench(args = [1, 10, 100])]
fn tally_merge(bencher: Bencher, scenarios: usize) {
    let (mut window, mut total) = (Tally::new(scenarios), Merged::new(scenarios));
    for (i, ns) in some_times_ns().into_iter().enumerate() {
        let step = StepId::new(i % scenarios);
        window.record_row(step, RowTimer::ResponseOk, ns);
        window.record_row(step, RowTimer::ServiceOk, ns);
        window.end_row(step, Outcome::Ok);
        window.count_status(step, 200);
        window.record(Timer::Slip, ns / 20);
        window.record(Timer::ReceiveDelay, ns / 10);
    }
    bencher.bench_local(|| total.merge_window(black_box(&window)));
}

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nServer: target\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
    Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
/// The same a second later.
const HELLO_LATER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: target\r\nDate: Thu, 01 Jan 1970 00:00:01 GMT\r\n\
    Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n";

#[divan::bench]
fn http1_encode(bencher: Bencher) {
    let headers = [("Authorization", "Bearer token"), ("Content-Type", "application/json")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let encode = || http1::encode("POST", black_box("/v1/users"), "127.0.0.1:8081", &headers, (b"{}", false));
    bencher.bench_local(encode);
}

/// A response in one piece: its head is the last one's, is another, and a chunked body.
#[divan::bench(args = ["memo hit", "memo miss", "chunked"])]
fn decoder_feed(bencher: Bencher, kind: &str) {
    let responses = match kind {
        "memo hit" => [HELLO, HELLO],
        "memo miss" => [HELLO, HELLO_LATER],
        _ => [CHUNKED, CHUNKED],
    };
    let (mut decoder, mut memo, mut i) = (Decoder::new(), HeadMemo::new(), 0);
    bencher.bench_local(|| {
        i = 1 - i;
        decoder.begin();
        decoder.feed(black_box(responses[i]), false, &mut memo).is_ok_and(|fed| fed.complete)
    });
}

/// One exchange of the closed model, from the request to the tally, without a socket.
#[divan::bench]
fn client_cycle(bencher: Bencher) {
    let text = "{ base_url: http://target, load: { concurrency: 1, duration: 24h }, scenarios: [{ name: a, path: / }] }";
    let plan = plan::parse(text, "bench", &Overrides::default(), &|_| None).expect("a valid plan");
    let share = plan::shard_load(&plan, Shard { slot: 0, of: 1 });
    let mut client = Client::new(Arc::new(RunSpec::new(plan, 1)), share, Box::new(Tally::new(1)));
    client.open();
    assert_eq!(client.next(0), Some(Action::Connect(0)));
    client.connected(0, 0);
    client.start(0);
    let mut now = 0;
    bencher.bench_local(|| {
        let action = client.next(now);
        let n = client.outgoing(0).len();
        client.sent(0, n);
        now += 20_000;
        client.advance(now);
        client.received(0, black_box(HELLO), Some(now - 5_000), now);
        action
    });
}
