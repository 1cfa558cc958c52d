//! Responses as bytes: the fields that all have in common, and refusals that no route draws.

use super::request::Refusal;

/// Fields of every response: one request per connection, no content sniffing, no caching, and pages may only
/// use resources of this server.
const COMMON_FIELDS: &str = "Connection: close\r\n\
    X-Content-Type-Options: nosniff\r\n\
    Cache-Control: no-store\r\n\
    Referrer-Policy: no-referrer\r\n\
    Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n";

/// `answer` with `own` and the common fields after its status line.
pub(super) fn with_fields(mut answer: Vec<u8>, own: &str) -> Vec<u8> {
    let status_line = answer.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
    answer.splice(status_line..status_line, own.bytes().chain(COMMON_FIELDS.bytes()));
    answer
}

/// The whole response of a refusal.
pub(super) fn refusal(Refusal { status, reason, remedy }: Refusal) -> Vec<u8> {
    let (content_type, length) = ("text/plain; charset=utf-8", remedy.len() + 1);
    format!(
        "HTTP/1.1 {status} {reason}\r\n{COMMON_FIELDS}Content-Type: {content_type}\r\n\
         Content-Length: {length}\r\n\r\n{remedy}\n"
    )
    .into_bytes()
}
