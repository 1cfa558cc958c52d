//! How exchanges end: outcomes with stable names and explanations.

use serde::{Deserialize, Serialize};

use super::{StepId, TlsFault};
use crate::http::RedirectError;
use crate::http1::ProtocolError;

named_enum! {
    /// How one exchange ended. Every due request ends in exactly one of these, is dropped, or is counted as
    /// unfinished.
    pub enum Outcome {
        /// A complete response that met its expectations (by default a status below 400).
        Ok = "ok",
        /// A complete response with a status the scenario does not expect.
        UnexpectedStatus = "unexpected_status",
        /// A complete response that broke another expectation.
        ExpectationFailed = "expectation_failed",
        /// A complete response whose body is too large for its expectations to be checked.
        BodyTooLarge = "body_too_large",
        /// A complete response with a redirect that could not be followed, see [`RedirectError`].
        RedirectFailed = "redirect_failed",
        /// No byte of a response had arrived when the first-byte deadline passed.
        FirstByteTimeout = "first_byte_timeout",
        /// The response was not complete when the request's deadline passed.
        Timeout = "timeout",
        /// The target did not take the request's bytes before the deadline passed.
        WriteTimeout = "write_timeout",
        /// The target refused the connection attempt.
        ConnectRefused = "connect_refused",
        /// No route, host or network: the connection attempt could not reach the target.
        ConnectUnreachable = "connect_unreachable",
        /// The connection was not established before the connect deadline passed.
        ConnectTimeout = "connect_timeout",
        /// The proxy did not open a tunnel to the target.
        ProxyFailed = "proxy_failed",
        /// TLS failed: in the handshake, or by an alert or a damaged record after it.
        TlsFailed = "tls_failed",
        /// The connection was reset before the response was complete.
        Reset = "reset",
        /// The target closed the connection before the response was complete.
        ClosedEarly = "closed_early",
        /// The received bytes are not a valid HTTP/1.1 response.
        ProtocolError = "protocol_error",
        /// This machine ran out of a resource (ports, file descriptors, memory): never the target's fault.
        LocalError = "local_error",
    }
}

impl Outcome {
    /// What happened, in one sentence for the reader of a report.
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
            Self::ProxyFailed => "the proxy did not open a tunnel to the target",
            Self::TlsFailed => "no TLS connection, or one that was broken off",
            Self::Reset => "the connection was reset before the response was complete",
            Self::ClosedEarly => "the target closed the connection before the response was complete",
            Self::ProtocolError => "what came back is not a valid HTTP/1.1 response",
            Self::LocalError => {
                "this machine, not the target, ran out of something (ports, file descriptors)"
            }
        }
    }

    /// Whether the exchange succeeded; every other outcome counts as failed.
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::Ok)
    }

    /// Whether a deadline ended the exchange; its times are then recorded at that deadline.
    pub(crate) const fn is_timeout(self) -> bool {
        matches!(self, Self::FirstByteTimeout | Self::Timeout | Self::WriteTimeout | Self::ConnectTimeout)
    }
}

/// Details of a failed exchange, beyond its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Detail {
    /// Nothing beyond the outcome.
    None,
    /// The response's status code.
    Status(u16),
    /// The operating system's error number.
    Os(i32),
    /// What the response violated.
    Protocol(ProtocolError),
    /// What went wrong with TLS.
    Tls(TlsFault),
    /// The connection ended without a TLS `close_notify` alert: a third party may have cut it off.
    Truncated,
    /// The expectation that the response broke.
    BrokenRule(BrokenRule),
    /// Why a redirect was not followed.
    Redirect(RedirectError),
}

/// Which expectation of its scenario a complete response broke; indices count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BrokenRule {
    /// The status is not an expected one.
    Status(u16),
    /// The expected header at this index is missing or has another value.
    Header(u16),
    /// The body is shorter or longer than expected.
    BodyBytes,
    /// The body does not contain the expected text at this index.
    BodyContains(u16),
    /// The body is not JSON.
    NotJson,
    /// The expected JSON value at this index is missing or differs.
    Json(u16),
    /// The body is larger than the part of it that is kept.
    BodyTooLarge,
    /// The body cannot be decoded.
    ContentEncoding,
}

impl BrokenRule {
    /// The plan key of the broken expectation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Header(_) => "header",
            Self::BodyBytes => "body_bytes",
            Self::BodyContains(_) => "body_contains",
            Self::NotJson | Self::Json(_) => "json",
            Self::BodyTooLarge => "max_body",
            Self::ContentEncoding => "content_encoding",
        }
    }

    /// The outcome of an exchange that broke this.
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::Status(_) => Outcome::UnexpectedStatus,
            Self::BodyTooLarge => Outcome::BodyTooLarge,
            _ => Outcome::ExpectationFailed,
        }
    }
}

/// The most failure samples kept per step, each of a different broken expectation.
pub(crate) const MAX_FAILURE_SAMPLES: usize = 5;

/// The first response that broke an expectation of a step, for people to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureSample {
    /// When, on the run's clock, in nanoseconds.
    pub at_ns: u64,
    /// Its step.
    pub step: StepId,
    /// The expectation that it broke.
    pub broken: BrokenRule,
    /// Its status code.
    pub status: u16,
    /// What was expected and what arrived, in a sentence.
    pub(crate) what: String,
    /// The start of its body, bounded and with control characters escaped; empty where no body was kept.
    pub(crate) excerpt: String,
}

/// The first exchange with a certain outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstSeen {
    /// When, on the run's clock, in nanoseconds.
    pub at_ns: u64,
    /// Its step.
    pub step: StepId,
    /// Details of the failure.
    pub detail: Detail,
    /// What came of its response, bounded and without secrets; empty: nothing, or all of it.
    pub(crate) evidence: String,
}
