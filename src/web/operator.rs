//! The operator's remote control of a run.
//!
//! `POST /api/v1/run/start` and `POST /api/v1/run/stop` with `Authorization: Bearer TOKEN`. A browser on
//! another site cannot send that field without CORS permission, which is never given; `Origin` is checked all
//! the same. The roles implement starting and stopping.

use std::fmt;

use tiny_http::{Method, Request, ResponseBox};

use super::page::{TEXT, header, page};
use super::token::Token;
use super::{access, api};

/// Carries out a request; the error is the reason for the 409 response.
pub type Action = dyn Fn() -> Result<(), String> + Send + Sync;

/// The operator's token and actions.
pub struct Operator {
    /// The token that authorizes the calls.
    pub token: Token,
    /// Starts the run; `None`: it starts by itself.
    pub start: Option<Box<Action>>,
    /// Stops the run.
    pub stop: Box<Action>,
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator").field("token", &self.token).finish_non_exhaustive()
    }
}

/// Whether `path` is one of the operator's calls.
pub(crate) fn knows(path: &str) -> bool {
    matches!(path, "/api/v1/run/start" | "/api/v1/run/stop")
}

/// The response for a `path` that [`knows`] accepts.
pub(crate) fn answer(path: &str, request: &Request, operator: Option<&Operator>) -> ResponseBox {
    if *request.method() != Method::Post {
        return page(405, TEXT, "this is done with POST\n").with_header(header("Allow", "POST"));
    }
    let Some(operator) = operator else {
        let remedy = "nobody may do this: start loadtester with the variable LOADTESTER_OPERATOR_TOKEN\n";
        return page(403, TEXT, remedy);
    };
    let caller = api::caller(request);
    if access::same_site(&caller).is_err() {
        return page(403, TEXT, "this is not done from another site's page\n");
    }
    if !access::bearer(&caller).is_some_and(|token| operator.token.is(token)) {
        let refused = page(401, TEXT, "this needs the operator's token: Authorization: Bearer TOKEN\n");
        return refused.with_header(header("WWW-Authenticate", "Bearer"));
    }
    let (action, done) = match path {
        "/api/v1/run/start" => (operator.start.as_deref(), "started\n"),
        _ => (Some(&*operator.stop), "stopping\n"),
    };
    match action.map(|act| act()) {
        Some(Ok(())) => page(202, TEXT, done),
        Some(Err(why)) => page(409, TEXT, format!("{why}\n")),
        None => page(409, TEXT, "this run starts by itself\n"),
    }
}
