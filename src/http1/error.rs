//! The reasons why received bytes are not a valid response.

named_enum! {
    /// Why the received bytes are not a response that can be measured.
    #[derive(serde::Serialize, serde::Deserialize)]
    pub enum ProtocolError {
        /// The head does not parse as HTTP/1.x.
        BadHead = "bad_head",
        /// The head is longer than [`super::MAX_HEAD_BYTES`].
        HeadTooLarge = "head_too_large",
        /// The head has more than `MAX_FIELDS` fields.
        TooManyFields = "too_many_fields",
        /// The status code is below 100, or 101: upgrades are not supported.
        BadStatus = "bad_status",
        /// A Content-Length that is not a number, or overflows.
        BadLength = "bad_length",
        /// Content-Lengths that differ.
        ConflictingLengths = "conflicting_lengths",
        /// A Transfer-Encoding that names chunked more than once or not last.
        BadTransferEncoding = "bad_transfer_encoding",
        /// Chunked framing that does not parse.
        BadChunk = "bad_chunk",
        /// An HTTP/2 SETTINGS frame where a head should begin.
        Http2 = "http2",
        /// A TLS alert where a head should begin.
        Tls = "tls",
    }
}

impl ProtocolError {
    /// A short description for messages.
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
            Self::Http2 => {
                "the target speaks HTTP/2 without TLS (h2c), and HTTP/1.1 is what this tool speaks"
            }
            Self::Tls => "the target speaks TLS: write https:// instead of http://",
        }
    }
}
