//! The wall clock stepped by an hour, at the seam where its stamps come in: no name space covers
//! CLOCK_REALTIME, and stepping the machine's own would reach everybody on it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use loadtester::client::{Action, Client, RunSpec};
use loadtester::plan::{Overrides, Shard, UrlForm, from_url, shard_load};
use loadtester::sys::{Clock, RealtimeOffset};
use loadtester::tally::{Close, Counter, RowTime, StepId, Tally, Timer};

use crate::CaseResult;

const HOUR_NS: i64 = 3_600_000_000_000;
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// CLOCK_REALTIME, as far ahead of the truth as the wall clock was stepped.
fn wall_ns(stepped_ns: i64) -> u64 {
    let true_ns = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as i64;
    (true_ns + stepped_ns) as u64
}

/// More than a measurement of the wall clock is off by if the machine pauses in none.
const APART: Duration = Duration::from_micros(20);

/// Long enough that no stamp of before seems to be of after. Sleeping takes longer.
fn pass_time() {
    let began = Instant::now();
    while began.elapsed() < APART {
        std::hint::spin_loop();
    }
}

/// A client with one connection that has just sent a request.
struct Wire {
    client: Client,
    clock: Clock,
}

impl Wire {
    fn new() -> Self {
        let overrides = Overrides { concurrency: Some(1), requests: Some(100), ..Overrides::default() };
        let form = UrlForm { url: "http://127.0.0.1:1/".into(), ..UrlForm::default() };
        let plan = from_url(&form, &overrides).expect("a valid plan");
        let share = shard_load(&plan, Shard { slot: 0, of: 1 });
        let client = Client::new(Arc::new(RunSpec::new(plan, 1)), share, Box::new(Tally::new(1)));
        let mut wire = Self { client, clock: Clock::start() };
        wire.client.open();
        assert_eq!(wire.client.next(wire.clock.now()), Some(Action::Connect(0)));
        wire.client.connected(0, wire.clock.now());
        wire.client.start(wire.clock.now());
        wire
    }

    /// One exchange whose response is stamped while the wall clock is off by `stepped_ns`.
    fn exchange(&mut self, offset: &RealtimeOffset, stepped_ns: i64) {
        self.sends();
        pass_time();
        let stamp = wall_ns(stepped_ns);
        pass_time();
        self.answered(stamp, offset);
    }

    fn sends(&mut self) {
        assert_eq!(self.client.next(self.clock.now()), Some(Action::Send(0)));
        self.client.sent(0, self.client.outgoing(0).len());
    }

    /// Its response comes, with this stamp, as a load thread hands it on.
    fn answered(&mut self, real_ns: u64, offset: &RealtimeOffset) {
        let mut offset = *offset;
        let (stamp_ns, clock) = (offset.translate(real_ns), self.clock);
        let was_before = |at_ns| offset.proves_before(real_ns, at_ns, &clock);
        self.client.received_when(0, RESPONSE, (Some(stamp_ns), was_before), clock.now());
    }
}

pub fn a_step_of_the_wall_clock_closes_no_connection() -> CaseResult {
    for step_ns in [1_000_000, 1_000_000_000, HOUR_NS] {
        for stepped_ns in [step_ns, -step_ns] {
            let mut wire = Wire::new();
            // Measured on a wall clock that has been put right since, which nobody has noticed.
            let before = wire.clock.now();
            let mut offset = RealtimeOffset::between(before, wall_ns(stepped_ns), wire.clock.now());
            (0..10).for_each(|_| wire.exchange(&offset, 0));
            // Noticed; these stamps are of before.
            let real_ns = wall_ns(stepped_ns);
            std::thread::sleep(Duration::from_nanos(2 * RealtimeOffset::MAX_AGE_NS));
            offset.refresh(&wire.clock, wire.clock.now());
            for _ in 0..10 {
                wire.sends();
                wire.answered(real_ns, &offset);
            }
            let tally = wire.client.tally().merged();
            assert_eq!(tally.counter(Close::OutOfStep), 0, "stepped by {stepped_ns}");
            assert_eq!(tally.row(StepId(0)).times(RowTime::Service).count(), 20);
        }
    }
    Ok(())
}

pub fn a_step_of_the_wall_clock_by_an_hour_makes_no_latency_absurd() -> CaseResult {
    for stepped_ns in [HOUR_NS, -HOUR_NS] {
        let mut wire = Wire::new();
        let mut offset = RealtimeOffset::measure(&wire.clock);
        // Steps come unannounced: the offset is that of before.
        (0..10).for_each(|_| wire.exchange(&offset, stepped_ns));
        let tally = wire.client.tally().merged();
        assert_eq!(
            (tally.counter(Counter::AbsurdStamps), tally.timer(Timer::ReceiveDelay).count()),
            (10, 0),
            "each is seen and counted"
        );
        assert_eq!(tally.row(StepId(0)).times(RowTime::Service).count(), 10, "none is lost");

        // The offset of a wall clock that has since been put right.
        let before = wire.clock.now();
        offset = RealtimeOffset::between(before, wall_ns(stepped_ns), wire.clock.now());
        wire.exchange(&offset, 0);
        assert_eq!(wire.client.tally().merged().counter(Counter::AbsurdStamps), 11);
        std::thread::sleep(Duration::from_nanos(2 * RealtimeOffset::MAX_AGE_NS));
        offset.refresh(&wire.clock, wire.clock.now());
        // Were the machine to pause within a measurement, a stamp could still be off by a little.
        (0..100 - 11).for_each(|_| wire.exchange(&offset, 0));
        let tally = wire.client.tally().merged();
        assert!(
            tally.timer(Timer::ReceiveDelay).count() > 50,
            "it is followed: {:?}",
            tally.timer(Timer::ReceiveDelay)
        );
        assert_eq!(tally.row(StepId(0)).times(RowTime::Service).count(), 100);
        let worst = tally
            .row(StepId(0))
            .times(RowTime::Response)
            .max()
            .max(tally.row(StepId(0)).times(RowTime::Service).max());
        assert!(worst.is_some_and(|ns| ns < 60_000_000_000), "no latency is an hour: {worst:?}");
    }
    Ok(())
}
