//! Decodes chunked bodies (RFC 9112, section 7.1). Data is counted and passed on, never kept.
//!
//! ```text
//! Size ─hex─▶ Size ─space─▶ SizeSpace ─;─▶ Extension ─CR─▶ SizeLf ─LF─▶ Data(n) ─▶ DataCr ─▶ DataLf ─▶ Size
//!                                                             └─LF, n = 0─▶ TrailerStart
//! TrailerStart ─name─▶ TrailerName ─:─▶ TrailerValue ─CR─▶ TrailerLf ─LF─▶ TrailerStart
//!            └─CR─▶ EndLf ─LF─▶ Done
//! ```
//!
//! Lines of sizes and data end in CRLF: a bare LF is refused there, where a mistake would shift the framing. Those of
//! trailers may end in LF alone, as those of a head may. Values hold no control bytes, as in a head.

use super::ProtocolError;
use crate::http::ResponseSink;

/// The longest chunk-size line, extensions included; servers usually send a dozen bytes.
const MAX_LINE_BYTES: u32 = 4 * 1024;
/// The longest trailer section, the same limit as for a head.
const MAX_TRAILER_BYTES: u32 = super::MAX_HEAD_BYTES as u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size {
        digits: u32,
    },
    SizeSpace,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a line, which may continue the field before it.
    TrailerStart {
        after_field: bool,
    },
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
}

/// The decoder's state between reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    state: State,
    /// The chunk size being parsed, then the data bytes still to come.
    left: u64,
    /// Bytes of the current line, or of the trailer section.
    line: u32,
}

impl Chunks {
    pub(crate) fn new() -> Self {
        Self { state: State::Size { digits: 0 }, left: 0, line: 0 }
    }

    /// Consume the part of `bytes` that belongs to this body, and return its length. The data goes to `sink`.
    /// [`Self::is_done`] is true if the body ended there.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        sink: &mut impl ResponseSink,
    ) -> Result<usize, ProtocolError> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            if self.state == State::Data {
                let n = self.left.min((bytes.len() - at) as u64);
                self.skip(n);
                sink.body(&bytes[at..at + n as usize]);
                at += n as usize;
            } else {
                self.byte(bytes[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Data bytes of the current chunk that are still to come and need not be read.
    pub(crate) fn skippable(&self) -> u64 {
        if self.state == State::Data { self.left } else { 0 }
    }

    /// Count `n` data bytes as consumed unseen, at most [`Self::skippable`].
    pub(crate) fn skip(&mut self, n: u64) {
        self.left -= n;
        if self.left == 0 {
            self.state = State::DataCr;
        }
    }

    fn byte(&mut self, b: u8) -> Result<(), ProtocolError> {
        self.line += 1;
        self.state = match (self.state, b) {
            (State::Size { digits }, _) if b.is_ascii_hexdigit() => {
                let digit = (b as char).to_digit(16).expect("a hex digit");
                self.left = self.left.checked_mul(16).ok_or(ProtocolError::BadChunk)? + u64::from(digit);
                State::Size { digits: digits + 1 }
            }
            (State::Size { digits: 1.. } | State::SizeSpace | State::Extension, b'\r') => State::SizeLf,
            (State::Size { digits: 1.. } | State::SizeSpace, b';') => State::Extension,
            (State::Size { digits: 1.. } | State::SizeSpace, b' ' | b'\t') => State::SizeSpace,
            (State::Extension, _) if is_in_value(b) => State::Extension,
            (State::SizeLf, b'\n') => {
                self.line = 0;
                if self.left == 0 { State::TrailerStart { after_field: false } } else { State::Data }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.line = 0;
                State::Size { digits: 0 }
            }
            (State::TrailerStart { .. }, b'\r') => State::EndLf,
            (State::TrailerStart { .. } | State::EndLf, b'\n') => State::Done,
            (State::TrailerStart { after_field: true }, b' ' | b'\t') => State::TrailerValue,
            (State::TrailerStart { .. } | State::TrailerName, _) if is_in_name(b) => State::TrailerName,
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerValue, _) if is_in_value(b) => State::TrailerValue,
            (State::TrailerValue | State::TrailerLf, b'\n') => State::TrailerStart { after_field: true },
            _ => return Err(ProtocolError::BadChunk),
        };
        if self.line > self.longest() {
            return Err(ProtocolError::BadChunk);
        }
        Ok(())
    }

    /// The length limit of the current line or section.
    fn longest(&self) -> u32 {
        match self.state {
            State::Size { .. } | State::SizeSpace | State::Extension | State::SizeLf => MAX_LINE_BYTES,
            _ => MAX_TRAILER_BYTES,
        }
    }
}

/// Whether a field name may hold this byte (RFC 9110, section 5.6.2).
fn is_in_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// Whether a field value, or a chunk extension, may hold this byte (RFC 9110, section 5.5).
const fn is_in_value(b: u8) -> bool {
    b == b'\t' || b >= b' ' && b != 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feed `bytes` in pieces of `step`: bytes consumed, and whether the body ended.
    fn run(bytes: &[u8], step: usize) -> Result<(usize, bool), ProtocolError> {
        let (mut chunks, mut consumed) = (Chunks::new(), 0);
        for piece in bytes.chunks(step) {
            let n = chunks.feed(piece, &mut ())?;
            consumed += n;
            if n < piece.len() {
                break;
            }
        }
        Ok((consumed, chunks.is_done()))
    }

    fn check(text: &str, expected: Result<(usize, bool), ProtocolError>) {
        for step in [1, 2, 3, 7, text.len()] {
            assert_eq!(run(text.as_bytes(), step), expected, "{text:?} in steps of {step}");
        }
    }

    #[test]
    fn bodies_end_where_they_end() {
        check("0\r\n\r\n", Ok((5, true)));
        check("5\r\nhello\r\n0\r\n\r\n", Ok((15, true)));
        check("5\r\nhello\r\n0\r\n\r\nHTTP/1.1", Ok((15, true)));
        check("A;name=\"v\"\r\n0123456789\r\n00\r\nTrailer: x\r\nB: y\r\n\r\n", Ok((48, true)));
        check("5 \t\r\nhello\r\n0 ;x\r\na:\r\n b\r\n\r\n", Ok((28, true)));
        check("5\r\nhel", Ok((6, false)));
        check("0\r\na: b\nc:\td\n\n", Ok((14, true)));
        check("0\r\n\n", Ok((4, true)));
    }

    #[test]
    fn junk_is_refused() {
        use ProtocolError::BadChunk;
        let sizes = ["\r\n", "g\r\n", "5\nhello", "-1\r\n", "0x5\r\n", "5\rX", " 5\r\n", "5 5\r\n", ";x\r\n"];
        let ends = [
            "5\r\nhelloX\r\n",
            "0\r\nno field\r\n",
            "0\r\n: x\r\n",
            "0\r\n a: b\r\n",
            "0\r\na: b\0\r\n",
            "0\r\na: b\x7f\r\n",
            "0\r\na: b\rc\r\n",
            "0;a=\0\r\n",
            "0;a=\x01\r\n",
        ];
        for text in sizes.into_iter().chain(ends) {
            check(text, Err(BadChunk));
        }
        check("fffffffffffffffff\r\n", Err(BadChunk));
        check(&"0".repeat(5000), Err(BadChunk));
        check(&format!("1;{}", "x".repeat(5000)), Err(BadChunk));
        check(&format!("0\r\n{}", "A: b\r\n".repeat(20_000)), Err(BadChunk));
    }

    #[test]
    fn the_largest_size_is_no_overflow() {
        check("ffffffffffffffff\r\nabc", Ok((21, false)));
    }
}
