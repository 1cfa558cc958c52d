//! What ends the TLS of a connection.

use rustls::{CertificateError, Error};

/// Why a TLS connection failed, and what is needed to explain it.
#[derive(Debug)]
pub struct TlsError {
    /// What the library says.
    pub(crate) error: Error,
    /// Something that was TLS had come from the peer.
    pub(crate) is_answered: bool,
    /// We have a client certificate.
    pub(crate) shows_certificate: bool,
}

/// Whether a certificate was refused because it is a CA's own: a self-signed one, most often.
pub(crate) fn is_a_ca_as_server(error: &Error) -> bool {
    // The one error of the verifier without a variant of its own that people meet every day.
    matches!(error, Error::InvalidCertificate(CertificateError::Other(other)) if other.to_string().contains("CaUsedAsEndEntity"))
}
