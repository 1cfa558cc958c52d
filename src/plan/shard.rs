//! Divides the load of a plan among slots.
//!
//! A slot is a thread, or a thread of a worker. The loads of all slots together are exactly the plan, except
//! that each slot of the open model may open at least one connection and queue at least one request.

use std::ops::Range;

use super::limits::DEFAULT_OPEN_CONNECTIONS;
use super::model::{Model, Plan};

/// One slot out of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Index, from 0, below `of`.
    pub slot: u32,
    /// Number of slots, at least 1.
    pub of: u32,
}

/// The load of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardLoad {
    /// Closed model: its connections, 0 when there are more slots than connections. Open model:
    /// the most it may open, at least 1.
    pub connections: u32,
    /// Closed model with `requests`: its range of the picker's sequence; the ranges of all slots are
    /// `0..requests`, in order. Open model: the whole schedule's `0..requests`, of which the slot sends its
    /// own arrivals. `None`: the duration ends the run.
    pub requests: Option<Range<u64>>,
    /// Open model: due requests that may wait, at least 1. Closed model: 0.
    pub backlog: u32,
    /// First arrival and stride in the schedule: it sends `slot`, `slot + of`, `slot + 2·of`, …
    pub arrivals: (u64, u64),
}

/// The load of `shard`.
pub fn shard_load(plan: &Plan, shard: Shard) -> ShardLoad {
    shard_load_within(plan, Shard { slot: 0, of: 1 }, shard)
}

/// The load of `shard` within that of `whole`: of a thread within a worker's, whatever the number of the
/// other workers' threads.
pub fn shard_load_within(plan: &Plan, whole: Shard, shard: Shard) -> ShardLoad {
    let (slot, of) = (u64::from(whole.slot), u64::from(whole.of));
    let arrivals = (slot + of * u64::from(shard.slot), of * u64::from(shard.of));
    let within = |total: u32| portion(portion(total, whole), shard);
    match &plan.load.model {
        Model::Closed { connections } => {
            let of_whole = portion(*connections, whole);
            let before = portions_before(*connections, whole.slot, whole.of)
                + portions_before(of_whole, shard.slot, shard.of);
            let own = portion(of_whole, shard);
            // Requests up to connection `c`: proportional, and up to the last one it is all of them.
            let upto = |c: u32, n: u64| (u128::from(n) * u128::from(c) / u128::from(*connections)) as u64;
            let requests = plan.load.requests.map(|n| upto(before, n)..upto(before + own, n));
            ShardLoad { connections: own, requests, backlog: 0, arrivals }
        }
        Model::Open { connections, backlog, .. } => ShardLoad {
            connections: within(connections.unwrap_or(DEFAULT_OPEN_CONNECTIONS)).max(1),
            requests: plan.load.requests.map(|n| 0..n),
            backlog: within(*backlog).max(1),
            arrivals,
        },
    }
}

/// An even division; the first slots get one more.
fn portion(total: u32, shard: Shard) -> u32 {
    total / shard.of + u32::from(shard.slot < total % shard.of)
}

/// What the slots before `slot` get.
fn portions_before(total: u32, slot: u32, of: u32) -> u32 {
    // slot < of, so the product is at most total.
    slot * (total / of) + slot.min(total % of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Connections, Load, Scenario, Secrets, Target};
    use crate::schedule::{Arrivals, Piece};
    use proptest::prelude::*;

    fn plan(model: Model, requests: Option<u64>) -> Plan {
        let scenario = Scenario {
            name: "x".into(),
            target: 0,
            weight: 1,
            method: "GET".into(),
            path: "/".into(),
            headers: vec![],
            body: vec![],
            template: None,
            chunked: false,
            timeout_ns: 1,
            first_byte_timeout_ns: None,
            follow_redirects: 0,
            expect: None,
        };
        Plan {
            name: None,
            source: "test".into(),
            digest: String::new(),
            targets: vec![Target::plain("x", 80)],
            text: None,
            load: Load { model, warmup_ns: 0, drain_ns: 0, requests, duration_ns: Some(1) },
            connections: Connections::default(),
            scenarios: vec![scenario],
            auth: None,
            data: [].into(),
            thresholds: Vec::new(),
            labels: Vec::new(),
            on_worker_loss: crate::plan::OnWorkerLoss::Fail,
            secrets: Secrets::default(),
            refuses_link_local: false,
        }
    }

    fn open(connections: Option<u32>, backlog: u32) -> Model {
        let pieces = vec![Piece { from: 1.0, to: 1.0, length_ns: 1 }];
        Model::Open { pieces, arrivals: Arrivals::Even, connections, backlog }
    }

    #[test]
    fn ten_connections_and_a_hundred_requests_over_three_threads() {
        let plan = plan(Model::Closed { connections: 10 }, Some(100));
        let loads: Vec<ShardLoad> = (0..3).map(|slot| shard_load(&plan, Shard { slot, of: 3 })).collect();
        assert_eq!(loads.iter().map(|s| s.connections).collect::<Vec<_>>(), [4, 3, 3]);
        let requests: Vec<_> = loads.into_iter().map(|s| s.requests.unwrap()).collect();
        assert_eq!(requests, [0..40, 40..70, 70..100]);
    }

    proptest! {
        #[test]
        fn the_shares_of_all_slots_are_the_plan(connections in 1u32..5_000, n in 1u64..u64::MAX, of in 1u32..200) {
            let plan = plan(Model::Closed { connections }, Some(n));
            let (mut connections_of_all, mut next) = (0, 0);
            for slot in 0..of {
                let load = shard_load(&plan, Shard { slot, of });
                let requests = load.requests.unwrap();
                prop_assert_eq!(requests.start, next);
                prop_assert_eq!(requests.is_empty() && n >= u64::from(connections), load.connections == 0 && n >= u64::from(connections));
                prop_assert!(load.connections.abs_diff(connections / of) <= 1);
                next = requests.end;
                connections_of_all += load.connections;
            }
            prop_assert_eq!((connections_of_all, next), (connections, n));
        }

        #[test]
        fn the_shares_of_all_threads_of_all_workers_are_the_plan(
            connections in 1u32..500, n in 1u64..u64::MAX, threads in prop::collection::vec(1u32..9, 1..6)
        ) {
            let closed = plan(Model::Closed { connections }, Some(n));
            let open = plan(open(None, 1), None);
            let (mut connections_of_all, mut next, mut arrivals) = (0, 0, Vec::new());
            for (slot, m) in (0..).zip(&threads) {
                let whole = Shard { slot, of: threads.len() as u32 };
                for thread in 0..*m {
                    let load = shard_load_within(&closed, whole, Shard { slot: thread, of: *m });
                    let requests = load.requests.unwrap();
                    prop_assert_eq!(requests.start, next);
                    next = requests.end;
                    connections_of_all += load.connections;
                    let (first, stride) = shard_load_within(&open, whole, Shard { slot: thread, of: *m }).arrivals;
                    arrivals.extend((first..2_000).step_by(stride as usize));
                }
            }
            prop_assert_eq!((connections_of_all, next), (connections, n));
            arrivals.sort_unstable();
            prop_assert!(arrivals.into_iter().eq(0..2_000));
        }

        #[test]
        fn every_slot_of_the_open_model_can_send(connections in 1u32..5_000, backlog in 1u32..5_000, of in 1u32..200) {
            let plan = plan(open(Some(connections), backlog), Some(7));
            let loads: Vec<ShardLoad> = (0..of).map(|slot| shard_load(&plan, Shard { slot, of })).collect();
            prop_assert!(loads.iter().all(|s| s.connections >= 1 && s.backlog >= 1 && s.requests == Some(0..7)));
            prop_assert_eq!(loads.iter().map(|s| s.connections).sum::<u32>(), connections.max(of));
            prop_assert_eq!(loads.iter().map(|s| s.backlog).sum::<u32>(), backlog.max(of));
            prop_assert!(loads.iter().zip(0..).all(|(s, slot)| s.arrivals == (slot, u64::from(of))));
        }
    }
}
