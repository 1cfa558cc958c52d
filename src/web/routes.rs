//! Routes each path to its response.
//!
//! Every response is drawn into memory from a snapshot that blocks no one. `frontend` handles sockets,
//! limits, deadlines and the header fields common to all responses.

use tiny_http::{Method, Request, ResponseBox};

use super::page::{JSON, TEXT, header, page};
use super::site::Site;
use super::watchers::Watchers;
use super::{api, dashboard, operator};
use crate::fleet::Refusal;
use crate::report;
use crate::run::State;

/// The content type has the version of the text format, which scrapers check.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The response to `request`; only calls use `body`.
pub(crate) fn answer(
    request: &Request,
    body: &[u8],
    site: &Site,
    watchers: &Watchers,
    on_loopback: bool,
) -> ResponseBox {
    let shared = &*site.shared;
    let path = request.url().split('?').next().unwrap_or_default();
    if operator::knows(path) {
        return operator::answer(path, request, site.operator.as_ref());
    }
    if api::knows(path) {
        return api::answer(request, body, &site.access, site.calls.as_deref());
    }
    // Probes have no token.
    let is_probe = matches!(path, "/healthz" | "/readyz");
    if let Err(refusal) = site.access.read(&api::caller(request), on_loopback)
        && !is_probe
    {
        return ask_for_token(&refusal);
    }
    let known = matches!(path, "/status" | "/metrics" | "/healthz" | "/readyz");
    if !known && !dashboard::knows(path) {
        return page(404, TEXT, "no such page: there are /, /status, /metrics, /healthz and /readyz\n");
    }
    if !matches!(request.method(), Method::Get | Method::Head) {
        let refused = page(405, TEXT, "this page is only for reading: GET or HEAD\n");
        return refused.with_header(header("Allow", "GET, HEAD"));
    }
    match path {
        "/status" => page(200, JSON, shared.read(|s| report::json::status(s, &s.instrument()))),
        "/metrics" => page(200, METRICS, shared.read(report::prometheus::text)),
        "/healthz" => page(200, TEXT, "ok\n"),
        "/readyz" => match shared.read(|snapshot| snapshot.state) {
            State::Starting => page(503, TEXT, "starting\n"),
            state => page(200, TEXT, format!("{}\n", state.name())),
        },
        _ => dashboard::answer(path, request.url(), site, watchers),
    }
}

/// The response to an unauthorized reader: browsers then prompt for the token as a password.
fn ask_for_token(refusal: &Refusal) -> ResponseBox {
    let text = "a token is needed here: as `Authorization: Bearer`, or as a password to any name\n";
    page(refusal.status(), TEXT, text).with_header(header("WWW-Authenticate", "Basic realm=\"loadtester\""))
}
