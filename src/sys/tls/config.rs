//! What all TLS connections of a run share: whom to believe, who to be, what to speak.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, Error, InconsistentKeys, RootCertStore, version};

use super::session::Session;
use super::tickets::Tickets;
use super::trust::{TrustAnybody, TrustListed};
use crate::plan::{Tls, Versions, quoted};
use crate::tally::TlsFault;

/// What ALPN asks for.
const HTTP11: &[u8] = b"http/1.1";
/// What to do where the machine trusts nobody.
const NO_ROOTS: &str = "install the system's CA certificates (the package is called ca-certificates), set \
                        SSL_CERT_FILE, or name the target's CA with `tls.ca` (--cacert)";

/// The contents of a plan's PEM files, where it names any.
#[derive(Clone, Default)]
pub struct Pem {
    /// Of `tls.ca`.
    pub ca: Option<Vec<u8>>,
    /// Of `tls.cert`.
    pub certificate: Option<Vec<u8>>,
    /// Of `tls.key`.
    pub key: Option<Vec<u8>>,
}

/// What the TLS connections of a run share.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    client: ClientConfig,
    name: ServerName<'static>,
    resumption: bool,
    shows_certificate: bool,
}

/// The same for one thread: it has a store of sessions of its own, so that threads never wait for each other.
#[derive(Clone, Debug)]
pub struct ThreadTls {
    client: Arc<ClientConfig>,
    name: ServerName<'static>,
    shows_certificate: bool,
}

impl TlsConfig {
    /// What `tls` asks for, with the files it names.
    ///
    /// # Errors
    /// Which key and file is at fault, why, and what to do about it.
    pub fn new(tls: &Tls, files: &Pem) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let versions: &[_] = match tls.versions {
            Versions::Both => &[&version::TLS13, &version::TLS12],
            Versions::Only12 => &[&version::TLS12],
            Versions::Only13 => &[&version::TLS13],
        };
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = builder.with_protocol_versions(versions).map_err(|e| format!("tls: {e}"))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(trust(tls, files, provider)?);
        let mut client = match &tls.client {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let chain = certificates("tls.cert", &own.certificate, &files.certificate)?;
                let key = key(&own.key, &files.key)?;
                builder.with_client_auth_cert(chain, key).map_err(|error| match error {
                    Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => format!(
                        "tls.key: {} is not the key of the certificate in {}: name the two that belong together",
                        quoted(&own.key),
                        quoted(&own.certificate)
                    ),
                    Error::InvalidCertificate(error) => {
                        format!("tls.cert: {} cannot be used: {}", quoted(&own.certificate), in_words(&error))
                    }
                    error => format!("tls.key: {} cannot be used: {error}", quoted(&own.key)),
                })?
            }
        };
        client.alpn_protocols = vec![HTTP11.to_vec()];
        client.resumption = Resumption::disabled();
        let name = ServerName::try_from(tls.server_name.clone());
        let name =
            name.map_err(|_| format!("tls.server_name: {} is not a host name", quoted(&tls.server_name)))?;
        Ok(Self { client, name, resumption: tls.resumption, shows_certificate: tls.client.is_some() })
    }

    /// For one thread of `connections` connections.
    pub fn for_thread(&self, connections: u32) -> ThreadTls {
        let mut client = self.client.clone();
        if self.resumption {
            client.resumption = Resumption::store(Arc::new(Tickets::new(connections)));
        }
        let (name, shows_certificate) = (self.name.clone(), self.shows_certificate);
        ThreadTls { client: Arc::new(client), name, shows_certificate }
    }
}

impl ThreadTls {
    /// A new connection, its first bytes waiting to be sent.
    ///
    /// # Errors
    /// When this machine cannot begin one.
    pub fn connect(&self) -> Result<Session, TlsFault> {
        Session::begin(self.client.clone(), self.name.clone(), self.shows_certificate)
    }
}

/// Whom `tls` says to believe.
fn trust(
    tls: &Tls,
    files: &Pem,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    if tls.insecure {
        return Ok(Arc::new(TrustAnybody(provider)));
    }
    let mut roots = RootCertStore::empty();
    let mut list = Vec::new();
    if let Some(file) = &tls.ca {
        list = certificates("tls.ca", file, &files.ca)?;
        for certificate in &list {
            let added = roots.add(certificate.clone());
            added.map_err(|e| format!("tls.ca: a certificate in {} cannot be read: {e}", quoted(file)))?;
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let why = found.errors.first().map_or(String::new(), |error| format!(" ({error})"));
            return Err(format!("tls: this machine has no trusted CA certificates{why}: {NO_ROOTS}"));
        }
    }
    let signed = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let signed = signed.map_err(|error| format!("tls: {error}"))?;
    Ok(Arc::new(TrustListed { signed, list }))
}

fn certificates(
    key: &str,
    file: &str,
    bytes: &Option<Vec<u8>>,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = bytes.as_deref().unwrap_or_default();
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!(
            "{key}: {} holds no certificate: it must be PEM, with `-----BEGIN CERTIFICATE-----`",
            quoted(file)
        )),
        Err(error) => Err(format!("{key}: {} is not valid PEM: {error}", quoted(file))),
    }
}

fn key(file: &str, bytes: &Option<Vec<u8>>) -> Result<PrivateKeyDer<'static>, String> {
    let bytes = bytes.as_deref().unwrap_or_default();
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => format!(
            "tls.key: {} holds no private key: it must be PEM and not encrypted, with `-----BEGIN PRIVATE KEY-----`",
            quoted(file)
        ),
        error => format!("tls.key: {} is not valid PEM: {error}", quoted(file)),
    })
}

/// Why a certificate of ours is none that can be shown.
fn in_words(error: &CertificateError) -> String {
    match error {
        // `openssl x509 -req` makes one without a word where no extensions are asked for.
        CertificateError::Other(other) if other.to_string().contains("UnsupportedCertVersion") => {
            "it is an X.509 certificate of version 1: have it made with extensions (`openssl x509 -req … -extfile \
             FILE`), which makes it version 3"
                .to_owned()
        }
        error => error.to_string(),
    }
}
