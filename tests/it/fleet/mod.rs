//! A fleet in virtual time, from a seed: whatever network, clocks, crashes and pauses do to it, no
//! request is made twice or without a lease, and no count is lost, invented or changed.
//!
//! `FLEET_SEED=N` replays one seed, `FLEET_SEEDS=N` tries that many.

mod process;
mod world;

use loadtester::fleet::coordinator::{OnWorkerLoss, Partitioning, StopReason};
use loadtester::fleet::worker::Exit;
use world::{REPLACE_NS, World};

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;
/// The schedule: 800 arrivals, one each 40 ms, 32 s.
const ARRIVALS: u64 = 800;
const GAP: u64 = 40 * MS;
/// No mischief after this.
const CALM_FROM: u64 = 60 * S;

/// Seeds that found something once: a coordinator that came back with its clock set and assigned what was done
/// already, one that gave its start on the wrong clock, and one that waited though its journal called for action.
const FOUND: [u64; 3] = [2_962, 3_498, 29_216];

/// Seeds that found something before the start: a worker that could not get ready and did not rest until that
/// was heard, and one that was called lost meanwhile and never ended.
const FOUND_EARLY: [u64; 2] = [39, 865];

/// A fault that is built in on purpose: the simulation has to notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutation {
    None,
    /// Load threads do not look at the lease.
    LeaseIgnored,
    /// Nor at the end of the schedule.
    SentAfterTheEnd,
    /// A lease holds for longer than the coordinator reckons with.
    LeaseTooLong,
    /// Leases are granted without telling of new assignments.
    TurnsKeptBack,
    /// A window changes between two attempts to deliver it.
    ChangedWhenResent,
    /// Reports are acknowledged before they are written down.
    AckedNotWritten,
    /// Answers leave before the disk has what they tell of.
    AnsweredUnsettled,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Kill,
    Pause,
    Cut,
    Spawn,
    Crash,
    Stop,
    /// The operator says that load is to begin with those that are there.
    Start,
}

#[derive(Clone, Copy, Debug)]
struct Incident {
    at: u64,
    kind: Kind,
    victim: usize,
    length: u64,
}

/// What happens to a fleet, fixed in advance.
#[derive(Clone, Debug)]
struct Plot {
    workers: u32,
    policy: OnWorkerLoss,
    partitioning: Partitioning,
    /// In percent.
    loss: u32,
    delay: u64,
    has_disk: bool,
    crashed: bool,
    crashes_midway: u32,
    deeds: Vec<Incident>,
    mutation: Mutation,
    /// So many are there from the beginning.
    present: u32,
    /// Those that cannot open their connections.
    unable: Vec<usize>,
    /// The coordinator goes when it has sealed and reported the result.
    goes: bool,
}

impl Plot {
    /// Nothing bad happens.
    fn calm(workers: u32, policy: OnWorkerLoss) -> Self {
        Self {
            workers,
            policy,
            partitioning: Partitioning::Arrivals,
            loss: 0,
            delay: 5 * MS,
            has_disk: true,
            crashed: false,
            crashes_midway: 0,
            deeds: Vec::new(),
            mutation: Mutation::None,
            present: workers,
            unable: Vec::new(),
            goes: false,
        }
    }

    /// What fate has in store with this seed.
    fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(!seed);
        let policies = [OnWorkerLoss::Fail, OnWorkerLoss::Continue, OnWorkerLoss::Redistribute];
        let dealings = [
            Partitioning::Arrivals,
            Partitioning::Arrivals,
            Partitioning::Connections,
            Partitioning::Requests,
        ];
        let kinds = [Kind::Kill, Kind::Pause, Kind::Cut, Kind::Spawn, Kind::Crash, Kind::Pause, Kind::Cut];
        let mut deeds: Vec<Incident> = (0..rng.usize(..6))
            .map(|_| Incident {
                at: rng.u64(..CALM_FROM),
                kind: kinds[rng.usize(..kinds.len())],
                victim: rng.usize(..12),
                length: rng.u64(10 * MS..20 * S),
            })
            .collect();
        if rng.u32(..15) == 0 {
            deeds.push(Incident { at: rng.u64(..40 * S), kind: Kind::Stop, victim: 0, length: 0 });
        }
        deeds.sort_by_key(|d| Reverse(d.at));
        let crashes_midway = if rng.u32(..3) == 0 { 2 } else { 0 };
        let workers = rng.u32(1..=5);
        Self {
            workers,
            policy: policies[rng.usize(..3)],
            partitioning: dealings[rng.usize(..4)],
            loss: [0, 1, 10, 30][rng.usize(..4)],
            delay: [MS, 20 * MS, 300 * MS, 1_500 * MS][rng.usize(..4)],
            has_disk: rng.u32(..4) > 0,
            crashed: crashes_midway > 0 || deeds.iter().any(|d| matches!(d.kind, Kind::Crash)),
            crashes_midway,
            deeds,
            mutation: Mutation::None,
            present: workers,
            unable: Vec::new(),
            goes: false,
        }
    }

    /// The same fate, but much of it comes before the start: too few at first, losses while connections are
    /// opened or that cannot be opened, an operator who does not want to wait.
    fn before_the_start(seed: u64) -> Self {
        let (mut plot, mut rng) = (Self::of(seed), fastrand::Rng::with_seed(!seed ^ 0x5741_4954));
        plot.present = rng.u32(1..=plot.workers);
        plot.unable = (0..rng.usize(..4)).filter(|_| rng.u32(..3) == 0).collect();
        let kinds = [Kind::Kill, Kind::Kill, Kind::Spawn, Kind::Spawn, Kind::Start, Kind::Pause, Kind::Crash];
        for _ in 0..rng.usize(1..6) {
            let kind = kinds[rng.usize(..kinds.len())];
            let early = if rng.bool() { 2 * S } else { 30 * S };
            let at = rng.u64(..early);
            plot = plot.with(at, kind, rng.usize(..12), rng.u64(10 * MS..20 * S));
        }
        plot
    }

    fn with(mut self, at: u64, kind: Kind, victim: usize, length: u64) -> Self {
        self.crashed |= matches!(kind, Kind::Crash);
        self.deeds.push(Incident { at, kind, victim, length });
        self.deeds.sort_by_key(|d| Reverse(d.at));
        self
    }

    fn is_calm(&self, now: u64) -> bool {
        now >= CALM_FROM
    }

    fn next(&self, now: u64) -> Option<u64> {
        self.deeds.last().map(|d| d.at.max(now))
    }

    fn due(&mut self, now: u64) -> Option<Incident> {
        self.deeds.pop_if(|d| d.at <= now)
    }
}

use std::cmp::Reverse;

fn play(seed: u64, plot: Plot) -> Result<World, String> {
    let mut world = World::new(seed, plot);
    world.run().map(|()| world)
}

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Play seeds `0..most`, or those that the environment asks for, and `found`.
fn play_all(found: &[u64], most: u64, plot: fn(u64) -> Plot) {
    let seeds: Vec<u64> = match from_env("FLEET_SEED") {
        Some(seed) => vec![seed],
        None => found.iter().copied().chain(0..from_env("FLEET_SEEDS").unwrap_or(most)).collect(),
    };
    let (mut requests, mut broken_up, mut never_began) = (0, 0, 0);
    for seed in seeds {
        let plot = plot(seed);
        let played = std::panic::catch_unwind(|| play(seed, plot.clone()));
        match played.unwrap_or_else(|_| Err("a panic, see above".to_owned())) {
            Ok(world) => {
                requests += world.sent.len();
                broken_up += usize::from(world.closing().stopped.is_some());
                never_began += usize::from(!world.closing().started);
            }
            Err(fault) => panic!("FLEET_SEED={seed}: {fault}\n{plot:#?}"),
        }
    }
    assert!(requests > 0 || from_env("FLEET_SEED").is_some(), "the simulation has to send something");
    eprintln!("{requests} requests, {broken_up} runs broken up, {never_began} of them before they began");
}

#[test]
fn whatever_happens_nothing_is_sent_twice_and_no_count_is_lost() {
    play_all(&FOUND, 3_000, Plot::of);
}

#[test]
fn whatever_happens_before_the_start_it_is_waited_for_no_longer_than_said() {
    play_all(&FOUND_EARLY, 2_000, Plot::before_the_start);
}

#[test]
fn a_worker_lost_before_the_start_is_waited_for_a_while_and_its_place_may_be_taken() {
    for policy in [OnWorkerLoss::Fail, OnWorkerLoss::Continue, OnWorkerLoss::Redistribute] {
        let lost = || Plot::calm(3, policy).with(200 * MS, Kind::Kill, 1, 0);
        let world = play(1, lost()).unwrap();
        let closing = world.closing();
        let Some(StopReason::NotGathered(why)) = &closing.stopped else { panic!("{closing:?}") };
        assert_eq!(why, "worker 1 was lost before the start, and 2 of 3 workers have joined in time");
        assert!(!closing.started && world.sent.is_empty());
        // What is left of the fleet hears of it.
        assert!(world.now < 7 * S + REPLACE_NS + 2 * S, "{}", world.now);
        let ended = |p: &process::Process| matches!(p.exit, Some(Exit::Done(Some(_))));
        assert!([0, 2].iter().all(|i| ended(&world.processes[*i])));
        // Victim 1 has place 1; an even length has it taken.
        let replaced = play(1, lost().with(15 * S, Kind::Spawn, 1, 2)).unwrap();
        assert_eq!((replaced.closing().stopped, replaced.left_out()), (None, vec![]));
    }
}

/// A process that ends again and again before the start must not hold it up for ever.
#[test]
fn a_place_that_nobody_keeps_does_not_hold_up_the_end() {
    // It says nothing more once it has joined, and its successor comes before that is noticed.
    let spawns = (0..9).fold(Plot::calm(2, OnWorkerLoss::Fail), |plot, i| {
        let at = (2 + 5 * i) * S;
        plot.with(at, Kind::Spawn, 1, 2).with(at + 40 * MS, Kind::Kill, 2 + i as usize, 0)
    });
    let plot = spawns.with(200 * MS, Kind::Kill, 1, 0);
    let world = play(1, plot).unwrap();
    let closing = world.closing();
    assert!(matches!(closing.stopped, Some(StopReason::NotGathered(_))), "{closing:?}");
    assert!(!closing.started && world.now < 3 * S + REPLACE_NS + 3 * S, "{}", world.now);
}

#[test]
fn a_worker_that_can_not_get_ready_fails_the_run_or_is_waited_for_as_one_that_was_lost() {
    let unable = |policy| Plot { unable: vec![1], ..Plot::calm(3, policy) };
    let failed = play(1, unable(OnWorkerLoss::Fail)).unwrap();
    let Some(StopReason::WorkerFailed(_, why)) = failed.closing().stopped else { panic!() };
    assert!(why == "no connection" && failed.now < 5 * S, "{why} after {}", failed.now);
    let waited = play(1, unable(OnWorkerLoss::Continue)).unwrap();
    assert!(matches!(waited.closing().stopped, Some(StopReason::NotGathered(_))), "{:?}", waited.closing());
    let replaced = unable(OnWorkerLoss::Continue).with(5 * S, Kind::Spawn, 1, 2);
    let replaced = play(1, replaced).unwrap();
    assert_eq!((replaced.closing().stopped, replaced.left_out()), (None, vec![]));
}

#[test]
fn an_operator_who_does_not_wait_starts_those_that_are_there() {
    let plot = Plot { present: 2, ..Plot::calm(3, OnWorkerLoss::Fail) };
    let world = play(1, plot.clone().with(5 * S, Kind::Start, 0, 0)).unwrap();
    assert_eq!((world.closing().stopped, world.left_out()), (None, vec![]));
    assert!(world.processes.iter().all(|p| p.truth.sent == ARRIVALS / 2), "two share all of it");
    // The word survives the coordinator it was given to.
    let crashed = plot.with(5 * S, Kind::Start, 0, 0).with(5 * S + MS, Kind::Crash, 0, S);
    let world = play(1, crashed).unwrap();
    assert_eq!((world.closing().stopped, world.left_out()), (None, vec![]));
    let nobody = play(1, Plot { present: 2, ..Plot::calm(3, OnWorkerLoss::Fail) }).unwrap();
    assert!(matches!(nobody.closing().stopped, Some(StopReason::NotGathered(_))));
}

/// Whenever it is stopped: while workers join, get ready, send, and end by themselves.
#[test]
fn a_coordinator_that_goes_leaves_nobody_who_has_not_heard_of_the_end() {
    for seed in 0..400 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let partitioning =
            [Partitioning::Arrivals, Partitioning::Connections, Partitioning::Requests][rng.usize(..3)];
        let delay = [MS, 20 * MS, 300 * MS][rng.usize(..3)];
        let unable = (0..3).filter(|_| rng.u32(..8) == 0).collect();
        let calm = Plot::calm(rng.u32(1..=5), OnWorkerLoss::Continue);
        let plot = Plot { partitioning, delay, unable, goes: true, ..calm };
        let stop_at = rng.u64(..60 * S);
        let plot = plot.with(stop_at, Kind::Stop, 0, 0);
        let plot = if rng.bool() { plot.with(rng.u64(..40 * S), Kind::Kill, 0, 0) } else { plot };
        let world = play(seed, plot.clone()).unwrap_or_else(|fault| panic!("{seed}: {fault}\n{plot:#?}"));
        for process in world.processes.iter().filter(|p| p.alive) {
            let exit = process.exit.as_ref().expect("it has ended");
            assert!(!matches!(exit, Exit::Unreachable(_)), "{seed}: {exit:?}\n{plot:#?}");
        }
    }
}

#[test]
fn a_closed_plan_is_dealt_out_and_a_place_of_connections_may_be_taken() {
    let plot = |partitioning, policy| Plot { partitioning, ..Plot::calm(3, policy) };
    let all = play(1, plot(Partitioning::Requests, OnWorkerLoss::Fail)).unwrap();
    assert_eq!((all.closing().stopped, all.left_out()), (None, vec![]));
    let killed = plot(Partitioning::Requests, OnWorkerLoss::Continue).with(9 * S, Kind::Kill, 1, 0);
    let left = play(1, killed.with(16 * S, Kind::Spawn, 1, 2)).unwrap().left_out();
    assert!(
        !left.is_empty() && left.iter().all(|k| k % 3 == left[0] % 3),
        "nobody repeats a stretch: {left:?}"
    );
    let killed = plot(Partitioning::Connections, OnWorkerLoss::Continue).with(9 * S, Kind::Kill, 1, 0);
    let world = play(1, killed.with(12 * S, Kind::Spawn, 1, 2)).unwrap();
    let (kept, new) = (world.processes[0].truth.sent, world.processes[3].truth.sent);
    assert!(kept == ARRIVALS && (100..ARRIVALS).contains(&new), "{kept} {new}");
}

#[test]
fn a_fleet_that_nothing_happens_to_sends_exactly_the_schedule() {
    for workers in 1..=5 {
        let world = play(workers.into(), Plot::calm(workers, OnWorkerLoss::Fail)).unwrap();
        assert_eq!(world.left_out(), [0; 0]);
        let closing = world.closing();
        assert_eq!((closing.stopped, closing.missing, closing.unequal), (None, vec![], vec![]));
        assert!(world.processes.iter().all(|p| p.truth.sent.abs_diff(ARRIVALS / u64::from(workers)) <= 1));
    }
}

#[test]
fn a_lost_worker_fails_the_run_leaves_a_gap_or_is_replaced_as_the_plan_says() {
    let kill = |policy| play(1, Plot::calm(3, policy).with(15 * S, Kind::Kill, 1, 0)).unwrap();
    let failed = kill(OnWorkerLoss::Fail);
    assert!(matches!(failed.closing().stopped, Some(StopReason::WorkerLost(_))));
    assert!(failed.now < 30 * S, "within a few seconds, not at {}", failed.now);
    let went_on = kill(OnWorkerLoss::Continue).left_out();
    assert!(went_on.iter().all(|k| k % 3 == went_on[0] % 3), "one in three is left out: {went_on:?}");
    assert!(went_on.contains(&(ARRIVALS - 3 + (went_on[0] % 3 + 3 - (ARRIVALS - 3) % 3) % 3)));
    let redistributed = kill(OnWorkerLoss::Redistribute);
    let gap = redistributed.left_out();
    let (first, last) = (gap[0], gap[gap.len() - 1]);
    assert!((last - first) * GAP < 14 * S, "the rate is back after two leases and margins: {gap:?}");
    assert_eq!(redistributed.policy(), OnWorkerLoss::Redistribute);
}

#[test]
fn a_late_worker_takes_its_place_without_a_gap() {
    let plot = Plot::calm(2, OnWorkerLoss::Continue).with(12 * S, Kind::Spawn, 0, 1);
    let world = play(1, plot).unwrap();
    assert_eq!(world.left_out(), [0; 0]);
    assert!(world.processes[2].truth.sent > 100, "{:?}", world.processes[2].truth);
}

#[test]
fn a_coordinator_that_comes_back_from_its_journal_loses_nothing() {
    for length in [S, 3 * S, 10 * S] {
        let plot = Plot::calm(3, OnWorkerLoss::Fail).with(15 * S, Kind::Crash, 0, length);
        let world = play(length, plot).unwrap();
        assert_eq!(world.closing().stopped, None);
        let gap_ns = world.left_out().len() as u64 * GAP;
        assert!(gap_ns <= length.saturating_sub(3 * S) + S, "{gap_ns}");
    }
}

#[test]
fn without_a_journal_the_workers_say_so_and_stop() {
    let mut plot = Plot::calm(3, OnWorkerLoss::Fail).with(15 * S, Kind::Crash, 0, S);
    plot.has_disk = false;
    let world = play(1, plot).unwrap();
    let refused = Exit::Refused(loadtester::fleet::Refusal::OtherRun);
    assert!(world.processes.iter().all(|p| p.exit == Some(refused.clone())));
}

/// A simulation that nothing can fail proves nothing.
#[test]
fn each_fault_built_in_on_purpose_is_noticed() {
    use Mutation::*;
    let all = [
        LeaseIgnored,
        SentAfterTheEnd,
        LeaseTooLong,
        TurnsKeptBack,
        ChangedWhenResent,
        AckedNotWritten,
        AnsweredUnsettled,
    ];
    for mutation in all {
        let noticed = (0..500).any(|seed| {
            let plot = match mutation {
                // It takes a worker that sleeps over the end, and not for longer than its lease.
                SentAfterTheEnd => Plot::calm(2, OnWorkerLoss::Fail).with(33 * S, Kind::Pause, 0, 4 * S),
                _ => Plot::of(seed),
            };
            let plot = Plot { mutation, ..plot };
            let played = std::panic::catch_unwind(|| play(seed, plot).is_err());
            played.unwrap_or(true)
        });
        assert!(noticed, "{mutation:?} was not noticed in 500 seeds");
    }
}
