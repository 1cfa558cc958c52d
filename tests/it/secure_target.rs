//! A TLS target that plays a part: certificates of its own making, and what the wire looks like under them.
//!
//! What a client should make of that stays with the tests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SerialNumber,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};

/// Longer than any run under test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A certificate and its key, as PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

/// Somebody who signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a CA"))
    }

    /// What `openssl req -x509` makes: signed by itself, and a CA's.
    pub fn of_itself(names: &[&str]) -> Pair {
        Self::of_itself_until(4096, names)
    }

    /// The same, good until the first day of `year`.
    pub fn of_itself_until(year: i32, names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// What people put into `tls.ca`.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A good certificate for these names and addresses.
    pub fn sign(&self, names: &[&str]) -> Pair {
        self.sign_with(names, |_| {})
    }

    /// One that `change` has spoilt.
    pub fn sign_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.serial_number = Some(SerialNumber::from(7u64));
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// For clients alone.
pub fn for_clients(params: &mut CertificateParams) {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
}

/// What the target shows and asks for.
pub fn config(
    own: &Pair,
    versions: &[&'static SupportedProtocolVersion],
    clients_of: Option<&Authority>,
) -> ServerConfig {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(versions).expect("versions");
    let chain = CertificateDer::pem_slice_iter(own.certificate.as_bytes()).map(|c| c.expect("PEM")).collect();
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("PEM");
    let builder = match clients_of {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.0.der().clone()).expect("a CA");
            let provider = Arc::new(ring::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    let mut config = builder.with_single_cert(chain, key).expect("a pair");
    config.ticketer = ring::Ticketer::new().expect("randomness");
    config
}

/// One connection, seen from the target. Every call answers `None` when the other side has gone.
pub struct Peer {
    socket: TcpStream,
    tls: ServerConnection,
    unread: Vec<u8>,
    /// Wire bytes written at once.
    pub piece: usize,
}

impl Peer {
    /// The next request, head and body; `None` too at the end of input.
    pub fn request(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.unread.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.unread[..at]).to_lowercase();
                let length = head.split("content-length: ").nth(1).map_or(0, |rest| {
                    rest.split("\r\n").next().unwrap_or_default().parse().expect("a length")
                });
                let end = at + 4 + length;
                if self.unread.len() >= end {
                    let rest = self.unread.split_off(end);
                    return Some(std::mem::replace(&mut self.unread, rest));
                }
            }
            let n = self.tls.read_tls(&mut self.socket).ok()?;
            let state = self.tls.process_new_packets();
            self.flush()?;
            let mut plaintext = vec![0; state.ok()?.plaintext_bytes_to_read()];
            self.tls.reader().read_exact(&mut plaintext).ok()?;
            self.unread.extend(plaintext);
            if n == 0 {
                return None;
            }
        }
    }

    pub fn send(&mut self, plaintext: impl AsRef<[u8]>) -> Option<()> {
        for piece in plaintext.as_ref().chunks(16 * 1024) {
            self.tls.writer().write_all(piece).ok()?;
            self.flush()?;
        }
        Some(())
    }

    /// Finish the handshake, and have `plaintext` leave with its last bytes.
    pub fn send_with_handshake(&mut self, plaintext: impl AsRef<[u8]>) -> Option<()> {
        self.tls.writer().write_all(plaintext.as_ref()).ok()?;
        while self.tls.is_handshaking() {
            self.tls.read_tls(&mut self.socket).ok().filter(|n| *n > 0)?;
            self.tls.process_new_packets().ok()?;
            if self.tls.is_handshaking() {
                self.flush()?;
            }
        }
        self.flush()
    }

    /// Seal everything from here on with new keys.
    pub fn update_keys(&mut self) -> Option<()> {
        self.tls.refresh_traffic_keys().ok()
    }

    /// Send `plaintext` in a record that has been tampered with.
    pub fn send_damaged(&mut self, plaintext: &str) -> Option<()> {
        self.tls.writer().write_all(plaintext.as_bytes()).ok()?;
        let mut wire = Vec::new();
        self.tls.write_tls(&mut wire).ok()?;
        *wire.last_mut()? ^= 1;
        self.socket.write_all(&wire).ok()
    }

    /// Send `plaintext`, and with it a record that has been tampered with.
    pub fn send_and_damage(&mut self, plaintext: &str) -> Option<()> {
        let mut wire = Vec::new();
        for text in [plaintext, "lost"] {
            self.tls.writer().write_all(text.as_bytes()).ok()?;
            self.tls.write_tls(&mut wire).ok()?;
        }
        *wire.last_mut()? ^= 1;
        self.socket.write_all(&wire).ok()
    }

    /// Say that no more will come.
    pub fn close_notify(&mut self) -> Option<()> {
        self.tls.send_close_notify();
        self.flush()
    }

    fn flush(&mut self) -> Option<()> {
        let mut wire = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut wire).ok()?;
        }
        wire.chunks(self.piece).try_for_each(|piece| self.socket.write_all(piece)).ok()
    }
}

/// A running target. Dropping it ends it.
pub struct SecureTarget {
    listener: TcpListener,
    address: SocketAddr,
}

impl SecureTarget {
    /// Each connection, counted from 0, plays `part`.
    pub fn play(
        config: ServerConfig,
        part: impl Fn(u64, &mut Peer) -> Option<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port of loopback");
        let address = listener.local_addr().expect("it is bound");
        let door = listener.try_clone().expect("a descriptor");
        let (config, part) = (Arc::new(config), Arc::new(part));
        std::thread::spawn(move || {
            // Fails when the target is over and the listener shut down.
            for n in 0.. {
                let Ok((socket, _)) = door.accept() else { return };
                let set = socket.set_nodelay(true).and(socket.set_read_timeout(Some(PATIENCE)));
                set.and(socket.set_write_timeout(Some(PATIENCE))).expect("a fresh socket takes its options");
                let tls = ServerConnection::new(config.clone()).expect("a server's side");
                let part = part.clone();
                std::thread::spawn(move || {
                    part(n, &mut Peer { socket, tls, unread: Vec::new(), piece: usize::MAX });
                });
            }
        });
        Self { listener, address }
    }

    /// Each connection answers every request with `response`, written in pieces of so many wire bytes.
    pub fn answer(config: ServerConfig, piece: usize, response: impl Into<Vec<u8>>) -> Self {
        let response = response.into();
        Self::play(config, move |_, peer| {
            peer.piece = piece;
            loop {
                peer.request()?;
                peer.send(&response)?;
            }
        })
    }

    /// `https://…` by a name that resolves to loopback, without a path.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }
}

impl Drop for SecureTarget {
    fn drop(&mut self) {
        // Wakes the thread in accept. It can only have ended already.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
    }
}
