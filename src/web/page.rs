//! Builds responses for tiny_http: status, type, body, header fields.

use tiny_http::{Header, Response, ResponseBox};

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const JSON: &str = "application/json";

pub(super) fn page(status: u16, content_type: &'static str, body: impl Into<String>) -> ResponseBox {
    Response::from_data(body.into())
        .with_status_code(status)
        .with_header(header("Content-Type", content_type))
        .with_header(header("Server", "loadtester"))
        .boxed()
}

pub(super) fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("names and values in this module are ASCII")
}
