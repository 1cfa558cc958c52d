//! A fleet in virtual time, from a seed: whatever network, clocks, crashes and pauses do to it, no
//! request is made twice or without a lease, and no count is lost, invented or changed.
//!
//! `FLEET_SEED=N` replays one seed, `FLEET_SEEDS=N` tries that many.

mod process;
mod world;

use loadtester::fleet::coordinator::{Dealing, OnWorkerLoss, StopReason};
use world::World;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;
/// The schedule: 800 arrivals, one each 40 ms, 32 s.
const ARRIVALS: u64 = 800;
const GAP: u64 = 40 * MS;
/// No mischief after this.
const CALM_FROM: u64 = 60 * S;

/// Seeds that found something once: a coordinator back with its clock set, which dealt out what was done
/// already, which told its start by the wrong clock, and which fell asleep over what its journal told.
const FOUND: [u64; 3] = [2_962, 3_498, 29_216];

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
    /// Leases are granted without telling of new turns.
    TurnsKeptBack,
    /// A window changes between two attempts to deliver it.
    ChangedWhenResent,
    /// Reports are acknowledged before they are written down.
    AckedNotWritten,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Kill,
    Pause,
    Cut,
    Spawn,
    Crash,
    Stop,
}

#[derive(Clone, Copy, Debug)]
struct Deed {
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
    dealing: Dealing,
    /// In percent.
    loss: u32,
    delay: u64,
    has_disk: bool,
    crashed: bool,
    crashes_midway: u32,
    deeds: Vec<Deed>,
    mutation: Mutation,
}

impl Plot {
    /// Nothing bad happens.
    fn calm(workers: u32, policy: OnWorkerLoss) -> Self {
        Self {
            workers,
            policy,
            dealing: Dealing::Arrivals,
            loss: 0,
            delay: 5 * MS,
            has_disk: true,
            crashed: false,
            crashes_midway: 0,
            deeds: Vec::new(),
            mutation: Mutation::None,
        }
    }

    /// What fate has in store with this seed.
    fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(!seed);
        let policies = [OnWorkerLoss::Fail, OnWorkerLoss::Continue, OnWorkerLoss::Redistribute];
        let dealings = [Dealing::Arrivals, Dealing::Arrivals, Dealing::Connections, Dealing::Requests];
        let kinds = [Kind::Kill, Kind::Pause, Kind::Cut, Kind::Spawn, Kind::Crash, Kind::Pause, Kind::Cut];
        let mut deeds: Vec<Deed> = (0..rng.usize(..6))
            .map(|_| Deed {
                at: rng.u64(..CALM_FROM),
                kind: kinds[rng.usize(..kinds.len())],
                victim: rng.usize(..12),
                length: rng.u64(10 * MS..20 * S),
            })
            .collect();
        if rng.u32(..15) == 0 {
            deeds.push(Deed { at: rng.u64(..40 * S), kind: Kind::Stop, victim: 0, length: 0 });
        }
        deeds.sort_by_key(|d| Reverse(d.at));
        let crashes_midway = if rng.u32(..3) == 0 { 2 } else { 0 };
        Self {
            workers: rng.u32(1..=5),
            policy: policies[rng.usize(..3)],
            dealing: dealings[rng.usize(..4)],
            loss: [0, 1, 10, 30][rng.usize(..4)],
            delay: [MS, 20 * MS, 300 * MS, 1_500 * MS][rng.usize(..4)],
            has_disk: rng.u32(..4) > 0,
            crashed: crashes_midway > 0 || deeds.iter().any(|d| matches!(d.kind, Kind::Crash)),
            crashes_midway,
            deeds,
            mutation: Mutation::None,
        }
    }

    fn with(mut self, at: u64, kind: Kind, victim: usize, length: u64) -> Self {
        self.crashed |= matches!(kind, Kind::Crash);
        self.deeds.push(Deed { at, kind, victim, length });
        self.deeds.sort_by_key(|d| Reverse(d.at));
        self
    }

    fn is_calm(&self, now: u64) -> bool {
        now >= CALM_FROM
    }

    fn next(&self, now: u64) -> Option<u64> {
        self.deeds.last().map(|d| d.at.max(now))
    }

    fn due(&mut self, now: u64) -> Option<Deed> {
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

#[test]
fn whatever_happens_nothing_is_sent_twice_and_no_count_is_lost() {
    let seeds: Vec<u64> = match from_env("FLEET_SEED") {
        Some(seed) => vec![seed],
        None => FOUND.into_iter().chain(0..from_env("FLEET_SEEDS").unwrap_or(3_000)).collect(),
    };
    let (mut requests, mut broken_up) = (0, 0);
    for seed in seeds {
        let plot = Plot::of(seed);
        let told = std::panic::catch_unwind(|| play(seed, plot.clone()));
        match told.unwrap_or_else(|_| Err("a panic, see above".to_owned())) {
            Ok(world) => {
                requests += world.sent.len();
                broken_up += usize::from(world.closing().stopped.is_some());
            }
            Err(fault) => panic!("FLEET_SEED={seed}: {fault}\n{plot:#?}"),
        }
    }
    assert!(requests > 0, "the simulation has to send something");
    eprintln!("{requests} requests, {broken_up} runs broken up");
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
    let refused = loadtester::fleet::worker::Exit::Refused(loadtester::fleet::Refusal::OtherRun);
    assert!(world.processes.iter().all(|p| p.exit == Some(refused.clone())));
}

/// A simulation that nothing can fail proves nothing.
#[test]
fn each_fault_built_in_on_purpose_is_noticed() {
    use Mutation::*;
    let all =
        [LeaseIgnored, SentAfterTheEnd, LeaseTooLong, TurnsKeptBack, ChangedWhenResent, AckedNotWritten];
    for mutation in all {
        let noticed = (0..500).any(|seed| {
            let plot = match mutation {
                // It takes a worker that sleeps over the end, and not for longer than its lease.
                SentAfterTheEnd => Plot::calm(2, OnWorkerLoss::Fail).with(33 * S, Kind::Pause, 0, 4 * S),
                _ => Plot::of(seed),
            };
            let plot = Plot { mutation, ..plot };
            let told = std::panic::catch_unwind(|| play(seed, plot).is_err());
            told.unwrap_or(true)
        });
        assert!(noticed, "{mutation:?} was not noticed in 500 seeds");
    }
}
