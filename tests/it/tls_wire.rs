//! TLS as bytes alone: whatever way the wire is cut, and however little the socket takes at a time, the same
//! plaintext comes out at the other end. No socket is needed to say so.

use std::io::{self, Read, Write};
use std::sync::Arc;

use loadtester::load::{Pem, tls_config};
use loadtester::plan::{Tls, Versions};
use loadtester::sys::Session;
use rustls::ServerConnection;
use rustls::version::{TLS12, TLS13};

use crate::secure_target::{Authority, config};

/// Sessions played: each of a few hundred turns.
const SEEDS: u64 = 60;

/// A socket that takes so many bytes and then no more for now.
struct BoundedSocket {
    taken: Vec<u8>,
    capacity: usize,
}

impl Write for BoundedSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(self.capacity);
        self.taken.extend(&bytes[..n]);
        self.capacity -= n;
        if n == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(n) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Both ends, and what lies on the wire between them.
struct Pair {
    client: Session,
    server: ServerConnection,
    up: BoundedSocket,
    down: Vec<u8>,
    /// Plaintext as it came out.
    at_server: Vec<u8>,
    at_client: Vec<u8>,
    /// Plaintext that was reported as sent to the client.
    sent: usize,
}

impl Pair {
    /// Let some bytes pass each way.
    fn turn(&mut self, rng: &mut fastrand::Rng) {
        self.up.capacity = size(rng);
        if self.client.flush(&mut self.up).is_ok() {
            self.sent += self.client.take_sent();
        }
        let n = self.up.taken.len().min(size(rng));
        let mut piece = &self.up.taken[..n];
        while !piece.is_empty() {
            self.server.read_tls(&mut piece).expect("memory can be read");
            let state = self.server.process_new_packets().expect("the client keeps to the protocol");
            let mut plaintext = vec![0; state.plaintext_bytes_to_read()];
            self.server.reader().read_exact(&mut plaintext).expect("it is there");
            self.at_server.extend(plaintext);
        }
        self.up.taken.drain(..n);
        while self.server.wants_write() {
            self.server.write_tls(&mut self.down).expect("memory can be written");
        }
        let n = self.down.len().min(size(rng));
        let mut piece = &self.down[..n];
        while !piece.is_empty() && !self.client.is_closed_by_peer() {
            let mut left = self.client.receive(&mut piece).expect("the target keeps to the protocol");
            while left > 0 {
                let plaintext = self.client.plaintext();
                assert!(!plaintext.is_empty() && plaintext.len() <= left, "the count is what there is");
                self.at_client.extend(plaintext);
                let n = plaintext.len();
                self.client.consume(n);
                left -= n;
            }
        }
        self.down.drain(..n);
    }
}

/// A number of bytes: often one or few, at times many.
fn size(rng: &mut fastrand::Rng) -> usize {
    let most = [1, 8, 200, 5_000, 40_000][rng.usize(..5)];
    rng.usize(..=most)
}

#[test]
fn any_segmentation_gives_the_same() {
    let authority = Authority::new("a CA");
    let own = authority.sign(&["target.example"]);
    let tls = Tls {
        ca: Some("ca.pem".into()),
        client: None,
        insecure: false,
        server_name: "target.example".into(),
        resumption: true,
        versions: Versions::Both,
    };
    let files = Pem { ca: Some(authority.pem().into_bytes()), ..Pem::default() };
    let ours = tls_config(&tls, &files).expect("a CA").for_thread(1);
    for (version, name) in [(&TLS12, "1.2"), (&TLS13, "1.3")] {
        let theirs = Arc::new(config(&own, &[version], None));
        for seed in 0..SEEDS {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut pair = Pair {
                client: ours.connect().expect("a session"),
                server: ServerConnection::new(theirs.clone()).expect("a session"),
                up: BoundedSocket { taken: Vec::new(), capacity: 0 },
                down: Vec::new(),
                at_server: Vec::new(),
                at_client: Vec::new(),
                sent: 0,
            };
            while pair.client.is_handshaking() || pair.server.is_handshaking() {
                pair.turn(&mut rng);
            }
            assert_eq!(pair.client.is_resumed(), seed > 0, "TLS {name}, seed {seed}");
            let (mut asked, mut answered) = (Vec::new(), Vec::new());
            for i in 0..20u8 {
                let (request, response) = (vec![i; size(&mut rng)], vec![i; size(&mut rng)]);
                let (mut left, sent_before) = (&request[..], pair.sent);
                while pair.sent < sent_before + request.len() {
                    pair.client.seal(left);
                    let sealed = pair.sent;
                    while pair.client.wants_flush() {
                        pair.turn(&mut rng);
                    }
                    pair.sent += pair.client.take_sent();
                    left = &left[pair.sent - sealed..];
                }
                if name == "1.3" && rng.u8(..4) == 0 {
                    pair.server.refresh_traffic_keys().expect("TLS 1.3 has that");
                }
                pair.server.set_buffer_limit(None);
                pair.server.writer().write_all(&response).expect("memory can be written");
                asked.extend(request);
                answered.extend(response);
            }
            pair.server.send_close_notify();
            while !pair.client.is_closed_by_peer() {
                pair.turn(&mut rng);
            }
            let label = format!("TLS {name}, seed {seed}");
            assert!(pair.at_client == answered, "{label}: the client has what was answered");
            while pair.at_server.len() < asked.len() {
                pair.turn(&mut rng);
            }
            assert!(
                pair.at_server == asked && pair.sent == asked.len(),
                "{label}: the target has what was asked"
            );
        }
    }
}
