//! Failures seen in a run, for display.

use crate::tally::{Detail, FirstSeen, Outcome, TlsFault};

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

/// A short description of a failure, and what came of its response.
pub(crate) fn first_text(first: &FirstSeen, outcome: Outcome) -> String {
    let detail = detail_text(first.detail, outcome);
    if first.evidence.is_empty() { detail } else { format!("{detail}; {}", first.evidence) }
}

/// A short description of a failure.
pub(crate) fn detail_text(detail: Detail, outcome: Outcome) -> String {
    match detail {
        Detail::None => outcome.explain().to_owned(),
        Detail::Status(code) => format!("status {code}"),
        Detail::Os(errno) => {
            // Without `(os error 111)`: the text says it.
            let text = std::io::Error::from_raw_os_error(errno).to_string();
            text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_owned()
        }
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
