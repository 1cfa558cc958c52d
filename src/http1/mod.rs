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
mod error;
mod head;
mod request;
mod response;

pub(crate) use connection::Connection;
pub use error::ProtocolError;
pub use head::{Framing, Head, MAX_HEAD_BYTES};
pub use request::{Request, encode};
pub use response::{Decoder, HeadMemo};
pub(crate) use response::{DiscardableBody, FeedResult};
