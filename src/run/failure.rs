//! Failures seen in a run, for display.

use crate::tally::{Detail, Outcome, TlsFault};

/// The first occurrence of an outcome other than ok.
#[derive(Clone, Debug, PartialEq)]
pub struct FirstFailure {
    /// Index of the scenario.
    pub scenario: usize,
    /// The outcome.
    pub outcome: Outcome,
    /// Seconds since the measured time began.
    pub t: f64,
    /// A short description: a status code, an operating system error, a parse error.
    pub detail: String,
}

/// A short description of the failure.
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
