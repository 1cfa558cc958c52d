//! What a plan asks of connections, deadlines and redirects, held by the client in virtual time.

use std::sync::Arc;

use loadtester::client::{Action, Client, End, RunSpec};
use loadtester::http::RedirectError;
use loadtester::http1::ProtocolError;
use loadtester::plan::{Overrides, Plan, Scenario, ShardLoad, parse};
use loadtester::tally::{Close, Counter, Detail, Outcome, RowCounter, RowTime, StepId, Tally, Timer};

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A plan of one scenario, with this load.
fn plan(load: &str) -> Plan {
    let text = format!(
        "base_url: http://target:8080\nload: {load}\nscenarios:\n  - {{name: x, path: /a/b, method: POST, body: body, \
         timeout: 100ms, headers: {{Content-Type: text/plain, X-Kept: yes}}}}\n"
    );
    parse(&text, "connecting", &Overrides::default(), &|_| None).unwrap()
}

fn closed() -> Plan {
    plan("{concurrency: 1, duration: 10s}")
}

/// A request a millisecond, over at most one connection.
fn open() -> Plan {
    plan("{concurrency: 1, rate: 1000/s, duration: 1s, backlog: 10000}")
}

/// A client with one connection, established and started at 0, which has begun its first request.
struct Bench {
    client: Client,
    now: u64,
}

impl Bench {
    fn begin(plan: Plan) -> Self {
        let mut bench = Self::started(plan);
        assert!(bench.send().starts_with("POST /a/b HTTP/1.1\r\nHost: target:8080\r\n"));
        bench
    }

    /// The same with any plan.
    fn on_the_way(plan: Plan) -> Self {
        let mut bench = Self::started(plan);
        bench.send();
        bench
    }

    fn started(plan: Plan) -> Self {
        let share = ShardLoad { connections: 1, requests: None, backlog: 10_000, arrivals: (0, 1) };
        let client = Client::new(Arc::new(RunSpec::new(plan, 1)), share, Box::new(Tally::new(1)));
        let mut bench = Self { client, now: 0 };
        bench.client.open();
        assert_eq!(bench.next(), Some(Action::Connect(0)));
        bench.client.connected(0, 0);
        bench.client.start(0);
        bench
    }

    fn next(&mut self) -> Option<Action> {
        self.client.next(self.now)
    }

    /// The next action has to be a send; all of it is taken.
    fn send(&mut self) -> String {
        assert_eq!(self.next(), Some(Action::Send(0)));
        let text = String::from_utf8(self.client.outgoing(0).to_vec()).unwrap();
        self.client.sent(0, text.len());
        text
    }

    fn answer(&mut self, after_ns: u64, text: &str) {
        self.now += after_ns;
        self.client.received(0, text.as_bytes(), Some(self.now), self.now);
    }

    /// The connection is closed and opened again.
    fn reopen(&mut self) {
        assert_eq!(self.next(), Some(Action::Close(0)));
        assert_eq!(self.next(), Some(Action::Connect(0)));
        self.client.connected(0, self.now);
    }

    fn count(&self, outcome: Outcome) -> u64 {
        self.client.tally().merged().row(StepId(0)).counter(outcome)
    }

    /// How many connections were closed for each reason that occurred.
    fn closes(&self) -> Vec<(Close, u64)> {
        let all = Close::ALL.into_iter().map(|why| (why, self.client.tally().merged().counter(why)));
        all.filter(|(_, n)| *n > 0).collect()
    }

    fn detail(&self, outcome: Outcome) -> Detail {
        self.client.tally().merged().first_seen(outcome).expect("it was seen").detail
    }
}

/// A plan whose requests may be sent twice.
fn idempotent() -> Plan {
    let text = "base_url: http://target:8080\nload: {concurrency: 1, duration: 10s}\nscenarios: [{name: x, path: /}]\n";
    parse(text, "connecting", &Overrides::default(), &|_| None).unwrap()
}

impl Bench {
    /// One exchange, and the next request is on the way.
    fn reused(plan: Plan) -> Self {
        let mut bench = Self::on_the_way(plan);
        bench.answer(MS, OK);
        bench.send();
        bench
    }

    fn retried(&self) -> u64 {
        self.client.tally().merged().counter(Counter::Retried)
    }

    /// Bytes that the kernel had before the request was sent, as far as `proven`.
    fn stale(&mut self, proven: bool) {
        let sent_ns = self.now;
        self.now += MS;
        let was_before = move |at_ns| {
            assert_eq!(at_ns, sent_ns);
            proven
        };
        let stamp_ns = Some(sent_ns - 1);
        self.client.received_when(
            0,
            b"HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n",
            (stamp_ns, was_before),
            self.now,
        );
    }
}

#[test]
fn an_idempotent_request_that_ends_without_a_byte_is_sent_again_once() {
    for end in [End::Eof, End::Truncated, End::Reset(104)] {
        let mut bench = Bench::reused(idempotent());
        bench.client.closed(0, end, false, bench.now);
        bench.reopen();
        bench.send();
        assert_eq!((bench.retried(), bench.closes()), (1, vec![(Close::TargetIdle, 1)]));
        bench.answer(MS, OK);
        assert_eq!(bench.count(Outcome::Ok), 2);
        // Never twice, and never on a fresh connection.
        bench.send();
        bench.client.closed(0, end, false, bench.now);
        bench.reopen();
        bench.send();
        bench.client.closed(0, end, false, bench.now);
        assert_eq!((bench.retried(), bench.count(Outcome::Ok)), (2, 2));
        assert_eq!(bench.count(Outcome::ClosedEarly) + bench.count(Outcome::Reset), 1);
    }
}

#[test]
fn a_post_is_sent_again_only_if_the_target_cannot_have_it() {
    for (end, unacknowledged, again) in
        [(End::Eof, false, 0), (End::Eof, true, 1), (End::Reset(104), true, 0), (End::Reset(104), false, 0)]
    {
        let mut bench = Bench::reused(closed());
        bench.client.closed(0, end, unacknowledged, bench.now);
        assert_eq!(bench.retried(), again, "{end:?} {unacknowledged}");
    }
}

#[test]
fn what_was_there_before_the_request_is_never_its_answer() {
    let mut bench = Bench::reused(idempotent());
    bench.stale(true);
    bench.reopen();
    bench.send();
    bench.answer(MS, OK);
    assert_eq!((bench.count(Outcome::Ok), bench.retried()), (2, 1));
    assert_eq!(bench.closes(), [(Close::OutOfStep, 1)]);

    let mut bench = Bench::reused(closed());
    bench.stale(true);
    assert_eq!((bench.count(Outcome::ClosedEarly), bench.retried()), (1, 0));
    assert_eq!(bench.closes(), [(Close::OutOfStep, 1)]);

    // A stamp that proves nothing: the wall clock was stepped.
    let mut bench = Bench::reused(idempotent());
    bench.stale(false);
    assert_eq!((bench.count(Outcome::UnexpectedStatus), bench.retried()), (1, 0));
    assert_eq!(bench.client.tally().merged().counter(Counter::AbsurdStamps), 1);
}

#[test]
fn what_comes_before_a_byte_was_sent_has_any_request_sent_over_another_connection() {
    let mut bench = Bench::on_the_way(closed());
    bench.answer(MS, OK);
    assert_eq!(bench.next(), Some(Action::Send(0)));
    bench.stale(false);
    bench.reopen();
    assert!(bench.send().starts_with("POST"));
    bench.answer(MS, OK);
    assert_eq!((bench.count(Outcome::Ok), bench.closes()), (2, vec![(Close::OutOfStep, 1)]));
    assert_eq!((bench.count(Outcome::UnexpectedStatus), bench.retried()), (0, 1));
}

#[test]
fn a_broken_expectation_ends_a_used_connection_and_is_named_as_the_reason() {
    let text = "base_url: http://target:8080\nload: {concurrency: 1, duration: 10s}\n\
                scenarios: [{name: x, path: /, expect: {body_contains: ok}}]\n";
    let plan = parse(text, "connecting", &Overrides::default(), &|_| None).unwrap();
    let other = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno";
    let mut bench = Bench::on_the_way(plan);
    bench.answer(MS, other);
    assert_eq!(bench.closes(), [], "the first response on a connection is its own");
    bench.send();
    bench.answer(MS, OK);
    bench.send();
    bench.answer(MS, other);
    assert_eq!(bench.closes(), [(Close::ExpectationFailed, 1)]);
    assert_eq!((bench.count(Outcome::Ok), bench.count(Outcome::ExpectationFailed)), (1, 2));
}

fn near(got: Option<u64>, ns: u64) {
    assert!(got.is_some_and(|got| got.abs_diff(ns) <= ns / 1000 + 64), "{got:?} instead of {ns}");
}

#[test]
fn without_keep_alive_each_request_has_its_own_connection_and_says_so() {
    let mut plan = closed();
    plan.connections.keep_alive = false;
    let mut bench = Bench::begin(plan);
    for n in 1..=3 {
        bench.answer(MS, OK);
        bench.reopen();
        assert!(bench.send().contains("\r\nConnection: close\r\n"));
        assert_eq!(bench.closes(), [(Close::KeepAliveOff, n)]);
        assert_eq!(bench.client.tally().merged().counter(Counter::Reconnects), n);
    }
}

#[test]
fn without_keep_alive_the_open_model_connects_when_a_request_is_due() {
    let mut plan = open();
    plan.connections.keep_alive = false;
    let mut bench = Bench::begin(plan);
    bench.answer(MS / 2, OK);
    assert_eq!(bench.next(), Some(Action::Close(0)));
    assert_eq!(bench.next(), None, "nothing is due before 1 ms");
    bench.now = MS;
    assert_eq!(bench.next(), Some(Action::Connect(0)));
    bench.now += MS / 4;
    bench.client.connected(0, bench.now);
    bench.send();
    bench.answer(0, OK);
    // The connecting is a part of the request's time.
    near(bench.client.tally().merged().row(StepId(0)).times(RowTime::Response).max(), MS / 2);
    near(bench.client.tally().merged().timer(Timer::Slip).max(), MS / 4);
}

#[test]
fn a_connection_carries_no_more_requests_than_the_plan_allows() {
    let mut plan = closed();
    plan.connections.most_requests = Some(3);
    let mut bench = Bench::begin(plan);
    for _ in 0..2 {
        for _ in 0..2 {
            bench.answer(MS, OK);
            bench.send();
        }
        bench.answer(MS, OK);
        bench.reopen();
        bench.send();
    }
    assert_eq!(bench.closes(), [(Close::RequestsReached, 2)]);
    assert_eq!(bench.count(Outcome::Ok), 6);
}

#[test]
fn a_connection_grows_no_older_than_the_plan_allows() {
    let mut plan = closed();
    plan.connections.most_age_ns = Some(10 * MS);
    let mut bench = Bench::begin(plan);
    bench.answer(9 * MS, OK);
    bench.send();
    bench.answer(MS, OK);
    bench.reopen();
    bench.send();
    bench.answer(9 * MS, OK);
    bench.send();
    assert_eq!(bench.closes(), [(Close::AgeReached, 1)]);
}

#[test]
fn each_reason_for_the_end_of_a_connection_is_counted() {
    let mut bench = Bench::begin(closed());
    bench.answer(MS, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    bench.reopen();
    bench.send();
    bench.answer(MS, &format!("{OK}more"));
    bench.reopen();
    bench.send();
    bench.answer(MS, OK);
    bench.client.closed(0, End::Eof, false, bench.now);
    bench.reopen();
    bench.send();
    bench.answer(MS, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(
        bench.closes(),
        [(Close::TargetAsked, 1), (Close::TargetIdle, 1), (Close::OutOfStep, 1), (Close::Failure, 1)]
    );
    let errors = |error| bench.client.tally().merged().counter(error);
    assert_eq!(errors(ProtocolError::ConflictingLengths), 1);
    let all: u64 = ProtocolError::ALL.into_iter().map(errors).sum();
    assert_eq!(all, bench.count(Outcome::ProtocolError));
}

#[test]
fn a_timeout_says_which_deadline_fired() {
    let mut plan = closed();
    plan.scenarios[0].first_byte_timeout_ns = Some(30 * MS);
    // Nothing comes.
    let mut bench = Bench::begin(plan.clone());
    assert_eq!(bench.client.wait_until(0), Some(30 * MS));
    bench.client.advance(30 * MS);
    assert_eq!(bench.count(Outcome::FirstByteTimeout), 1);
    near(bench.client.tally().merged().row(StepId(0)).times(RowTime::Response).max(), 30 * MS);
    // A byte comes in time, the rest does not.
    let mut bench = Bench::begin(plan.clone());
    bench.answer(29 * MS, "H");
    assert_eq!(bench.client.wait_until(bench.now), Some(100 * MS));
    bench.client.advance(100 * MS);
    assert_eq!(bench.count(Outcome::Timeout), 1);
    near(bench.client.tally().merged().row(StepId(0)).times(RowTime::Response).max(), 100 * MS);
    // All of it comes, too late; the deadline was not looked at before.
    let mut bench = Bench::begin(plan.clone());
    bench.answer(31 * MS, OK);
    assert_eq!(bench.count(Outcome::FirstByteTimeout), 1);
    near(bench.client.tally().merged().row(StepId(0)).times(RowTime::Response).max(), 30 * MS);
    // The request was not taken.
    let mut bench = Bench::begin(plan);
    bench.answer(MS, OK);
    assert_eq!(bench.next(), Some(Action::Send(0)));
    bench.client.sent(0, 3);
    bench.client.advance(31 * MS);
    assert_eq!(bench.count(Outcome::WriteTimeout), 1);
}

#[test]
fn each_of_many_timeouts_fires_at_its_own_time() {
    const SCENARIOS: u32 = 100;
    let mut plan = plan("{concurrency: 100, duration: 10s}");
    let timeout_ns = |i: u32| (10 + u64::from(i * 17 % SCENARIOS)) * MS;
    plan.scenarios = (0..SCENARIOS)
        .map(|i| Scenario { name: i.to_string(), timeout_ns: timeout_ns(i), ..plan.scenarios[0].clone() })
        .collect();
    let share = ShardLoad { connections: SCENARIOS, requests: None, backlog: 0, arrivals: (0, 1) };
    let tally = Box::new(Tally::new(SCENARIOS as usize));
    let mut client = Client::new(Arc::new(RunSpec::new(plan, 1)), share, tally);
    client.open();
    for c in 0..SCENARIOS {
        assert_eq!(client.next(0), Some(Action::Connect(c)));
        client.connected(c, 0);
    }
    client.start(0);
    while let Some(Action::Send(c)) = client.next(0) {
        client.sent(c, client.outgoing(c).len());
    }
    for (ended, ms) in (1..).zip(10..10 + u64::from(SCENARIOS)) {
        assert_eq!(client.wait_until(0), Some(ms * MS));
        client.advance(ms * MS);
        assert_eq!(client.tally().merged().ended(), ended);
    }
    for i in 0..SCENARIOS {
        near(client.tally().merged().row(StepId(i)).times(RowTime::Response).max(), timeout_ns(i));
    }
}

#[test]
fn a_connection_attempt_has_a_deadline_of_its_own() {
    let mut plan = closed();
    plan.connections.connect_timeout_ns = Some(5 * MS);
    let mut bench = Bench::begin(plan);
    bench.answer(MS, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(bench.next(), Some(Action::Close(0)));
    assert_eq!(bench.next(), Some(Action::Connect(0)));
    assert_eq!(bench.client.wait_until(bench.now), Some(6 * MS));
    bench.client.advance(6 * MS);
    assert_eq!(bench.count(Outcome::ConnectTimeout), 1);
    near(bench.client.tally().merged().row(StepId(0)).times(RowTime::Response).max(), 5 * MS);
}

#[test]
fn the_connect_timeout_is_ten_seconds_unless_nobody_waits_so_long() {
    let mut plan = closed();
    assert_eq!(plan.connect_timeout_ns(), 100 * MS);
    plan.scenarios[0].timeout_ns = 30 * S;
    assert_eq!(plan.connect_timeout_ns(), 10 * S);
    plan.connections.connect_timeout_ns = Some(60 * S);
    assert_eq!(plan.connect_timeout_ns(), 60 * S);
}

fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Over There\r\nLocation: {location}\r\nContent-Length: 4\r\n\r\nover")
}

fn following(hops: u8) -> Plan {
    let mut plan = closed();
    plan.scenarios[0].follow_redirects = hops;
    plan
}

#[test]
fn a_redirect_is_an_answer_unless_the_plan_follows_it() {
    let mut bench = Bench::begin(closed());
    bench.answer(MS, &redirect(302, "/c"));
    assert_eq!(bench.count(Outcome::Ok), 1);
    assert_eq!(bench.client.tally().merged().counter(Counter::Redirects), 0);
}

#[test]
fn times_cover_all_hops_and_the_last_response_is_judged() {
    let mut bench = Bench::begin(following(3));
    bench.answer(MS, &redirect(302, "c?x=1"));
    let second = bench.send();
    assert!(second.starts_with("GET /a/c?x=1 HTTP/1.1\r\n"), "{second}");
    assert!(second.contains("X-Kept: yes") && !second.contains("Content-"), "{second}");
    bench.answer(MS, &redirect(307, "http://target:8080/d"));
    assert!(bench.send().starts_with("GET /d HTTP/1.1\r\n"));
    bench.answer(MS, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let tally = bench.client.tally().merged();
    assert_eq!(tally.row(StepId(0)).status_codes().collect::<Vec<_>>(), [(404, 1)]);
    assert_eq!(
        (
            tally.counter(Counter::Redirects),
            tally.row(StepId(0)).counter(RowCounter::Sent),
            tally.row(StepId(0)).counter(RowCounter::Due)
        ),
        (2, 1, 1)
    );
    near(tally.row(StepId(0)).times(RowTime::Response).max(), 3 * MS);
    near(tally.row(StepId(0)).times(RowTime::Service).max(), 3 * MS);
    near(tally.timer(Timer::FirstByteTime).max(), MS);
    assert_eq!(bench.count(Outcome::UnexpectedStatus), 1);
    // The next exchange begins where its scenario does.
    assert!(bench.send().starts_with("POST /a/b HTTP/1.1\r\n"));
}

#[test]
fn method_and_body_are_kept_where_the_status_says_so() {
    for status in [307, 308] {
        let mut bench = Bench::begin(following(1));
        bench.answer(MS, &redirect(status, "/c"));
        let request = bench.send();
        assert!(
            request.starts_with("POST /c HTTP/1.1\r\n") && request.ends_with("\r\n\r\nbody"),
            "{request}"
        );
    }
}

#[test]
fn where_a_redirect_can_not_be_followed_the_exchange_has_failed() {
    for (answers, why) in [
        (vec![redirect(301, "/c"), redirect(301, "/d"), redirect(301, "/c")], RedirectError::TooMany),
        (vec![redirect(302, "http://elsewhere/c")], RedirectError::OtherOrigin),
        (vec![redirect(302, "https://target:8080/c")], RedirectError::OtherOrigin),
        (vec!["HTTP/1.1 303 See Other\r\nContent-Length: 0\r\n\r\n".to_owned()], RedirectError::BadLocation),
    ] {
        let mut bench = Bench::begin(following(2));
        for (i, answer) in answers.iter().enumerate() {
            if i > 0 {
                bench.send();
            }
            bench.answer(MS, answer);
        }
        assert_eq!(bench.count(Outcome::RedirectFailed), 1, "{why:?}");
        assert_eq!(bench.detail(Outcome::RedirectFailed), Detail::Redirect(why));
        assert_eq!(
            bench.client.tally().merged().row(StepId(0)).times(RowTime::Response).count(),
            1,
            "its response was complete"
        );
    }
}

#[test]
fn a_redirect_goes_on_over_a_new_connection_where_the_old_one_ends() {
    let mut bench = Bench::begin(following(1));
    bench.answer(MS, "HTTP/1.1 302 Found\r\nLocation: /c\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    bench.reopen();
    assert!(bench.send().starts_with("GET /c HTTP/1.1\r\n"));
    bench.answer(MS, OK);
    assert_eq!((bench.count(Outcome::Ok), bench.client.in_flight()), (1, 0));
    // It may also end between the two.
    bench.send();
    bench.answer(MS, &redirect(302, "/c"));
    bench.client.closed(0, End::Eof, false, bench.now);
    bench.reopen();
    assert!(bench.send().starts_with("GET /c HTTP/1.1\r\n"));
    bench.answer(MS, OK);
    assert_eq!((bench.count(Outcome::Ok), bench.client.in_flight()), (2, 0));
    assert_eq!(bench.closes(), [(Close::TargetAsked, 1), (Close::TargetIdle, 1)]);
}

#[test]
fn one_deadline_covers_all_hops() {
    let mut bench = Bench::begin(following(9));
    bench.answer(60 * MS, &redirect(302, "/c"));
    bench.send();
    assert_eq!(bench.client.wait_until(bench.now), Some(100 * MS));
    bench.client.advance(100 * MS);
    assert_eq!(bench.count(Outcome::Timeout), 1);
    near(bench.client.tally().merged().row(StepId(0)).times(RowTime::Response).max(), 100 * MS);
}

/// Targets end connections without a word, right behind a whole response; then more of them are to be
/// opened than may be at once.
#[test]
fn many_connections_that_end_behind_their_responses_are_each_opened_once() {
    const N: u32 = 700;
    let share = ShardLoad { connections: N, requests: None, backlog: 0, arrivals: (0, 1) };
    let spec = RunSpec::new(plan("{concurrency: 700, duration: 10s}"), 1);
    let mut client = Client::new(Arc::new(spec), share, Box::new(Tally::new(1)));
    let mut has_socket = vec![false; N as usize];
    client.open();
    let mut connect_all = |client: &mut Client, now: u64| {
        let (mut connecting, mut sent) = (Vec::new(), Vec::new());
        loop {
            while let Some(action) = client.next(now) {
                match action {
                    Action::Close(c) => has_socket[c as usize] = false,
                    Action::Connect(c) => {
                        assert!(!has_socket[c as usize], "{c} has a socket already");
                        has_socket[c as usize] = true;
                        connecting.push(c);
                    }
                    Action::Send(c) => {
                        client.sent(c, client.outgoing(c).len());
                        sent.push(c);
                    }
                    Action::AwaitRow => unreachable!("the plan has no data"),
                }
            }
            let Some(c) = connecting.pop() else { return sent };
            client.connected(c, now);
        }
    };
    assert!(connect_all(&mut client, 0).is_empty());
    client.start(0);
    for round in 1..=3 {
        let mut sent = connect_all(&mut client, round * MS);
        sent.sort_unstable();
        assert!(sent.iter().copied().eq(0..N), "{} instead of each once", sent.len());
        for c in sent {
            client.received(c, OK.as_bytes(), None, round * MS);
            client.closed(c, End::Eof, false, round * MS);
        }
        assert_eq!(client.established(), 0);
    }
    assert_eq!(client.tally().merged().row(StepId(0)).counter(Outcome::Ok), 3 * u64::from(N));
}

#[test]
fn a_response_that_never_pauses_ends_at_its_deadline() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n"] {
        let mut bench = Bench::begin(closed());
        bench.answer(40 * MS, head);
        bench.answer(60 * MS, "more");
        assert_eq!(bench.client.in_flight(), 1, "at the deadline it may still end");
        match head.contains("chunked") {
            true => bench.answer(20 * MS, "more"),
            false => {
                bench.now += 20 * MS;
                bench.client.skipped(0, 1_000_000, Some(bench.now), bench.now);
            }
        }
        assert_eq!(bench.count(Outcome::Timeout), 1);
        near(bench.client.tally().merged().row(StepId(0)).times(RowTime::Response).max(), 100 * MS);
        assert_eq!(bench.next(), Some(Action::Close(0)));
    }
}

/// The whole program is stopped for 100 ms while both of its connections are idle.
#[test]
fn every_request_that_a_stop_of_ours_held_up_has_a_send_delay() {
    let plan = plan("{concurrency: 2, rate: 1000/s, duration: 1s, backlog: 10000}");
    let share = ShardLoad { connections: 2, requests: None, backlog: 10_000, arrivals: (0, 1) };
    let mut client = Client::new(Arc::new(RunSpec::new(plan, 1)), share, Box::new(Tally::new(1)));
    client.open();
    for c in [0, 1] {
        assert_eq!(client.next(0), Some(Action::Connect(c)));
    }
    client.connected(0, 0);
    client.connected(1, 0);
    client.start(0);
    // From the first moment on: the requests of 0 to 99 ms lie there, and are answered within 10 µs each.
    let stopped_until = 100 * MS - 1;
    let mut now = stopped_until;
    for _ in 0..100 {
        let Some(Action::Send(c)) = client.next(now) else { panic!("there is more to send") };
        client.sent(c, client.outgoing(c).len());
        now += 10_000;
        client.received(c, OK.as_bytes(), Some(now), now);
    }
    let tally = client.tally().merged();
    let delays = tally.timer(Timer::SendDelay);
    assert!(delays.count() >= 100);
    let at_least = |ns: u64| delays.buckets().filter(|b| b.highest_ns >= ns).map(|b| b.count).sum::<u64>();
    // The one due at n ms was sent 100 - n ms late, and all but the last by more than one.
    assert!(at_least(MS) >= 99, "{} were late", at_least(MS));
    assert!((49..=52).contains(&at_least(50 * MS)), "{} were late by half of it", at_least(50 * MS));
}

/// A target that takes 10 ms for each of a request a millisecond, and a thread that looks 50 µs late.
#[test]
fn a_request_that_waits_for_the_target_has_no_send_delay_but_ours() {
    let mut bench = Bench::begin(open());
    for _ in 0..50 {
        bench.now += 10 * MS;
        let stamp = bench.now;
        bench.now += 50_000;
        bench.client.received(0, OK.as_bytes(), Some(stamp), bench.now);
        bench.send();
    }
    let most = bench.client.tally().merged().timer(Timer::SendDelay).max();
    assert!(most.is_some_and(|ns| ns < 200_000), "{most:?}");
}

#[test]
fn a_thread_without_connections_has_nothing_to_do() {
    for text in [
        "targets: {}\nscenarios: [{path: /}]",
        "targets: {b: {url: 'http://b'}}\nscenarios: [{name: a, path: /}, {name: b, target: b, path: /}]",
    ] {
        let text = format!("base_url: http://target\nload: {{concurrency: 1, duration: 1s}}\n{text}\n");
        let plan = parse(&text, "none", &Overrides::default(), &|_| None).unwrap();
        let share = ShardLoad { connections: 0, requests: None, backlog: 0, arrivals: (1, 2) };
        let steps = plan.scenarios.len();
        let mut client = Client::new(Arc::new(RunSpec::new(plan, 1)), share, Box::new(Tally::new(steps)));
        client.open();
        assert_eq!((client.next(0), client.is_settled()), (None, true));
        client.start(0);
        assert_eq!((client.next(0), client.next(S / 2)), (None, None));
        assert!(client.is_done(S));
    }
}

/// A target that accepts nothing: its requests wait, and those to the other do not wait behind them.
#[test]
fn requests_to_a_target_that_hangs_leave_room_for_the_others() {
    let text = "base_url: http://a\ntargets: {b: {url: 'http://b'}}\nload: {rate: 2000/s, duration: 1s, backlog: 10}\n\
                scenarios: [{name: a, path: /}, {name: b, target: b, path: /}]\n";
    let plan = parse(text, "p", &Overrides::default(), &|_| None).unwrap();
    let (each, backlog) = (400, 10);
    let share = ShardLoad { connections: each, requests: None, backlog, arrivals: (0, 1) };
    let mut client = Client::new(Arc::new(RunSpec::new(plan, 1)), share, Box::new(Tally::new(2)));
    client.open();
    let mut sent = [0; 2];
    let mut step = |client: &mut Client, now: u64| {
        while let Some(action) = client.next(now) {
            match action {
                // Attempts to reach the second target are never answered.
                Action::Connect(c) if c < each => client.connected(c, now),
                Action::Send(c) => {
                    let n = client.outgoing(c).len();
                    client.sent(c, n);
                    sent[(c / each) as usize] += 1;
                    client.received(c, OK.as_bytes(), Some(now), now);
                }
                _ => {}
            }
        }
    };
    step(&mut client, 0);
    client.start(0);
    (1..1_000).for_each(|ms| step(&mut client, ms * MS));
    let due = |step: usize| client.tally().merged().row(StepId::new(step)).counter(RowCounter::Due);
    assert_eq!((sent[0], sent[1]), (due(0), 0), "all of those to the first were sent");
    assert!(due(0) > 900 && client.backlog() == u64::from(backlog), "{} {}", due(0), client.backlog());
}

/// A machine that swallows connection attempts is not this generator's fault.
#[test]
fn requests_that_wait_for_attempts_in_vain_count_as_offered() {
    let text = "base_url: http://a\nload: {rate: 1000/s, duration: 1s, backlog: 10, drain: 0s}\nscenarios: [{path: /}]\n";
    let plan = parse(text, "p", &Overrides::default(), &|_| None).unwrap();
    let share = ShardLoad { connections: 50, requests: None, backlog: 10, arrivals: (0, 1) };
    let mut client = Client::new(Arc::new(RunSpec::new(plan, 1)), share, Box::new(Tally::new(1)));
    client.open();
    client.start(0);
    // No attempt is ever answered.
    (1..1_001).for_each(|ms| while client.next(ms * MS).is_some() {});
    assert!(client.is_done(S));
    client.count_unreached();
    let tally = client.tally().merged();
    let due = tally.sum(RowCounter::Due);
    assert_eq!((due, tally.sum(RowCounter::Sent)), (1_000, 0));
    assert_eq!(tally.counter(Counter::AwaitedConnection), due);
}
