//! Variable-length integers as in HdrHistogram's V2 encoding: seven bits a byte, lowest first, and a ninth
//! byte of eight (LEB128-64b9B).

/// Append `n`.
pub(crate) fn write(bytes: &mut Vec<u8>, mut n: u64) {
    for _ in 0..8 {
        if n < 0x80 {
            return bytes.push(n as u8);
        }
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
}

/// Read the number at the start of `bytes` and advance past it; `None` if it is cut short.
pub(crate) fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for i in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if i == 8 {
            return Some(n | u64::from(*byte) << 56);
        }
        n |= u64::from(*byte & 0x7f) << (7 * i);
        if *byte < 0x80 {
            break;
        }
    }
    Some(n)
}

/// Zigzag encoding: numbers of small magnitude become small, whatever their sign.
pub(crate) fn zig_zag(n: i64) -> u64 {
    (n << 1 ^ n >> 63) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_read_back() {
        for n in (0..64).flat_map(|bits| [(1u64 << bits) - 1, 1 << bits]).chain([u64::MAX]) {
            let mut bytes = Vec::new();
            write(&mut bytes, n);
            assert!(bytes.len() <= 9);
            assert_eq!(read(&mut &bytes[..bytes.len() - 1]), None);
            let mut rest = &bytes[..];
            assert_eq!((read(&mut rest), rest), (Some(n), &[][..]), "{n}");
        }
    }
}
