//! What was seen of failures, to show people.

use crate::tally::{Detail, Outcome, TlsFault};

/// The first time an outcome other than ok was seen, to show people.
#[derive(Clone, Debug, PartialEq)]
pub struct FirstFailure {
    /// Which scenario.
    pub scenario: usize,
    /// How it ended.
    pub outcome: Outcome,
    /// Seconds since the measured time began.
    pub t: f64,
    /// What was seen, in a few words: a status code, an operating system error, a parse error.
    pub detail: String,
}

/// What was seen, in a few words.
pub(crate) fn detail_text(detail: Detail, outcome: Outcome) -> String {
    match detail {
        Detail::None => outcome.explain().to_owned(),
        Detail::Status(code) => format!("status {code}"),
        Detail::Os(errno) => std::io::Error::from_raw_os_error(errno).to_string(),
        Detail::Protocol(error) => error.explain().to_owned(),
        Detail::Tls(TlsFault::Alert(number)) => {
            format!("{} (number {number})", TlsFault::Alert(number).explain())
        }
        Detail::Tls(fault) => fault.explain().to_owned(),
        Detail::Truncated => {
            "the connection ended without TLS close_notify: it may have been cut off".to_owned()
        }
        Detail::Redirect(error) => error.explain().to_owned(),
        Detail::BrokenRule(broken) => format!("`{}` does not hold", broken.name()),
    }
}
