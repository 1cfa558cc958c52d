//! The route to the target, for all load threads: set once, and again when its name has new addresses.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use crate::sync::{AtomicU64, Mutex, Ordering};
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

#[cfg(all(loom, test))]
mod loom_tests {
    use super::*;

    #[test]
    fn loom_the_newest_addresses_are_seen_at_last_and_never_older_ones_again() {
        let list = |port: u16| vec![Address::Inet(([127, 0, 0, 1], port).into())];
        loom::model(move || {
            let route = Arc::new(Route::new(list(0), &[]));
            let publisher = loom::thread::spawn({
                let route = Arc::clone(&route);
                move || (1..=2).for_each(|port| route.publish(list(port)))
            });
            let (mut seen, mut port) = (0, 0);
            let mut look = || {
                if let Some(addresses) = route.newer(&mut seen) {
                    let [Address::Inet(address)] = &addresses[..] else { panic!("{addresses:?}") };
                    assert!(address.port() >= port, "{} after {port}", address.port());
                    port = address.port();
                }
                assert!(u64::from(port) >= seen, "version {seen}, addresses {port}");
                port
            };
            look();
            look();
            publisher.join().unwrap();
            assert_eq!(look(), 2);
        });
    }
}
