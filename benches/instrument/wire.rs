//! Just enough HTTP/1.1 to count requests: heads end at an empty line, bodies are skipped by length.
//!
//! Stays out: validation. This side of the wire is driven by load generators, not by unknown clients.

/// The longest head that is waited for; ten times what any generator sends.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Where one connection stands between and within requests. Allocates only when a head arrives in parts.
#[derive(Debug, Default)]
pub struct RequestScanner {
    partial_head: Vec<u8>,
    body_left: usize,
}

impl RequestScanner {
    /// Take what was read; the number of requests whose last byte is in it.
    ///
    /// # Errors
    /// What cannot be counted: an endless head, a body without a plain length.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<u64, &'static str> {
        let mut complete = 0;
        while !bytes.is_empty() {
            if self.body_left > 0 {
                let taken = self.body_left.min(bytes.len());
                self.body_left -= taken;
                bytes = &bytes[taken..];
                complete += u64::from(self.body_left == 0);
                continue;
            }
            let Some((body, rest)) = self.take_head(bytes)? else { break };
            self.body_left = body;
            bytes = rest;
            complete += u64::from(body == 0);
        }
        Ok(complete)
    }

    /// The body length of the head that ends in `bytes` and what follows that head.
    fn take_head<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(usize, &'a [u8])>, &'static str> {
        if self.partial_head.is_empty()
            && let Some(end) = head_end(bytes)
        {
            return Ok(Some((body_length(&bytes[..end])?, &bytes[end..])));
        }
        let held = self.partial_head.len();
        self.partial_head.extend_from_slice(bytes);
        // The end may straddle both parts: look again at the last three bytes held.
        let from = held.saturating_sub(3);
        match head_end(&self.partial_head[from..]) {
            Some(end) => {
                let body = body_length(&self.partial_head[..from + end])?;
                self.partial_head.clear();
                Ok(Some((body, &bytes[from + end - held..])))
            }
            None if self.partial_head.len() > MAX_HEAD_BYTES => Err("a head without an end"),
            None => Ok(None),
        }
    }
}

/// One past the first empty line's end.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 3;
    while let Some(b) = bytes.get(at) {
        match b {
            b'\n' if bytes[at - 3..at] == *b"\r\n\r" => return Some(at + 1),
            b'\r' | b'\n' => at += 1,
            // No end can include this byte, so the next one possible lies four further.
            _ => at += 4,
        }
    }
    None
}

/// What `Content-Length` says, in requests and responses; 0 without one.
pub fn body_length(head: &[u8]) -> Result<usize, &'static str> {
    if head.starts_with(b"GET ") {
        return Ok(0);
    }
    for line in head.split(|b| *b == b'\n') {
        let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Err("a body in chunks");
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            return std::str::from_utf8(value)
                .ok()
                .and_then(|v| v.parse().ok())
                .ok_or("a length that is none");
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\
        POST /x HTTP/1.1\r\ncontent-length: 5\r\nHost: a\r\n\r\nab\r\n\r\
        POST /y HTTP/1.1\r\nContent-Length: 0\r\n\r\n\
        GET /z HTTP/1.1\r\n\r\n";

    #[test]
    fn pipelined_requests_are_counted_however_they_are_cut() {
        for size in 1..=STREAM.len() {
            let mut scanner = RequestScanner::default();
            let counted: u64 = STREAM.chunks(size).map(|part| scanner.feed(part).unwrap()).sum();
            assert_eq!(counted, 4, "in parts of {size}");
        }
    }

    #[test]
    fn a_request_counts_with_its_last_byte() {
        let mut scanner = RequestScanner::default();
        let (all, last) = STREAM.split_at(STREAM.len() - 1);
        assert_eq!(scanner.feed(all), Ok(3));
        assert_eq!(scanner.feed(last), Ok(1));
    }

    #[test]
    fn what_cannot_be_counted_is_refused() {
        let fed = |bytes: &[u8]| RequestScanner::default().feed(bytes);
        assert!(fed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(fed(b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n").is_err());
        assert!(fed(&[b'a'; MAX_HEAD_BYTES + 1]).is_err());
    }
}
