//! Reads and writes a histogram in HdrHistogram's V2 encoding, deflated.
//!
//! It is encoded from the hit buckets, byte for byte as HdrHistogram does it, without building one of its
//! dense histograms.
//!
//! Bytes from a file or a peer are not trusted: a header of 52 bytes may claim gigabytes. So the inflated
//! size is bounded, and the header is checked against our fixed bounds before anything is built from it;
//! other bounds could not be compared without loss anyway.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use hdrhistogram::serialization::Deserializer;

use super::bucket::{self, BUCKETS, DIGITS, HIGHEST_NS, LOWEST_NS};
use super::{Histogram, varint};

/// Starts the deflated form: cookie, length of the rest, zlib data.
const DEFLATED_COOKIE: u32 = 0x1c84_9314;
/// Starts the plain form: cookie, payload length, offset, digits, bounds, ratio, then counts.
const PLAIN_COOKIE: u32 = 0x1c84_9313;
const HEADER_BYTES: usize = 40;
/// The most bytes one count or run of zeros takes.
const MAX_COUNT_BYTES: usize = 9;
/// The most counts accepted in one histogram: a million a second for four years.
const MAX_COUNT: u64 = 1 << 47;

impl Histogram {
    /// Its V2 encoding, deflated, in base64.
    pub(crate) fn to_base64(&self) -> String {
        BASE64.encode(self.to_v2_deflate())
    }

    /// Its V2 encoding, deflated.
    fn to_v2_deflate(&self) -> Vec<u8> {
        let mut encoder =
            ZlibEncoder::new([&DEFLATED_COOKIE.to_be_bytes()[..], &[0; 4]].concat(), Compression::default());
        let deflated = encoder.write_all(&self.to_v2()).and_then(|()| encoder.finish());
        let mut bytes = deflated.expect("writing to memory does not fail");
        let length = (bytes.len() - 8) as u32;
        bytes[4..8].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    fn to_v2(&self) -> Vec<u8> {
        let mut counts = Vec::new();
        let mut next = 0;
        for (index, n) in self.counts() {
            match index - next {
                0 => {}
                1 => varint::write(&mut counts, 0),
                zeros => varint::write(&mut counts, varint::zig_zag(-(zeros as i64))),
            }
            varint::write(&mut counts, varint::zig_zag(n as i64));
            next = index + 1;
        }
        if counts.is_empty() {
            counts.push(0);
        }
        let mut bytes = Vec::with_capacity(HEADER_BYTES + counts.len());
        for word in [PLAIN_COOKIE, counts.len() as u32, 0, DIGITS.into()] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        for long in [LOWEST_NS, HIGHEST_NS, 1f64.to_bits()] {
            bytes.extend_from_slice(&long.to_be_bytes());
        }
        bytes.extend_from_slice(&counts);
        bytes
    }

    /// Decode a histogram with our bounds from deflated V2 bytes.
    ///
    /// # Errors
    /// What is wrong with the bytes, as a sentence fragment.
    pub(crate) fn from_v2_deflate(bytes: &[u8]) -> Result<Self, String> {
        let word = |bytes: &[u8], at: usize| {
            bytes.get(at..at + 4).map(|w| u32::from_be_bytes([w[0], w[1], w[2], w[3]]))
        };
        if word(bytes, 0) != Some(DEFLATED_COOKIE) {
            return Err("not a deflated HdrHistogram V2".to_owned());
        }
        let most = HEADER_BYTES + MAX_COUNT_BYTES * BUCKETS;
        let mut plain = Vec::new();
        let mut decoder = ZlibDecoder::new(bytes.get(8..).unwrap_or_default()).take(most as u64 + 1);
        decoder.read_to_end(&mut plain).map_err(|e| format!("its compression is damaged: {e}"))?;
        let long = |at: usize| {
            u64::from(word(&plain, at).unwrap_or(0)) << 32 | u64::from(word(&plain, at + 4).unwrap_or(0))
        };
        let payload = plain.len().checked_sub(HEADER_BYTES).filter(|_| plain.len() <= most);
        if word(&plain, 0) != Some(PLAIN_COOKIE) || payload.map(|n| n as u32) != word(&plain, 4) {
            return Err("its length is not what it says".to_owned());
        }
        let bounds = (word(&plain, 8), word(&plain, 12), long(16), long(24), f64::from_bits(long(32)));
        if bounds != (Some(0), Some(DIGITS.into()), LOWEST_NS, HIGHEST_NS, 1.0) {
            return Err("its bounds are not 100 ns to one hour with three digits".to_owned());
        }
        let read = Deserializer::new().deserialize(&mut plain.as_slice());
        let read: hdrhistogram::Histogram<u64> = read.map_err(|e| format!("its counts are damaged: {e}"))?;
        let counts = read.iter_recorded().try_fold(0u64, |sum, step| sum.checked_add(step.count_at_value()));
        if counts.is_none_or(|n| n > MAX_COUNT || n != read.len()) {
            return Err("its counts are impossible".to_owned());
        }
        // A bucket that starts within the bounds may end above them.
        let index = |ns: u64| bucket::index(ns.min(HIGHEST_NS));
        Ok(Self::of(
            read.iter_recorded().map(|step| (index(step.value_iterated_to()), step.count_at_value())),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer, V2Serializer};

    fn encoded(histogram: &hdrhistogram::Histogram<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(histogram, &mut bytes).unwrap();
        bytes
    }

    fn deflated(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).unwrap();
        let deflated = encoder.finish().unwrap();
        [&DEFLATED_COOKIE.to_be_bytes()[..], &(deflated.len() as u32).to_be_bytes(), &deflated].concat()
    }

    fn some() -> Histogram {
        let mut h = Histogram::new();
        (0..1000).for_each(|i| h.record((1u64 << (i % 42)) + i * 17));
        h
    }

    #[test]
    fn an_encoded_histogram_decodes_to_the_same_counts() {
        let mut h = Histogram::new();
        (1..=1000).for_each(|i| h.record(i * 12_345));
        let bytes = BASE64.decode(h.to_base64()).unwrap();
        let back: hdrhistogram::Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
        assert_eq!(back, h.to_hdr());
    }

    #[test]
    fn what_was_encoded_is_read_bit_for_bit() {
        for h in [some(), Histogram::new()] {
            assert_eq!(h.to_v2_deflate(), encoded(&h.to_hdr()), "as HdrHistogram writes it");
            assert_eq!(Histogram::from_v2_deflate(&encoded(&h.to_hdr())), Ok(h));
        }
    }

    #[test]
    fn a_header_that_claims_more_than_there_is_or_other_bounds_is_refused_unbuilt() {
        let mut plain = Vec::new();
        V2Serializer::new().serialize(&some().to_hdr(), &mut plain).unwrap();
        for (at, value, expected) in [
            (4, u32::MAX, "its length"),
            (12, 5, "its bounds"),
            (24, u32::MAX, "its bounds"),
            (32, 0, "its bounds"),
            (8, 1, "its bounds"),
        ] {
            let mut changed = plain.clone();
            changed[at..at + 4].copy_from_slice(&value.to_be_bytes());
            let error = Histogram::from_v2_deflate(&deflated(&changed)).unwrap_err();
            assert!(error.starts_with(expected), "{at}: {error}");
        }
        let bomb = deflated(&vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 20);
        assert_eq!(Histogram::from_v2_deflate(&bomb).unwrap_err(), "its length is not what it says");
    }

    #[test]
    fn damaged_bytes_are_refused_without_panic() {
        let good = encoded(&some().to_hdr());
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2_000 {
            let mut bytes = good.clone();
            let at = rng.usize(..bytes.len());
            bytes[at] = rng.u8(..);
            bytes.truncate(rng.usize(..=good.len()));
            let _ = Histogram::from_v2_deflate(&bytes);
        }
        let mut plain = Vec::new();
        V2Serializer::new().serialize(&some().to_hdr(), &mut plain).unwrap();
        for _ in 0..2_000 {
            let mut bytes = plain.clone();
            let at = rng.usize(HEADER_BYTES..bytes.len());
            bytes[at] = rng.u8(..);
            let _ = Histogram::from_v2_deflate(&deflated(&bytes));
        }
        assert!(Histogram::from_v2_deflate(&[]).is_err());
    }
}
