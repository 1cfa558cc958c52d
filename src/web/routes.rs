//! What each path answers, drawn from the board.
//!
//! Every answer is drawn into memory while the board is held and sent after it was let go. What stays
//! out: sockets, limits, deadlines and the header fields common to all answers (the gate).

use tiny_http::{Header, Method, Request, Response, ResponseBox};

use crate::collector::Board;
use crate::report::{self, State};

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
/// The version of the text format is part of its type; scrapers look at it.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

const INDEX: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>loadtester</title></head>\n\
    <body><h1>loadtester</h1><ul>\n\
    <li><a href=\"/status\">/status</a>: the run so far, as JSON</li>\n\
    <li><a href=\"/metrics\">/metrics</a>: the same for Prometheus</li>\n\
    <li><a href=\"/healthz\">/healthz</a>: this process is alive</li>\n\
    <li><a href=\"/readyz\">/readyz</a>: the run has begun</li>\n\
    </ul></body></html>\n";

/// The answer to `request`, whose body plays no part in reading.
pub fn answer(request: &Request, board: &Board) -> ResponseBox {
    let path = request.url().split('?').next().unwrap_or_default();
    if !matches!(path, "/" | "/status" | "/metrics" | "/healthz" | "/readyz") {
        return page(404, TEXT, "no such page; / lists them\n");
    }
    if !matches!(request.method(), Method::Get | Method::Head) {
        let refused = page(405, TEXT, "this page is only for reading: GET or HEAD\n");
        return refused.with_header(header("Allow", "GET, HEAD"));
    }
    match path {
        "/status" => page(200, JSON, board.read(|s| report::json::status(s, &s.instrument()))),
        "/metrics" => page(200, METRICS, board.read(report::prometheus::text)),
        "/healthz" => page(200, TEXT, "ok\n"),
        "/readyz" => match board.read(|snapshot| snapshot.state) {
            State::Starting => page(503, TEXT, "starting\n"),
            state => page(200, TEXT, format!("{}\n", state.name())),
        },
        _ => page(200, HTML, INDEX),
    }
}

fn page(status: u16, content_type: &'static str, body: impl Into<String>) -> ResponseBox {
    Response::from_data(body.into())
        .with_status_code(status)
        .with_header(header("Content-Type", content_type))
        .with_header(header("Server", "loadtester"))
        .boxed()
}

fn header(name: &'static str, value: &'static str) -> Header {
    Header::from_bytes(name, value).expect("names and values in this file are ASCII")
}
