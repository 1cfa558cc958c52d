//! Asks a proxy for a tunnel to the target (CONNECT, RFC 9110, section 9.3.6), before TLS begins.

use std::io;

use crate::plan::{Proxy, Target};
use crate::sys::Socket;

/// The longest response head of a proxy, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A connection to a proxy on which a tunnel is asked for.
pub(super) struct Tunnel {
    pub(super) socket: Socket,
    /// How much of the request the kernel has taken.
    sent: usize,
    head: Vec<u8>,
}

/// What a proxy's bytes say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Its response is not complete.
    Incomplete,
    /// The tunnel is open.
    Open,
    /// It refuses, with this status.
    Refused(u16),
    /// That is no answer to CONNECT.
    NotHttp,
}

/// The request for a tunnel through `proxy` to `target`.
pub(super) fn request(proxy: &Proxy, target: &Target) -> Box<[u8]> {
    let host = if target.host.contains(':') { format!("[{}]", target.host) } else { target.host.clone() };
    let to = format!("{host}:{}", target.port);
    let authorization = proxy.authorization.as_ref();
    let authorization =
        authorization.map_or(String::new(), |value| format!("Proxy-Authorization: {value}\r\n"));
    format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{authorization}\r\n").into_bytes().into()
}

impl Tunnel {
    pub(super) const fn new(socket: Socket) -> Self {
        Self { socket, sent: 0, head: Vec::new() }
    }

    /// Send what is left of `request`.
    ///
    /// # Errors
    /// `WouldBlock` when the kernel's buffer is full; otherwise why the connection is gone.
    pub(super) fn write(&mut self, request: &[u8]) -> io::Result<()> {
        while self.sent < request.len() {
            self.sent += self.socket.send(&request[self.sent..])?;
        }
        Ok(())
    }

    /// The proxy sent `bytes`.
    pub(super) fn received(&mut self, bytes: &[u8]) -> Answer {
        self.head.extend_from_slice(bytes);
        answer(&mut self.head)
    }
}

/// What the bytes so far say; interim responses are taken out.
fn answer(head: &mut Vec<u8>) -> Answer {
    loop {
        let end = head.windows(HEAD_END.len()).position(|window| window == HEAD_END);
        let Some(end) = end.map(|at| at + HEAD_END.len()) else {
            return if head.len() > MAX_HEAD_BYTES || status(head).is_none() {
                Answer::NotHttp
            } else {
                Answer::Incomplete
            };
        };
        match status(head) {
            Some(100..200) => drop(head.drain(..end)),
            // In TLS the client speaks first: nothing comes after the head.
            Some(200..300) if end == head.len() => return Answer::Open,
            Some(code @ 300..) => return Answer::Refused(code),
            _ => return Answer::NotHttp,
        }
    }
}

/// The status code at the start of a head; 0 as long as it is not there, `None` if there will be none.
fn status(head: &[u8]) -> Option<u16> {
    const START: &[u8] = b"HTTP/1.";
    let n = head.len().min(START.len());
    if head[..n] != START[..n] {
        return None;
    }
    let Some(code) = head.get(9..12) else { return Some(0) };
    let is_framed = head[8] == b' ' && code.iter().all(u8::is_ascii_digit);
    is_framed.then(|| code.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_answer_is_known_however_it_arrives() {
        for (bytes, expected) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Answer::Open),
            ("HTTP/1.0 200 OK\r\nVia: p\r\n\r\n", Answer::Open),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", Answer::Open),
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\nbody",
                Answer::Refused(407),
            ),
            ("HTTP/1.1 502 Bad Gateway\r\n\r\n", Answer::Refused(502)),
            ("HTTP/1.1 200 OK\r\n\r\nx", Answer::NotHttp),
            ("SSH-2.0", Answer::NotHttp),
            ("HTTP/1.1 2x0 OK\r\n\r\n", Answer::NotHttp),
            ("HTTP/1.1 200 OK\r\n", Answer::Incomplete),
            ("H", Answer::Incomplete),
        ] {
            let mut head = bytes.as_bytes().to_vec();
            assert_eq!(answer(&mut head), expected, "{bytes}");
            let (mut head, mut last) = (Vec::new(), Answer::Incomplete);
            for byte in bytes.bytes() {
                head.push(byte);
                last = answer(&mut head);
                if !matches!(last, Answer::Incomplete) {
                    break;
                }
            }
            // A byte after the head of an opened tunnel arrives too late to be noticed here.
            let expected = if bytes.ends_with("\r\n\r\nx") { Answer::Open } else { expected };
            assert_eq!(last, expected, "{bytes} byte by byte");
        }
        let mut endless = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
        endless.resize(MAX_HEAD_BYTES + 1, b'x');
        assert_eq!(answer(&mut endless), Answer::NotHttp);
    }
}
