//! The demo target: a small HTTP server for first load tests, which counts the requests it receives.
//!
//! It runs in its own process, so it does not share a scheduler with the load threads and is not measured as
//! part of them. It is meant to be plausible and quick, not to be benchmarked: its server library closes
//! connections whose requests have more than 16 header fields, and does not read chunked bodies.
//! `roles::target` handles signals and the process lifetime.

use std::fmt::Write as _;
use std::io::{self, BufRead as _};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use may_minihttp::{HttpServer, HttpService, Request, Response};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most server threads: enough to outrun one load thread, few enough to leave it its core.
const MAX_WORKERS: usize = 4;
/// Stack of one connection's coroutine in machine words (64 KiB): twice the default, for unoptimized builds.
const STACK_WORDS: usize = 0x2000;
/// The longest delay of `/slow`, in milliseconds; longer than any sensible timeout under test.
const MAX_SLOW_MS: u64 = 60_000;
/// The longest body of `/bytes`; one response is in memory twice.
const MAX_BYTES: u64 = 10 * 1024 * 1024;

const JSON: &str = "Content-Type: application/json";
const TEXT: &str = "Content-Type: text/plain";
const USERS: &str = r#"[{"id":1,"name":"John","email":"john@example.com"},{"id":2,"name":"Jane","email":"jane@example.com"}]"#;
const USER: &str = r#"{"id":1,"name":"John","email":"john@example.com"}"#;

/// Start serving on `listen` (port 0: a free one) and return the address. Serves until the process ends.
///
/// # Errors
/// When it cannot listen on the address; the message names the address and the remedy.
pub(crate) fn start(listen: SocketAddr) -> io::Result<SocketAddr> {
    let (reserved, address) = reserve(listen).map_err(|e| cannot_listen(listen, &e))?;
    raise_descriptor_limit();
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
    may::config().set_workers(workers).set_stack_size(STACK_WORDS).set_worker_pin(false);
    HttpServer(Service::default()).start(address).map_err(|e| cannot_listen(listen, &e))?;
    drop(reserved);
    Ok(address)
}

fn cannot_listen(listen: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot listen on {listen}: {error}; choose another --listen address"),
    )
}

/// Bind the address and return it with its actual port. The server binds with SO_REUSEPORT and does not
/// report its port; two targets on one port would silently share their connections. So the port is first
/// bound without that option, which is set afterwards for the server: it binds while this socket, which never
/// listens, still holds the port.
fn reserve(listen: SocketAddr) -> io::Result<(OwnedFd, SocketAddr)> {
    let family = if listen.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &listen)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    let address = net::getsockname(&socket)?.try_into()?;
    Ok((socket, address))
}

/// One descriptor per connection: with none left, the accept loop would spin.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // If this fails, the limit stays as it was, which is enough for most runs.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
const ROUTES: [&str; 7] = ["/v1/users", "/v1/users/1", "/healthz", "/slow", "/bytes", "/status", "other"];

/// Requests received, by method and route.
#[derive(Debug, Default)]
struct Counts([[AtomicU64; METHODS.len()]; ROUTES.len()]);

impl Counts {
    fn cell(&self, method: &str, path: &str) -> &AtomicU64 {
        &self.0[place(&ROUTES, path)][place(&METHODS, method)]
    }

    fn to_json(&self) -> String {
        let mut routes = serde_json::Map::new();
        let mut total = 0;
        for (row, route) in self.0.iter().zip(ROUTES) {
            for (cell, method) in row.iter().zip(METHODS) {
                let n = cell.load(Ordering::Relaxed);
                total += n;
                if n > 0 {
                    routes.insert(format!("{method} {route}"), n.into());
                }
            }
        }
        serde_json::json!({ "total": total, "routes": routes }).to_string()
    }
}

/// Index of `name` in `names`, whose last entry covers every other name.
fn place(names: &[&str], name: &str) -> usize {
    names.iter().position(|n| *n == name).unwrap_or(names.len() - 1)
}

/// The kind of response to a request, chosen before its body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Text(&'static str),
    Document(&'static str),
    Create,
    Slow(Duration),
    Bytes(usize),
    Status(usize),
    Count,
    Nothing,
    BadRequest(&'static str),
}

impl Route {
    fn of(method: &str, path: &str, query: &str) -> Self {
        match (method, path) {
            ("POST", "/v1/users") => Self::Create,
            ("GET" | "HEAD", "/v1/users") => Self::Document(USERS),
            ("GET" | "HEAD", "/v1/users/1") => Self::Document(USER),
            ("GET" | "HEAD", "/healthz") => Self::Text("ok\n"),
            ("GET" | "HEAD", "/count") => Self::Count,
            ("GET" | "HEAD", "/slow") => match number(query, "ms") {
                Some(ms) if ms <= MAX_SLOW_MS => Self::Slow(Duration::from_millis(ms)),
                _ => Self::BadRequest("/slow?ms=N: N is a whole number from 0 to 60000\n"),
            },
            ("GET" | "HEAD", "/bytes") => match number(query, "n") {
                Some(n) if n <= MAX_BYTES => Self::Bytes(n as usize),
                _ => Self::BadRequest("/bytes?n=N: N is a whole number from 0 to 10485760\n"),
            },
            // 1xx is not a final response: a client would keep waiting for one.
            (_, "/status") => match number(query, "code") {
                Some(code) if (200..=599).contains(&code) => Self::Status(code as usize),
                _ => Self::BadRequest("/status?code=N: N is a status code from 200 to 599\n"),
            },
            _ => Self::Nothing,
        }
    }
}

/// The whole number that `query` has for `key`.
fn number(query: &str, key: &str) -> Option<u64> {
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('=')).and_then(|n| n.parse().ok())
}

/// The service of one connection.
#[derive(Clone, Debug, Default)]
struct Service {
    counts: Arc<Counts>,
}

impl HttpService for Service {
    fn call(&mut self, request: Request, response: &mut Response) -> io::Result<()> {
        let head_only = request.method() == "HEAD";
        // The server library panics on a Content-Length that is not a number.
        let Some(length) = content_length(&request) else {
            response.status_code(400, "Bad Request").header(TEXT);
            response.body("Content-Length must be one whole number\n");
            return Ok(());
        };
        let (path, query) = request.path().split_once('?').unwrap_or((request.path(), ""));
        let route = Route::of(request.method(), path, query);
        let counter = self.counts.cell(request.method(), path);
        let received = drain(request)?;
        if received < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if route != Route::Count {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.fulfil(route, received, response);
        if head_only {
            // The server library would send the body.
            response.body("");
        }
        Ok(())
    }
}

impl Service {
    fn fulfil(&self, route: Route, received: usize, response: &mut Response) {
        match route {
            Route::Document(text) => response.header(JSON).body(text),
            Route::Text(text) => response.header(TEXT).body(text),
            Route::Create => {
                response.status_code(201, "Created").header(JSON);
                // Writing to memory does not fail.
                let _ = write!(response.body_mut(), r#"{{"id":3,"received_bytes":{received}}}"#);
            }
            Route::Slow(time) => {
                may::coroutine::sleep(time);
                response.header(TEXT).body("slow\n");
            }
            Route::Bytes(n) => {
                response.header("Content-Type: application/octet-stream").body_vec(vec![b'x'; n]);
            }
            Route::Status(code) => {
                response.status_code(code, reason(code));
            }
            Route::Count => response.header(JSON).body_vec(self.counts.to_json().into_bytes()),
            Route::Nothing => {
                response.status_code(404, reason(404)).header(TEXT);
                response.body("no such route\n");
            }
            Route::BadRequest(remedy) => response.status_code(400, reason(400)).header(TEXT).body(remedy),
        }
    }
}

/// The declared body length, 0 without one; `None` if it is not a number.
fn content_length(request: &Request) -> Option<usize> {
    match request.headers().iter().find(|h| h.name.eq_ignore_ascii_case("content-length")) {
        Some(header) => std::str::from_utf8(header.value).ok()?.parse().ok(),
        None => Some(0),
    }
}

/// Read the body to its end and return its length. Unread bytes would be parsed as the next request.
fn drain(request: Request) -> io::Result<usize> {
    let mut body = request.body();
    let mut received = 0;
    loop {
        let n = body.fill_buf()?.len();
        if n == 0 {
            return Ok(received);
        }
        body.consume(n);
        received += n;
    }
}

/// Reason phrases of common codes; clients ignore them.
fn reason(code: usize) -> &'static str {
    match code {
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
