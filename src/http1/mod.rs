//! HTTP/1.1 as bytes: requests out, responses in. No sockets, no time.
//!
//! A response is not stored: the decoder only finds where it ends and what its head says, so that
//! bodies can be skipped in the kernel. To look into one, hand the decoder a
//! [`CapturedResponse`](crate::http::CapturedResponse).
//!
//! # Policy
//!
#![doc = include_str!("policy.md")]

mod chunks;
mod connection;
mod head;
mod request;
mod response;

pub use connection::Connection;
pub use head::{Framing, Head, MAX_HEAD_BYTES};
pub use request::{Request, encode};
pub use response::{Decoder, Fed, HeadMemo, Skippable};

/// Why what came is not a response we can account for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum ProtocolError {
    /// The head does not parse as HTTP/1.x.
    BadHead,
    /// The head is longer than [`MAX_HEAD_BYTES`].
    HeadTooLarge,
    /// The head has more than [`MAX_FIELDS`] fields.
    TooManyFields,
    /// The status code is outside 100..=999, or 101 to a request that asked for no upgrade.
    BadStatus,
    /// A Content-Length that is not a number, or overflows.
    BadLength,
    /// Content-Lengths that differ.
    ConflictingLengths,
    /// A Transfer-Encoding that names chunked more than once or not last.
    BadTransferEncoding,
    /// Chunked framing that does not parse.
    BadChunk,
}

impl ProtocolError {
    /// Number of variants: the length of an array indexed by `error as usize`.
    pub const COUNT: usize = Self::ALL.len();

    /// Every error, in the order in which reports list them.
    pub const ALL: [ProtocolError; 8] = [
        Self::BadHead,
        Self::HeadTooLarge,
        Self::TooManyFields,
        Self::BadStatus,
        Self::BadLength,
        Self::ConflictingLengths,
        Self::BadTransferEncoding,
        Self::BadChunk,
    ];

    /// The stable name in JSON and metric labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadHead => "bad_head",
            Self::HeadTooLarge => "head_too_large",
            Self::TooManyFields => "too_many_fields",
            Self::BadStatus => "bad_status",
            Self::BadLength => "bad_length",
            Self::ConflictingLengths => "conflicting_lengths",
            Self::BadTransferEncoding => "bad_transfer_encoding",
            Self::BadChunk => "bad_chunk",
        }
    }

    /// What was wrong, in a few words.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::BadHead => "the head does not parse as HTTP/1.x",
            Self::HeadTooLarge => "the head is longer than 64 KiB",
            Self::TooManyFields => "the head has more than 256 fields",
            Self::BadStatus => "the status code makes no sense here",
            Self::BadLength => "Content-Length is not a valid number",
            Self::ConflictingLengths => "several Content-Length values differ",
            Self::BadTransferEncoding => "Transfer-Encoding names chunked twice or not last",
            Self::BadChunk => "the chunked framing does not parse",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ProtocolError;

    #[test]
    fn names_of_protocol_errors_are_distinct_and_in_index_order() {
        for (i, a) in ProtocolError::ALL.iter().enumerate() {
            assert_eq!(*a as usize, i);
            assert!(ProtocolError::ALL[i + 1..].iter().all(|b| a.name() != b.name()));
        }
    }
}
