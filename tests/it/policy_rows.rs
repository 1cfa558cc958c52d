//! The rows of the policy: see `policy.rs`, which holds them.

use loadtester::http1::ProtocolError::{
    BadChunk, BadHead, BadLength, BadStatus, BadTransferEncoding, ConflictingLengths, HeadTooLarge,
    Http2, Tls, TooManyFields,
};
use loadtester::http::MAX_FIELDS;
use loadtester::http1::MAX_HEAD_BYTES;
use loadtester::tally::Outcome::{ClosedEarly, Reset, Timeout, UnexpectedStatus};

use crate::policy::Policy::{Accept, AcceptAndClose, Fail, Refuse};
use crate::policy::{Asked, Row};
use crate::script::{Step, pause_ms, response, send};

/// All of it, under headings.
pub fn groups() -> Vec<(&'static str, Vec<Row>)> {
    vec![
        ("The head", heads()),
        ("Responses without a body", bodyless()),
        ("Content-Length", lengths()),
        ("Transfer-Encoding", codings()),
        ("Chunks", chunks()),
        ("The connection", connections()),
        ("Bytes that belong to nobody", strays()),
        ("Early answers and early ends", ends()),
    ]
}

/// A response with these fields and body.
fn ok(fields: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}")
}

fn chunked(body: &str) -> String {
    ok("Transfer-Encoding: chunked\r\n", body)
}

/// A head of exactly so many bytes, for an empty body.
fn head_of(bytes: usize) -> String {
    let around = ok("Content-Length: 0\r\nA: \r\n", "").len();
    ok(&format!("Content-Length: 0\r\nA: {}\r\n", "x".repeat(bytes - around)), "")
}

fn fields_of(fields: usize) -> String {
    ok(&format!("{}Content-Length: 0\r\n", "A: b\r\n".repeat(fields - 1)), "")
}

fn heads() -> Vec<Row> {
    let empty = |line: &str| format!("{line}\r\nContent-Length: 0\r\n\r\n");
    vec![
        Row::new("lines that end in LF alone", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", Accept, "2.2"),
        Row::new("empty lines before the status line", format!("\r\n\n{}", empty("HTTP/1.1 200 OK")), Accept, "2.2"),
        Row::new("a status line without a reason", empty("HTTP/1.1 200"), Accept, "4"),
        Row::new("a status line with an empty reason", empty("HTTP/1.1 200 "), Accept, "4"),
        Row::new("a reason with bytes beyond ASCII", b"HTTP/1.1 200 \xc3\xa9t\xe9\r\nContent-Length: 0\r\n\r\n", Accept, "4"),
        Row::new("a status from 400 to 999 that nothing else is expected of", empty("HTTP/1.1 999 What"), Fail(UnexpectedStatus), "9110, 15").then([Step::Close]),
        Row::new("a status below 100", empty("HTTP/1.1 099 What"), Refuse(BadStatus), "9110, 15"),
        Row::new("a status that has not three digits", empty("HTTP/1.1 20 OK"), Refuse(BadHead), "4"),
        Row::new("101 to a request that asked for no upgrade", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Refuse(BadStatus), "9110, 15.2.2"),
        Row::new("HTTP/0.9: a body and nothing else", "<html>hello</html>", Refuse(BadHead), "2.3").then([Step::Close]),
        Row::new("another protocol's greeting", "SSH-2.0-OpenSSH_9.6\r\n", Refuse(BadHead), "2.3"),
        Row::new("a TLS alert", b"\x15\x03\x01\x00\x02\x02\x16", Refuse(Tls), "2.3"),
        Row::new("an HTTP/2 SETTINGS frame", b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64", Refuse(Http2), "9113, 3.4"),
        Row::new("a NUL and something else", b"\0\0\0\0\0", Refuse(BadHead), "2.2"),
        Row::new("HTTP/2", empty("HTTP/2.0 200 OK"), Refuse(BadHead), "2.3"),
        Row::new("an HTTP/1 version above 1.1", empty("HTTP/1.2 200 OK"), Refuse(BadHead), "9110, 2.5"),
        Row::new("a field continued on the next line (obs-fold)", ok("A: b\r\n\tc\r\nContent-Length:\r\n 2\r\n", "ok"), Accept, "5.2"),
        Row::new("space before the first field", ok(" A: b\r\nContent-Length: 0\r\n", ""), Refuse(BadHead), "2.2"),
        Row::new("space between a field's name and its colon", ok("Content-Length : 0\r\n", ""), Refuse(BadHead), "5.1"),
        Row::new("a field without a colon", ok("junk\r\nContent-Length: 0\r\n", ""), Refuse(BadHead), "5"),
        Row::new("a field without a name", ok(": junk\r\nContent-Length: 0\r\n", ""), Refuse(BadHead), "5"),
        Row::new("a NUL in a value", ok("A: \0\r\nContent-Length: 0\r\n", ""), Refuse(BadHead), "9110, 5.5"),
        Row::new("a control byte in a value", ok("A: \x01\r\nContent-Length: 0\r\n", ""), Refuse(BadHead), "9110, 5.5"),
        Row::new("a CR alone in a value", ok("A: b\rc\r\nContent-Length: 0\r\n", ""), Refuse(BadHead), "2.2"),
        Row::new("a head of exactly 64 KiB", head_of(MAX_HEAD_BYTES), Accept, "9110, 5.4"),
        Row::new("a head of one byte more", head_of(MAX_HEAD_BYTES + 1), Refuse(HeadTooLarge), "9110, 5.4"),
        Row::new("a head of exactly 256 fields", fields_of(MAX_FIELDS), Accept, "9110, 5.4"),
        Row::new("a head of one field more", fields_of(MAX_FIELDS + 1), Refuse(TooManyFields), "9110, 5.4"),
    ]
}

fn bodyless() -> Vec<Row> {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 9\r\n\r\n";
    let last = response("200 OK", "ok");
    vec![
        Row::new("to HEAD, with a length", ok("Content-Length: 9\r\n", ""), Accept, "6.3 (1)").asked(Asked::Head),
        Row::new("to HEAD, chunked", chunked(""), Accept, "6.3 (1)").asked(Asked::Head),
        Row::new("to HEAD, without either", ok("", ""), Accept, "6.3 (1)").asked(Asked::Head),
        Row::new("to HEAD, with lengths that differ", ok("Content-Length: 9\r\nContent-Length: 8\r\n", ""), Accept, "6.3 (1)").asked(Asked::Head),
        Row::new("to HEAD, with a body all the same", ok("Content-Length: 5\r\n", "hello"), AcceptAndClose, "6.3 (1)").asked(Asked::Head),
        Row::new("204", "HTTP/1.1 204 No Content\r\n\r\n", Accept, "6.3 (1)"),
        Row::new("204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", Accept, "6.3 (1)"),
        Row::new("204 with a body all the same", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", AcceptAndClose, "6.3 (1)"),
        Row::new("304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", Accept, "6.3 (1)"),
        Row::new("304 that says it is chunked", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", Accept, "6.3 (1)"),
        Row::new("205, framed like any other", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", Accept, "9110, 15.3.6"),
        Row::new("100 before the answer", format!("{interim}{last}"), Accept, "9110, 15.2"),
        Row::new("103 with fields that mean nothing there", format!("{hints}{last}"), Accept, "9110, 15.2"),
        Row::new("several interim responses", format!("{interim}{hints}{}{hints}{last}", interim.replace("100", "199")), Accept, "9110, 15.2"),
        Row::new("an interim response that says close", format!("HTTP/1.1 102 Processing\r\nConnection: close\r\n\r\n{last}"), Accept, "9110, 15.2"),
        Row::new("interim responses and no answer", interim.repeat(3), Fail(Timeout), "9110, 15.2").then([Step::Freeze]),
        Row::new("an interim response and the end", interim, Fail(ClosedEarly), "8").then([Step::Close]),
    ]
}

fn lengths() -> Vec<Row> {
    let length = |value: &str, body: &str| ok(&format!("Content-Length: {value}\r\n"), body);
    vec![
        Row::new("one length", length("5", "hello"), Accept, "6.3 (6)"),
        Row::new("a length of 0", length("0", ""), Accept, "6.3 (6)"),
        Row::new("a length with zeros before it", length("0005", "hello"), Accept, "6.2"),
        Row::new("equal lengths in two fields", ok("Content-Length: 5\r\ncontent-length: 5\r\n", "hello"), Accept, "6.3 (5)"),
        Row::new("equal lengths in one field", length("5, 5", "hello"), Accept, "6.3 (5)"),
        Row::new("lengths that differ in two fields", ok("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), Refuse(ConflictingLengths), "6.3 (5)"),
        Row::new("lengths that differ in one field", length("5, 6", "hello"), Refuse(ConflictingLengths), "6.3 (5)"),
        Row::new("a length with a plus sign", length("+5", "hello"), Refuse(BadLength), "6.2"),
        Row::new("a length with a minus sign", length("-1", ""), Refuse(BadLength), "6.2"),
        Row::new("a length in words", length("five", "hello"), Refuse(BadLength), "6.2"),
        Row::new("a length in hexadecimal", length("0x5", "hello"), Refuse(BadLength), "6.2"),
        Row::new("a length with space inside", length("5 5", "hello"), Refuse(BadLength), "6.2"),
        Row::new("an empty length", length("", ""), Refuse(BadLength), "6.2"),
        Row::new("a length that ends in a comma", length("5,", "hello"), Refuse(BadLength), "6.3 (5)"),
        Row::new("a length of 2^64", length("18446744073709551616", ""), Refuse(BadLength), "6.2"),
        Row::new("a length of 2^64 - 1, and the end", length("18446744073709551615", "hello"), Fail(ClosedEarly), "8").then([Step::Close]),
        Row::new("neither a length nor a coding: the body goes until the end", ok("", "until close"), AcceptAndClose, "6.3 (8)").then([Step::Close]),
        Row::new("neither, and no body", ok("", ""), AcceptAndClose, "6.3 (8)").then([Step::Close]),
        Row::new("neither, and a reset where the end should be", ok("", "hel"), Fail(Reset), "8").then([pause_ms(20), Step::Reset]),
    ]
}

fn codings() -> Vec<Row> {
    let coded = |value: &str, body: &str| ok(&format!("Transfer-Encoding: {value}\r\n"), body);
    let hello = "5\r\nhello\r\n0\r\n\r\n";
    vec![
        Row::new("chunked", coded("chunked", hello), Accept, "6.3 (4)"),
        Row::new("chunked in capitals", coded("CHUNKED", hello), Accept, "7"),
        Row::new("chunked after another coding", coded("gzip, chunked", hello), Accept, "6.3 (4)"),
        Row::new("chunked after another coding, in a field of its own", ok("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", hello), Accept, "6.3 (4)"),
        Row::new("chunked beside a length", ok("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", hello), AcceptAndClose, "6.3 (3)"),
        Row::new("chunked beside a length that is none", ok("Content-Length: x\r\nTransfer-Encoding: chunked\r\n", hello), AcceptAndClose, "6.3 (3)"),
        Row::new("chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", AcceptAndClose, "6.1"),
        Row::new("chunked twice", coded("chunked, chunked", hello), Refuse(BadTransferEncoding), "7.1"),
        Row::new("chunked and then another", coded("chunked, gzip", hello), Refuse(BadTransferEncoding), "6.1"),
        Row::new("chunked with a parameter", coded("chunked;a=b", hello), Refuse(BadTransferEncoding), "7.1"),
        Row::new("another coding alone: the body goes until the end", coded("gzip", "zip"), AcceptAndClose, "6.3 (4)").then([Step::Close]),
        Row::new("another coding beside a length: the body goes until the end", ok("Content-Length: 1\r\nTransfer-Encoding: gzip\r\n", "zip"), AcceptAndClose, "6.3 (4)").then([Step::Close]),
        Row::new("a coding nobody knows", coded("x-unknown", "?"), AcceptAndClose, "6.3 (4)").then([Step::Close]),
        Row::new("an empty Transfer-Encoding, as if there were none", ok("Transfer-Encoding:\r\nContent-Length: 2\r\n", "ok"), Accept, "9110, 5.6.1"),
    ]
}

fn chunks() -> Vec<Row> {
    let bad = |case, body: &str| Row::new(case, chunked(body), Refuse(BadChunk), "7.1");
    vec![
        Row::new("no chunk but the last", chunked("0\r\n\r\n"), Accept, "7.1"),
        Row::new("several chunks, sizes in both cases and with zeros", chunked("a\r\n0123456789\r\n0A\r\n0123456789\r\n000\r\n\r\n"), Accept, "7.1"),
        Row::new("chunk extensions", chunked("5;a;b=c;d=\"e;f\"\r\nhello\r\n0;last\r\n\r\n"), Accept, "7.1.1"),
        Row::new("space after a size", chunked("5 \t\r\nhello\r\n0 ;a\r\n\r\n"), Accept, "7.1.1"),
        Row::new("trailers", chunked("5\r\nhello\r\n0\r\nA: b\r\nContent-Length: 1\r\nC:\r\n d\r\n\r\n"), Accept, "7.1.2"),
        Row::new("trailer lines that end in LF alone", chunked("5\r\nhello\r\n0\r\nA: b\nC: d\n\n"), Accept, "2.2"),
        Row::new("a NUL in a chunk extension", chunked("5;a=\0\r\nhello\r\n0\r\n\r\n"), Refuse(BadChunk), "7.1.1"),
        Row::new("a control byte in a chunk extension", chunked("5;a=\x01\r\nhello\r\n0\r\n\r\n"), Refuse(BadChunk), "7.1.1"),
        Row::new("a NUL in a trailer", chunked("5\r\nhello\r\n0\r\nA: \0\r\n\r\n"), Refuse(BadChunk), "7.1.2"),
        Row::new("a control byte in a trailer", chunked("5\r\nhello\r\n0\r\nA: \x01\r\n\r\n"), Refuse(BadChunk), "7.1.2"),
        Row::new("a CR alone in a trailer", chunked("5\r\nhello\r\n0\r\nA: b\rc\r\n\r\n"), Refuse(BadChunk), "2.2"),
        bad("a size that is none", "xyz\r\n"),
        bad("an empty size", "\r\n"),
        bad("a size with a sign", "-1\r\n"),
        bad("a size that says it is hexadecimal", "0x5\r\nhello\r\n"),
        bad("a size of 2^64 and more", "10000000000000000\r\n"),
        bad("a size with space before it", " 5\r\nhello\r\n"),
        bad("two sizes in a line", "5 5\r\nhello\r\n"),
        bad("a size that ends in LF alone", "5\nhello\r\n"),
        bad("data longer than its size", "5\r\nhello!\r\n"),
        bad("data shorter than its size", "5\r\nhell\r\n0\r\n\r\n"),
        Row::new("a line of extensions beyond 4 KiB", chunked(&format!("5;{}\r\n", "x".repeat(4096))), Refuse(BadChunk), "7.1.1"),
        Row::new("trailers beyond 64 KiB", chunked(&format!("0\r\n{}", "A: b\r\n".repeat(11_000))), Refuse(BadChunk), "7.1.2"),
        Row::new("a trailer that is no field", chunked("0\r\njunk\r\n\r\n"), Refuse(BadChunk), "7.1.2"),
        Row::new("the next head where the last empty line should be", chunked("0\r\nHTTP/1.1 200 OK\r\n\r\n"), Refuse(BadChunk), "7.1.2"),
        Row::new("no last chunk, and the end", chunked("5\r\nhello\r\n"), Fail(ClosedEarly), "8").then([Step::Close]),
        Row::new("no empty line after the last chunk, and the end", chunked("5\r\nhello\r\n0\r\n"), Fail(ClosedEarly), "8").then([Step::Close]),
    ]
}

fn connections() -> Vec<Row> {
    let old = |fields: &str| format!("HTTP/1.0 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok");
    vec![
        Row::new("HTTP/1.1", response("200 OK", "ok"), Accept, "9.3"),
        Row::new("HTTP/1.1 with `Connection: close`, and it closes", ok("Connection: close\r\nContent-Length: 0\r\n", ""), AcceptAndClose, "9.6").then([Step::Close]),
        Row::new("HTTP/1.1 with `Connection: close`, and it does not", ok("Connection: close\r\nContent-Length: 0\r\n", ""), AcceptAndClose, "9.6"),
        Row::new("close among other options, in any case", ok("Connection: x, keep-alive\r\nConnection: CLOSE\r\nContent-Length: 0\r\n", ""), AcceptAndClose, "9.3"),
        Row::new("HTTP/1.0", old(""), AcceptAndClose, "9.3"),
        Row::new("HTTP/1.0 with `Connection: keep-alive`", old("Connection: Keep-Alive\r\n"), Accept, "9.3"),
        Row::new("HTTP/1.0 with both", old("Connection: keep-alive, close\r\n"), AcceptAndClose, "9.3"),
        Row::new("HTTP/1.0 without a length", "HTTP/1.0 200 OK\r\n\r\nuntil close", AcceptAndClose, "6.3 (8)").then([Step::Close]),
        Row::new("a close after a whole response that did not announce it", response("200 OK", "ok"), AcceptAndClose, "9.5").then([Step::Close]),
        Row::new("a half-close after a whole response", response("200 OK", "ok"), AcceptAndClose, "9.5").by([Step::Read, Step::SendLast(response("200 OK", "ok").as_bytes().into()), Step::Wait]),
    ]
}

fn strays() -> Vec<Row> {
    let one = response("200 OK", "ok");
    vec![
        Row::new("a second response behind the first", format!("{one}{}", response("500 Not Mine", "")), AcceptAndClose, "9.2"),
        Row::new("a line end behind a body", format!("{one}\r\n"), AcceptAndClose, "9.2"),
        Row::new("more body than its length", ok("Content-Length: 2\r\n", "okay"), AcceptAndClose, "9.2"),
        Row::new("bytes behind the last chunk", chunked("0\r\n\r\n0\r\n\r\n"), AcceptAndClose, "9.2"),
        Row::new("a stray response after the next request has left: it cannot be told from that one's answer, nor can any that follow", "", Accept, "9.2").by([Step::Read, send(&one), pause_ms(100), send(&one), pause_ms(100)]),
        Row::new("bytes behind the head of a 304", "HTTP/1.1 304 Not Modified\r\n\r\nx", AcceptAndClose, "9.2"),
    ]
}

fn ends() -> Vec<Row> {
    let row = |case, policy, rfc, steps: Vec<Step>| Row::new(case, "", policy, rfc).by(steps);
    let refusal = "HTTP/1.1 200 Enough\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let part = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
    vec![
        row("an answer before the request was sent whole", AcceptAndClose, "9.5", vec![Step::ReadHead, send(refusal), Step::Freeze]).asked(Asked::LargePost),
        row("the same, and the target goes on reading", AcceptAndClose, "9.5", vec![Step::ReadHead, send(response("200 OK", "")), Step::Wait]).asked(Asked::LargePost),
        row("the end where an answer should be", Fail(ClosedEarly), "9.5", vec![Step::Read, Step::Close]),
        row("a half-close where an answer should be", Fail(ClosedEarly), "9.5", vec![Step::Read, Step::HalfClose, Step::Wait]),
        row("a reset where an answer should be", Fail(Reset), "9.5", vec![Step::Read, Step::Reset]),
        row("a reset before the request was read", Fail(Reset), "9.5", vec![Step::Peek, Step::Close]),
        row("the end within a head", Fail(ClosedEarly), "8", vec![Step::Read, send(&part[..20]), Step::Close]),
        row("the end within a body", Fail(ClosedEarly), "8", vec![Step::Read, send(part), Step::Close]),
        row("a half-close within a body", Fail(ClosedEarly), "8", vec![Step::Read, send(part), Step::HalfClose, Step::Wait]),
        row("a reset within a body", Fail(Reset), "8", vec![Step::Read, send(part), pause_ms(20), Step::Reset]),
        row("nothing, and the connection stays", Fail(Timeout), "9.5", vec![Step::Read, Step::Freeze]),
        row("half an answer, and the connection stays", Fail(Timeout), "9.5", vec![Step::Read, send(part), Step::Freeze]),
    ]
}
