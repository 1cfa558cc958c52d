//! Responses held against what their scenario expects. Nothing here runs for scenarios that expect
//! nothing of their own.

use super::Client;
use super::exchange::Exchange;
use crate::http1::Recording;
use crate::plan::{Plan, excerpt};
use crate::tally::{Broken, Detail, MAX_SPECIMENS, Outcome, Specimen};

/// A recording for each of `connections`, or none when no scenario looks into responses.
pub fn recordings(plan: &Plan, connections: usize) -> Vec<Recording> {
    let looks = plan.scenarios.iter().any(|s| {
        s.follow_redirects > 0 || s.expect.as_ref().is_some_and(|e| e.wants_head() || e.most_body_bytes() > 0)
    });
    vec![Recording::default(); if looks { connections } else { 0 }]
}

/// Keep of the coming response what `exchange`'s scenario looks at.
pub fn begin(recording: &mut Recording, plan: &Plan, exchange: &Exchange) {
    let scenario = &plan.scenarios[usize::from(exchange.scenario)];
    let follows = scenario.follow_redirects > 0;
    match &scenario.expect {
        Some(expect) => recording.begin(follows || expect.wants_head(), expect.most_body_bytes()),
        None => recording.begin(follows, 0),
    }
}

impl Client {
    /// How `exchange`, complete on `c`, is judged. The first of each kind of failure is kept to be shown.
    pub(super) fn judge(
        &mut self,
        c: u32,
        exchange: &Exchange,
        status: u16,
        at_ns: u64,
    ) -> (Outcome, Detail) {
        let scenario = usize::from(exchange.scenario);
        let nothing = Recording::default();
        let response = self.recordings.get(c as usize).unwrap_or(&nothing);
        let Some(expect) = &self.brief.plan.scenarios[scenario].expect else {
            return (Outcome::Ok, Detail::None);
        };
        let broken = match expect.judge(status, response) {
            Ok(()) => return (Outcome::Ok, Detail::Status(status)),
            Err(broken) => broken,
        };
        let reported = &mut self.reported[scenario];
        if exchange.measured && reported.len() < MAX_SPECIMENS && !reported.contains(&broken) {
            reported.push(broken);
            self.tally.specimens.push(Specimen {
                at_ns,
                scenario: exchange.scenario,
                broken,
                status,
                what: expect.explain(broken, response),
                excerpt: excerpt(response.body()),
            });
        }
        match broken {
            Broken::Status(status) => (broken.outcome(), Detail::Status(status)),
            _ => (broken.outcome(), Detail::Broken(broken)),
        }
    }
}
