//! TLS errors of a connection.

use rustls::{CertificateError, Error};

/// Why a TLS connection failed, with the context needed to explain it.
#[derive(Debug)]
pub struct TlsError {
    /// The library's error.
    pub(crate) error: Error,
    /// Whether the peer had sent valid TLS.
    pub(crate) is_answered: bool,
    /// Whether we have a client certificate.
    pub(crate) shows_certificate: bool,
}

/// Whether a certificate was refused because it is a CA certificate: usually a self-signed one.
pub(crate) fn is_a_ca_as_server(error: &Error) -> bool {
    // The verifier has no variant for this one common error.
    matches!(error, Error::InvalidCertificate(CertificateError::Other(other)) if other.to_string().contains("CaUsedAsEndEntity"))
}
