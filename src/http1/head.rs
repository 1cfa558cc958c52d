//! What a response's head says about its body and its connection.
//!
//! | what comes | policy | RFC 9112 |
//! |---|---|---|
//! | answer to HEAD, 1xx, 204, 304 | no body, whatever the fields say | 6.3 (1) |
//! | Transfer-Encoding ending in chunked, once | chunked | 6.3 (4), 7.1 |
//! | the same with Content-Length | chunked, connection closed afterwards | 6.3 (3) |
//! | the same in HTTP/1.0 | chunked, connection closed afterwards | 6.1 |
//! | Transfer-Encoding without chunked | body until close | 6.3 (4) |
//! | chunked twice, or not last | protocol error | 6.1, 7.1 |
//! | one Content-Length, or equal ones | that many bytes | 6.3 (6) |
//! | Content-Lengths that differ | protocol error | 6.3 (5) |
//! | a sign, space inside, overflow, empty | protocol error | 6.2, 6.3 (5) |
//! | neither | body until close | 6.3 (8) |
//! | HTTP/1.1 without `Connection: close` | kept alive | 9.3 |
//! | HTTP/1.0 with `Connection: keep-alive` | kept alive | 9.3 |
//! | 101 to a request without Upgrade | protocol error | RFC 9110, 15.2.2 |

use std::mem::MaybeUninit;

use super::ProtocolError;

/// The longest head accepted: what Node, nginx and curl would send at most, with room.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The most fields in one head.
pub const MAX_FIELDS: usize = 256;

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

/// What a parsed head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Status code, 100..=999.
    pub status: u16,
    /// How the end of the body is found.
    pub framing: Framing,
    /// Whether the connection may carry another exchange.
    pub keep_alive: bool,
}

/// Parse a head at the start of `bytes`: the head and its length, or `None` when it is not complete.
///
/// # Errors
/// By the table above.
pub fn parse(bytes: &[u8], to_head_request: bool) -> Result<Option<(Head, usize)>, ProtocolError> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let length = match config.parse_response_with_uninit_headers(&mut response, bytes, &mut fields) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD_BYTES => length,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD_BYTES => return Ok(None),
        Ok(_) => return Err(ProtocolError::HeadTooLarge),
        Err(httparse::Error::TooManyHeaders) => return Err(ProtocolError::TooManyFields),
        Err(_) => return Err(ProtocolError::BadHead),
    };
    let (Some(status), Some(version)) = (response.code, response.version) else {
        return Err(ProtocolError::BadHead);
    };
    let told = Told::by(response.headers, version == 1)?;
    if status < 100 || status == 101 {
        return Err(ProtocolError::BadStatus);
    }
    let bodyless = to_head_request || status < 200 || status == 204 || status == 304;
    let framing = if bodyless { Framing::Length(0) } else { told.framing };
    let keep_alive = told.keep_alive && framing != Framing::UntilClose;
    Ok(Some((Head { status, framing, keep_alive }, length)))
}

/// Show every field of a whole head to `look`, name and value. Nothing when it does not parse: such a
/// head never was a response.
pub fn each_field(head: &[u8], mut look: impl FnMut(&str, &[u8])) {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    if config.parse_response_with_uninit_headers(&mut response, head, &mut fields).is_ok() {
        response.headers.iter().for_each(|field| look(field.name, field.value));
    }
}

/// What the fields say, before status and method have their word.
struct Told {
    framing: Framing,
    keep_alive: bool,
}

impl Told {
    fn by(fields: &[httparse::Header<'_>], http_1_1: bool) -> Result<Self, ProtocolError> {
        let mut length: Option<u64> = None;
        let mut codings = Codings::default();
        let (mut close, mut keep) = (false, false);
        for field in fields {
            if field.name.eq_ignore_ascii_case("content-length") {
                for item in field.value.split(|b| *b == b',') {
                    let value = decimal(item.trim_ascii()).ok_or(ProtocolError::BadLength)?;
                    if length.is_some_and(|other| other != value) {
                        return Err(ProtocolError::ConflictingLengths);
                    }
                    length = Some(value);
                }
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                field.value.split(|b| *b == b',').for_each(|item| codings.add(item.trim_ascii()));
            } else if field.name.eq_ignore_ascii_case("connection") {
                for item in field.value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                    close |= item.eq_ignore_ascii_case(b"close");
                    keep |= item.eq_ignore_ascii_case(b"keep-alive");
                }
            }
        }
        let keep_alive = !close && (http_1_1 || keep);
        if !codings.any {
            let framing = length.map_or(Framing::UntilClose, Framing::Length);
            return Ok(Self { framing, keep_alive });
        }
        match (codings.chunked, codings.chunked_last) {
            (0, _) => Ok(Self { framing: Framing::UntilClose, keep_alive: false }),
            (1, true) => {
                let keep_alive = keep_alive && length.is_none() && http_1_1;
                Ok(Self { framing: Framing::Chunked, keep_alive })
            }
            _ => Err(ProtocolError::BadTransferEncoding),
        }
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
        self.chunked_last = item.eq_ignore_ascii_case(b"chunked");
        self.chunked += u32::from(self.chunked_last);
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
        check("HTTP/1.1 204 No Content\r\nContent-Length: 5", Ok((Length(0), true)));
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
