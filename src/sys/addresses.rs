//! Which of the target's addresses a connection goes to: all of them in turn, but for those where
//! nobody was ever reached while another answers (`localhost` is two addresses, and most targets
//! listen on one).

use std::net::SocketAddr;
use std::sync::Arc;

/// The addresses of a target, as one thread knows them.
#[derive(Debug)]
pub struct Addresses {
    all: Arc<[SocketAddr]>,
    /// Whether each was ever reached, and whether it is passed over.
    reached: Box<[bool]>,
    passed_over: Box<[bool]>,
    /// The address of each connection's last attempt.
    of: Box<[usize]>,
}

impl Addresses {
    /// `all` (at least one) for a number of connections.
    pub fn new(all: Arc<[SocketAddr]>, connections: usize) -> Self {
        let none = vec![false; all.len()];
        Self { reached: none.clone().into(), passed_over: none.into(), of: vec![0; connections].into(), all }
    }

    /// The address for `c`'s next attempt.
    pub fn choose(&mut self, c: u32) -> SocketAddr {
        let left = self.passed_over.iter().filter(|over| !**over).count().max(1);
        let nth = c as usize % left;
        let chosen = (0..self.all.len()).filter(|i| !self.passed_over[*i]).nth(nth).unwrap_or(0);
        self.of[c as usize] = chosen;
        self.all[chosen]
    }

    /// `c`'s attempt succeeded.
    pub fn reached(&mut self, c: u32) {
        self.reached[self.of[c as usize]] = true;
    }

    /// Nobody answered `c`'s attempt: whether to try another address before that is a failure. Not where
    /// somebody once answered: then the target is failing.
    pub fn try_another(&mut self, c: u32) -> bool {
        let at = self.of[c as usize];
        if self.reached[at] {
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
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Addresses::new([address(1), address(2), address(3)].into(), 8)
    }

    #[test]
    fn connections_take_the_addresses_in_turn() {
        let mut addresses = three();
        let ports: Vec<u16> = (0..5).map(|c| addresses.choose(c).port()).collect();
        assert_eq!(ports, [1, 2, 3, 1, 2]);
    }

    #[test]
    fn one_where_nobody_answers_is_passed_over() {
        let mut addresses = three();
        addresses.choose(0);
        assert!(addresses.try_another(0));
        let ports: Vec<u16> = (0..4).map(|c| addresses.choose(c).port()).collect();
        assert_eq!(ports, [2, 3, 2, 3]);
    }

    #[test]
    fn when_nobody_answers_anywhere_the_attempt_has_failed() {
        let mut addresses = three();
        for another in [true, true, false] {
            addresses.choose(0);
            assert_eq!(addresses.try_another(0), another);
        }
        assert_eq!(addresses.choose(0).port(), 1);
    }

    #[test]
    fn one_that_once_answered_and_fails_is_the_targets_failure() {
        let mut addresses = three();
        addresses.choose(0);
        addresses.reached(0);
        assert!(!addresses.try_another(0));
    }
}
