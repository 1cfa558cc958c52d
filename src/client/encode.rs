//! Encodes requests: a scenario's own, and as a redirect changes them.

use crate::http::describes_content;
use crate::http1::{self, Request};
use crate::plan::{Plan, Scenario};

/// The encoded request of `scenario`.
pub(crate) fn encode(plan: &Plan, scenario: &Scenario) -> Request {
    encode_to(plan, scenario, &scenario.method, &scenario.path, true)
}

/// The same with another method and target; without a body, also without the fields that describe it.
pub(crate) fn encode_to(
    plan: &Plan,
    scenario: &Scenario,
    method: &str,
    path: &str,
    with_body: bool,
) -> Request {
    let mut fields = scenario.headers.clone();
    if !with_body {
        fields.retain(|(name, _)| !describes_content(name));
    }
    if !plan.connections.keep_alive {
        fields.push(("Connection".to_owned(), "close".to_owned()));
    }
    let body: &[u8] = if with_body { &scenario.body } else { &[] };
    http1::encode(method, path, &plan.target.authority, &fields, body)
}
