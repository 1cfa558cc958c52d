//! Requests, as a scenario asks for them and as a redirect changes them.
//!
//! A redirected exchange stays one exchange, with one deadline, on one place among the connections; each
//! hop is a request of its own on the wire, and the last response is the one that is judged.

use super::exchange::Exchange;
use super::{Brief, Client};
use crate::http1::{self, Origin, RedirectError, Request, becomes_get};
use crate::plan::{Plan, Scenario};

/// Fields that speak of a body, and go when it does (RFC 9110, section 15.4).
const CONTENT_FIELDS: [&str; 4] =
    ["content-type", "content-encoding", "content-language", "content-location"];

/// The request that a redirect asks for.
#[derive(Clone, Debug)]
pub struct Hop {
    method: String,
    path: String,
    has_body: bool,
    request: Request,
}

/// The request of `scenario` as the wire carries it.
pub fn encode(plan: &Plan, scenario: &Scenario) -> Request {
    encode_to(plan, scenario, &scenario.method, &scenario.path, true)
}

fn encode_to(plan: &Plan, scenario: &Scenario, method: &str, path: &str, with_body: bool) -> Request {
    let mut fields = scenario.headers.clone();
    if !with_body {
        fields.retain(|(name, _)| !CONTENT_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field)));
    }
    if !plan.connections.keep_alive {
        fields.push(("Connection".to_owned(), "close".to_owned()));
    }
    let body: &[u8] = if with_body { &scenario.body } else { &[] };
    http1::encode(method, path, &plan.target.authority, &fields, body)
}

/// What `exchange` on connection `c` sends now.
#[inline]
pub fn request<'a>(brief: &'a Brief, hops: &'a [Option<Hop>], c: u32, exchange: &Exchange) -> &'a Request {
    match hops.get(c as usize) {
        Some(Some(hop)) if exchange.hops > 0 => &hop.request,
        _ => &brief.requests[usize::from(exchange.scenario)],
    }
}

/// What redirects stay within.
fn origin(plan: &Plan) -> Origin<'_> {
    let authority = plan.target.authority.as_str();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    };
    let scheme = if plan.tls.is_some() { "https" } else { "http" };
    Origin { scheme, host, port: plan.target.port }
}

impl Client {
    /// Prepare the request that the redirect on `c`, of this status, asks for.
    ///
    /// # Errors
    /// Why it is not followed.
    pub(super) fn redirect(&mut self, c: u32, status: u16) -> Result<(), RedirectError> {
        let connection = &mut self.connections[c as usize];
        let (Some(exchange), Some(recording)) = (&mut connection.exchange, self.recordings.get(c as usize))
        else {
            return Err(RedirectError::BadLocation);
        };
        let plan = &self.brief.plan;
        let scenario = &plan.scenarios[usize::from(exchange.scenario)];
        if exchange.hops >= scenario.follow_redirects {
            return Err(RedirectError::TooMany);
        }
        let last = self.hops[c as usize].take().filter(|_| exchange.hops > 0);
        let (method, path, had_body) = match &last {
            Some(hop) => (hop.method.as_str(), hop.path.as_str(), hop.has_body),
            None => (scenario.method.as_str(), scenario.path.as_str(), true),
        };
        let path = http1::follow(recording.head(), origin(plan), path)?;
        let changes = becomes_get(status, method);
        let (method, has_body) = if changes { ("GET", false) } else { (method, had_body) };
        let request = encode_to(plan, scenario, method, &path, has_body);
        self.hops[c as usize] = Some(Hop { method: method.to_owned(), path, has_body, request });
        exchange.hops += 1;
        self.tally.redirects += u64::from(exchange.measured);
        Ok(())
    }
}
