//! The library's errors in our closed list.

use rustls::{CertificateError, Error, PeerMisbehaved};

use crate::tally::TlsFault;

/// How much of a handshake there had been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing that was TLS had come.
    Unanswered,
    /// Something had.
    Answered,
}

/// What `error` is in our list. `shows_certificate`: we have a client certificate.
pub(super) fn fault(error: &Error, stage: Stage, shows_certificate: bool) -> TlsFault {
    match error {
        error if is_a_ca_as_server(error) => TlsFault::WrongPurpose,
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::AlertReceived(alert) => TlsFault::of_alert(u8::from(*alert), shows_certificate),
        Error::PeerIncompatible(_) => TlsFault::NothingInCommon,
        Error::NoApplicationProtocol
        | Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => TlsFault::NoAlpn,
        Error::InvalidMessage(_) if stage == Stage::Unanswered => TlsFault::NotTls,
        Error::FailedToGetCurrentTime | Error::FailedToGetRandomBytes | Error::General(_) => TlsFault::Local,
        _ => TlsFault::Protocol,
    }
}

/// Whether a certificate was refused because it is a CA's own: a self-signed one, most often.
pub(super) fn is_a_ca_as_server(error: &Error) -> bool {
    // The one error of the verifier without a variant of its own that people meet every day.
    matches!(error, Error::InvalidCertificate(CertificateError::Other(other)) if other.to_string().contains("CaUsedAsEndEntity"))
}

fn of_certificate(error: &CertificateError) -> TlsFault {
    use CertificateError as Bad;
    match error {
        Bad::UnknownIssuer => TlsFault::UnknownIssuer,
        Bad::Expired | Bad::ExpiredContext { .. } => TlsFault::Expired,
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => TlsFault::NotYetValid,
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => TlsFault::NameMismatch,
        Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => TlsFault::WrongPurpose,
        _ => TlsFault::BadCertificate,
    }
}
