//! The route to the target, for all load threads: set once, and again when its name has new addresses.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::sys::Address;

/// The target's addresses and ours. A thread checks a version number before it connects, and takes the lock
/// only if that has changed.
#[derive(Debug)]
pub struct Route {
    version: AtomicU64,
    addresses: Mutex<Arc<[Address]>>,
    sources: Arc<[IpAddr]>,
}

impl Route {
    /// A route to `addresses`, at least one, from `sources` in turn; no sources: the kernel's choice.
    pub fn new(addresses: Vec<Address>, sources: &[IpAddr]) -> Self {
        Self { version: AtomicU64::new(0), addresses: Mutex::new(addresses.into()), sources: sources.into() }
    }

    /// New connections go to `addresses`, at least one.
    pub fn publish(&self, addresses: Vec<Address>) {
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = addresses.into();
        self.version.fetch_add(1, Ordering::Release);
    }

    /// The current addresses of the target.
    pub fn addresses(&self) -> Arc<[Address]> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The source addresses of connections.
    pub(crate) fn sources(&self) -> Arc<[IpAddr]> {
        self.sources.clone()
    }

    /// The addresses, if they are newer than version `seen`, which is then updated.
    pub(super) fn newer(&self, seen: &mut u64) -> Option<Arc<[Address]>> {
        let version = self.version.load(Ordering::Acquire);
        if version == *seen {
            return None;
        }
        *seen = version;
        Some(self.addresses())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_list_is_seen_once() {
        let address = |text: &str| Address::Inet(text.parse().unwrap());
        let route = Route::new(vec![address("127.0.0.1:1")], &[]);
        let mut seen = 0;
        assert_eq!(route.newer(&mut seen), None);
        route.publish(vec![address("127.0.0.1:2")]);
        assert_eq!(route.newer(&mut seen).as_deref(), Some(&[address("127.0.0.1:2")][..]));
        assert_eq!(route.newer(&mut seen), None);
    }
}
