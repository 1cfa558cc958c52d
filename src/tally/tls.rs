//! The reasons why TLS fails, with stable names and explanations.

/// What went wrong with TLS on one connection, in its handshake or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum TlsFault {
    /// The target's certificate is from an issuer that is not trusted.
    UnknownIssuer,
    /// The target's certificate has expired.
    Expired,
    /// The target's certificate is not valid yet.
    NotYetValid,
    /// The target's certificate is for another name.
    NameMismatch,
    /// The target's certificate names no host: it has no subjectAltName.
    NoHostName,
    /// The target's certificate may not be used by a server.
    WrongPurpose,
    /// The target's certificate is wrong in some other way.
    BadCertificate,
    /// The target wants a client certificate and got none.
    ClientCertificateRequired,
    /// The target refuses our client certificate.
    ClientCertificateRefused,
    /// No protocol version, cipher suite or signature scheme in common.
    NothingInCommon,
    /// The target does not offer HTTP/1.1 by ALPN.
    NoAlpn,
    /// The peer does not speak TLS.
    NotTls,
    /// The target sent a fatal alert, with this number (RFC 8446, section 6).
    Alert(u8),
    /// The target broke the protocol: wrong or damaged messages.
    Protocol,
    /// The connection ended or was reset in the handshake.
    Closed,
    /// This machine failed (randomness, time).
    Local,
}

impl TlsFault {
    /// Number of reasons: the length of an array indexed by [`TlsFault::index`].
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// Every reason, in the order in which reports list them; alerts count as one, whatever their number.
    pub(crate) const ALL: [TlsFault; 16] = [
        Self::UnknownIssuer,
        Self::Expired,
        Self::NotYetValid,
        Self::NameMismatch,
        Self::WrongPurpose,
        Self::BadCertificate,
        Self::ClientCertificateRequired,
        Self::ClientCertificateRefused,
        Self::NothingInCommon,
        Self::NoAlpn,
        Self::NotTls,
        Self::Alert(0),
        Self::Protocol,
        Self::Closed,
        Self::Local,
        Self::NoHostName,
    ];

    /// Index in [`TlsFault::ALL`].
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::UnknownIssuer => 0,
            Self::Expired => 1,
            Self::NotYetValid => 2,
            Self::NameMismatch => 3,
            Self::WrongPurpose => 4,
            Self::BadCertificate => 5,
            Self::ClientCertificateRequired => 6,
            Self::ClientCertificateRefused => 7,
            Self::NothingInCommon => 8,
            Self::NoAlpn => 9,
            Self::NotTls => 10,
            Self::Alert(_) => 11,
            Self::Protocol => 12,
            Self::Closed => 13,
            Self::Local => 14,
            Self::NoHostName => 15,
        }
    }

    /// The stable name in JSON and metric labels.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::UnknownIssuer => "unknown_issuer",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::NameMismatch => "name_mismatch",
            Self::NoHostName => "no_host_name",
            Self::WrongPurpose => "wrong_purpose",
            Self::BadCertificate => "bad_certificate",
            Self::ClientCertificateRequired => "client_certificate_required",
            Self::ClientCertificateRefused => "client_certificate_refused",
            Self::NothingInCommon => "nothing_in_common",
            Self::NoAlpn => "no_alpn",
            Self::NotTls => "not_tls",
            Self::Alert(_) => "alert",
            Self::Protocol => "protocol",
            Self::Closed => "closed",
            Self::Local => "local",
        }
    }

    /// What was wrong and, where the plan can fix it, what to change.
    pub(crate) const fn explain(self) -> &'static str {
        match self {
            Self::UnknownIssuer => {
                "the target's certificate is from an unknown issuer: name its CA with `tls.ca` (--cacert)"
            }
            Self::Expired => "the target's certificate has expired",
            Self::NotYetValid => "the target's certificate is not valid yet",
            Self::NameMismatch => {
                "the target's certificate is for another name: if that is meant, set `tls.server_name`"
            }
            Self::NoHostName => {
                "the target's certificate has no subjectAltName, and its common name is not looked at (RFC 9525): have it \
                 made with one (`openssl req … -addext subjectAltName=DNS:HOST`)"
            }
            Self::WrongPurpose => {
                "the target's certificate is not one for a server; if it is self-signed, name it with `tls.ca` (--cacert)"
            }
            Self::BadCertificate => "the target's certificate is not acceptable",
            Self::ClientCertificateRequired => {
                "the target wants a client certificate: give `tls.cert` and `tls.key` (--cert, --key)"
            }
            Self::ClientCertificateRefused => "the target refuses our client certificate (`tls.cert`)",
            Self::NothingInCommon => "no TLS version, cipher suite or signature scheme in common",
            Self::NoAlpn => "the target offers no HTTP/1.1 over TLS (no ALPN protocol in common)",
            Self::NotTls => {
                "the target does not speak TLS: write http:// instead of https://, or another port"
            }
            Self::Alert(_) => "the target ended TLS with an alert",
            Self::Protocol => "the target broke the TLS protocol",
            Self::Closed => "the target ended the connection in the TLS handshake",
            Self::Local => "this machine could not do its part of TLS",
        }
    }

    /// The fault for a fatal alert with this number; `with_certificate`: the plan has a client certificate.
    pub(crate) const fn of_alert(number: u8, with_certificate: bool) -> Self {
        match number {
            40 | 70 | 71 => Self::NothingInCommon,
            116 => Self::ClientCertificateRequired,
            // Alerts about a certificate are about ours: the target sees no other.
            42..=46 | 48 | 49 if with_certificate => Self::ClientCertificateRefused,
            // OpenSSL and others send this in TLS 1.2, which has no certificate_required.
            42 if !with_certificate => Self::ClientCertificateRequired,
            120 => Self::NoAlpn,
            _ => Self::Alert(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_in_index_order() {
        for (i, a) in TlsFault::ALL.iter().enumerate() {
            assert_eq!(a.index(), i);
            assert!(TlsFault::ALL[i + 1..].iter().all(|b| a.name() != b.name()));
        }
    }

    #[test]
    fn an_alert_of_a_certificate_is_about_ours() {
        assert_eq!(TlsFault::of_alert(48, true), TlsFault::ClientCertificateRefused);
        assert_eq!(TlsFault::of_alert(48, false), TlsFault::Alert(48));
        assert_eq!(TlsFault::of_alert(116, false), TlsFault::ClientCertificateRequired);
        assert_eq!(TlsFault::of_alert(80, true), TlsFault::Alert(80));
    }
}
