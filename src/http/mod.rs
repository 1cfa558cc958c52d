//! What HTTP means, whatever version carries it (RFC 9110): methods, statuses, fields, redirects, responses.
//! Framing is left to [`http1`](crate::http1).

mod fields;
mod location;
mod method;
mod response;
mod status;

pub use fields::{MAX_FIELDS, describes_content, each_field, parser_config};
pub use location::{Origin, RedirectError, follow};
pub use method::Method;
pub use response::{CapturedResponse, ResponseSink, ResponseView};
pub use status::Status;
