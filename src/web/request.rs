//! Parses one request strictly and rewrites it for tiny_http.
//!
//! Stricter than HTTP requires wherever leniency lets two parsers disagree: no `Transfer-Encoding`, at most
//! one `Content-Length`, exactly one `Host`, every line ends with CR LF. `frontend` handles sockets and
//! deadlines, `routes` handles paths.

use std::net::{IpAddr, Ipv6Addr};

use crate::fleet::messages::PATH;

/// The longest request head in bytes: ten times what browsers send to a page without cookies.
pub(crate) const HEAD_BYTES: usize = 16 * 1024;
/// The longest request body in bytes: one closed window of a worker with all its scenarios.
pub const BODY_BYTES: usize = 16 * 1024 * 1024;
/// The longest body of a request for a page, which has no use for it, in bytes: requests for pages wait in a queue.
const PAGE_BODY_BYTES: usize = 16 * 1024;
/// The most header fields; browsers send about twenty.
const MAX_FIELDS: usize = 64;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Hop-by-hop and proxy fields, which are dropped. `Host` and `Content-Length` are rewritten.
const NOT_PASSED_ON: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The host names that a client may use for this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// Any name: the server is meant to be reached from other machines.
    Any,
    /// `localhost` or an IP address. A web page can point its own name at 127.0.0.1 (DNS rebinding), and a
    /// browser would then let it read our responses; it cannot use these names.
    Loopback,
}

/// A request that is refused before routing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The reason phrase.
    pub(crate) reason: &'static str,
    /// The response body: one line that explains the remedy.
    pub(crate) remedy: &'static str,
}

const fn bad(remedy: &'static str) -> Refusal {
    Refusal { status: 400, reason: "Bad Request", remedy }
}

/// The request was not complete in time.
pub(crate) const TOO_SLOW: Refusal =
    Refusal { status: 408, reason: "Request Timeout", remedy: "send the whole request within 5 seconds" };
/// Too many clients.
pub(crate) const BUSY: Refusal = Refusal {
    status: 503,
    reason: "Service Unavailable",
    remedy: "too many connections wait on this server; try again",
};
/// No response could be drawn.
pub(crate) const NO_ANSWER: Refusal =
    Refusal { status: 503, reason: "Service Unavailable", remedy: "no answer in time; try again" };
const LENGTH_REQUIRED: Refusal = Refusal {
    status: 411,
    reason: "Length Required",
    remedy: "send Content-Length; Transfer-Encoding is not taken",
};
const BODY_TOO_LARGE: Refusal =
    Refusal { status: 413, reason: "Content Too Large", remedy: "a body may have 16 MiB" };
const PAGE_BODY_TOO_LARGE: Refusal =
    Refusal { status: 413, reason: "Content Too Large", remedy: "a page takes no body" };
const WRONG_HOST: Refusal = Refusal {
    status: 421,
    reason: "Misdirected Request",
    remedy: "this server listens on loopback; reach it as localhost or by IP address",
};
const HEAD_TOO_LARGE: Refusal = Refusal {
    status: 431,
    reason: "Request Header Fields Too Large",
    remedy: "a request head may have 16 KiB and 64 fields",
};

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Head and body for tiny_http.
    pub(crate) bytes: Vec<u8>,
    /// Whether it is a `HEAD` request: the response has no body, whatever its `Content-Length`.
    pub(crate) is_head: bool,
}

impl Request {
    /// Whether its response is a page, which may take milliseconds to draw, rather than that of a call or a probe.
    pub(crate) fn is_page(&self) -> bool {
        asks_for_page(&self.bytes)
    }
}

/// See [`Request::is_page`]; `head` begins with the request line.
fn asks_for_page(head: &[u8]) -> bool {
    let target = head.split(|b| *b == b' ').nth(1).unwrap_or_default();
    let path = target.split(|b| *b == b'?').next().unwrap_or_default();
    !(path.starts_with(PATH.as_bytes()) || matches!(path, b"/healthz" | b"/readyz"))
}

/// A request being received.
#[derive(Debug)]
pub(crate) struct Incoming {
    hosts: Hosts,
    /// The head once it is parsed and valid, in rewritten form.
    head: Option<Head>,
    /// Before the head is complete: everything received. Afterwards: the body so far.
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Head {
    rewritten: Vec<u8>,
    body_bytes: usize,
    is_head: bool,
}

impl Incoming {
    pub(crate) fn new(hosts: Hosts) -> Self {
        Self { hosts, head: None, bytes: Vec::new() }
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Add received bytes. `Ok(None)`: more are needed. Bytes after the end of the request are ignored: one
    /// request per connection.
    pub(crate) fn push(&mut self, read: &[u8]) -> Result<Option<Request>, Refusal> {
        let seen = self.bytes.len();
        self.bytes.extend_from_slice(read);
        if self.head.is_none() {
            let Some(end) = find(&self.bytes, HEAD_END, seen) else {
                return if self.bytes.len() > HEAD_BYTES { Err(HEAD_TOO_LARGE) } else { Ok(None) };
            };
            if end > HEAD_BYTES {
                return Err(HEAD_TOO_LARGE);
            }
            let head = read_head(&self.bytes[..end], self.hosts)?;
            if head.body_bytes > PAGE_BODY_BYTES && asks_for_page(&head.rewritten) {
                return Err(PAGE_BODY_TOO_LARGE);
            }
            self.head = Some(head);
            self.bytes.drain(..end);
        }
        let complete = self.head.take_if(|head| self.bytes.len() >= head.body_bytes);
        Ok(complete.map(|head| {
            let mut bytes = head.rewritten;
            bytes.extend_from_slice(&self.bytes[..head.body_bytes]);
            Request { bytes, is_head: head.is_head }
        }))
    }
}

/// The end of the first `needle`, given that it does not end at or before `seen`.
fn find(bytes: &[u8], needle: &[u8], seen: usize) -> Option<usize> {
    let from = seen.saturating_sub(needle.len() - 1);
    let at = bytes[from..].windows(needle.len()).position(|w| w == needle)?;
    Some(from + at + needle.len())
}

fn read_head(bytes: &[u8], hosts: Hosts) -> Result<Head, Refusal> {
    if !lines_end_in_crlf(bytes) {
        return Err(bad("end each line of the head with CR LF, and use neither inside one"));
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(n)) if n == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(HEAD_TOO_LARGE),
        _ => return Err(bad("this is not an HTTP/1.1 request")),
    }
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Err(bad("this is not an HTTP/1.1 request"));
    };
    if !target.starts_with('/') || !target.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(bad("the request target must be a path in ASCII"));
    }
    let (host, body_bytes) = (host(request.headers, hosts)?, body_bytes(request.headers)?);
    Ok(Head {
        rewritten: rewrite(method, target, host, body_bytes, request.headers)?,
        body_bytes,
        is_head: method == "HEAD",
    })
}

/// Whether there is no bare CR, no bare LF and no empty first line.
fn lines_end_in_crlf(head: &[u8]) -> bool {
    let lone = |i: usize| match head[i] {
        b'\r' => head.get(i + 1) != Some(&b'\n'),
        b'\n' => i == 0 || head[i - 1] != b'\r',
        _ => false,
    };
    !head.starts_with(b"\r\n") && !(0..head.len()).any(lone)
}

fn all<'h>(fields: &'h [httparse::Header<'h>], name: &'static str) -> impl Iterator<Item = &'h [u8]> {
    fields.iter().filter(move |f| f.name.eq_ignore_ascii_case(name)).map(|f| f.value)
}

/// The only `Host`, if it is one we answer to.
fn host<'h>(fields: &'h [httparse::Header<'h>], hosts: Hosts) -> Result<&'h str, Refusal> {
    let mut found = all(fields, "host");
    let (Some(value), None) = (found.next(), found.next()) else {
        return Err(bad("send exactly one Host field"));
    };
    let well_formed = |b: &u8| b.is_ascii_alphanumeric() || b"-._:[]%".contains(b);
    let value = std::str::from_utf8(value).ok().filter(|v| v.bytes().all(|b| well_formed(&b)));
    let value = value.filter(|v| !v.is_empty()).ok_or(bad("Host must be HOST or HOST:PORT"))?;
    match hosts {
        Hosts::Loopback if !is_local(value) => Err(WRONG_HOST),
        _ => Ok(value),
    }
}

/// Whether `Host` is `localhost` or an IP address.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let bracketed = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    match bracketed {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => name.eq_ignore_ascii_case("localhost") || matches!(name.parse(), Ok(IpAddr::V4(_))),
    }
}

/// Length of the body: RFC 9112, section 6, with everything ambiguous refused.
fn body_bytes(fields: &[httparse::Header<'_>]) -> Result<usize, Refusal> {
    let mut lengths = all(fields, "content-length");
    let (length, second) = (lengths.next(), lengths.next());
    match (length, all(fields, "transfer-encoding").next()) {
        (Some(_), Some(_)) => return Err(bad("Content-Length and Transfer-Encoding contradict each other")),
        (None, Some(_)) => return Err(LENGTH_REQUIRED),
        // No body, whatever the method: section 6.3, item 7. curl sends a POST without data like this.
        (None, None) => return Ok(0),
        (Some(_), None) if second.is_some() => return Err(bad("send at most one Content-Length")),
        (Some(_), None) => {}
    }
    let digits = length.filter(|l| !l.is_empty() && l.iter().all(u8::is_ascii_digit));
    let digits = digits.ok_or(bad("Content-Length must be a number of bytes"))?;
    let bytes = digits
        .iter()
        .try_fold(0_usize, |n, d| n.checked_mul(10)?.checked_add(usize::from(d - b'0')))
        .filter(|n| *n <= BODY_BYTES);
    bytes.ok_or(BODY_TOO_LARGE)
}

fn rewrite(
    method: &str,
    target: &str,
    host: &str,
    body_bytes: usize,
    fields: &[httparse::Header<'_>],
) -> Result<Vec<u8>, Refusal> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
    if body_bytes > 0 {
        head += &format!("Content-Length: {body_bytes}\r\n");
    }
    for field in fields {
        if NOT_PASSED_ON.iter().any(|n| field.name.eq_ignore_ascii_case(n)) {
            continue;
        }
        // tiny_http closes the connection on anything else.
        let value = std::str::from_utf8(field.value).ok().filter(|v| v.is_ascii());
        let value = value.ok_or(bad("header values must be ASCII"))?;
        head += &format!("{}: {value}\r\n", field.name);
    }
    head += "\r\n";
    Ok(head.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &str) -> Result<Option<String>, u16> {
        let request = Incoming::new(Hosts::Loopback).push(bytes.as_bytes());
        request
            .map(|r| r.map(|r| String::from_utf8(r.bytes).expect("ASCII in, ASCII out")))
            .map_err(|refusal| refusal.status)
    }

    #[test]
    fn what_speaks_of_the_connection_is_not_passed_on() {
        let request = "GET /status?x=1 HTTP/1.1\r\nhost: localhost:1\r\nConnection: upgrade, close\r\n\
            Upgrade: h2c\r\nTE: chunked\r\nExpect: 200-maybe\r\nAccept: */*\r\n\r\n";
        let passed_on = "GET /status?x=1 HTTP/1.1\r\nHost: localhost:1\r\nAccept: */*\r\n\r\n";
        assert_eq!(read(request), Ok(Some(passed_on.into())));
    }

    #[test]
    fn an_old_client_is_spoken_for_in_http_1_1() {
        assert_eq!(
            read("GET / HTTP/1.0\r\nHost: [::1]\r\n\r\n"),
            Ok(Some("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n".into()))
        );
    }

    #[test]
    fn a_request_in_single_bytes_equals_the_whole_and_what_follows_is_ignored() {
        let request = b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nhelloGET /next";
        let mut whole = Incoming::new(Hosts::Any);
        let whole = whole.push(request).expect("good").expect("complete");
        assert!(whole.bytes.ends_with(b"\r\n\r\nhello"));
        let mut incoming = Incoming::new(Hosts::Any);
        let mut pieces = request.chunks(1).map(|byte| incoming.push(byte).expect("good"));
        assert_eq!(pieces.find_map(|request| request), Some(whole));
    }

    #[test]
    fn without_a_length_there_is_no_body() {
        for method in ["POST", "PUT", "PATCH", "DELETE", "GET"] {
            let request = format!("{method} /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
            assert_eq!(read(&request), Ok(Some(request.clone())));
            assert_eq!(read(&format!("{request}more")), Ok(Some(request)));
        }
    }

    #[test]
    fn each_ambiguity_has_its_status() {
        let get = |fields: &str| read(&format!("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n"));
        assert!(get("").is_ok());
        for (fields, status) in [
            ("Content-Length: 1\r\nContent-Length: 1\r\n", 400),
            ("Content-Length: 1, 1\r\n", 400),
            ("Content-Length: +1\r\n", 400),
            ("Content-Length: -1\r\n", 400),
            ("Content-Length: 0x1\r\n", 400),
            ("Content-Length:\r\n", 400),
            ("Content-Length: 18446744073709551616\r\n", 413),
            ("Content-Length: 16777217\r\n", 413),
            ("Transfer-Encoding: chunked\r\n", 411),
            ("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", 400),
            ("Host: 127.0.0.1\r\n", 400),
            ("X: a\nY: b\r\n", 400),
            ("X: a\rY: b\r\n", 400),
            ("X : a\r\n", 400),
            (" folded\r\n", 400),
            ("X: \u{e9}\r\n", 400),
            ("X: a\0b\r\n", 400),
            ("A: b\r\n".repeat(64).as_str(), 431),
            (format!("X: {}\r\n", "a".repeat(HEAD_BYTES)).as_str(), 431),
        ] {
            assert_eq!(get(fields), Err(status), "{fields:?}");
        }
        assert_eq!(read("GET / HTTP/1.1\r\n\r\n"), Err(400));
        assert_eq!(read("GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n"), Err(400));
        assert_eq!(read("\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), Err(400));
        assert_eq!(read(&"a".repeat(HEAD_BYTES)), Ok(None));
        assert_eq!(read(&"a".repeat(HEAD_BYTES + 1)), Err(431));
    }

    #[test]
    fn on_loopback_only_localhost_and_addresses_are_answered() {
        for host in ["localhost", "LOCALHOST:8089", "127.0.0.1", "10.1.2.3:80", "[::1]", "[::1]:8089"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8089", "[evil]", ":80"]
        {
            assert!(!is_local(host), "{host}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(chunks: Vec<Vec<u8>>) {
            let mut incoming = Incoming::new(Hosts::Loopback);
            let _ = chunks.iter().map(|chunk| incoming.push(chunk)).take_while(Result::is_ok).count();
        }
    }
}
