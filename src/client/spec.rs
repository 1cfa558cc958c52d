//! The read-only data that all threads of a run share.

use super::encode::{EncodedTemplate, encode};
use crate::data::{Cells, Numbering, Order, Picks, Row};
use crate::http1::Request;
use crate::plan::Plan;
use crate::schedule::Picker;
use crate::tally::StepId;
use crate::template::{Context, RUN_ID_BYTES};

/// A checked plan with what is needed to run it.
#[derive(Debug)]
pub struct RunSpec {
    /// The checked plan.
    pub plan: Plan,
    /// Requests as bytes, indexed like the plan's scenarios; those with holes have none.
    pub(crate) requests: Box<[Request]>,
    /// Requests with holes, indexed likewise; empty if none has any.
    pub(crate) templates: Box<[Option<EncodedTemplate>]>,
    /// The run's id, at most [`RUN_ID_BYTES`] long.
    pub(crate) run_id: String,
    /// The wall clock when the run's clock was 0, in nanoseconds since the Unix epoch.
    pub(crate) unix_origin_ns: u64,
    /// Chooses the scenario of the k-th request.
    pub picker: Picker,
    /// Chooses the rows of the k-th request.
    pub(crate) picks: Picks,
    /// By scenario, the data sets that it takes rows of and that stay in their files; empty: there are none.
    pub(crate) large: Box<[Box<[u16]>]>,
    /// Seed of all randomness.
    pub(crate) seed: u64,
    /// Whether to capture the last response for display.
    pub(crate) capture_last: bool,
}

impl RunSpec {
    /// Encode `plan`'s requests and compute its sequence.
    pub fn new(plan: Plan, seed: u64) -> Self {
        let requests = plan.scenarios.iter().map(|s| encode(&plan, s)).collect();
        let has_own = plan.auth.is_some() || plan.scenarios.iter().any(|s| s.template.is_some());
        let with_holes = if has_own { plan.scenarios.as_slice() } else { &[] };
        let templates = with_holes.iter().map(|s| EncodedTemplate::of(&plan, s)).collect();
        let picker =
            Picker::new(&plan.weights(), seed).expect("a checked plan's weights have a short period");
        let picks = Picks::new(&picker, plan.data.len(), |scenario, set| plan.takes_rows(scenario, set));
        let large = large_sets(&plan);
        let (run_id, unix_origin_ns) = (String::new(), 0);
        Self {
            plan,
            requests,
            templates,
            run_id,
            unix_origin_ns,
            picker,
            picks,
            large,
            seed,
            capture_last: false,
        }
    }

    /// The same for the run with this id, whose clock was 0 at `unix_origin_ns` of the wall clock.
    pub(crate) fn of_run(mut self, mut id: String, unix_origin_ns: u64) -> Self {
        id.truncate(id.floor_char_boundary(RUN_ID_BYTES));
        (self.run_id, self.unix_origin_ns) = (id, unix_origin_ns);
        self
    }

    /// What the values of a request are functions of: its `number` in the run, its `step`, and when it is sent.
    /// `prepared`: its rows of large files, by set.
    pub(crate) fn context<'a>(
        &'a self,
        (number, numbering): (u64, &'a Numbering),
        prepared: &'a [Cells],
        step: StepId,
        now: u64,
    ) -> Context<'a> {
        let row = Row { sets: &self.plan.data, picks: &self.picks, numbering, prepared };
        Context {
            seed: self.seed,
            number,
            step: step.0,
            unix_ns: self.unix_origin_ns.saturating_add(now),
            run_id: &self.run_id,
            row: (!self.plan.data.is_empty()).then_some(row),
        }
    }

    /// The data sets that a request of `step` takes rows of and that stay in their files.
    pub(crate) fn large_sets_of(&self, step: StepId) -> &[u16] {
        self.large.get(step.index()).map_or(&[], |sets| sets)
    }

    /// The data sets of which each row is taken at most once, with their numbers and their rows.
    pub(crate) fn sets_taken_once(&self) -> impl Iterator<Item = (usize, u64)> {
        let sets = self.plan.data.iter().enumerate();
        sets.filter(|(_, set)| set.order == Order::Once).map(|(number, set)| (number, set.rows))
    }
}

/// By scenario, the sets that it takes rows of and that stay in their files; empty: no set does.
fn large_sets(plan: &Plan) -> Box<[Box<[u16]>]> {
    let large: Vec<u16> = (0..)
        .zip(plan.data.iter())
        .filter(|(_, set)| set.large().is_some())
        .map(|(number, _)| number)
        .collect();
    if large.is_empty() {
        return Box::default();
    }
    let of = |scenario: usize| {
        large.iter().copied().filter(|set| plan.takes_rows(scenario, usize::from(*set))).collect()
    };
    (0..plan.scenarios.len()).map(of).collect()
}
