//! The workers' calls under `/api/v1`: access checks and routing to [`Calls`], which a role implements.

use tiny_http::{Method, Request, ResponseBox};

use super::access::{Access, Caller};
use super::page::{JSON, header, page};
use crate::fleet::messages::{PATH, PROTOCOL, PROTOCOL_HEADER};
use crate::fleet::{Refusal, Refused};

/// A parsed call; bodies are unparsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call<'a> {
    /// `POST /workers`
    Join(&'a [u8]),
    /// `GET /plan`
    Plan,
    /// `POST /workers/{id}/heartbeat`
    Heartbeat(u32, &'a [u8]),
    /// `POST /workers/{id}/reports/{seq}`
    Report(u32, u64, &'a [u8]),
    /// `POST /workers/{id}/final`
    Final(u32, &'a [u8]),
}

/// Carries calls out. Calls run one after the other, so none may block on anything slow.
pub trait Calls: Send + Sync {
    /// Carry out a call; returns the response's JSON.
    ///
    /// # Errors
    /// The reason for refusal.
    fn carry_out(&self, call: Call<'_>) -> Result<String, Refusal>;

    /// Make everything answered so far durable. Answers leave only after this, many at a time, since a disk
    /// takes as long for one as for all of them.
    ///
    /// # Errors
    /// The refusal to send instead of all of them.
    fn settle(&self) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Whether `path` is under [`PATH`].
pub(crate) fn knows(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The response to a call.
pub(crate) fn answer(
    request: &Request,
    body: &[u8],
    access: &Access,
    calls: Option<&dyn Calls>,
) -> ResponseBox {
    let path = request.url().split('?').next().unwrap_or_default();
    let (Some(calls), Some(call)) = (calls, parse(request.method(), &path[PATH.len()..], body)) else {
        return page(404, JSON, r#"{"error":"no_such_call","message":"there is no such call here"}"#);
    };
    let result = permit(request, access).and_then(|()| calls.carry_out(call));
    match result {
        Ok(json) => page(200, JSON, json),
        Err(refusal) => refused(&refusal),
    }
}

/// The response to a refused call.
pub(crate) fn refused(refusal: &Refusal) -> ResponseBox {
    let text = serde_json::to_string(&Refused::from(refusal)).expect("plain strings");
    let response = page(refusal.status(), JSON, text);
    match refusal {
        Refusal::Unauthorized => response.with_header(header("WWW-Authenticate", "Bearer")),
        _ => response,
    }
}

fn permit(request: &Request, access: &Access) -> Result<(), Refusal> {
    access.worker(&caller(request))?;
    match field(request, PROTOCOL_HEADER).and_then(|value| value.parse().ok()) {
        Some(PROTOCOL) => Ok(()),
        theirs => Err(Refusal::OtherProtocol { theirs }),
    }
}

/// The caller's header fields in `request`.
pub(crate) fn caller(request: &Request) -> Caller<'_> {
    let field = |name: &'static str| field(request, name);
    Caller {
        authorization: field("Authorization"),
        host: field("Host"),
        origin: field("Origin"),
        fetch_site: field("Sec-Fetch-Site"),
    }
}

fn field<'r>(request: &'r Request, name: &'static str) -> Option<&'r str> {
    request.headers().iter().find(|h| h.field.equiv(name)).map(|h| h.value.as_str())
}

fn parse<'a>(method: &Method, path: &str, body: &'a [u8]) -> Option<Call<'a>> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method, parts.as_slice()) {
        (Method::Post, ["workers"]) => Some(Call::Join(body)),
        (Method::Get, ["plan"]) => Some(Call::Plan),
        (Method::Post, ["workers", id, "heartbeat"]) => Some(Call::Heartbeat(id.parse().ok()?, body)),
        (Method::Post, ["workers", id, "reports", seq]) => {
            Some(Call::Report(id.parse().ok()?, seq.parse().ok()?, body))
        }
        (Method::Post, ["workers", id, "final"]) => Some(Call::Final(id.parse().ok()?, body)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_one_path_and_one_method() {
        let post = |path| parse(&Method::Post, path, b"x");
        assert_eq!(post("/workers"), Some(Call::Join(b"x")));
        assert_eq!(post("/workers/3/heartbeat"), Some(Call::Heartbeat(3, b"x")));
        assert_eq!(post("/workers/3/reports/18446744073709551615"), Some(Call::Report(3, u64::MAX, b"x")));
        assert_eq!(post("/workers/3/final"), Some(Call::Final(3, b"x")));
        assert_eq!(parse(&Method::Get, "/plan", b""), Some(Call::Plan));
        for path in ["", "/", "/plan", "/workers/x/final", "/workers/-1/final", "/workers/1/reports/", "/run"]
        {
            assert_eq!(post(path), None, "{path}");
        }
        assert_eq!(parse(&Method::Get, "/run/stop", b""), None);
        assert!(knows("/api/v1/plan") && knows("/api/v1") && !knows("/api/v11") && !knows("/status"));
    }
}
