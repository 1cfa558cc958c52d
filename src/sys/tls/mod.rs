//! TLS over bytes: wire bytes in, plaintext out, and the other way round. Knows no socket and no
//! request; `load` moves the bytes.
//!
//! ```text
//! Config (once, from the plan and its files) ─▶ for each thread a store of sessions ─▶ Session (each connection)
//! ```

mod config;
mod error;
mod session;
mod tickets;
mod trust;

pub(crate) use config::{PemFile, ThreadTls, TlsConfig, TlsOptions};
pub(crate) use error::{TlsError, is_a_ca_as_server};
pub use session::Session;
