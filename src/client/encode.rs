//! Requests as bytes: as a scenario asks for them, and as a redirect changes them.

use crate::http::describes_content;
use crate::http1::{self, Request};
use crate::plan::{Plan, Scenario};

/// The request of `scenario` as the wire carries it.
pub(crate) fn encode(plan: &Plan, scenario: &Scenario) -> Request {
    encode_to(plan, scenario, &scenario.method, &scenario.path, true)
}

/// The same with another method and target, and without what describes the content where it has none.
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
