//! How an exchange ended: a closed list, each with a stable name and a sentence that explains it.

use serde::{Deserialize, Serialize};

use super::{StepId, TlsFault};
use crate::http::RedirectError;
use crate::http1::ProtocolError;

named_enum! {
    /// How one exchange ended. Every exchange that was due ends in exactly one of these, is dropped,
    /// or is counted as unfinished.
    pub enum Outcome {
        /// A complete response that met its expectations (by default a status below 400).
        Ok = "ok",
        /// A complete response with a status the scenario does not expect.
        UnexpectedStatus = "unexpected_status",
        /// A complete response that broke another expectation.
        ExpectationFailed = "expectation_failed",
        /// A complete response whose body is too large for its expectations to be checked.
        BodyTooLarge = "body_too_large",
        /// A complete response that redirects to where the scenario's `follow_redirects` does not reach.
        RedirectFailed = "redirect_failed",
        /// No byte of a response had come when its own deadline passed.
        FirstByteTimeout = "first_byte_timeout",
        /// The response was not complete when the request's deadline passed.
        Timeout = "timeout",
        /// The target did not take the request's bytes before the deadline passed.
        WriteTimeout = "write_timeout",
        /// The target answered the connection attempt with a refusal.
        ConnectRefused = "connect_refused",
        /// No route, host or network: the connection attempt could not reach the target.
        ConnectUnreachable = "connect_unreachable",
        /// The connection was not established before the connect deadline passed.
        ConnectTimeout = "connect_timeout",
        /// TLS failed: in the handshake, or by an alert or a damaged record after it.
        TlsFailed = "tls_failed",
        /// The connection was reset before the response was complete.
        Reset = "reset",
        /// The target closed the connection before the response was complete.
        ClosedEarly = "closed_early",
        /// What came is not a valid HTTP/1.1 response.
        ProtocolError = "protocol_error",
        /// This machine could not do its part (ports, file descriptors, memory): never the target's fault.
        LocalError = "local_error",
    }
}

impl Outcome {
    /// One sentence for the summary: what happened, in the words of a person reading a report.
    pub(crate) const fn explain(self) -> &'static str {
        match self {
            Self::Ok => "complete response, as expected",
            Self::UnexpectedStatus => "complete response with a status that counts as a failure",
            Self::ExpectationFailed => "complete response that broke an expectation",
            Self::BodyTooLarge => "complete response with a body larger than `max_body`: it was not checked",
            Self::RedirectFailed => {
                "complete response that redirects further than `follow_redirects`, or to another origin"
            }
            Self::FirstByteTimeout => "no byte of a response within `first_byte_timeout`",
            Self::Timeout => "no complete response within the scenario's `timeout`",
            Self::WriteTimeout => "the target had not read the whole request when its `timeout` passed",
            Self::ConnectRefused => "the target refused the connection",
            Self::ConnectUnreachable => "the target could not be reached",
            Self::ConnectTimeout => "no connection within `load.connect_timeout`",
            Self::TlsFailed => "no TLS connection, or one that was broken off",
            Self::Reset => "the connection was reset before the response was complete",
            Self::ClosedEarly => "the target closed the connection before the response was complete",
            Self::ProtocolError => "what came back is not a valid HTTP/1.1 response",
            Self::LocalError => {
                "this machine, not the target, ran out of something (ports, file descriptors)"
            }
        }
    }

    /// Whether the exchange ended well; everything else counts as failed.
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::Ok)
    }

    /// Whether a deadline ended the exchange: then its times are recorded at that deadline.
    pub(crate) const fn is_timeout(self) -> bool {
        matches!(self, Self::FirstByteTimeout | Self::Timeout | Self::WriteTimeout | Self::ConnectTimeout)
    }
}

/// What was seen when an exchange failed, beyond its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Detail {
    /// Nothing more to say.
    None,
    /// The response's status code.
    Status(u16),
    /// The operating system's error number.
    Os(i32),
    /// What the response violated.
    Protocol(ProtocolError),
    /// What went wrong with TLS.
    Tls(TlsFault),
    /// The stream ended without TLS saying so: somebody between may have cut it off.
    Truncated,
    /// The expectation that the response broke.
    BrokenRule(BrokenRule),
    /// Why a redirect was not followed.
    Redirect(RedirectError),
}

/// Which expectation of its scenario a complete response broke; places count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BrokenRule {
    /// It has a status that is not expected.
    Status(u16),
    /// The header expected at this place is missing or says something else.
    Header(u16),
    /// The body is shorter or longer than expected.
    BodyBytes,
    /// The body does not contain the text expected at this place.
    BodyContains(u16),
    /// The body is not JSON.
    NotJson,
    /// The JSON value expected at this place is missing or another one.
    Json(u16),
    /// The body is larger than what is kept of it.
    BodyTooLarge,
}

impl BrokenRule {
    /// The key of the plan that was broken.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Header(_) => "header",
            Self::BodyBytes => "body_bytes",
            Self::BodyContains(_) => "body_contains",
            Self::NotJson | Self::Json(_) => "json",
            Self::BodyTooLarge => "max_body",
        }
    }

    /// How an exchange whose response broke this ends.
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::Status(_) => Outcome::UnexpectedStatus,
            Self::BodyTooLarge => Outcome::BodyTooLarge,
            _ => Outcome::ExpectationFailed,
        }
    }
}

/// Different broken expectations kept of each step.
pub(crate) const MAX_FAILURE_SAMPLES: usize = 5;

/// The first response that broke an expectation, as far as people want to see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureSample {
    /// When, on the run's clock, in nanoseconds.
    pub at_ns: u64,
    /// Its step.
    pub step: StepId,
    /// What it broke.
    pub broken: BrokenRule,
    /// Its status code.
    pub status: u16,
    /// What was expected and what came, in a sentence.
    pub(crate) what: String,
    /// How its body begins, bounded and with control characters escaped; empty where no body was kept.
    pub(crate) excerpt: String,
}

/// The first exchange that ended in some way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstSeen {
    /// When, on the run's clock, in nanoseconds.
    pub at_ns: u64,
    /// Its step.
    pub step: StepId,
    /// What was seen.
    pub detail: Detail,
}
