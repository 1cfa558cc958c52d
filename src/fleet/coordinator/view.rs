//! What people are shown of the fleet: one row for each process that ever joined.

use std::collections::BTreeSet;

use super::{Coordinator, Gone, Terms};
use crate::fleet::messages::{Health, Key, PlanText, Totals, WorkerId, WorkerState};
use crate::plan::Slice;

/// A worker as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number.
    pub worker: WorkerId,
    /// Its place.
    pub slot: u32,
    /// Where it runs.
    pub host: String,
    /// Its load threads.
    pub threads: u32,
    /// Where it stands.
    pub mark: Mark,
    /// Its part by the newest sharing-out.
    pub share: Option<Slice>,
    /// What it last said of itself.
    pub health: Health,
    /// When it was last heard, on the coordinator's clock.
    pub heard_ns: u64,
    /// Its last window that was applied.
    pub acked_seq: u64,
    /// The sum of its windows.
    pub totals: Totals,
    /// How and when it left before the end.
    pub gone: Option<Gone>,
    /// Its start lay at most this far from the asked one.
    pub start_error_ns: Option<u64>,
    /// Whether it ever owned a part of the schedule.
    pub had_share: bool,
}

/// What a run that has not begun waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// For what.
    pub what: Awaited,
    /// Workers that are there, or ready.
    pub there: u32,
    /// Of so many.
    pub wanted: u32,
    /// Those that were lost and whose places nobody has taken; or those that are not ready.
    pub missing: Vec<WorkerId>,
    /// Until when, on the coordinator's clock.
    pub until_ns: u64,
}

/// What is waited for before the start, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// That somebody brings a plan.
    Plan,
    /// That enough workers join.
    Workers,
    /// That each of them has its connections open.
    Ready,
}

impl Awaited {
    /// Every name there is.
    pub const NAMES: [&str; 3] = ["plan", "workers", "ready"];

    /// The name in `/status`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Workers => "workers",
            Self::Ready => "ready",
        }
    }
}

/// Where a worker stands, as people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As it says itself.
    Present(WorkerState),
    /// Silent for longer than its lease.
    Lost,
    /// Another process took its place.
    Replaced,
    /// Ended before the time, and said so.
    Left,
}

impl Mark {
    /// Every name there is: the values of the metric's label.
    pub const NAMES: [&str; 10] =
        ["joined", "preparing", "ready", "running", "draining", "done", "failed", "lost", "replaced", "left"];

    /// The name in `/status`, `/metrics` and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present(WorkerState::Joined) => "joined",
            Self::Present(WorkerState::Preparing) => "preparing",
            Self::Present(WorkerState::Ready) => "ready",
            Self::Present(WorkerState::Running) => "running",
            Self::Present(WorkerState::Draining) => "draining",
            Self::Present(WorkerState::Done) => "done",
            Self::Present(WorkerState::Failed) => "failed",
            Self::Lost => "lost",
            Self::Replaced => "replaced",
            Self::Left => "left",
        }
    }
}

impl Coordinator {
    /// One row per worker, by number.
    pub fn rows(&self) -> Vec<Row> {
        let mut shares = vec![None; self.present.len()];
        let newest = self.ledger.epochs.last().into_iter().flat_map(|e| &e.shares);
        newest.for_each(|share| shares[share.worker.0 as usize] = Some(share.slice()));
        let each = (0..).map(WorkerId).zip(&self.ledger.members).zip(&self.present);
        // One that was lost before it owned anything is not missed once another has its place.
        let taken: BTreeSet<u32> =
            self.ledger.members.iter().filter(|m| m.had_share).map(|m| m.slot).collect();
        let row = |((worker, member), present): ((WorkerId, &super::Member), &super::Present)| Row {
            worker,
            slot: member.slot,
            host: member.host.clone(),
            threads: member.threads,
            mark: match member.gone {
                _ if member.left => Mark::Left,
                _ if member.last.is_some() => Mark::Present(WorkerState::Done),
                Some(gone) if gone.replaced => Mark::Replaced,
                Some(_) if !member.had_share && taken.contains(&member.slot) => Mark::Replaced,
                Some(_) => Mark::Lost,
                None => Mark::Present(present.state),
            },
            share: shares[worker.0 as usize],
            health: present.health,
            heard_ns: member.gone.map_or(present.heard_ns, |gone| gone.heard_ns),
            acked_seq: member.acked_seq,
            totals: member.totals,
            gone: member.gone,
            start_error_ns: present.start_error_ns,
            had_share: member.had_share,
        };
        each.map(row).collect()
    }

    /// Two workers' starts lie at most this far apart: the two least certain ones'; `None` while fewer than
    /// two have said how certain they are.
    pub fn start_skew_bound_ns(&self) -> Option<u64> {
        let had_share = self.ledger.members.iter().zip(&self.present).filter(|(m, _)| m.had_share);
        let mut errors: Vec<u64> = had_share.filter_map(|(_, p)| p.start_error_ns).collect();
        errors.sort_unstable_by(|a, b| b.cmp(a));
        (errors.len() >= 2).then(|| errors[0] + errors[1])
    }

    /// From which time of the schedule on a worker owns a part of it; `None`: it never did.
    pub fn part_begins_ns(&self, worker: WorkerId) -> Option<u64> {
        self.ledger.turns(worker).first().map(|turn| turn.from_ns)
    }

    /// A worker's last applied window and the sum of its windows; `None`: there is no such worker.
    pub fn applied(&self, worker: WorkerId) -> Option<(u64, Totals)> {
        self.ledger.member(worker).map(|member| (member.acked_seq, member.totals))
    }

    /// The run's name.
    pub fn run(&self) -> Key {
        self.ledger.run
    }

    /// The plan that is run, when there is one.
    pub fn plan(&self) -> Option<(&PlanText, &Terms)> {
        self.ledger.plan.as_ref().map(|(plan, terms)| (plan, terms))
    }

    /// When the schedule begins, once that is known.
    pub fn starts_at_ns(&self) -> Option<u64> {
        self.start_at_ns()
    }

    /// How the run ended, once its result is final.
    pub fn closing(&self) -> Option<&super::Closing> {
        self.ledger.sealed.as_ref().map(|(closing, _)| closing)
    }

    /// The exit code with which people were told of the result; `None`: a process has yet to do it.
    pub fn told(&self) -> Option<u8> {
        self.ledger.told
    }

    /// Workers that take part still and were not told that the result is sealed; no more of them when they have
    /// been silent for longer than a lease.
    pub fn unheard(&self, now: u64) -> usize {
        let live = self.ledger.live().map(|(id, _)| &self.present[id.0 as usize]);
        live.filter(|p| !p.told_end && now <= p.heard_ns + self.silence_ns()).count()
    }

    /// Whether nothing can be written down any more.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Workers that take part, by the number of those a start waits for.
    pub fn gathered(&self) -> (u32, u32) {
        (self.ledger.live().count() as u32, self.config.workers)
    }
}
