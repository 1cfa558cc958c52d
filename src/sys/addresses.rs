//! Selects an address of the target for each connection: all in turn, except those that never accepted a
//! connection while another one does (`localhost` is two addresses, and most targets listen on one).

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustix::net::SocketAddrUnix;

/// The address of a connection's peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP address.
    Inet(SocketAddr),
    /// A Unix socket on this machine.
    Unix(SocketAddrUnix),
}

impl Address {
    /// The Unix socket at this path, or with this abstract name after `@`.
    ///
    /// # Errors
    /// The path or name is longer than the kernel accepts.
    pub(crate) fn unix(socket: &str) -> io::Result<Self> {
        let address = match socket.strip_prefix('@') {
            Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes())?,
            None => SocketAddrUnix::new(socket)?,
        };
        Ok(Self::Unix(address))
    }

    /// Whether a connection to it can come from `source`.
    pub(crate) fn is_reached_from(&self, source: IpAddr) -> bool {
        matches!(self, Self::Inet(address) if address.is_ipv4() == source.is_ipv4())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(address) => match (address.path(), address.abstract_name()) {
                (Some(path), _) => write!(f, "unix:{}", path.to_string_lossy()),
                (None, Some(name)) => write!(f, "unix:@{}", String::from_utf8_lossy(name)),
                (None, None) => f.write_str("unix:"),
            },
        }
    }
}

/// No index.
const NOWHERE: usize = usize::MAX;

/// The target's addresses and our source addresses, from one thread's view.
#[derive(Debug)]
pub(crate) struct Addresses {
    all: Arc<[Address]>,
    /// Whether each address was ever reached; `passed_over`: whether it is skipped.
    reached: Box<[bool]>,
    passed_over: Box<[bool]>,
    /// Index of the address of each connection's last attempt.
    of: Box<[usize]>,
    /// The local addresses that connections come from; empty: the kernel's choice.
    sources: Arc<[IpAddr]>,
    /// Number of attempts so far, which selects address and source.
    turn: usize,
}

impl Addresses {
    /// `all` (at least one) for this many connections, which come from `sources` in turn. `turn` is the
    /// starting position, so that threads with few connections do not all begin with the first address.
    pub(crate) fn new(all: Arc<[Address]>, sources: Arc<[IpAddr]>, connections: usize, turn: usize) -> Self {
        let none = vec![false; all.len()];
        let of = vec![NOWHERE; connections].into();
        Self { reached: none.clone().into(), passed_over: none.into(), of, all, sources, turn }
    }

    /// Replace the target's addresses by `all` (at least one). Addresses in both lists keep their state.
    pub(crate) fn replace(&mut self, all: Arc<[Address]>) {
        let place = |of: &usize| {
            let address = self.all.get(*of)?;
            all.iter().position(|other| other == address)
        };
        let of = self.of.iter().map(|of| place(of).unwrap_or(NOWHERE)).collect();
        let was = |known: &[bool], address: &Address| {
            self.all.iter().zip(known).any(|(other, known)| *known && other == address)
        };
        let reached = all.iter().map(|address| was(&self.reached, address)).collect();
        let mut passed_over: Box<[bool]> =
            all.iter().map(|address| was(&self.passed_over, address)).collect();
        if !passed_over.contains(&false) {
            passed_over.fill(false);
        }
        (self.of, self.reached, self.passed_over, self.all) = (of, reached, passed_over, all);
    }

    /// The address for `c`'s next attempt, and its source address.
    pub(crate) fn choose(&mut self, c: u32) -> (&Address, Option<IpAddr>) {
        let left = self.passed_over.iter().filter(|over| !**over).count().max(1);
        let nth = self.turn % left;
        let chosen = (0..self.all.len()).filter(|i| !self.passed_over[*i]).nth(nth).unwrap_or(0);
        self.of[c as usize] = chosen;
        let address = &self.all[chosen];
        let fitting = || self.sources.iter().filter(|source| address.is_reached_from(**source));
        let source = match fitting().count() {
            0 => None,
            // Cycle through all addresses, then take the next source: each source connects to each address.
            n => fitting().nth(self.turn / left % n).copied(),
        };
        self.turn = self.turn.wrapping_add(1);
        (address, source)
    }

    /// `c`'s attempt succeeded.
    pub(crate) fn reached(&mut self, c: u32) {
        if let Some(reached) = self.reached.get_mut(self.of[c as usize]) {
            *reached = true;
        }
    }

    /// `c`'s attempt failed: whether to try another address before it counts as a failure. Not if this
    /// address was ever reached: then the target is failing.
    pub(crate) fn try_another(&mut self, c: u32) -> bool {
        let at = self.of[c as usize];
        if self.reached.get(at).is_none_or(|reached| *reached) {
            return false;
        }
        self.passed_over[at] = true;
        let another = self.passed_over.contains(&false);
        if !another {
            self.passed_over.fill(false);
        }
        another
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Addresses {
        Addresses::new([address(1), address(2), address(3)].into(), [].into(), 8, 0)
    }

    fn address(port: u16) -> Address {
        Address::Inet(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    fn port(addresses: &mut Addresses, c: u32) -> u16 {
        match addresses.choose(c).0 {
            Address::Inet(address) => address.port(),
            Address::Unix(_) => 0,
        }
    }

    #[test]
    fn connections_take_the_addresses_in_turn() {
        let mut addresses = three();
        let ports: Vec<u16> = (0..5).map(|c| port(&mut addresses, c)).collect();
        assert_eq!(ports, [1, 2, 3, 1, 2]);
        // So does one connection that is opened again and again; another thread begins where this one ends.
        let mut addresses = Addresses::new(addresses.all, [].into(), 1, 5);
        let ports: Vec<u16> = (0..4).map(|_| port(&mut addresses, 0)).collect();
        assert_eq!(ports, [3, 1, 2, 3]);
    }

    #[test]
    fn each_source_goes_to_each_address() {
        let sources = [2, 3].map(|last| IpAddr::from([127, 0, 0, last]));
        let mut addresses = Addresses::new([address(1), address(2)].into(), sources.into(), 1, 0);
        let pairs: Vec<_> = (0..4)
            .map(|_| {
                let (to, from) = addresses.choose(0);
                (to.clone(), from.unwrap())
            })
            .collect();
        let expected = [(1, 0), (2, 0), (1, 1), (2, 1)].map(|(port, i)| (address(port), sources[i]));
        assert_eq!(pairs, expected);
    }

    #[test]
    fn one_where_nobody_answers_is_passed_over() {
        let mut addresses = three();
        addresses.choose(0);
        assert!(addresses.try_another(0));
        let ports: Vec<u16> = (0..4).map(|c| port(&mut addresses, c)).collect();
        assert_eq!(ports, [3, 2, 3, 2]);
    }

    #[test]
    fn when_nobody_answers_anywhere_the_attempt_has_failed() {
        let mut addresses = three();
        for another in [true, true, false] {
            addresses.choose(0);
            assert_eq!(addresses.try_another(0), another);
        }
        assert_eq!(port(&mut addresses, 0), 1);
    }

    #[test]
    fn one_that_once_answered_and_fails_is_the_targets_failure() {
        let mut addresses = three();
        addresses.choose(0);
        addresses.reached(0);
        assert!(!addresses.try_another(0));
    }

    #[test]
    fn a_new_list_keeps_what_is_known_of_the_old() {
        let mut addresses = three();
        let ports: Vec<u16> = (0..3).map(|c| port(&mut addresses, c)).collect();
        assert_eq!(ports, [1, 2, 3]);
        addresses.reached(1);
        assert!(addresses.try_another(2));
        addresses.replace([address(3), address(4), address(2)].into());
        let ports: Vec<u16> = (0..3).map(|c| port(&mut addresses, c)).collect();
        assert_eq!(ports, [2, 4, 2], "3 is still passed over");
        assert!(!addresses.try_another(0), "2 was reached");
        addresses.replace([address(5)].into());
        addresses.reached(1); // its address is gone
        assert_eq!(port(&mut addresses, 0), 5);
        assert!(!addresses.try_another(0), "there is no other");
    }

    #[test]
    fn connections_come_from_the_sources_of_the_right_family_in_turn() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let sources = [ip("127.0.0.2"), ip("::1"), ip("127.0.0.3")];
        let mut addresses = Addresses::new([address(1)].into(), sources.into(), 8, 0);
        let from: Vec<_> = (0..4).map(|c| addresses.choose(c).1).collect();
        assert_eq!(from, [sources[0], sources[2], sources[0], sources[2]].map(Some));
        let mut addresses = Addresses::new([Address::unix("@x").unwrap()].into(), sources.into(), 8, 0);
        assert_eq!(addresses.choose(0).1, None);
    }

    #[test]
    fn addresses_are_shown_as_they_are_typed() {
        for text in ["127.0.0.1:80", "[::1]:80"] {
            assert_eq!(Address::Inet(text.parse().unwrap()).to_string(), text);
        }
        for text in ["/run/app.sock", "@app"] {
            assert_eq!(Address::unix(text).unwrap().to_string(), format!("unix:{text}"));
        }
        assert!(Address::unix(&"x".repeat(109)).is_err());
    }
}
