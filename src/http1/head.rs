//! Parses a response head for its framing and keep-alive. The policy, case by case, is the table in the
//! documentation of [`http1`](super).

use std::mem::MaybeUninit;

use super::ProtocolError;
use crate::http::{MAX_FIELDS, Status, parser_config};

/// The longest head accepted: the most that Node, nginx and curl would send, with margin.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Length of the head of an HTTP/2 frame.
const FRAME_HEAD_BYTES: usize = 9;

/// How the end of the body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// This many bytes; 0 also where there is no body at all.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
    /// Everything until the connection closes.
    UntilClose,
}

/// The parsed head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Status code, 100..=999.
    pub status: u16,
    /// How the end of the body is found.
    pub framing: Framing,
    /// Whether the connection may carry another exchange.
    pub keep_alive: bool,
}

/// Parse the head at the start of `bytes`. Returns it and its length, or `None` if it is incomplete.
///
/// # Errors
/// By the table in the documentation of [`http1`](super).
pub(crate) fn parse(bytes: &[u8], to_head_request: bool) -> Result<Option<(Head, usize)>, ProtocolError> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let length = match parser_config().parse_response_with_uninit_headers(&mut response, bytes, &mut fields) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD_BYTES => length,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD_BYTES => return Ok(None),
        Ok(_) => return Err(ProtocolError::HeadTooLarge),
        Err(httparse::Error::TooManyHeaders) => return Err(ProtocolError::TooManyFields),
        Err(_) => return foreign(bytes),
    };
    let (Some(status), Some(version)) = (response.code, response.version) else {
        return Err(ProtocolError::BadHead);
    };
    if status < 100 || status == 101 {
        return Err(ProtocolError::BadStatus);
    }
    let summary = HeadSummary::by(response.headers, version == 1);
    let bodyless = to_head_request || Status(status).is_without_content();
    let framing = if bodyless { Framing::Length(0) } else { summary.framing()? };
    let keep_alive = summary.keeps_alive(framing);
    Ok(Some((Head { status, framing, keep_alive }, length)))
}

/// What bytes are that are no HTTP/1.x: an error, or `None` while they may still become an HTTP/2 frame.
///
/// # Errors
/// The protocol that they begin, if it is a known one.
fn foreign<T>(bytes: &[u8]) -> Result<Option<T>, ProtocolError> {
    // An alert of TLS (RFC 8446, section 5.1).
    if bytes[0] == 21 {
        return Err(ProtocolError::Tls);
    }
    // The head of a frame: three bytes of length, which is below 64 KiB here, type SETTINGS, flags, and stream 0
    // (RFC 9113, sections 4.1 and 6.5).
    let is_settings = |(i, byte): (usize, &u8)| match i {
        0 | 5..=8 => *byte == 0,
        3 => *byte == 4,
        _ => true,
    };
    match bytes.iter().take(FRAME_HEAD_BYTES).enumerate().all(is_settings) {
        true if bytes.len() < FRAME_HEAD_BYTES => Ok(None),
        true => Err(ProtocolError::Http2),
        false => Err(ProtocolError::BadHead),
    }
}

/// The framing fields of a head, before status and method are taken into account.
struct HeadSummary {
    http_1_1: bool,
    /// The value that all Content-Length fields agree on, `None` without one, or why they are invalid.
    length: Result<Option<u64>, ProtocolError>,
    codings: Codings,
    close: bool,
    keep: bool,
}

impl HeadSummary {
    fn by(fields: &[httparse::Header<'_>], http_1_1: bool) -> Self {
        let mut summary =
            Self { http_1_1, length: Ok(None), codings: Codings::default(), close: false, keep: false };
        for field in fields {
            let items = field.value.split(|b| *b == b',').map(<[u8]>::trim_ascii);
            if field.name.eq_ignore_ascii_case("content-length") {
                for item in items {
                    summary.length = summary.length.and_then(|before| one_length(before, item));
                }
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                items.for_each(|item| summary.codings.add(item));
            } else if field.name.eq_ignore_ascii_case("connection") {
                for item in items {
                    summary.close |= item.eq_ignore_ascii_case(b"close");
                    summary.keep |= item.eq_ignore_ascii_case(b"keep-alive");
                }
            }
        }
        summary
    }

    /// Framing by RFC 9112, section 6.3: a transfer coding overrides a length.
    fn framing(&self) -> Result<Framing, ProtocolError> {
        match self.codings {
            Codings { any: false, .. } => Ok(self.length?.map_or(Framing::UntilClose, Framing::Length)),
            Codings { chunked: 0, .. } => Ok(Framing::UntilClose),
            Codings { chunked: 1, chunked_last: true, .. } => Ok(Framing::Chunked),
            _ => Err(ProtocolError::BadTransferEncoding),
        }
    }

    /// A transfer coding in HTTP/1.0, or a length beside chunked framing, makes the framing doubtful: the
    /// connection is not reused.
    fn keeps_alive(&self, framing: Framing) -> bool {
        let wished = !self.close && (self.http_1_1 || self.keep);
        let faulty = self.codings.any && !self.http_1_1;
        let doubtful = framing == Framing::Chunked && self.length != Ok(None);
        wished && !faulty && !doubtful && framing != Framing::UntilClose
    }
}

/// The length that all values so far and `item` agree on.
fn one_length(before: Option<u64>, item: &[u8]) -> Result<Option<u64>, ProtocolError> {
    let value = decimal(item).ok_or(ProtocolError::BadLength)?;
    match before {
        Some(other) if other != value => Err(ProtocolError::ConflictingLengths),
        _ => Ok(Some(value)),
    }
}

#[derive(Default)]
struct Codings {
    any: bool,
    chunked: u32,
    chunked_last: bool,
}

impl Codings {
    fn add(&mut self, item: &[u8]) {
        if item.is_empty() {
            return;
        }
        self.any = true;
        let end = item.iter().position(|b| *b == b';').unwrap_or(item.len());
        let is_chunked = item[..end].trim_ascii().eq_ignore_ascii_case(b"chunked");
        // `chunked` has no parameters (RFC 9112, section 7.1); with any, it is not accepted as the framing
        // coding.
        self.chunked_last = is_chunked && end == item.len();
        self.chunked += u32::from(is_chunked);
    }
}

/// Digits only, at least one, no overflow.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str, expected: Result<(Framing, bool), ProtocolError>) {
        let bytes = format!("{head}\r\n\r\n");
        let got = parse(bytes.as_bytes(), false).map(|parsed| {
            let (head, length) = parsed.expect("complete");
            assert_eq!(length, bytes.len());
            (head.framing, head.keep_alive)
        });
        assert_eq!(got, expected, "{head}");
    }

    #[test]
    fn framing_follows_the_table() {
        use Framing::*;
        use ProtocolError::*;
        let ok = |fields: &str| format!("HTTP/1.1 200 OK{fields}");
        check(&ok("\r\nContent-Length: 5"), Ok((Length(5), true)));
        check(&ok("\r\ncontent-length: 5\r\nContent-Length: 5"), Ok((Length(5), true)));
        check(&ok("\r\nContent-Length: 5, 5"), Ok((Length(5), true)));
        check(&ok("\r\nContent-Length: 5\r\nContent-Length: 6"), Err(ConflictingLengths));
        check(&ok("\r\nContent-Length: +5"), Err(BadLength));
        check(&ok("\r\nContent-Length: -1"), Err(BadLength));
        check(&ok("\r\nContent-Length: 5 5"), Err(BadLength));
        check(&ok("\r\nContent-Length:"), Err(BadLength));
        check(&ok("\r\nContent-Length: 18446744073709551616"), Err(BadLength));
        check(&ok("\r\nContent-Length: 18446744073709551615"), Ok((Length(u64::MAX), true)));
        check(&ok("\r\nTransfer-Encoding: Chunked"), Ok((Chunked, true)));
        check(&ok("\r\nTransfer-Encoding: gzip, chunked"), Ok((Chunked, true)));
        check(&ok("\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked"), Ok((Chunked, true)));
        check(&ok("\r\nTransfer-Encoding: chunked\r\nContent-Length: 5"), Ok((Chunked, false)));
        check(&ok("\r\nTransfer-Encoding: chunked, chunked"), Err(BadTransferEncoding));
        check(&ok("\r\nTransfer-Encoding: chunked, gzip"), Err(BadTransferEncoding));
        check(&ok("\r\nTransfer-Encoding: gzip"), Ok((UntilClose, false)));
        check(&ok(""), Ok((UntilClose, false)));
        check(&ok("\r\nContent-Length: 1\r\nConnection: foo, Close"), Ok((Length(1), false)));
        check("HTTP/1.0 200 OK\r\nContent-Length: 1", Ok((Length(1), false)));
        check("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive", Ok((Length(1), true)));
        check(
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive",
            Ok((Chunked, false)),
        );
        check(&ok("\r\nTransfer-Encoding: gzip\r\nContent-Length: 5"), Ok((UntilClose, false)));
        check(&ok("\r\nTransfer-Encoding: chunked\r\nContent-Length: ten"), Ok((Chunked, false)));
        check(&ok("\r\nTransfer-Encoding: chunked;q=1"), Err(BadTransferEncoding));
        check(&ok("\r\nTransfer-Encoding: gzip,\r\n\tchunked"), Ok((Chunked, true)));
        check("HTTP/1.1 204 No Content\r\nContent-Length: 5", Ok((Length(0), true)));
        check("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nContent-Length: 6", Ok((Length(0), true)));
        check("HTTP/1.1 304 Not Modified\r\nContent-Length: 5", Ok((Length(0), true)));
        check("HTTP/1.1 103 Early Hints\r\nLink: x", Ok((Length(0), true)));
        check("HTTP/1.1 101 Switching Protocols", Err(BadStatus));
        check("HTTP/1.1 099 What", Err(BadStatus));
        check("HTTP/2.0 200 OK", Err(BadHead));
        check("<html>", Err(BadHead));
    }

    #[test]
    fn an_answer_to_head_has_no_body() {
        let (head, _) = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true).unwrap().unwrap();
        assert_eq!(head.framing, Framing::Length(0));
    }

    #[test]
    fn bounds_are_held() {
        let fields = |n: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(n));
        assert!(parse(fields(MAX_FIELDS).as_bytes(), false).unwrap().is_some());
        assert_eq!(parse(fields(MAX_FIELDS + 1).as_bytes(), false), Err(ProtocolError::TooManyFields));
        let long = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(MAX_HEAD_BYTES));
        assert_eq!(parse(long.as_bytes(), false), Err(ProtocolError::HeadTooLarge));
    }
}
