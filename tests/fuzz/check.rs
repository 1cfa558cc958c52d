//! A decoder held against the reference, in every way it may be fed.

use fastrand::Rng;
use loadtester::http::CapturedResponse;
use loadtester::http1::{Decoder, HeadMemo, MAX_HEAD_BYTES, ProtocolError};

use crate::memory::height_of;
use crate::reference::{self, Decoded};

/// Two heads at their longest: one that grows, and the memory it grows out of; and the head remembered.
const MAX_HELD_BYTES: u64 = 4 * MAX_HEAD_BYTES as u64;
/// Body bytes kept of a recording: all.
const ALL: usize = usize::MAX;

type Answer = Result<Decoded, ProtocolError>;

/// Everything that holds for an input.
pub fn response(rng: &mut Rng, bytes: &[u8]) {
    let to_head = rng.u32(..8) == 0;
    let expected = reference::response(bytes, to_head);
    let whole = fed(bytes, &[], to_head);
    assert_eq!(whole, expected, "the reference says otherwise");
    let mut cuts: Vec<usize> = (0..rng.usize(1..6)).map(|_| rng.usize(..=bytes.len())).collect();
    cuts.sort_unstable();
    assert_eq!(fed(bytes, &cuts, to_head), whole, "cut at {cuts:?}");
    if bytes.len() < 300 {
        let all: Vec<usize> = (1..bytes.len()).collect();
        assert_eq!(fed(bytes, &all, to_head), whole, "byte by byte");
    }
    let (unrecorded, held) = height_of(|| skipped(bytes, &cuts, to_head));
    assert!(held <= MAX_HELD_BYTES, "{held} bytes held");
    let short =
        whole.as_ref().map(|decoded| (decoded.consumed, decoded.complete, decoded.ends_here)).map_err(|e| *e);
    assert_eq!(unrecorded, short, "with the body discarded, cut at {cuts:?}");
    if whole.as_ref().is_ok_and(|decoded| decoded.complete) {
        let more = [bytes, b"HTTP/1.1 500 Not Mine\r\n\r\n"].concat();
        assert_eq!(fed(&more, &[], to_head), whole, "what follows is nobody's");
    }
}

fn pieces<'a>(bytes: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let from = [0].into_iter().chain(cuts.iter().copied());
    let to = cuts.iter().copied().chain([bytes.len()]);
    from.zip(to).map(|(from, to)| &bytes[from..to])
}

/// What a decoder says of pieces.
fn fed(bytes: &[u8], cuts: &[usize], to_head: bool) -> Answer {
    let (mut decoder, mut memo, mut recording) =
        (Decoder::new(), HeadMemo::new(), CapturedResponse::default());
    recording.begin(true, ALL);
    let (mut consumed, mut complete) = (0, false);
    for piece in pieces(bytes, cuts) {
        let fed = decoder.feed_to(piece, to_head, &mut memo, &mut recording)?;
        consumed += fed.consumed;
        complete = fed.complete;
        if complete {
            break;
        }
        assert_eq!(fed.consumed, piece.len(), "an incomplete response takes all it is given");
    }
    let body = recording.body().to_vec();
    Ok(Decoded { consumed, complete, ends_here: decoder.ends_here(), head: decoder.head(), body })
}

/// The same where everything that may go by unseen does, as it does in a run.
fn skipped(bytes: &[u8], cuts: &[usize], to_head: bool) -> Result<(usize, bool, bool), ProtocolError> {
    let (mut decoder, mut memo) = (Decoder::new(), HeadMemo::new());
    let mut consumed = 0;
    for mut piece in pieces(bytes, cuts) {
        while !piece.is_empty() {
            let unseen = decoder.skippable().bytes.min(piece.len() as u64) as usize;
            let complete = if unseen > 0 {
                consumed += unseen;
                piece = &piece[unseen..];
                decoder.skip(unseen as u64)
            } else {
                let (some, _) = piece.split_at(piece.len().min(bytes.len() / 8).max(1));
                let fed = decoder.feed(some, to_head, &mut memo)?;
                consumed += fed.consumed;
                piece = &piece[fed.consumed..];
                fed.complete
            };
            if complete {
                return Ok((consumed, true, true));
            }
        }
    }
    Ok((consumed, false, decoder.ends_here()))
}
