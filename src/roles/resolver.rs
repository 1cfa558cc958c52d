//! Resolves the hosts of a plan to the addresses that load threads connect to: once at the start, and then as
//! often as the plan sets, on a separate thread.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Failure, log};
use crate::load::Route;
use crate::plan::{Plan, Target};
use crate::sys::{self, Address};

/// How soon the thread notices its end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The routes to `plan`'s targets, in their order.
///
/// # Errors
/// The name has no address, or a source address is not of this machine.
pub(crate) fn routes(plan: &Plan) -> Result<Vec<Arc<Route>>, Failure> {
    let sources = &plan.connections.source_addresses;
    for source in sources {
        sys::check_source(*source).map_err(|e| {
            Failure::usage(format!(
                "load.source_addresses: connections cannot come from {source}: {e}; \
                 name addresses of this machine (`ip address` lists them)"
            ))
        })?;
    }
    plan.targets.iter().map(|target| Ok(Arc::new(Route::new(resolve(plan, target)?, sources)))).collect()
}

/// The current addresses of `target`, or of its proxy, that our source addresses can reach.
fn resolve(plan: &Plan, target: &Target) -> Result<Vec<Address>, Failure> {
    if let Some(socket) = &target.unix {
        return Ok(vec![Address::unix(socket)?]);
    }
    let is_refused = |ip: IpAddr| plan.refuses_link_local && is_link_local(ip);
    let link_local = |key: &str, host: &str, ip: IpAddr| {
        Failure::incomplete(format!(
            "{key}: `{host}` is {ip}, a link-local address, in a plan that this worker did not bring: nothing is sent \
             there unless --allow-target {host} names it"
        ))
    };
    // A name that a proxy resolves cannot be checked here.
    if let (Some(_), Ok(ip)) = (&target.proxy, target.host.parse())
        && is_refused(ip)
    {
        return Err(link_local(&key_of(plan, target), &target.host, ip));
    }
    let own_key = key_of(plan, target);
    let key = match (&target.proxy, &target.connect_to) {
        (Some(_), _) => "proxy",
        (None, Some(_)) => "connect_to",
        (None, None) => own_key.as_str(),
    };
    let (host, port) = target.peer();
    let found: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|e| Failure::incomplete(format!("{key}: the host `{host}` cannot be resolved: {e}")))?
        .collect();
    if found.is_empty() {
        return Err(Failure::incomplete(format!("{key}: the host `{host}` has no address")));
    }
    if let Some(refused) = found.iter().find(|address| is_refused(address.ip())) {
        return Err(link_local(key, host, refused.ip()));
    }
    let has_family = |found: &SocketAddr| plan.connections.family.is_none_or(|family| family.has(found.ip()));
    if let (Some(family), false) = (plan.connections.family, found.iter().any(has_family)) {
        let (flag, name) = family.flag_and_name();
        let message =
            format!("{flag}: the host `{host}` has no {name} address: remove {flag}, or use another name");
        return Err(Failure::usage(message));
    }
    let mut addresses: Vec<Address> = found.into_iter().filter(has_family).map(Address::Inet).collect();
    let sources = &plan.connections.source_addresses;
    if !sources.is_empty() {
        addresses.retain(|address| sources.iter().any(|source| address.is_reached_from(*source)));
    }
    if addresses.is_empty() {
        return Err(Failure::usage(format!(
            "load.source_addresses: none is of the family of `{host}`'s addresses: name IPv4 ones for IPv4, \
             IPv6 ones for IPv6"
        )));
    }
    Ok(addresses)
}

/// Where the URL of a target is given.
pub(crate) fn key_of(plan: &Plan, target: &Target) -> String {
    match target.name.as_str() {
        "" if plan.text.is_none() => "URL".to_owned(),
        "" => "base_url".to_owned(),
        name => format!("targets.{name}"),
    }
}

/// Whether `ip` is in 169.254.0.0/16 or fe80::/10, where clouds serve the credentials of their machines.
fn is_link_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Resolves the name repeatedly until dropped.
#[derive(Debug)]
pub(crate) struct Resolver {
    over: Arc<AtomicBool>,
}

impl Resolver {
    /// Start one for each of `routes`, those of `plan`'s targets, at its interval; none if it sets none.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub(crate) fn start<'a>(
        plan: &Plan,
        routes: impl Iterator<Item = &'a Arc<Route>>,
    ) -> Result<Vec<Self>, Failure> {
        let Some(every_ns) = plan.connections.resolve_every_ns else { return Ok(Vec::new()) };
        let begin = |(target, route): (&Target, &Arc<Route>)| {
            let (plan, target) = (plan.clone(), target.clone());
            let look_up = move || resolve(&plan, &target).map_err(|failure| failure.message);
            Self::repeat(Duration::from_nanos(every_ns), route.clone(), look_up)
        };
        plan.targets.iter().zip(routes).map(begin).collect()
    }

    fn repeat(
        every: Duration,
        route: Arc<Route>,
        mut look_up: impl FnMut() -> Result<Vec<Address>, String> + Send + 'static,
    ) -> Result<Self, Failure> {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = over.clone();
        let work = move || {
            let (mut next, mut failing) = (Instant::now() + every, false);
            while !is_over.load(Ordering::Acquire) {
                std::thread::sleep(LOOK_EVERY.min(next.saturating_duration_since(Instant::now())));
                if Instant::now() < next {
                    continue;
                }
                next = Instant::now() + every;
                match look_up() {
                    Ok(addresses) => {
                        failing = false;
                        if !same(&addresses, &route.addresses()) {
                            route.publish(addresses);
                        }
                    }
                    Err(message) if !failing => {
                        failing = true;
                        log::note(&format!("{message}; connections go on to the addresses known before"));
                    }
                    Err(_) => {}
                }
            }
        };
        // Never joined: a name server that does not answer would delay the end.
        std::thread::Builder::new().name("resolver".to_owned()).spawn(work)?;
        Ok(Self { over })
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

/// Whether the lists are equal in any order: name servers rotate theirs.
fn same(some: &[Address], others: &[Address]) -> bool {
    some.len() == others.len() && some.iter().all(|address| others.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(ports: &[u16]) -> Vec<Address> {
        ports.iter().map(|port| Address::Inet(SocketAddr::from(([127, 0, 0, 1], *port)))).collect()
    }

    #[test]
    fn a_plan_from_elsewhere_leads_to_no_link_local_address() {
        for (host, is_reached) in [
            ("169.254.169.254", false),
            ("[fe80::1]", false),
            ("[::ffff:169.254.1.1]", false),
            ("127.0.0.1", true),
        ] {
            let text = format!(
                "base_url: http://{host}:1\nload: {{requests: 1}}\nscenarios: [{{name: a, path: /}}]\n"
            );
            let mut plan = crate::plan::parse(&text, "p", &Default::default(), &|_| None).unwrap();
            assert!(routes(&plan).is_ok(), "{host}: a plan of one's own goes where it says");
            plan.refuses_link_local = true;
            assert_eq!(routes(&plan).is_ok(), is_reached, "{host}");
            plan.targets[0].connect_to = Some(("169.254.169.254".into(), 80));
            assert!(routes(&plan).is_err());
        }
    }

    #[test]
    fn a_list_in_another_order_is_no_news() {
        assert!(same(&addresses(&[1, 2]), &addresses(&[2, 1])));
        assert!(!same(&addresses(&[1, 2]), &addresses(&[1, 3])));
        assert!(!same(&addresses(&[1]), &addresses(&[1, 2])));
    }

    #[test]
    fn new_addresses_are_published_and_a_failure_changes_nothing() {
        let route = Arc::new(Route::new(addresses(&[1]), &[]));
        let mut answers = vec![Ok(addresses(&[2])), Err("no".to_owned()), Ok(addresses(&[1]))];
        let (sender, lookups) = crossbeam_channel::unbounded();
        let resolver = Resolver::repeat(Duration::from_millis(1), route.clone(), move || {
            let answer = answers.pop().unwrap_or_else(|| Err("no more".to_owned()));
            let _ = sender.send(());
            answer
        });
        for _ in 0..4 {
            lookups.recv_timeout(Duration::from_secs(10)).expect("it is asked again");
        }
        assert_eq!(route.addresses().as_ref(), addresses(&[2]));
        drop(resolver);
    }
}
