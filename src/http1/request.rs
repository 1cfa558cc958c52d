//! Encodes requests.

use std::io::Write as _;

use crate::http::Method;

/// An encoded request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Head and body, ready to send.
    pub(crate) bytes: Vec<u8>,
    /// Whether the response has no body regardless of its head (RFC 9110, section 9.3.2).
    pub(crate) is_head: bool,
    /// Whether sending it twice means the same as sending it once (RFC 9110, section 9.2.2).
    pub(crate) is_idempotent: bool,
    /// Whether bytes follow the head.
    pub(crate) has_body: bool,
}

impl Request {
    /// A request with this method and no bytes yet.
    pub(crate) fn empty(method: &str, has_body: bool) -> Self {
        let method = Method(method);
        let (is_head, is_idempotent) = (method.is_head(), method.is_idempotent());
        Self { bytes: Vec::new(), is_head, is_idempotent, has_body }
    }

    /// Append the end of the head and `body`.
    pub(crate) fn end_head(&mut self, framing: BodyFraming, body: &[u8]) {
        // Writing to a vector cannot fail.
        let _ = match framing {
            BodyFraming::None => write!(self.bytes, "\r\n"),
            BodyFraming::Length => write!(self.bytes, "Content-Length: {}\r\n\r\n", body.len()),
            BodyFraming::Chunked => write!(self.bytes, "Transfer-Encoding: chunked\r\n\r\n"),
        };
        if framing != BodyFraming::Chunked {
            return self.bytes.extend_from_slice(body);
        }
        for chunk in body.chunks(CHUNK_BYTES) {
            let _ = write!(self.bytes, "{:x}\r\n", chunk.len());
            self.bytes.extend_from_slice(chunk);
            self.bytes.extend_from_slice(b"\r\n");
        }
        self.bytes.extend_from_slice(b"0\r\n\r\n");
    }
}

/// The length of a chunk but the last, as servers and clients commonly write them.
const CHUNK_BYTES: usize = 16 << 10;
/// The longest framing of a body of no more than one chunk, in bytes.
const FRAMING_BYTES: usize = 64;

/// How a body's end is marked (RFC 9112, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    /// There is none.
    None,
    Length,
    Chunked,
}

impl BodyFraming {
    /// That of a request with this method: `Content-Length` also without a body where the method anticipates one
    /// (RFC 9110, section 8.6).
    pub(crate) fn of(method: &str, has_body: bool, chunked: bool) -> Self {
        match (has_body, chunked) {
            (true, true) => Self::Chunked,
            (true, false) => Self::Length,
            (false, _) if Method(method).anticipates_content() => Self::Length,
            (false, _) => Self::None,
        }
    }

    /// The most bytes that it adds to a request with a body of at most `body` bytes.
    pub(crate) fn most_bytes(body: usize) -> usize {
        FRAMING_BYTES + body / CHUNK_BYTES * "4000\r\n\r\n".len()
    }
}

/// A part of a head.
pub(crate) enum HeadPart<'a> {
    Text(&'a str),
    /// Path and query.
    Target,
    /// The value of the field at this place.
    Value(usize),
}

/// The parts of a head, up to `Content-Length`: request line, `Host` unless it is among the fields `names`, and these
/// in order.
pub(crate) fn head_parts<'a>(
    method: &'a str,
    authority: &'a str,
    names: impl Iterator<Item = &'a str> + Clone,
    mut put: impl FnMut(HeadPart<'a>),
) {
    [HeadPart::Text(method), HeadPart::Text(" "), HeadPart::Target, HeadPart::Text(" HTTP/1.1\r\n")]
        .into_iter()
        .for_each(&mut put);
    if !names.clone().any(|name| name.eq_ignore_ascii_case("host")) {
        ["Host: ", authority, "\r\n"].into_iter().for_each(|text| put(HeadPart::Text(text)));
    }
    for (i, name) in names.enumerate() {
        [HeadPart::Text(name), HeadPart::Text(": "), HeadPart::Value(i), HeadPart::Text("\r\n")]
            .into_iter()
            .for_each(&mut put);
    }
}

/// Encode a request: request line, `Host` (unless given), the fields in order, the body's framing, the body.
///
/// The caller must have checked that method, path and fields contain no control characters.
pub fn encode(
    method: &str,
    path: &str,
    authority: &str,
    headers: &[(String, String)],
    (body, chunked): (&[u8], bool),
) -> Request {
    let mut request = Request::empty(method, !body.is_empty());
    head_parts(method, authority, headers.iter().map(|(name, _)| name.as_str()), |part| {
        let text = match part {
            HeadPart::Text(text) => text,
            HeadPart::Target => path,
            HeadPart::Value(i) => &headers[i].1,
        };
        request.bytes.extend_from_slice(text.as_bytes());
    });
    request.end_head(BodyFraming::of(method, !body.is_empty(), chunked), body);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(request: &Request) -> &str {
        std::str::from_utf8(&request.bytes).unwrap()
    }

    #[test]
    fn a_get_has_a_host_and_no_length() {
        let request =
            encode("GET", "/v1/users?page=1", "127.0.0.1:8081", &[("A".into(), "b".into())], (b"", false));
        assert_eq!(text(&request), "GET /v1/users?page=1 HTTP/1.1\r\nHost: 127.0.0.1:8081\r\nA: b\r\n\r\n");
        assert!(!request.is_head);
    }

    #[test]
    fn a_post_has_a_length_even_without_a_body() {
        assert!(text(&encode("POST", "/", "h", &[], (b"", true))).contains("Content-Length: 0\r\n"));
        assert!(
            text(&encode("POST", "/", "h", &[], (b"{}", false))).ends_with("Content-Length: 2\r\n\r\n{}")
        );
    }

    #[test]
    fn a_body_in_chunks_has_no_length() {
        let body = vec![b'x'; CHUNK_BYTES + 1];
        let request = encode("POST", "/", "h", &[], (&body, true));
        let text = text(&request);
        assert!(
            text.contains("Transfer-Encoding: chunked\r\n\r\n4000\r\nx") && !text.contains("Content-Length")
        );
        assert!(text.ends_with("x\r\n1\r\nx\r\n0\r\n\r\n"));
        assert!(
            text.len()
                <= "POST / HTTP/1.1\r\nHost: h\r\n".len() + body.len() + BodyFraming::most_bytes(body.len())
        );
    }

    #[test]
    fn a_given_host_replaces_ours() {
        let request = encode("HEAD", "/", "h", &[("hOST".into(), "other".into())], (b"", false));
        assert_eq!(text(&request), "HEAD / HTTP/1.1\r\nhOST: other\r\n\r\n");
        assert!(request.is_head);
    }
}
