//! HTTP semantics of every version (RFC 9110): methods, statuses, fields, redirects, responses.
//! [`http1`](crate::http1) does the framing.

mod content_coding;
mod fields;
mod location;
mod method;
mod response;
mod status;

pub(crate) use content_coding::DecodeError;
pub use fields::MAX_FIELDS;
pub(crate) use fields::{describes_content, each_field, parser_config};
pub use location::RedirectError;
pub(crate) use location::{Origin, follow};
pub(crate) use method::Method;
pub use response::CapturedResponse;
pub(crate) use response::{ResponseSink, ResponseView};
pub(crate) use status::Status;
