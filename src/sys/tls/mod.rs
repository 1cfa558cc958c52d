//! TLS over bytes: wire bytes in, plaintext out, and the reverse. Independent of sockets and requests; `load`
//! moves the bytes.
//!
//! ```text
//! TlsConfig (per run) ─▶ ThreadTls (per thread, with a session store) ─▶ Session (per connection)
//! ```

mod config;
mod error;
mod session;
mod tickets;
mod trust;

pub(crate) use config::{PemFile, ThreadTls, TlsConfig, TlsOptions};
pub(crate) use error::{TlsError, is_a_ca_as_server};
pub use session::Session;
