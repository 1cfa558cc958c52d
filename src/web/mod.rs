//! The status server: the dashboard at `/`, `/status`, `/metrics`, `/healthz`, `/readyz`.
//!
//! ```text
//! client ──TCP──> frontend ──whole requests, local socket──> tiny_http ──> routes ──> shared snapshot
//! ```
//!
//! `frontend` is one small thread between the network and tiny_http, which has no deadlines and no limits and
//! dies of what careless clients send. Reading the shared snapshot never waits for the load and never delays
//! it. The pages' content is drawn in `report`.

mod access;
mod api;
mod dashboard;
mod frontend;
mod local;
mod operator;
mod page;
mod pages;
mod raw;
mod request;
mod routes;
mod server;
mod site;
mod timing;
mod token;
mod watchers;

pub(crate) use access::Access;
pub(crate) use api::{Call, Calls};
pub use operator::{Action, Operator};
pub use request::BODY_BYTES;
pub use server::{DEFAULT_ADDR, Listen, Server, serve};
pub use site::{Deadlines, Site};
pub use token::Token;
