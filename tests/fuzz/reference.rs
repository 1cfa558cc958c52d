//! What a response is, found slowly: the whole input at once, strings, no state between lines. Only the
//! syntax of heads is httparse's.

use loadtester::http::MAX_FIELDS;
use loadtester::http1::ProtocolError::{self, *};
use loadtester::http1::{Framing, Head, MAX_HEAD_BYTES};

/// The longest chunk-size line, and trailer section.
const MAX_LINE_BYTES: usize = 4 * 1024;
const MAX_TRAILER_BYTES: usize = MAX_HEAD_BYTES;

/// What came of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    pub consumed: usize,
    pub complete: bool,
    /// Whether the end of the stream would complete it.
    pub ends_here: bool,
    pub head: Option<Head>,
    pub body: Vec<u8>,
}

/// The response at the start of `bytes`.
pub fn response(bytes: &[u8], to_head: bool) -> Result<Decoded, ProtocolError> {
    let all = bytes.len();
    let decoded = |consumed, complete, ends_here, head, body: &[u8]| {
        Ok(Decoded { consumed, complete, ends_here, head, body: body.to_vec() })
    };
    let mut at = 0;
    let head = loop {
        match head(&bytes[at..], to_head)? {
            None => return decoded(all, false, false, None, b""),
            Some((head, length)) => {
                at += length;
                if head.status >= 200 {
                    break head;
                }
            }
        }
    };
    let rest = &bytes[at..];
    match head.framing {
        Framing::Length(length) => {
            let here = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
            let complete = here as u64 == length;
            decoded(at + here, complete, complete, Some(head), &rest[..here])
        }
        Framing::UntilClose => decoded(all, false, true, Some(head), rest),
        Framing::Chunked => {
            let mut body = Vec::new();
            match chunks(rest, &mut body)? {
                Some(length) => decoded(at + length, true, true, Some(head), &body),
                None => decoded(all, false, false, Some(head), &body),
            }
        }
    }
}

fn head(bytes: &[u8], to_head: bool) -> Result<Option<(Head, usize)>, ProtocolError> {
    let seen = &bytes[..bytes.len().min(MAX_HEAD_BYTES + 1)];
    let mut fields = vec![httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    let mut config = httparse::ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    let length = match config.parse_response(&mut parsed, seen) {
        Err(httparse::Error::TooManyHeaders) => return Err(TooManyFields),
        Err(_) => return foreign(bytes),
        Ok(httparse::Status::Partial) if seen.len() < MAX_HEAD_BYTES => return Ok(None),
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD_BYTES => length,
        Ok(_) => return Err(HeadTooLarge),
    };
    let status = parsed.code.expect("a whole head has one");
    if status < 100 || status == 101 {
        return Err(BadStatus);
    }
    let old = parsed.version == Some(0);
    let list = |name: &str| -> Vec<String> {
        let fields = parsed.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        let text =
            |value: &[u8]| value.iter().map(|b| char::from(*b)).collect::<String>().to_ascii_lowercase();
        let trimmed = |item: &str| item.trim_matches([' ', '\t', '\r', '\n']).to_owned();
        fields.flat_map(|f| text(f.value).split(',').map(trimmed).collect::<Vec<_>>()).collect()
    };
    let (lengths, connection) = (list("content-length"), list("connection"));
    let codings: Vec<String> = list("transfer-encoding").into_iter().filter(|c| !c.is_empty()).collect();
    let bodyless = to_head || matches!(status, 100..200 | 204 | 304);
    let framing = if bodyless { Framing::Length(0) } else { framing(&codings, &lengths)? };
    let says = |word: &str| connection.iter().any(|item| item == word);
    let wished = !says("close") && (!old || says("keep-alive"));
    let faulty = old && !codings.is_empty();
    let doubtful = framing == Framing::Chunked && !lengths.is_empty();
    let keep_alive = wished && !faulty && !doubtful && framing != Framing::UntilClose;
    Ok(Some((Head { status, framing, keep_alive }, length)))
}

/// What is no HTTP/1.x: a TLS alert, an HTTP/2 frame of type SETTINGS as far as it has come, or anything else.
fn foreign(bytes: &[u8]) -> Result<Option<(Head, usize)>, ProtocolError> {
    if bytes.starts_with(&[21]) {
        return Err(Tls);
    }
    let frame = [Some(0), None, None, Some(4), None, Some(0), Some(0), Some(0), Some(0)];
    for (expected, byte) in frame.into_iter().zip(bytes) {
        if expected.is_some_and(|expected: u8| expected != *byte) {
            return Err(BadHead);
        }
    }
    if bytes.len() < frame.len() { Ok(None) } else { Err(Http2) }
}

fn framing(codings: &[String], lengths: &[String]) -> Result<Framing, ProtocolError> {
    let is_chunked = |coding: &&String| {
        coding.split(';').next().unwrap_or_default().trim_matches([' ', '\t', '\r', '\n']) == "chunked"
    };
    let chunked = codings.iter().filter(is_chunked).count();
    if !codings.is_empty() {
        return match (chunked, codings.last().map(String::as_str)) {
            (0, _) => Ok(Framing::UntilClose),
            (1, Some("chunked")) => Ok(Framing::Chunked),
            _ => Err(BadTransferEncoding),
        };
    }
    let mut one = None;
    for length in lengths {
        let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
        let value: u64 = length.parse().ok().filter(|_| digits).ok_or(BadLength)?;
        if one.is_some_and(|other| other != value) {
            return Err(ConflictingLengths);
        }
        one = Some(value);
    }
    Ok(one.map_or(Framing::UntilClose, Framing::Length))
}

/// The length of the chunked body at the start of `bytes`, if it is all there. What there is of its data
/// is put into `body`.
fn chunks(bytes: &[u8], body: &mut Vec<u8>) -> Result<Option<usize>, ProtocolError> {
    let mut at = 0;
    loop {
        let Some((size, length)) = size_line(&bytes[at..])? else { return Ok(None) };
        at += length;
        if size == 0 {
            return Ok(trailers(&bytes[at..])?.map(|length| at + length));
        }
        let rest = &bytes[at..];
        let here = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        body.extend_from_slice(&rest[..here]);
        let end = &rest[here..];
        if here as u64 == size && !end.starts_with(b"\r\n") && !b"\r\n".starts_with(end) {
            return Err(BadChunk);
        }
        if (here as u64) < size || end.len() < 2 {
            return Ok(None);
        }
        at += here + 2;
    }
}

/// A line's content: all before its CRLF, or LF where that ends it alone, or all there is. Control bytes have no place
/// in it, but for tabs.
fn line(bytes: &[u8], lf_alone: bool) -> Result<(&[u8], Option<usize>), ProtocolError> {
    let (content, length) = match bytes.iter().position(|b| *b == b'\n') {
        Some(end) => {
            let content = bytes[..end].strip_suffix(b"\r");
            (content.or(lf_alone.then_some(&bytes[..end])).ok_or(BadChunk)?, Some(end + 1))
        }
        None => (bytes.strip_suffix(b"\r").unwrap_or(bytes), None),
    };
    let is_control = |b: &u8| *b != b'\t' && (*b < b' ' || *b == 0x7f);
    if content.iter().any(is_control) { Err(BadChunk) } else { Ok((content, length)) }
}

/// The size that stands in the line at the start of `bytes`, and the line's length.
fn size_line(bytes: &[u8]) -> Result<Option<(u64, usize)>, ProtocolError> {
    let end = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len());
    if end > MAX_LINE_BYTES {
        return Err(BadChunk);
    }
    let (content, length) = line(bytes, false)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let text: String = content.iter().map(|b| char::from(*b)).collect();
    let digits = text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(text.len());
    let size = u64::from_str_radix(&text[..digits], 16).map_err(|_| BadChunk)?;
    let behind = text[digits..].trim_start_matches([' ', '\t']);
    if !behind.is_empty() && !behind.starts_with(';') {
        return Err(BadChunk);
    }
    Ok(length.map(|length| (size, length)))
}

/// The length of the trailer section at the start of `bytes`.
fn trailers(bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
    let mut at = 0;
    loop {
        let (content, length) = line(&bytes[at..], true)?;
        let text: String = content.iter().map(|b| char::from(*b)).collect();
        let continued = at > 0 && text.starts_with([' ', '\t']);
        let is_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let (name, has_colon) = text.split_once(':').map_or((text.as_str(), false), |(name, _)| (name, true));
        let ends_line = length.is_some() || bytes[at..].ends_with(b"\r");
        let is_field =
            name.chars().all(is_name) && (has_colon && !name.is_empty() || !has_colon && !ends_line);
        if !text.is_empty() && !continued && !is_field {
            return Err(BadChunk);
        }
        let seen = at + length.unwrap_or(bytes.len() - at);
        if seen > MAX_TRAILER_BYTES {
            return Err(BadChunk);
        }
        match length {
            None => return Ok(None),
            Some(length) if text.is_empty() => return Ok(Some(at + length)),
            Some(length) => at += length,
        }
    }
}
