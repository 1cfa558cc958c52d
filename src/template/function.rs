//! The values that a hole can have.

use std::fmt::{self, Write as _};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::encoding::Encoding;
use super::names::Field;
use super::sink::{Hashed, Sink};
use crate::data::Row;
use crate::random::Random;

/// The longest id of a run, in bytes.
pub(crate) const RUN_ID_BYTES: usize = 32;
/// Digits of a number of 64 bits, with its sign.
const NUMBER_BYTES: usize = 20;
/// `2026-11-29T19:58:08.123Z`, and years with five digits and a sign.
const TIME_BYTES: usize = 30;
/// `f81d4fae-7dec-41d0-a765-00a0c91e6bf6`
const UUID_BYTES: usize = 36;
/// SHA-256 in hex.
const SHA256_BYTES: usize = 64;
/// The longest key of HMAC that [`Expression::Hmac`] takes as it is; a longer one is hashed (RFC 2104).
const BLOCK_BYTES: usize = 64;

/// What a request's values are functions of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) seed: u64,
    /// The request's number in the run, from 0.
    pub(crate) number: u64,
    pub(crate) step: u32,
    /// The wall clock, in nanoseconds since the Unix epoch.
    pub(crate) unix_ns: u64,
    pub(crate) run_id: &'a str,
    /// Its rows; `None`: the plan has no data.
    pub(crate) row: Option<Row<'a>>,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Text(Box<str>),
    /// RFC 3339 in UTC, with milliseconds.
    Now,
    /// Whole seconds since the Unix epoch.
    NowSeconds,
    /// Whole milliseconds since the Unix epoch.
    NowMilliseconds,
    Number,
    RunId,
    /// A cell of the request's row.
    Field(Field),
    /// With the number of its hole.
    Random(RandomValue, u32),
    Encoded(Encoding, Box<Expression>),
    /// In hex.
    Sha256(Box<Expression>),
    /// HMAC with SHA-256 (RFC 2104) of a text with a key, in hex.
    Hmac {
        key: Box<Expression>,
        text: Box<Expression>,
    },
}

/// A random value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RandomValue {
    /// Version 4 (RFC 9562, section 5.4).
    Uuid,
    /// Both ends included.
    Int { from: i64, to: i64 },
    /// So many hex digits.
    Hex(usize),
    /// So many letters from a to z.
    Letters(usize),
    /// One of these.
    Pick(Box<[Box<str>]>),
}

impl Expression {
    /// Writes the value for one request.
    pub(super) fn write(&self, context: &Context<'_>, out: &mut dyn Sink) {
        match self {
            Self::Text(text) => out.put(text.as_bytes()),
            Self::Now => {
                let time = jiff::Timestamp::from_nanosecond(context.unix_ns.into()).unwrap_or_default();
                print(out, format_args!("{time:.3}"));
            }
            Self::NowSeconds => print(out, format_args!("{}", context.unix_ns / 1_000_000_000)),
            Self::NowMilliseconds => print(out, format_args!("{}", context.unix_ns / 1_000_000)),
            Self::Number => print(out, format_args!("{}", context.number)),
            Self::RunId => out.put(context.run_id.as_bytes()),
            Self::Field(field) => {
                let row = context.row.expect("a plan whose templates name columns has data");
                out.put(row.cell(field.at, context.number, context.seed));
            }
            Self::Random(value, hole) => {
                value.write(Random::at(context.seed, context.number, context.step, *hole), out);
            }
            Self::Encoded(encoding, value) => encoding.encode(out, |sink| value.write(context, sink)),
            Self::Sha256(value) => put_hex(out, &sha256_of(value, context)),
            Self::Hmac { key, text } => {
                let mut mac =
                    Hmac::<Sha256>::new_from_slice(&key_of(key, context)).expect("a key of any length");
                text.write(context, &mut Hashed(&mut mac));
                put_hex(out, &mac.finalize().into_bytes().into());
            }
        }
    }

    /// The values written down in it, if it is one of them.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::Random(RandomValue::Pick(texts), _) => texts,
            _ => &[],
        };
        texts.iter().map(|text| &**text)
    }

    /// Calls `visit` with each column in it.
    pub(super) fn fields(&self, visit: &mut dyn FnMut(Field)) {
        match self {
            Self::Field(field) => visit(*field),
            Self::Encoded(_, value) | Self::Sha256(value) => value.fields(visit),
            Self::Hmac { key, text } => {
                key.fields(visit);
                text.fields(visit);
            }
            Self::Text(_) | Self::Now | Self::NowSeconds | Self::NowMilliseconds => {}
            Self::Number | Self::RunId | Self::Random(..) => {}
        }
    }

    /// The longest value, in bytes.
    pub(super) fn most_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Now => TIME_BYTES,
            Self::NowSeconds | Self::NowMilliseconds | Self::Number => NUMBER_BYTES,
            Self::RunId => RUN_ID_BYTES,
            Self::Field(field) => field.most_bytes,
            Self::Random(value, _) => value.most_bytes(),
            Self::Encoded(encoding, value) => encoding.most_bytes(value.most_bytes()),
            Self::Sha256(_) | Self::Hmac { .. } => SHA256_BYTES,
        }
    }
}

fn sha256_of(value: &Expression, context: &Context<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    value.write(context, &mut Hashed(&mut hash));
    hash.finalize().into()
}

/// The key as it is, filled up with zeros, or its hash if it is longer than a block.
fn key_of(value: &Expression, context: &Context<'_>) -> [u8; BLOCK_BYTES] {
    let mut key = Key { bytes: [0; BLOCK_BYTES], length: 0 };
    value.write(context, &mut key);
    if key.length > BLOCK_BYTES {
        key.bytes = [0; BLOCK_BYTES];
        key.bytes[..32].copy_from_slice(&sha256_of(value, context));
    }
    key.bytes
}

struct Key {
    bytes: [u8; BLOCK_BYTES],
    length: usize,
}

impl Sink for Key {
    fn put(&mut self, bytes: &[u8]) {
        let free = &mut self.bytes[self.length.min(BLOCK_BYTES)..];
        let kept = bytes.len().min(free.len());
        free[..kept].copy_from_slice(&bytes[..kept]);
        self.length += bytes.len();
    }
}

impl RandomValue {
    fn write(&self, mut random: Random, out: &mut dyn Sink) {
        match self {
            Self::Uuid => {
                let (high, low) = (random.bits(), random.bits());
                let version = (high & !0xf000) | 0x4000;
                let variant = (low & !(0b11 << 62)) | (0b10 << 62);
                print(
                    out,
                    format_args!(
                        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                        version >> 32,
                        version >> 16 & 0xffff,
                        version & 0xffff,
                        variant >> 48,
                        variant & 0xffff_ffff_ffff
                    ),
                );
            }
            Self::Int { from, to } => {
                let count = to.abs_diff(*from).wrapping_add(1);
                let offset = if count == 0 { random.bits() } else { random.below(count) };
                print(out, format_args!("{}", from.wrapping_add_unsigned(offset)));
            }
            Self::Hex(digits) => {
                (0..*digits).for_each(|_| out.put(&[b"0123456789abcdef"[random.below(16) as usize]]));
            }
            Self::Letters(letters) => (0..*letters).for_each(|_| out.put(&[b'a' + random.below(26) as u8])),
            Self::Pick(texts) => out.put(texts[random.below(texts.len() as u64) as usize].as_bytes()),
        }
    }

    fn most_bytes(&self) -> usize {
        match self {
            Self::Uuid => UUID_BYTES,
            Self::Int { .. } => NUMBER_BYTES,
            Self::Hex(n) | Self::Letters(n) => *n,
            Self::Pick(texts) => texts.iter().map(|text| text.len()).max().unwrap_or(0),
        }
    }
}

fn put_hex(out: &mut dyn Sink, bytes: &[u8; 32]) {
    let mut text = [0; SHA256_BYTES];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    out.put(&text);
}

/// Formats into `out`.
fn print(out: &mut dyn Sink, what: fmt::Arguments<'_>) {
    struct Text<'a>(&'a mut dyn Sink);
    impl fmt::Write for Text<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.put(text.as_bytes());
            Ok(())
        }
    }
    // A sink takes everything.
    let _ = Text(out).write_fmt(what);
}
