//! Deadlines of exchanges or connections, by id: one list per length of deadline, each in order of time.
//!
//! Deadlines of equal length expire in the order they were set, so setting and clearing one touches only its
//! neighbors. Each id has at most one deadline.

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node {
    at_ns: u64,
    previous: u32,
    next: u32,
    list: u32,
}

const UNSET: Node = Node { at_ns: 0, previous: NONE, next: NONE, list: NONE };

#[derive(Clone, Copy, Debug)]
struct ListEnds {
    first: u32,
    last: u32,
}

/// The deadlines of a fixed number of ids in a fixed number of lists.
#[derive(Debug)]
pub(crate) struct Deadlines {
    nodes: Box<[Node]>,
    lists: Box<[ListEnds]>,
}

impl Deadlines {
    pub(crate) fn new(things: usize, lists: usize) -> Self {
        Self {
            nodes: vec![UNSET; things].into(),
            lists: vec![ListEnds { first: NONE, last: NONE }; lists].into(),
        }
    }

    /// Set `id`'s deadline in `list`, replacing any it had. Cheap when `at_ns` is not before the others in
    /// that list.
    #[inline]
    pub(crate) fn set(&mut self, id: u32, list: usize, at_ns: u64) {
        self.clear(id);
        let mut after = self.lists[list].last;
        while after != NONE && self.nodes[after as usize].at_ns > at_ns {
            after = self.nodes[after as usize].previous;
        }
        let next = if after == NONE { self.lists[list].first } else { self.nodes[after as usize].next };
        self.nodes[id as usize] = Node { at_ns, previous: after, next, list: list as u32 };
        self.link(list, after, id);
        self.link_back(list, next, id);
    }

    /// Remove `id`'s deadline, if it has one.
    #[inline]
    pub(crate) fn clear(&mut self, id: u32) {
        let node = self.nodes[id as usize];
        if node.list == NONE {
            return;
        }
        self.link(node.list as usize, node.previous, node.next);
        self.link_back(node.list as usize, node.next, node.previous);
        self.nodes[id as usize] = UNSET;
    }

    /// `id`'s deadline, if it has one.
    #[inline]
    pub(crate) fn of(&self, id: u32) -> Option<u64> {
        let node = self.nodes[id as usize];
        (node.list != NONE).then_some(node.at_ns)
    }

    /// The earliest deadline.
    #[inline]
    pub(crate) fn earliest(&self) -> Option<u64> {
        self.firsts().map(|(_, at_ns)| at_ns).min()
    }

    /// The earliest deadline at or before `now` and its id, except for ids that are `held`.
    pub(crate) fn expired(&self, now: u64, held: impl Fn(u32) -> bool) -> Option<(u32, u64)> {
        let firsts = self.lists.iter().filter_map(|ends| self.from(ends.first).find(|(id, _)| !held(*id)));
        firsts.filter(|(_, at_ns)| *at_ns <= now).min_by_key(|(_, at_ns)| *at_ns)
    }

    fn firsts(&self) -> impl Iterator<Item = (u32, u64)> {
        self.lists.iter().filter_map(|ends| self.from(ends.first).next())
    }

    /// The deadlines of a list from that of `first` on, in order of time.
    fn from(&self, first: u32) -> impl Iterator<Item = (u32, u64)> {
        let node = |c: u32| (c != NONE).then(|| (c, self.nodes[c as usize]));
        let next = move |(_, before): &(u32, Node)| node(before.next);
        std::iter::successors(node(first), next).map(|(c, node)| (c, node.at_ns))
    }

    fn link(&mut self, list: usize, from: u32, to: u32) {
        match from {
            NONE => self.lists[list].first = to,
            _ => self.nodes[from as usize].next = to,
        }
    }

    fn link_back(&mut self, list: usize, from: u32, to: u32) {
        match from {
            NONE => self.lists[list].last = to,
            _ => self.nodes[from as usize].previous = to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Compares with a map from connection to deadline.
        #[test]
        fn deadlines_expire_in_order(steps in prop::collection::vec((0u32..8, 0usize..3, 0u64..100, 0u8..4), 1..200)) {
            let (mut deadlines, mut model) = (Deadlines::new(8, 3), BTreeMap::new());
            for (connection, list, at_ns, what) in steps {
                match what {
                    0 => {
                        deadlines.clear(connection);
                        model.remove(&connection);
                    }
                    1 => {
                        let held = |c: u32| c == connection;
                        let others = |model: &BTreeMap<u32, u64>| {
                            model.iter().filter(|(c, _)| !held(**c)).map(|(_, at)| *at).min()
                        };
                        if let Some((c, at)) = deadlines.expired(at_ns, held) {
                            deadlines.clear(c);
                            prop_assert!(!held(c));
                            prop_assert_eq!(model.remove(&c), Some(at));
                            prop_assert!(others(&model).is_none_or(|other| other >= at));
                        } else {
                            prop_assert!(others(&model).is_none_or(|other| other > at_ns));
                        }
                    }
                    _ => {
                        deadlines.set(connection, list, at_ns);
                        model.insert(connection, at_ns);
                    }
                }
                prop_assert_eq!(deadlines.earliest(), model.values().min().copied());
            }
        }
    }
}
