//! HTTP/1.1 messages: encodes requests and decodes responses. No sockets, no time.
//!
//! Responses are not stored: the decoder only parses the head and finds the end, so that bodies can be
//! discarded in the kernel. To inspect a response, pass the decoder a
//! [`CapturedResponse`](crate::http::CapturedResponse).
//!
//! # Policy
//!
#![doc = include_str!("policy.md")]

mod chunks;
mod connection;
mod error;
mod head;
mod request;
mod response;

pub(crate) use connection::Connection;
pub use error::ProtocolError;
pub use head::{Framing, Head, MAX_HEAD_BYTES};
pub(crate) use request::{BodyFraming, HeadPart, head_parts};
pub use request::{Request, encode};
pub use response::{Decoder, HeadMemo};
pub(crate) use response::{DiscardableBody, FeedResult};
