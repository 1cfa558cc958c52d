//! Bending a good input.

use fastrand::Rng;

/// The longest input made.
const MAX_BYTES: usize = 128 << 10;
/// Numbers at which something may change.
const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "+1",
    "00",
    "255",
    "256",
    "65536",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "ffffffffffffffff",
    "10000000000000000",
    "1e308",
    "0x10",
];

/// One case in so many starts from a heavy input, and one repetition in so many is long: what takes a
/// hundred times as long is tried, and does not take all the time.
const RARELY: u32 = 64;

/// Good inputs.
pub struct Corpus {
    /// Those that are read in microseconds.
    pub light: Vec<Vec<u8>>,
    /// Those at some limit.
    pub heavy: Vec<Vec<u8>>,
    /// What their language is made of.
    pub words: &'static [&'static str],
}

/// An input, as it is or bent a few times.
pub fn bent(rng: &mut Rng, corpus: &Corpus) -> Vec<u8> {
    let from = if rng.u32(..RARELY) == 0 { &corpus.heavy } else { &corpus.light };
    let mut bytes = rng.choice(from).expect("some inputs").clone();
    // Mostly little, so that what follows is still reached.
    let times = [0, 1, 1, 1, 2, 2, 3, 5, 8][rng.usize(..9)];
    for _ in 0..times {
        bend(rng, &mut bytes, corpus);
        bytes.truncate(MAX_BYTES);
    }
    bytes
}

fn bend(rng: &mut Rng, bytes: &mut Vec<u8>, corpus: &Corpus) {
    let at = rng.usize(..=bytes.len());
    let most = 1 << rng.u32(..12);
    let to = at + rng.usize(..=(bytes.len() - at).min(most));
    match rng.u32(..12) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.u32(..8),
        1 if at < bytes.len() => bytes[at] = rng.u8(..),
        2 if at < bytes.len() => {
            bytes[at] = *rng.choice(b"\r\n\t \0:;,-+0\"'{}[]#&*!|>%@`\xff").expect("some")
        }
        3 => bytes.insert(at, *rng.choice(b"\r\n\t \0:;,x9").expect("some")),
        4 => drop(bytes.drain(at..to)),
        5 => bytes.truncate(at),
        6 => {
            let piece = bytes[at..to].to_vec();
            bytes.splice(at..at, piece);
        }
        7 => {
            let other = rng.choice(&corpus.light).expect("some inputs");
            let from = rng.usize(..=other.len());
            bytes.splice(at..to, other[from..].iter().copied());
        }
        8 | 9 => {
            let word = rng.choice(corpus.words).expect("some words").as_bytes();
            bytes.splice(at..if rng.bool() { at } else { to }, word.iter().copied());
        }
        10 => number(rng, bytes, at),
        11 => {
            // Long: heads, lines, nests.
            let piece = bytes[at..to.min(at + 64)].to_vec();
            let times = 1 << if rng.u32(..RARELY) == 0 { rng.u32(..14) } else { rng.u32(..6) };
            bytes.splice(at..at, piece.repeat(times.min(1 + MAX_BYTES / (1 + piece.len()))));
        }
        _ => {}
    }
}

/// Put another number in the place of the first one behind `at`.
fn number(rng: &mut Rng, bytes: &mut Vec<u8>, at: usize) {
    let Some(from) = bytes[at..].iter().position(u8::is_ascii_digit).map(|i| at + i) else { return };
    let digits = bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let number = rng.choice(NUMBERS).expect("some numbers");
    bytes.splice(from..from + digits, number.bytes());
}
