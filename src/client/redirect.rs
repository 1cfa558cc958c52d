//! Requests, as a scenario asks for them and as a redirect changes them.
//!
//! A redirected exchange stays one exchange, with one deadline; each redirect is a request of its own on the
//! wire, and the last response is the one that is judged.

use super::exchanges::{ExchangeId, Exchanges};
use super::spec::RunSpec;
use crate::http::{Method, Origin, RedirectError, describes_content, follow};
use crate::http1::{self, Request};
use crate::plan::{Plan, Scenario};
use crate::tally::Tally;

/// The request that a redirect asks for.
#[derive(Clone, Debug)]
pub struct RedirectedRequest {
    method: String,
    path: String,
    has_body: bool,
    pub request: Request,
}

/// The request of `scenario` as the wire carries it.
pub fn encode(plan: &Plan, scenario: &Scenario) -> Request {
    encode_to(plan, scenario, &scenario.method, &scenario.path, true)
}

fn encode_to(plan: &Plan, scenario: &Scenario, method: &str, path: &str, with_body: bool) -> Request {
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

impl Exchanges {
    /// Prepare the request that a response of this `status` to `id` redirects to.
    ///
    /// # Errors
    /// Why it is not followed.
    pub fn redirect(
        &mut self,
        spec: &RunSpec,
        id: ExchangeId,
        status: u16,
        tally: &mut Tally,
    ) -> Result<(), RedirectError> {
        let plan = &spec.plan;
        let exchange = *self.get(id);
        let scenario = &plan.scenarios[usize::from(exchange.scenario)];
        if exchange.redirects >= scenario.follow_redirects {
            return Err(RedirectError::TooMany);
        }
        let last = self.redirected(id).and_then(Option::take).filter(|_| exchange.redirects > 0);
        let (method, path, had_body) = match &last {
            Some(last) => (last.method.as_str(), last.path.as_str(), last.has_body),
            None => (scenario.method.as_str(), scenario.path.as_str(), true),
        };
        let head = self.captured(id).ok_or(RedirectError::BadLocation)?.head();
        let path = follow(head, origin(plan), path)?;
        let (method, keeps_body) = Method(method).after_redirect(status);
        let has_body = had_body && keeps_body;
        let request = encode_to(plan, scenario, method.0, &path, has_body);
        let method = method.0.to_owned();
        if let Some(place) = self.redirected(id) {
            *place = Some(RedirectedRequest { method, path, has_body, request });
        }
        self.get_mut(id).redirects += 1;
        tally.redirects += u64::from(exchange.measured);
        Ok(())
    }
}
