//! Resolves the coordinator's name only if it is not resolved yet or the last address failed, so that an
//! outage of the name server costs no worker its lease.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long to try to resolve a name that has known addresses.
const PATIENCE: Duration = Duration::from_millis(500);

/// The cached addresses of the coordinator's name.
#[derive(Clone, Debug, Default)]
pub(crate) struct StickyResolver(Arc<ResolvedName>);

#[derive(Debug, Default)]
struct ResolvedName {
    addresses: Mutex<Option<ResolvedSocketAddrs>>,
    in_doubt: AtomicBool,
    ask: DefaultResolver,
}

impl StickyResolver {
    /// The last call did not reach the coordinator.
    pub(crate) fn doubt(&self) {
        self.0.in_doubt.store(true, Ordering::Relaxed);
    }

    /// The last call reached the coordinator.
    pub(crate) fn trust(&self) {
        self.0.in_doubt.store(false, Ordering::Relaxed);
    }
}

impl Resolver for StickyResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let known = || self.0.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known().clone();
        let mut patience = timeout;
        if let Some(addresses) = &before {
            if !self.0.in_doubt.load(Ordering::Relaxed) {
                return Ok(addresses.clone());
            }
            patience.after = (*patience.after).min(PATIENCE).into();
        }
        match (self.0.ask.resolve(uri, config, patience), before) {
            (Ok(addresses), _) => {
                *known() = Some(addresses.clone());
                Ok(addresses)
            }
            (Err(_), Some(addresses)) => Ok(addresses),
            (Err(why), None) => Err(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout() -> NextTimeout {
        let after = Duration::from_secs(5).into();
        NextTimeout { after, reason: ureq::Timeout::Global, ..NextTimeout::default() }
    }

    #[test]
    fn a_name_that_is_not_found_any_more_keeps_its_addresses() {
        let names = StickyResolver::default();
        let look = |url: &str| names.resolve(&url.parse().unwrap(), &Config::default(), timeout());
        assert!(look("http://nowhere.invalid:1").is_err());
        let here = look("http://127.0.0.1:7").unwrap();
        assert_eq!(here[0].port(), 7);
        // The name is not resolved while the addresses work; after a failure it is.
        assert_eq!(look("http://127.0.0.1:8").unwrap()[0].port(), 7);
        names.doubt();
        assert_eq!(look("http://nowhere.invalid:1").unwrap()[0].port(), 7);
        assert_eq!(look("http://127.0.0.1:9").unwrap()[0].port(), 9);
        names.trust();
        assert_eq!(look("http://nowhere.invalid:1").unwrap()[0].port(), 9);
    }
}
