//! Builds the request that follows a redirect.
//!
//! A redirected exchange stays one exchange, with one deadline. Each redirect is a separate HTTP request, and
//! the last response is the one that is judged.

use super::encode::encode_to;
use crate::http::{Method, Origin, RedirectError, follow};
use crate::http1::Request;
use crate::plan::{Plan, Scenario, Target};

/// The request after a redirect.
#[derive(Clone, Debug)]
pub(crate) struct RedirectedRequest {
    method: String,
    path: String,
    has_body: bool,
    pub(crate) request: Request,
}

/// The origin that redirects must stay within.
fn origin(target: &Target) -> Origin<'_> {
    let authority = target.authority.as_str();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    };
    Origin { scheme: target.scheme(), host, port: target.port }
}

impl RedirectedRequest {
    /// The request that follows `last`, or `scenario`'s own, after a response with this `status` and `head`.
    ///
    /// # Errors
    /// Why the redirect is not followed.
    pub(crate) fn new(
        plan: &Plan,
        scenario: &Scenario,
        last: Option<Self>,
        (status, head): (u16, &[u8]),
    ) -> Result<Self, RedirectError> {
        let (method, path, had_body) = match &last {
            Some(last) => (last.method.as_str(), last.path.as_str(), last.has_body),
            None => (scenario.method.as_str(), scenario.path.as_str(), true),
        };
        let path = follow(head, origin(plan.target_of(scenario)), path)?;
        let (method, keeps_body) = Method(method).after_redirect(status);
        let has_body = had_body && keeps_body;
        let request = encode_to(plan, scenario, method.0, &path, has_body);
        Ok(Self { method: method.0.to_owned(), path, has_body, request })
    }
}
