//! Read access to the coordinator: one row for each process that ever joined, and the run's facts.

use std::collections::BTreeSet;

use super::durable_state::Member;
use super::ending::{RunEnd, StopReason};
use super::member::MemberStatus;
use super::status::{MemberState, Row};
use super::{Coordinator, RunTerms};
use crate::fleet::messages::{Key, PlanBundle, Totals, WorkerId, WorkerState};

impl Coordinator {
    /// One row per process, by worker number.
    pub fn rows(&self) -> Vec<Row> {
        let mut shards = vec![None; self.present.len()];
        let newest = self.state.epochs.last().into_iter().flat_map(|e| &e.shards);
        newest.for_each(|shard| shards[shard.worker.0 as usize] = Some(shard.shard()));
        let each = (0..).map(WorkerId).zip(&self.state.members).zip(&self.present);
        // A worker lost before it owned a shard is not missed once another one with its slot does.
        let taken: BTreeSet<u32> =
            self.state.members.iter().filter(|m| m.had_shard).map(|m| m.slot).collect();
        let row = |((worker, member), present): ((WorkerId, &Member), &MemberStatus)| Row {
            worker,
            slot: member.slot,
            host: member.host.clone(),
            threads: member.threads,
            mark: match member.gone {
                _ if member.left => MemberState::Left,
                _ if member.last.is_some() => match present.state {
                    // A failed worker counts as lost even though it sent its final report.
                    WorkerState::Failed => MemberState::Lost,
                    _ => MemberState::Present(WorkerState::Done),
                },
                Some(gone) if gone.replaced => MemberState::Replaced,
                Some(_) if !member.had_shard && taken.contains(&member.slot) => MemberState::Replaced,
                Some(_) => MemberState::Lost,
                None => MemberState::Present(present.state),
            },
            shard: shards[worker.0 as usize],
            health: present.health,
            heard_ns: member.gone.map_or(present.heard_ns, |gone| gone.heard_ns),
            acked_seq: member.acked_seq,
            totals: member.totals,
            gone: member.gone,
            start_error_ns: present.start_error_ns,
            had_shard: member.had_shard,
        };
        each.map(row).collect()
    }

    /// Bound on the difference of two workers' starts, in nanoseconds: the sum of the two largest errors.
    /// `None` until two workers have reported theirs.
    pub(crate) fn start_skew_bound_ns(&self) -> Option<u64> {
        let had_shard = self.state.members.iter().zip(&self.present).filter(|(m, _)| m.had_shard);
        let mut errors: Vec<u64> = had_shard.filter_map(|(_, p)| p.start_error_ns).collect();
        errors.sort_unstable_by(|a, b| b.cmp(a));
        (errors.len() >= 2).then(|| errors[0] + errors[1])
    }

    /// Time of the schedule from which a worker owns a shard, in nanoseconds; `None`: it never did.
    pub(crate) fn shard_begins_ns(&self, worker: WorkerId) -> Option<u64> {
        self.state.assignments(worker).first().map(|assignment| assignment.from_ns)
    }

    /// A worker's last applied sequence number and the sum of its windows; `None`: there is no such worker.
    pub(crate) fn applied(&self, worker: WorkerId) -> Option<(u64, Totals)> {
        self.state.member(worker).map(|member| (member.acked_seq, member.totals))
    }

    pub(crate) fn run(&self) -> Key {
        self.state.run
    }

    /// The plan and its terms; `None`: no plan yet.
    pub fn plan(&self) -> Option<(&PlanBundle, &RunTerms)> {
        self.state.plan.as_ref().map(|(plan, terms)| (plan, terms))
    }

    /// The worker that brought the plan; `None`: the coordinator has its own, or there is none yet.
    pub(crate) fn plan_from(&self) -> Option<WorkerId> {
        let key = self.state.plan_key?;
        (0..).map(WorkerId).zip(&self.state.members).find(|(_, m)| m.key == key).map(|(id, _)| id)
    }

    /// When the schedule begins on the coordinator's clock; `None`: not known yet.
    pub(crate) fn starts_at_ns(&self) -> Option<u64> {
        self.start_at_ns()
    }

    /// When the schedule begins, as recorded; `None`: not known yet.
    pub(crate) fn recorded_start_ns(&self) -> Option<u64> {
        self.state.start_at_ns
    }

    /// Why load was stopped early, as recorded.
    pub(crate) fn recorded_stop(&self) -> Option<&StopReason> {
        self.state.stopped.as_ref().map(|(reason, _)| reason)
    }

    /// How the run ended; `None`: the result is not final.
    pub fn closing(&self) -> Option<&RunEnd> {
        self.state.sealed.as_ref().map(|(closing, _)| closing)
    }

    /// The exit code in the journal; `None`: none yet.
    pub(crate) fn recorded_exit(&self) -> Option<u8> {
        self.state.exit
    }

    /// Live workers that have not heard that the result is sealed. Workers that have been silent for longer
    /// than a lease and a margin do not count.
    pub fn unheard(&self, now: u64) -> usize {
        let live = self.state.live().map(|(id, _)| &self.present[id.0 as usize]);
        live.filter(|p| !p.heard_of_end && now <= p.heard_ns + self.silence_ns()).count()
    }

    /// Whether the journal cannot be written any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Workers that take part, and the number that a start waits for.
    pub(crate) fn gathered(&self) -> (u32, u32) {
        (self.state.live().count() as u32, self.config.workers)
    }
}
