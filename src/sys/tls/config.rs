//! The TLS configuration of a run: trusted CAs, our certificate, protocol versions.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, Error, InconsistentKeys, RootCertStore, version};

use super::error::TlsError;
use super::session::Session;
use super::tickets::Tickets;
use super::trust::{TrustAnybody, TrustListed};

/// The protocol offered in ALPN.
const HTTP11: &[u8] = b"http/1.1";
/// The remedy when the machine has no trusted CA.
const NO_ROOTS: &str = "install the system's CA certificates (the package is called ca-certificates), set \
                        SSL_CERT_FILE, or name the target's CA with `tls.ca` (--cacert)";

/// A PEM file's name and content.
#[derive(Clone, Debug)]
pub(crate) struct PemFile<'a> {
    /// The name as shown in messages.
    pub(crate) name: String,
    pub(crate) bytes: &'a [u8],
}

/// The TLS settings of a plan.
#[derive(Clone, Debug)]
pub(crate) struct TlsOptions<'a> {
    /// The trusted CAs; `None`: the system's.
    pub(crate) ca: Option<PemFile<'a>>,
    /// Our certificate with its chain, and its private key; `None`: no client certificate.
    pub(crate) client: Option<(PemFile<'a>, PemFile<'a>)>,
    /// Accept any certificate.
    pub(crate) insecure: bool,
    /// The name sent as SNI and checked against the certificate.
    pub(crate) server_name: &'a str,
    /// The same name as shown in messages.
    pub(crate) shown_name: String,
    /// Resume earlier sessions.
    pub(crate) resumption: bool,
    /// Offer TLS 1.2.
    pub(crate) offers_12: bool,
    /// Offer TLS 1.3.
    pub(crate) offers_13: bool,
}

/// The TLS configuration shared by the connections of a run.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    client: ClientConfig,
    name: ServerName<'static>,
    resumption: bool,
    shows_certificate: bool,
}

/// The configuration of one thread, with its own session store, so that threads never wait for each other.
#[derive(Clone, Debug)]
pub struct ThreadTls {
    client: Arc<ClientConfig>,
    name: ServerName<'static>,
    shows_certificate: bool,
}

impl TlsConfig {
    /// Build the configuration from `options`.
    ///
    /// # Errors
    /// The key and file at fault, the reason, and the remedy.
    pub(crate) fn new(options: &TlsOptions<'_>) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let offered = [(options.offers_13, &version::TLS13), (options.offers_12, &version::TLS12)];
        let versions: Vec<_> =
            offered.into_iter().filter_map(|(is, version)| is.then_some(version)).collect();
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = builder.with_protocol_versions(&versions).map_err(|e| format!("tls: {e}"))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(trust(options, provider.clone())?);
        let mut client = match &options.client {
            None => builder.with_no_client_auth(),
            Some((own, own_key)) => {
                let chain = certificates("tls.cert", own)?;
                let key = key(own_key)?;
                let place = place_of(&key, &chain, &provider);
                builder.with_client_auth_cert(chain, key).map_err(|error| match error {
                    Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => mismatch(own, own_key, place),
                    Error::InvalidCertificate(error) => {
                        format!("tls.cert: {} cannot be used: {}", own.name, in_words(&error))
                    }
                    error => format!("tls.key: {} cannot be used: {error}", own_key.name),
                })?
            }
        };
        client.alpn_protocols = vec![HTTP11.to_vec()];
        client.resumption = Resumption::disabled();
        let name = ServerName::try_from(options.server_name.to_owned());
        let name = name.map_err(|_| format!("tls.server_name: {} is not a host name", options.shown_name))?;
        Ok(Self { client, name, resumption: options.resumption, shows_certificate: options.client.is_some() })
    }

    /// The configuration for one thread with `connections` connections.
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
    /// A new connection, with its first bytes ready to send.
    ///
    /// # Errors
    /// The connection cannot be set up locally.
    pub fn connect(&self) -> Result<Session, Box<TlsError>> {
        Session::begin(self.client.clone(), self.name.clone(), self.shows_certificate)
    }
}

/// The verifier of the target's certificate.
fn trust(
    options: &TlsOptions<'_>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    if options.insecure {
        return Ok(Arc::new(TrustAnybody(provider)));
    }
    let mut roots = RootCertStore::empty();
    let mut list = Vec::new();
    if let Some(file) = &options.ca {
        list = certificates("tls.ca", file)?;
        for certificate in &list {
            let added = roots.add(certificate.clone());
            added.map_err(|e| format!("tls.ca: a certificate in {} cannot be read: {e}", file.name))?;
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

fn certificates(key: &str, file: &PemFile<'_>) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(file.bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) if file.bytes.starts_with(&[0x30]) => Err(format!(
            "{key}: {} is not PEM: convert a .p12 or .pfx file with `openssl pkcs12 -in FILE.p12 -nodes -out PAIR.pem`, a \
             .der file with `openssl x509 -inform der`",
            file.name
        )),
        Ok(_) => Err(format!(
            "{key}: {} holds no certificate: it must be PEM, with `-----BEGIN CERTIFICATE-----`",
            file.name
        )),
        Err(error) => Err(format!("{key}: {} is not valid PEM: {error}", file.name)),
    }
}

fn key(file: &PemFile<'_>) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(file.bytes).map_err(|error| no_key(file, &error))
}

/// Which certificate of `chain` is that of `key`, counted from 1; `None`: none.
fn place_of(
    key: &PrivateKeyDer<'static>,
    chain: &[CertificateDer<'static>],
    provider: &CryptoProvider,
) -> Option<usize> {
    let key = provider.key_provider.load_private_key(key.clone_key()).ok()?;
    let belongs = |certificate: &CertificateDer<'static>| {
        CertifiedKey::new(vec![certificate.clone()], key.clone()).keys_match().is_ok()
    };
    Some(chain.iter().position(belongs)? + 1)
}

/// Why a key and the first certificate of a file do not belong together.
fn mismatch(own: &PemFile<'_>, own_key: &PemFile<'_>, place: Option<usize>) -> String {
    match place {
        Some(place) => format!(
            "tls.cert: the certificate of the key in {} is number {place} in {}, and must come first: put its issuers after \
             it, the root last or not at all",
            own_key.name, own.name
        ),
        None => format!(
            "tls.key: {} is not the key of the certificate in {}: name the two that belong together",
            own_key.name, own.name
        ),
    }
}

/// Why a file without a usable private key is refused.
fn no_key(file: &PemFile<'_>, error: &pem::Error) -> String {
    let name = &file.name;
    let has = |text: &str| memchr::memmem::find(file.bytes, text.as_bytes()).is_some();
    // The older form has a header within an ordinary block, and its text is not base64.
    if has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED") {
        return format!(
            "tls.key: {name} is encrypted, and nobody is asked for a password: convert it with `openssl pkey -in KEY.pem \
             -out PLAIN.pem`, and keep the result readable for you alone (chmod 600)"
        );
    }
    // A DER sequence: PKCS#12 or a bare key.
    if file.bytes.starts_with(&[0x30]) {
        return format!(
            "tls.key: {name} is not PEM: convert a .p12 or .pfx file with `openssl pkcs12 -in FILE.p12 -nodes -out \
             PAIR.pem`, which then is certificate and key, and a .der file with `openssl pkey -inform der`"
        );
    }
    match error {
        pem::Error::NoItemsFound => {
            format!(
                "tls.key: {name} holds no private key: it must be PEM, with `-----BEGIN PRIVATE KEY-----`"
            )
        }
        error => format!("tls.key: {name} is not valid PEM: {error}"),
    }
}

/// Why our own certificate is unusable.
fn in_words(error: &CertificateError) -> String {
    match error {
        // `openssl x509 -req` creates one silently when no extensions are given.
        CertificateError::Other(other) if other.to_string().contains("UnsupportedCertVersion") => {
            "it is an X.509 certificate of version 1: have it made with extensions (`openssl x509 -req … -extfile \
             FILE`), which makes it version 3"
                .to_owned()
        }
        error => error.to_string(),
    }
}
