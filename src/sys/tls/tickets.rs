//! A thread's TLS sessions to resume in later connections to its one target.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// The fewest tickets kept, as a reserve for threads with few connections, since targets send two or more at
/// a time. Otherwise one per connection: each ticket is good for one connection (RFC 8446, appendix C.4), and
/// a thread opens no more at once than it has.
const LEAST_TICKETS: u32 = 8;
/// The most tickets kept; each takes about 300 bytes.
const MOST_TICKETS: u32 = 4_096;

/// One thread's sessions. The lock is never contended: the store is not shared.
#[derive(Debug)]
pub(super) struct Tickets(Mutex<StoredSessions>);

#[derive(Debug)]
struct StoredSessions {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    /// Oldest first.
    tls13: VecDeque<Tls13ClientSessionValue>,
    most: usize,
}

impl Tickets {
    pub(crate) fn new(connections: u32) -> Self {
        let most = connections.clamp(LEAST_TICKETS, MOST_TICKETS) as usize;
        Self(Mutex::new(StoredSessions {
            group: None,
            tls12: None,
            tls13: VecDeque::with_capacity(most),
            most,
        }))
    }

    fn with<T>(&self, look: impl FnOnce(&mut StoredSessions) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.with(|kept| kept.group = Some(group));
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.with(|kept| kept.group)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.with(|kept| kept.tls12 = Some(session));
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.with(|kept| kept.tls12.clone())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.with(|kept| kept.tls12 = None);
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.with(|kept| {
            if kept.tls13.len() == kept.most {
                kept.tls13.pop_front();
            }
            kept.tls13.push_back(ticket);
        });
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.with(|kept| kept.tls13.pop_back())
    }
}
