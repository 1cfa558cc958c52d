//! Header fields: iterates those of a response head and lists those that describe content.

use std::borrow::Cow;
use std::mem::MaybeUninit;

/// The most fields in one head.
pub const MAX_FIELDS: usize = 256;
/// Fields that describe content; they are removed together with it (RFC 9110, section 15.4).
const CONTENT_FIELDS: [&str; 4] =
    ["content-type", "content-encoding", "content-language", "content-location"];

pub(crate) fn describes_content(name: &str) -> bool {
    CONTENT_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field))
}

/// Accepts obsolete line folding, which clients must still understand (RFC 9112, section 5.2).
pub(crate) fn parser_config() -> httparse::ParserConfig {
    let mut config = httparse::ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    config
}

/// Call `look` with the name and value of every field of a complete head; a folded value becomes one line.
/// Does nothing if the head does not parse: such a head was never accepted as a response.
pub(crate) fn each_field(head: &[u8], mut look: impl FnMut(&str, &[u8])) {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    if parser_config().parse_response_with_uninit_headers(&mut response, head, &mut fields).is_ok() {
        response.headers.iter().for_each(|field| look(field.name, &unfolded(field.value)));
    }
}

/// A value without line breaks: each one, with the whitespace around it, becomes one space.
fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'\n') {
        return Cow::Borrowed(value);
    }
    let lines = value.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    Cow::Owned(lines.collect::<Vec<_>>().join(&b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continued_field_is_shown_in_one_line() {
        let mut seen = Vec::new();
        each_field(b"HTTP/1.1 200 OK\r\nA: one\r\n  two\r\n\tthree\r\nB: c\r\n\r\n", |name, value| {
            seen.push(format!("{name}={}", String::from_utf8_lossy(value)));
        });
        assert_eq!(seen, ["A=one two three", "B=c"]);
    }
}
