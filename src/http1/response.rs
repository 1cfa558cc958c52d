//! Decodes one response, in whatever pieces it arrives.
//!
//! ```text
//! Head ──1xx──▶ Head
//!   ├──length──▶ Length(n) ──n bytes──▶ Done
//!   ├──chunked─▶ Chunked ──last chunk─▶ Done
//!   └──neither─▶ UntilClose ──end of input──▶ Done
//! ```

use super::ProtocolError;
use super::chunks::Chunks;
use super::head::{self, Framing, Head, MAX_HEAD_BYTES};
use crate::http::{ResponseSink, Status};

/// The longest head remembered for comparison.
const MAX_MEMO_BYTES: usize = 2048;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    Chunked(Chunks),
    UntilClose,
    Done,
}

/// Finds the end of one response. Call [`Decoder::begin`] for each exchange.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    head: Option<Head>,
    /// A head that has not arrived completely. Kept small between exchanges, see [`Decoder::begin`].
    partial: Vec<u8>,
}

/// The result of decoding one piece of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedResult {
    /// Bytes of the input that belong to this response.
    pub consumed: usize,
    /// Whether the response is complete.
    pub complete: bool,
}

/// Body bytes that may be discarded unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscardableBody {
    /// How many; at 0, the next byte must be decoded.
    pub bytes: u64,
    /// Whether the response ends after them.
    pub(crate) ends_response: bool,
}

/// The last head a thread parsed. The same bytes parse the same way, so a repeated head costs one
/// comparison.
#[derive(Clone, Debug, Default)]
pub struct HeadMemo {
    bytes: Vec<u8>,
    to_head_request: bool,
    head: Option<Head>,
}

impl HeadMemo {
    /// An empty memo with its memory allocated.
    pub fn new() -> Self {
        Self { bytes: Vec::with_capacity(MAX_MEMO_BYTES), ..Self::default() }
    }

    fn recall(&self, bytes: &[u8], to_head_request: bool) -> Option<(Head, usize)> {
        let head = self.head?;
        let same = self.to_head_request == to_head_request && bytes.starts_with(&self.bytes);
        same.then_some((head, self.bytes.len()))
    }

    fn keep(&mut self, bytes: &[u8], to_head_request: bool, head: Head) {
        if bytes.len() <= MAX_MEMO_BYTES {
            self.bytes.clear();
            self.bytes.extend_from_slice(bytes);
            self.to_head_request = to_head_request;
            self.head = Some(head);
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder that expects a response.
    pub fn new() -> Self {
        Self { state: State::Head, head: None, partial: Vec::new() }
    }

    /// Discard the previous response and expect the next.
    #[inline]
    pub fn begin(&mut self) {
        self.state = State::Head;
        self.head = None;
        if self.partial.capacity() > MAX_MEMO_BYTES {
            self.partial = Vec::new();
        }
        self.partial.clear();
    }

    /// The head of the final (not interim) response, once it was parsed.
    #[inline]
    pub fn head(&self) -> Option<Head> {
        self.head
    }

    /// Decode a piece of input.
    ///
    /// # Errors
    /// When it is not a valid response; the decoder is unusable afterwards.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        to_head_request: bool,
        memo: &mut HeadMemo,
    ) -> Result<FeedResult, ProtocolError> {
        self.feed_to(bytes, to_head_request, memo, &mut ())
    }

    /// Like [`Self::feed`], and pass the head and the decoded body to `sink`.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub fn feed_to(
        &mut self,
        bytes: &[u8],
        to_head_request: bool,
        memo: &mut HeadMemo,
        sink: &mut impl ResponseSink,
    ) -> Result<FeedResult, ProtocolError> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            let rest = &bytes[at..];
            at += match &mut self.state {
                State::Head => self.feed_head(rest, to_head_request, memo, sink)?,
                State::Length(_) => {
                    let n = self.skippable().bytes.min(rest.len() as u64);
                    self.skip(n);
                    sink.body(&rest[..n as usize]);
                    n as usize
                }
                State::Chunked(chunks) => {
                    let n = chunks.feed(rest, sink)?;
                    if chunks.is_done() {
                        self.state = State::Done;
                    }
                    n
                }
                State::UntilClose => {
                    sink.body(rest);
                    rest.len()
                }
                State::Done => 0,
            };
        }
        Ok(FeedResult { consumed: at, complete: self.state == State::Done })
    }

    /// The body bytes that come next and need no decoding.
    #[inline]
    pub fn skippable(&self) -> DiscardableBody {
        match &self.state {
            State::Length(left) => DiscardableBody { bytes: *left, ends_response: true },
            State::Chunked(chunks) => DiscardableBody { bytes: chunks.skippable(), ends_response: false },
            State::UntilClose => DiscardableBody { bytes: u64::MAX, ends_response: false },
            State::Head | State::Done => DiscardableBody { bytes: 0, ends_response: false },
        }
    }

    /// Count `n` bytes as consumed unseen, at most [`Self::skippable`]. Returns whether the response is
    /// complete.
    pub fn skip(&mut self, n: u64) -> bool {
        match &mut self.state {
            State::Length(left) => {
                *left -= n;
                if *left == 0 {
                    self.state = State::Done;
                }
            }
            State::Chunked(chunks) => chunks.skip(n),
            State::UntilClose => {}
            State::Head | State::Done => debug_assert_eq!(n, 0),
        }
        self.state == State::Done
    }

    /// Whether the final head is still incomplete.
    #[inline]
    pub(crate) fn expects_head(&self) -> bool {
        self.state == State::Head
    }

    /// What arrived of a head that is not complete.
    pub(crate) fn partial_head(&self) -> &[u8] {
        &self.partial
    }

    /// Whether the end of input here completes the response.
    pub fn ends_here(&self) -> bool {
        matches!(self.state, State::UntilClose | State::Done)
    }

    fn feed_head(
        &mut self,
        bytes: &[u8],
        to_head_request: bool,
        memo: &mut HeadMemo,
        sink: &mut impl ResponseSink,
    ) -> Result<usize, ProtocolError> {
        let before = self.partial.len();
        if before == 0
            && let Some((head, length)) = memo.recall(bytes, to_head_request)
        {
            sink.head(&bytes[..length]);
            self.enter(head);
            return Ok(length);
        }
        // A head in pieces is parsed again with each piece: invalid input is rejected at once however it is
        // cut, and MAX_HEAD_BYTES bounds the work.
        let free_bytes = (MAX_HEAD_BYTES + 1).saturating_sub(before).min(bytes.len());
        let whole = if before == 0 {
            &bytes[..free_bytes]
        } else {
            self.partial.extend_from_slice(&bytes[..free_bytes]);
            &self.partial
        };
        let Some((head, length)) = head::parse(whole, to_head_request)? else {
            if before == 0 {
                self.partial.extend_from_slice(bytes);
            }
            return Ok(bytes.len());
        };
        sink.head(&whole[..length]);
        memo.keep(&whole[..length], to_head_request, head);
        self.partial.clear();
        self.enter(head);
        Ok(length - before)
    }

    fn enter(&mut self, head: Head) {
        if Status(head.status).is_interim() {
            return; // interim: the final head follows (RFC 9110, section 15.2)
        }
        self.head = Some(head);
        self.state = match head.framing {
            Framing::Length(0) => State::Done,
            Framing::Length(n) => State::Length(n),
            Framing::Chunked => State::Chunked(Chunks::new()),
            Framing::UntilClose => State::UntilClose,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::CapturedResponse;
    use proptest::prelude::*;

    const CORPUS: &[&str] = &[
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: x\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.0 200 OK\n\nuntil close",
        "\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 not mine",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "junk",
    ];

    type ParseResult = Result<(usize, bool, Option<Head>), ProtocolError>;

    /// Feed in pieces cut at `cuts`: bytes consumed, complete, head.
    fn run(bytes: &[u8], cuts: &[usize]) -> ParseResult {
        let (mut decoder, mut memo, mut consumed) = (Decoder::new(), HeadMemo::new(), 0);
        let mut edges: Vec<usize> = cuts.iter().map(|c| c % (bytes.len() + 1)).collect();
        edges.extend([0, bytes.len()]);
        edges.sort_unstable();
        for pair in edges.windows(2) {
            let piece = &bytes[pair[0]..pair[1]];
            let fed = decoder.feed(piece, false, &mut memo)?;
            consumed += fed.consumed;
            if fed.complete {
                return Ok((consumed, true, decoder.head()));
            }
            assert_eq!(fed.consumed, piece.len(), "an incomplete response takes all it is given");
        }
        Ok((consumed, false, decoder.head()))
    }

    #[test]
    fn a_message_ends_before_the_next_bytes() {
        let (consumed, complete, head) = run(CORPUS[5].as_bytes(), &[]).unwrap();
        assert!(complete);
        assert_eq!(&CORPUS[5][consumed..], "HTTP/1.1 500 not mine");
        assert_eq!(head.unwrap().status, 200);
    }

    #[test]
    fn interim_responses_are_passed_over() {
        let (_, complete, head) = run(CORPUS[2].as_bytes(), &[]).unwrap();
        assert!(complete);
        assert_eq!(head.unwrap().status, 204);
    }

    #[test]
    fn a_body_until_close_ends_with_the_stream() {
        let mut decoder = Decoder::new();
        let fed = decoder.feed(CORPUS[3].as_bytes(), false, &mut HeadMemo::new()).unwrap();
        assert!(!fed.complete && decoder.ends_here());
    }

    #[test]
    fn a_remembered_head_is_not_used_for_a_head_request() {
        let (mut decoder, mut memo) = (Decoder::new(), HeadMemo::new());
        let bytes = CORPUS[0].as_bytes();
        assert_eq!(decoder.feed(bytes, false, &mut memo).unwrap().consumed, bytes.len());
        decoder.begin();
        assert_eq!(decoder.feed(bytes, true, &mut memo).unwrap().consumed, bytes.len() - 5);
    }

    #[test]
    fn a_head_without_end_is_refused_in_bounded_memory() {
        let (mut decoder, mut memo) = (Decoder::new(), HeadMemo::new());
        decoder.feed(b"HTTP/1.1 200 OK\r\nA: ", false, &mut memo).unwrap();
        let refused = (0..100).find_map(|_| decoder.feed(&[b'x'; 1000], false, &mut memo).err());
        assert_eq!(refused, Some(ProtocolError::HeadTooLarge));
        assert!(decoder.partial.len() <= MAX_HEAD_BYTES + 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn segmentation_changes_nothing(
            which in 0..CORPUS.len(),
            cuts in prop::collection::vec(0usize..200, 0..8),
            change in prop::option::of((0usize..200, any::<u8>())),
        ) {
            let mut bytes = CORPUS[which].as_bytes().to_vec();
            if let Some((at, value)) = change {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            prop_assert_eq!(run(&bytes, &cuts), run(&bytes, &[]));
        }

        /// However the input is cut, the sink receives the response.
        #[test]
        fn a_recording_holds_the_final_head_and_the_decoded_body(
            which in 0..CORPUS.len() - 2,
            cuts in prop::collection::vec(0usize..200, 0..8),
            most in 1usize..10,
        ) {
            let bytes = CORPUS[which].as_bytes();
            let mut edges: Vec<usize> = cuts.iter().map(|c| c % (bytes.len() + 1)).collect();
            edges.extend([0, bytes.len()]);
            edges.sort_unstable();
            let (mut decoder, mut memo) = (Decoder::new(), HeadMemo::new());
            let mut recording = CapturedResponse::default();
            recording.begin(true, most);
            for pair in edges.windows(2) {
                decoder.feed_to(&bytes[pair[0]..pair[1]], false, &mut memo, &mut recording).unwrap();
            }
            let (status, body) = [
                ("200 OK", "hello"), ("200 OK", "hello"), ("204 No", ""), ("200 OK", "until close"), ("404 Not", ""), ("200 OK", "ok"),
            ][which];
            prop_assert_eq!(recording.body(), &body.as_bytes()[..body.len().min(most)]);
            prop_assert_eq!(recording.view(0).body_bytes, body.len() as u64);
            let head = String::from_utf8_lossy(recording.head()).into_owned();
            prop_assert!(head.trim_start().starts_with("HTTP/1."), "{}", head);
            prop_assert!(head.contains(status) && head.ends_with('\n'), "{}", head);
        }

        /// Two responses through one memo: the second decodes as it would without a memo.
        #[test]
        fn a_memo_changes_nothing(a in 0..CORPUS.len(), b in 0..CORPUS.len(), to_head: bool) {
            let mut memo = HeadMemo::new();
            let mut decoder = Decoder::new();
            let _ = decoder.feed(CORPUS[a].as_bytes(), to_head, &mut memo);
            let tell = |memo: &mut HeadMemo| {
                let mut decoder = Decoder::new();
                let fed = decoder.feed(CORPUS[b].as_bytes(), false, memo);
                (fed, decoder.head())
            };
            let with = tell(&mut memo);
            prop_assert_eq!(with, tell(&mut HeadMemo::new()));
        }
    }
}
