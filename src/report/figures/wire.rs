//! Connections and protocol errors.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::http1::ProtocolError;
use crate::report::format::count;
use crate::tally::{Close, Counter, Merged, Outcome, TlsFault};

/// Protocol errors by kind, without zeros.
pub(crate) fn protocol_errors(tally: &Merged) -> BTreeMap<&'static str, u64> {
    let named = ProtocolError::ALL.into_iter().map(|e| (e.name(), tally.counter(e)));
    named.filter(|(_, n)| *n > 0).collect()
}

/// TLS failures by kind, without zeros.
pub(crate) fn tls_faults(tally: &Merged) -> BTreeMap<&'static str, u64> {
    let named = TlsFault::ALL.into_iter().map(|fault| (fault.name(), tally.counter(fault)));
    named.filter(|(_, n)| *n > 0).collect()
}

/// The explanation of `outcome`, with the counts of its kinds where it has several.
pub(crate) fn explain(outcome: Outcome, tally: &Merged) -> String {
    let mut text = outcome.explain().to_owned();
    let reasons = match outcome {
        Outcome::ProtocolError => protocol_errors(tally),
        Outcome::TlsFailed => tls_faults(tally),
        _ => BTreeMap::new(),
    };
    let named: Vec<String> = reasons.into_iter().map(|(name, n)| format!("{name} ({})", count(n))).collect();
    if !named.is_empty() {
        text += &format!(": {}", named.join(", "));
    }
    text
}

/// What became of connections, those of the warm-up included.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Connections {
    /// Established.
    pub(crate) opened: u64,
    /// Those of them that took the place of one that was closed.
    pub(crate) reconnects: u64,
    /// Attempts that failed while no request was waiting on them; others are outcomes of their request.
    idle_attempts_failed: u64,
    /// Why established ones were closed, those reasons that occurred.
    pub(crate) closed: BTreeMap<&'static str, u64>,
}

impl Connections {
    pub(crate) fn of(tally: &Merged) -> Self {
        let closed = Close::ALL.into_iter().map(|why| (why.name(), tally.counter(why)));
        Self {
            opened: tally.counter(Counter::ConnectionsOpened),
            reconnects: tally.counter(Counter::Reconnects),
            idle_attempts_failed: tally.counter(Counter::ConnectFailures),
            closed: closed.filter(|(_, n)| *n > 0).collect(),
        }
    }

    /// Why connections were closed, with counts; `None`: none was closed.
    pub(crate) fn closed_in_words(&self) -> Option<String> {
        let named: Vec<String> =
            self.closed.iter().map(|(why, n)| format!("{why} ({})", count(*n))).collect();
        (!named.is_empty()).then(|| format!("closed: {}", named.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_error_is_explained_with_its_reasons() {
        let mut tally = Merged::new(1);
        assert_eq!(explain(Outcome::ProtocolError, &tally), Outcome::ProtocolError.explain());
        tally.set(ProtocolError::ConflictingLengths, 2_000);
        tally.set(ProtocolError::BadChunk, 1);
        let text = explain(Outcome::ProtocolError, &tally);
        assert!(text.ends_with(": bad_chunk (1), conflicting_lengths (2,000)"), "{text}");
        assert_eq!(explain(Outcome::Reset, &tally), Outcome::Reset.explain());
    }
}
