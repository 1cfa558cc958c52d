//! Encodes requests, once at start.

use crate::http::Method;

/// An encoded request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Head and body, ready to send.
    pub(crate) bytes: Box<[u8]>,
    /// Whether the response has no body regardless of its head (RFC 9110, section 9.3.2).
    pub(crate) is_head: bool,
    /// Whether sending it twice means the same as sending it once (RFC 9110, section 9.2.2).
    pub(crate) is_idempotent: bool,
    /// Whether bytes follow the head.
    pub(crate) has_body: bool,
}

/// Encode a request: request line, `Host` (unless given), the fields in order, `Content-Length` where there
/// is a body or the method anticipates one (RFC 9110, section 8.6), the body.
///
/// The caller must have checked that method, path and fields contain no control characters.
pub fn encode(
    method: &str,
    path: &str,
    authority: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Request {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    let given = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    if !given("host") {
        head += &format!("Host: {authority}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let method = Method(method);
    if !body.is_empty() || method.anticipates_content() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += "\r\n";
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    Request {
        bytes: bytes.into_boxed_slice(),
        is_head: method.is_head(),
        is_idempotent: method.is_idempotent(),
        has_body: !body.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(request: &Request) -> &str {
        std::str::from_utf8(&request.bytes).unwrap()
    }

    #[test]
    fn a_get_has_a_host_and_no_length() {
        let request = encode("GET", "/v1/users?page=1", "127.0.0.1:8081", &[("A".into(), "b".into())], b"");
        assert_eq!(text(&request), "GET /v1/users?page=1 HTTP/1.1\r\nHost: 127.0.0.1:8081\r\nA: b\r\n\r\n");
        assert!(!request.is_head);
    }

    #[test]
    fn a_post_has_a_length_even_without_a_body() {
        assert!(text(&encode("POST", "/", "h", &[], b"")).contains("Content-Length: 0\r\n"));
        assert!(text(&encode("POST", "/", "h", &[], b"{}")).ends_with("Content-Length: 2\r\n\r\n{}"));
    }

    #[test]
    fn a_given_host_replaces_ours() {
        let request = encode("HEAD", "/", "h", &[("hOST".into(), "other".into())], b"");
        assert_eq!(text(&request), "HEAD / HTTP/1.1\r\nhOST: other\r\n\r\n");
        assert!(request.is_head);
    }
}
