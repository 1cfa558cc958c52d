//! Heads, chunks and whole responses.

use loadtester::http::MAX_FIELDS;
use loadtester::http1::MAX_HEAD_BYTES;

use crate::mutate::{Corpus, bent};
use crate::{cases, check};

/// Cases of each kind where none are asked for.
const FEW: u64 = 20_000;

const WORDS: [&str; 34] = [
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    ":",
    ", ",
    ";",
    " ",
    "\t",
    "\r\n ",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 200 OK\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Early\r\nA: b\r\n\r\n",
    "HTTP/1.1 204 \r\n\r\n",
    "HTTP/1.1 304 N\r\n",
    "HTTP/1.1 101 S\r\n\r\n",
    "HTTP/2.0",
    "Content-Length: 5\r\n",
    "content-length:0\r\n",
    "Content-Length: 5, 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip\r\n",
    "transfer-encoding: gzip, chunked\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "chunked",
    "close",
    "keep-alive",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "0\r\nA: b\r\n\r\n",
    "\0",
    "\u{e9}",
];

fn corpus(light: &[&str], heavy: &[&str]) -> Corpus {
    let bytes = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    Corpus { light: bytes(light), heavy: bytes(heavy), words: &WORDS }
}

fn heads() -> Corpus {
    let fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MAX_FIELDS));
    let long =
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: {}\r\n\r\n", "x".repeat(MAX_HEAD_BYTES - 60));
    let light = [
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\nContent-Type: text/html\r\n\
         Content-Length: 12, 12\r\nConnection: keep-alive\r\nETag: \"5-a\"\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip,\r\n chunked\r\nConnection: a, close\r\n\r\n",
        "HTTP/1.0 404 Not Found\nConnection: Keep-Alive\nContent-Length: 3\n\n",
        "\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204\r\n\r\n",
    ];
    corpus(&light, &[&fields, &long])
}

fn bodies() -> Corpus {
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(4_080));
    let trailers = format!("0\r\n{}\r\n", "A: b\r\n".repeat(10_900));
    let light = [
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "A;a=b;c=\"d;e\"\r\n0123456789\r\n000F \t;x\r\n0123456789abcde\r\n0\r\n\r\n",
        "1\r\nx\r\n1\r\ny\r\n00\r\nTrailer: x\r\nB:\r\n c\r\n\r\n",
        "1000\r\nnot all of it",
        "ffffffffffffffff\r\nnot all of it",
    ];
    corpus(&light, &[&long, &trailers])
}

/// Each head with each body, and some that belong together.
fn responses() -> Corpus {
    let (heads, bodies) = (heads(), bodies());
    let mut both = corpus(
        &[
            "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nhello, world!",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\nuntil close",
        ],
        &[],
    );
    let each = |heads: &[Vec<u8>], bodies: &[Vec<u8>]| -> Vec<Vec<u8>> {
        heads.iter().flat_map(|head| bodies.iter().map(|body| [&head[..], body].concat())).collect()
    };
    both.light.extend(each(&heads.light, &bodies.light));
    both.heavy.extend(each(&heads.light, &bodies.heavy));
    both.heavy.extend(each(&heads.heavy, &bodies.light));
    both
}

#[test]
fn heads_are_read_as_by_httparse_and_the_table() {
    let corpus = heads();
    cases("heads", FEW, |rng| bent(rng, &corpus), check::response);
}

#[test]
fn chunks_end_where_slow_code_says() {
    let corpus = bodies();
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    cases("chunks", FEW, |rng| [&head[..], &bent(rng, &corpus)].concat(), check::response);
}

#[test]
fn responses_end_where_slow_code_says() {
    let corpus = responses();
    cases("responses", FEW, |rng| bent(rng, &corpus), check::response);
}
