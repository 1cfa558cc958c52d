//! Judges responses by their scenario's expectations. A scenario without any is judged by the status alone.

use super::exchange::{Exchange, by_status};
use super::spec::RunSpec;
use crate::http::{CapturedResponse, ResponseView};
use crate::plan::{Expect, excerpt, secrets};
use crate::tally::{BrokenRule, Detail, FailureSample, MAX_FAILURE_SAMPLES, Outcome, Tally};

/// Body bytes that are captured for display: more than fits a few screens.
const SHOWN_BODY_BYTES: usize = 64 << 10;

/// Whether responses of this plan are inspected at all.
pub(crate) fn looks_into_responses(spec: &RunSpec) -> bool {
    spec.capture_last
        || spec.plan.scenarios.iter().any(|s| {
            s.follow_redirects > 0
                || s.expect.as_ref().is_some_and(|e| e.wants_head() || e.most_body_bytes() > 0)
        })
}

/// Prepare to capture what `exchange`'s scenario inspects in its response.
pub(crate) fn begin(captured: &mut CapturedResponse, spec: &RunSpec, exchange: &Exchange) {
    let scenario = &spec.plan.scenarios[exchange.step.index()];
    let (head, body) = match &scenario.expect {
        Some(expect) => (expect.wants_head(), expect.most_body_bytes()),
        None => (false, 0),
    };
    let least = if spec.capture_last { SHOWN_BODY_BYTES } else { 0 };
    captured.begin(head || scenario.follow_redirects > 0 || spec.capture_last, body.max(least));
}

/// Judges complete responses, and keeps the first of each kind of failure for display.
#[derive(Debug)]
pub(crate) struct Judge {
    /// The broken expectations already reported, by scenario.
    reported: Vec<Vec<BrokenRule>>,
}

impl Judge {
    pub(crate) fn new(scenarios: usize) -> Self {
        Self { reported: vec![Vec::new(); scenarios] }
    }

    /// Judges `exchange`, complete with `status` at `at_ns`.
    #[inline]
    pub(crate) fn judge(
        &mut self,
        spec: &RunSpec,
        exchange: &Exchange,
        (status, captured): (u16, Option<&CapturedResponse>),
        at_ns: u64,
        tally: &mut Tally,
    ) -> (Outcome, Detail) {
        match &spec.plan.scenarios[exchange.step.index()].expect {
            None => by_status(status),
            Some(expect) => self.judge_by(expect, spec, exchange, (status, captured), at_ns, tally),
        }
    }

    fn judge_by(
        &mut self,
        expect: &Expect,
        spec: &RunSpec,
        exchange: &Exchange,
        (status, captured): (u16, Option<&CapturedResponse>),
        at_ns: u64,
        tally: &mut Tally,
    ) -> (Outcome, Detail) {
        let nothing = CapturedResponse::default();
        let captured = captured.unwrap_or(&nothing);
        if spec.capture_last {
            tally.capture_last(Box::new(captured.clone()));
        }
        let response: ResponseView<'_> = captured.view(status);
        let broken = match expect.judge(&response) {
            Ok(()) => return (Outcome::Ok, Detail::Status(status)),
            Err(broken) => broken,
        };
        let values = &spec.plan.secrets;
        let reported = &mut self.reported[exchange.step.index()];
        if exchange.measured && reported.len() < MAX_FAILURE_SAMPLES && !reported.contains(&broken) {
            reported.push(broken);
            let content = response.decoded(SHOWN_BODY_BYTES as u64).ok().flatten();
            let shown = String::from_utf8_lossy(content.as_deref().unwrap_or(response.body));
            tally.keep_failure_sample(FailureSample {
                at_ns,
                step: exchange.step,
                broken,
                status,
                what: secrets::text(&values.mask_echo(&expect.explain(broken, &response))),
                excerpt: excerpt(secrets::text(&values.mask_echo(&shown)).trim().as_bytes()),
            });
        }
        match broken {
            BrokenRule::Status(status) => (broken.outcome(), Detail::Status(status)),
            _ => (broken.outcome(), Detail::BrokenRule(broken)),
        }
    }
}
