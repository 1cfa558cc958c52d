//! Decodes the content of a response (`Content-Encoding`, RFC 9110, section 8.4).

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;

use super::ResponseView;
use super::fields::each_field;

/// The most codings that one response may have: servers use one.
const MOST_CODINGS: usize = 4;
/// The buffer of the brotli decoder, in bytes.
const BROTLI_BUFFER_BYTES: usize = 4 << 10;

/// The largest window of zstd as a content coding (RFC 9659, section 3).
const ZSTD_WINDOW_BYTES: u64 = 8 << 20;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// Why a content cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// It has more bytes than were allowed.
    TooLarge,
    /// It is not what the field says.
    Damaged(&'static str),
    /// Nobody here knows this coding.
    Unknown(String),
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge => f.write_str("is larger when decoded"),
            Self::Damaged(coding) => write!(f, "is not {coding}, which `Content-Encoding` says it is"),
            Self::Unknown(coding) => {
                write!(f, "has the content coding `{coding}`; gzip, deflate, br and zstd are supported")
            }
        }
    }
}

impl Coding {
    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    /// The content of `bytes`, at most `most` bytes long.
    fn decode(self, bytes: &[u8], most: u64) -> Result<Vec<u8>, DecodeError> {
        let read = match self {
            Self::Gzip => read_up_to(MultiGzDecoder::new(bytes), most),
            // Some servers send the bare format without the header of zlib.
            Self::Deflate => read_up_to(ZlibDecoder::new(bytes), most)
                .or_else(|_| read_up_to(DeflateDecoder::new(bytes), most)),
            Self::Brotli => {
                read_up_to(brotli_decompressor::Decompressor::new(bytes, BROTLI_BUFFER_BYTES), most)
            }
            Self::Zstd => StreamingDecoder::new_with_max_window_size(bytes, ZSTD_WINDOW_BYTES)
                .map_err(io::Error::other)
                .and_then(|decoder| read_up_to(decoder, most)),
        };
        let content = read.map_err(|_| DecodeError::Damaged(self.name()))?;
        if content.len() as u64 > most { Err(DecodeError::TooLarge) } else { Ok(content) }
    }
}

/// What `decoder` yields, and one byte more than `most` if there is more: what it would all unpack to is not
/// unpacked.
fn read_up_to(decoder: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    decoder.take(most + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// The codings in `head`, in the order in which they were applied.
fn codings(head: &[u8]) -> Result<Vec<Coding>, DecodeError> {
    let (mut codings, mut unknown) = (Vec::new(), None);
    each_field(head, |name, value| {
        if !name.eq_ignore_ascii_case("content-encoding") {
            return;
        }
        for name in String::from_utf8_lossy(value).to_ascii_lowercase().split(',').map(str::trim) {
            match Coding::named(name) {
                Some(coding) if codings.len() < MOST_CODINGS => codings.push(coding),
                None if name.is_empty() || name == "identity" => {}
                _ => unknown = unknown.take().or_else(|| Some(name.chars().take(20).collect())),
            }
        }
    });
    unknown.map_or(Ok(codings), |name| Err(DecodeError::Unknown(name)))
}

impl ResponseView<'_> {
    /// The content of the body, at most `most` bytes long, if its head says that it is encoded.
    ///
    /// # Errors
    /// It cannot be decoded.
    pub(crate) fn decoded(&self, most: u64) -> Result<Option<Vec<u8>>, DecodeError> {
        let codings = codings(self.head)?;
        let mut content: Option<Vec<u8>> = None;
        if self.body.is_empty() {
            return Ok(None);
        }
        for coding in codings.into_iter().rev() {
            content = Some(coding.decode(content.as_deref().unwrap_or(self.body), most)?);
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Status;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;
    use std::io::Write as _;

    fn decoded(field: &str, body: &[u8], most: u64) -> Result<Option<Vec<u8>>, DecodeError> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{field}\r\n\r\n");
        let view =
            ResponseView { status: Status(200), head: head.as_bytes(), body, body_bytes: body.len() as u64 };
        view.decoded(most)
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(content: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(content: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// "hello hello hello\n" as the programs brotli and zstd write it.
    const BROTLI: &[u8] = b"\x8b\x08\x80hello hello hello\n\x03";
    const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x04\x58\x6d\0\0\x38hello \x0a\x01\0\x31\x4a\x11\xa3\xaa\x74\xce";

    #[test]
    fn each_coding_is_undone_and_several_in_reverse() {
        let text = b"hello hello hello\n";
        for (field, body) in [
            ("Content-Encoding: gzip", gzip(text)),
            ("content-encoding: X-GZip", gzip(text)),
            ("Content-Encoding: deflate", zlib(text)),
            ("Content-Encoding: deflate", bare(text)),
            ("Content-Encoding: br", BROTLI.to_vec()),
            ("Content-Encoding: zstd", ZSTD.to_vec()),
            ("Content-Encoding: identity, deflate, gzip", gzip(&zlib(text))),
            ("Content-Encoding: deflate\r\nContent-Encoding: gzip", gzip(&zlib(text))),
            ("Content-Encoding: gzip", [gzip(b"hello hello "), gzip(b"hello\n")].concat()),
        ] {
            assert_eq!(decoded(field, &body, 100), Ok(Some(text.to_vec())), "{field}");
        }
        assert_eq!(decoded("X: y", text, 100), Ok(None));
        assert_eq!(decoded("Content-Encoding: identity", text, 100), Ok(None));
        assert_eq!(decoded("Content-Encoding: gzip", b"", 100), Ok(None), "as of HEAD, or of 304");
    }

    #[test]
    fn what_cannot_be_decoded_is_told_apart() {
        for (field, body, error) in [
            ("Content-Encoding: gzip", b"plain".to_vec(), DecodeError::Damaged("gzip")),
            ("Content-Encoding: gzip", gzip(b"abc")[..15].to_vec(), DecodeError::Damaged("gzip")),
            ("Content-Encoding: br", BROTLI[..9].to_vec(), DecodeError::Damaged("br")),
            ("Content-Encoding: zstd", b"plain text".to_vec(), DecodeError::Damaged("zstd")),
            ("Content-Encoding: compress", b"x".to_vec(), DecodeError::Unknown("compress".to_owned())),
            (
                "Content-Encoding: gzip, gzip, gzip, gzip, gzip",
                b"x".to_vec(),
                DecodeError::Unknown("gzip".to_owned()),
            ),
        ] {
            assert_eq!(decoded(field, &body, 100), Err(error), "{field}");
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = gzip(&vec![0; 50 << 20]);
        assert_eq!(decoded("Content-Encoding: gzip", &bomb, 1000), Err(DecodeError::TooLarge));
        let twice = gzip(&gzip(&vec![0; 50 << 20]));
        assert_eq!(decoded("Content-Encoding: gzip, gzip", &twice, 1000), Err(DecodeError::TooLarge));
        assert_eq!(decoded("Content-Encoding: gzip", &gzip(&[7; 1000]), 1000), Ok(Some(vec![7; 1000])));
    }

    proptest! {
        #[test]
        fn no_body_makes_a_decoder_panic_or_yield_more_than_allowed(
            body in prop::collection::vec(any::<u8>(), 0..300), begin in 0usize..4, coding in 0usize..4,
        ) {
            // Beginnings that get past the first check.
            let begins: [&[u8]; 4] = [b"", b"\x1f\x8b\x08\0\0\0\0\0\0\0", b"\x28\xb5\x2f\xfd", b"\x78\x9c"];
            let body = [begins[begin], &body].concat();
            let field = format!("Content-Encoding: {}", ["gzip", "deflate", "br", "zstd"][coding]);
            if let Ok(Some(content)) = decoded(&field, &body, 500) {
                prop_assert!(content.len() <= 500);
            }
        }
    }
}
