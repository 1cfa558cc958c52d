//! What HTTP means, whatever version carries it (RFC 9110): methods, statuses, fields, redirects, responses.
//! Framing is left to [`http1`](crate::http1).

mod fields;
mod location;
mod method;
mod response;
mod status;

pub use fields::MAX_FIELDS;
pub(crate) use fields::{describes_content, each_field, parser_config};
pub use location::RedirectError;
pub(crate) use location::{Origin, follow};
pub(crate) use method::Method;
pub use response::CapturedResponse;
pub(crate) use response::{ResponseSink, ResponseView};
pub(crate) use status::Status;
