//! Responses held against what their scenario expects. Nothing here runs for scenarios that expect
//! nothing of their own.

use super::exchange::Exchange;
use super::{Brief, Client};
use crate::http1::Recording;
use crate::plan::excerpt;
use crate::tally::{Broken, Detail, MAX_SPECIMENS, Outcome, Specimen};

/// Bytes of a body that are kept to be shown: more than fits a few screens.
const WITNESS_BODY_BYTES: usize = 64 << 10;

/// A recording for each of `connections`, or none when nobody looks into responses.
pub fn recordings(brief: &Brief, connections: usize) -> Vec<Recording> {
    let looks = brief.plan.scenarios.iter().any(|s| {
        s.follow_redirects > 0 || s.expect.as_ref().is_some_and(|e| e.wants_head() || e.most_body_bytes() > 0)
    });
    let looks = looks || brief.witness;
    vec![Recording::default(); if looks { connections } else { 0 }]
}

/// Keep of the coming response what `exchange`'s scenario looks at.
pub fn begin(recording: &mut Recording, brief: &Brief, exchange: &Exchange) {
    let scenario = &brief.plan.scenarios[usize::from(exchange.scenario)];
    let (head, body) = match &scenario.expect {
        Some(expect) => (expect.wants_head(), expect.most_body_bytes()),
        None => (false, 0),
    };
    let least = if brief.witness { WITNESS_BODY_BYTES } else { 0 };
    recording.begin(head || scenario.follow_redirects > 0 || brief.witness, body.max(least));
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
        if self.brief.witness {
            self.tally.witness = Some(Box::new(response.clone()));
        }
        let broken = match expect.judge(status, response) {
            Ok(()) => return (Outcome::Ok, Detail::Status(status)),
            Err(broken) => broken,
        };
        let secrets = &self.brief.plan.secrets;
        let reported = &mut self.reported[scenario];
        if exchange.measured && reported.len() < MAX_SPECIMENS && !reported.contains(&broken) {
            reported.push(broken);
            self.tally.specimens.push(Specimen {
                at_ns,
                scenario: exchange.scenario,
                broken,
                status,
                what: secrets.mask_echo(&expect.explain(broken, response)),
                excerpt: excerpt(secrets.mask_echo(&String::from_utf8_lossy(response.body())).as_bytes()),
            });
        }
        match broken {
            Broken::Status(status) => (broken.outcome(), Detail::Status(status)),
            _ => (broken.outcome(), Detail::Broken(broken)),
        }
    }
}
