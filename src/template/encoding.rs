//! How a value is written where it stands.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::sink::Sink;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    Raw,
    /// As part of a URL or a form: all but the unreserved characters of RFC 3986, section 2.3, as `%XX`.
    Url,
    /// Within the quotes of a JSON string (RFC 8259, section 7).
    JsonString,
    /// As a JSON string with its quotes.
    Json,
    /// In base64 with padding (RFC 4648, section 4).
    Base64,
}

impl Encoding {
    /// Calls `write` with a sink that encodes what it is given into `out`.
    #[inline]
    pub(super) fn encode(self, out: &mut dyn Sink, write: impl FnOnce(&mut dyn Sink)) {
        match self {
            Self::Raw => write(out),
            Self::Url => write(&mut Url(out)),
            Self::JsonString => write(&mut JsonString(out)),
            Self::Json => {
                out.put(b"\"");
                write(&mut JsonString(out));
                out.put(b"\"");
            }
            Self::Base64 => {
                let mut encoder = Base64 { out, pending: [0; 3], held: 0 };
                write(&mut encoder);
                encoder.finish();
            }
        }
    }

    /// The longest encoding of `bytes` bytes.
    pub(super) fn most_bytes(self, bytes: usize) -> usize {
        match self {
            Self::Raw => bytes,
            Self::Url => 3 * bytes,
            Self::JsonString => 6 * bytes,
            Self::Json => 6 * bytes + 2,
            Self::Base64 => bytes.div_ceil(3) * 4,
        }
    }
}

struct Url<'a>(&'a mut dyn Sink);

impl Sink for Url<'_> {
    fn put(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~".contains(b);
        for run in bytes.chunk_by(|a, b| plain(a) == plain(b)) {
            if plain(&run[0]) {
                self.0.put(run);
            } else {
                run.iter().for_each(|b| {
                    self.0.put(&[b'%', DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]);
                });
            }
        }
    }
}

struct JsonString<'a>(&'a mut dyn Sink);

impl Sink for JsonString<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let plain = |b: &u8| *b >= b' ' && *b != b'"' && *b != b'\\';
        for run in bytes.chunk_by(|a, b| plain(a) == plain(b)) {
            if plain(&run[0]) {
                self.0.put(run);
                continue;
            }
            for b in run {
                match b {
                    b'"' => self.0.put(b"\\\""),
                    b'\\' => self.0.put(b"\\\\"),
                    b'\n' => self.0.put(b"\\n"),
                    b'\r' => self.0.put(b"\\r"),
                    b'\t' => self.0.put(b"\\t"),
                    b => {
                        let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' + n - 10 };
                        self.0.put(&[b'\\', b'u', b'0', b'0', digit(b >> 4), digit(b & 15)]);
                    }
                }
            }
        }
    }
}

/// Encodes groups of three bytes; up to two wait for the next call.
struct Base64<'a> {
    out: &'a mut dyn Sink,
    pending: [u8; 3],
    held: usize,
}

impl Base64<'_> {
    fn finish(self) {
        put_base64(self.out, &self.pending[..self.held]);
    }
}

impl Sink for Base64<'_> {
    fn put(&mut self, mut bytes: &[u8]) {
        if self.held > 0 {
            let (taken, rest) = bytes.split_at(bytes.len().min(3 - self.held));
            self.pending[self.held..][..taken.len()].copy_from_slice(taken);
            (self.held, bytes) = (self.held + taken.len(), rest);
            if self.held < 3 {
                return;
            }
            put_base64(self.out, &self.pending);
        }
        let (groups, rest) = bytes.split_at(bytes.len() / 3 * 3);
        groups.chunks(48).for_each(|group| put_base64(self.out, group));
        self.pending[..rest.len()].copy_from_slice(rest);
        self.held = rest.len();
    }
}

/// Up to 48 bytes.
fn put_base64(out: &mut dyn Sink, bytes: &[u8]) {
    let mut text = [0; 64];
    let length = STANDARD.encode_slice(bytes, &mut text).expect("48 bytes are 64 characters");
    out.put(&text[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The encoding of `pieces`, given one by one.
    fn encoded(encoding: Encoding, pieces: &[Vec<u8>]) -> String {
        let mut out = Vec::new();
        encoding.encode(&mut out, |sink| pieces.iter().for_each(|piece| sink.put(piece)));
        let most = encoding.most_bytes(pieces.iter().map(Vec::len).sum());
        assert!(out.len() <= most, "{} bytes, at most {most}", out.len());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_place_has_its_encoding() {
        let value = [b"a b/\"\\\n\x01%\xc3\xa9".to_vec()];
        assert_eq!(encoded(Encoding::Url, &value), "a%20b%2F%22%5C%0A%01%25%C3%A9");
        assert_eq!(encoded(Encoding::JsonString, &value), "a b/\\\"\\\\\\n\\u0001%é");
        assert_eq!(encoded(Encoding::Json, &[b"x".to_vec()]), "\"x\"");
        assert_eq!(encoded(Encoding::Base64, &[b"ab".to_vec()]), "YWI=");
    }

    proptest! {
        #[test]
        fn encodings_are_those_of_other_libraries_however_a_value_is_cut(pieces in prop::collection::vec(".{0,70}", 0..5)) {
            let whole: String = pieces.concat();
            let pieces: Vec<Vec<u8>> = pieces.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(encoded(Encoding::Base64, &pieces), STANDARD.encode(&whole));
            let json = encoded(Encoding::Json, &pieces);
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), whole);
        }
    }
}
