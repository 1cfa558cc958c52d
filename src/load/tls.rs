//! Builds the TLS configuration from a plan, and maps TLS errors to faults.

use rustls::{CertificateError, Error, PeerMisbehaved};

use crate::plan::{Tls, Versions, quoted};
use crate::sys::{PemFile, TlsConfig, TlsError, TlsOptions, is_a_ca_as_server};
use crate::tally::TlsFault;

/// The contents of a plan's PEM files, if it has any.
#[derive(Clone, Default)]
pub struct Pem {
    /// The content of `tls.ca`.
    pub ca: Option<Vec<u8>>,
    /// The content of `tls.cert`.
    pub certificate: Option<Vec<u8>>,
    /// The content of `tls.key`.
    pub key: Option<Vec<u8>>,
}

/// The TLS configuration that the connections of a plan with `tls` and these files share.
///
/// # Errors
/// Which key and file is at fault, why, and what to do about it.
pub fn tls_config(tls: &Tls, files: &Pem) -> Result<TlsConfig, String> {
    fn file<'a>(name: &str, bytes: &'a Option<Vec<u8>>) -> PemFile<'a> {
        PemFile { name: quoted(name), bytes: bytes.as_deref().unwrap_or_default() }
    }
    let client = tls.client.as_ref();
    TlsConfig::new(&TlsOptions {
        ca: tls.ca.as_ref().map(|name| file(name, &files.ca)),
        client: client.map(|own| (file(&own.certificate, &files.certificate), file(&own.key, &files.key))),
        insecure: tls.insecure,
        server_name: &tls.server_name,
        shown_name: quoted(&tls.server_name),
        resumption: tls.resumption,
        offers_12: tls.versions != Versions::Only13,
        offers_13: tls.versions != Versions::Only12,
    })
}

/// The fault for a TLS error.
pub(super) fn fault(failed: &TlsError) -> TlsFault {
    match &failed.error {
        error if is_a_ca_as_server(error) => TlsFault::WrongPurpose,
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::AlertReceived(alert) => TlsFault::of_alert(u8::from(*alert), failed.shows_certificate),
        Error::PeerIncompatible(_) => TlsFault::NothingInCommon,
        Error::NoApplicationProtocol
        | Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => TlsFault::NoAlpn,
        Error::InvalidMessage(_) if !failed.is_answered => TlsFault::NotTls,
        Error::FailedToGetCurrentTime | Error::FailedToGetRandomBytes | Error::General(_) => TlsFault::Local,
        _ => TlsFault::Protocol,
    }
}

fn of_certificate(error: &CertificateError) -> TlsFault {
    use CertificateError as Bad;
    match error {
        Bad::UnknownIssuer => TlsFault::UnknownIssuer,
        Bad::Expired | Bad::ExpiredContext { .. } => TlsFault::Expired,
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => TlsFault::NotYetValid,
        Bad::NotValidForNameContext { presented, .. } if presented.is_empty() => TlsFault::NoHostName,
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => TlsFault::NameMismatch,
        Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => TlsFault::WrongPurpose,
        _ => TlsFault::BadCertificate,
    }
}
