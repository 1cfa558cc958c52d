//! The locks and atomics of synchronizations that loom checks. Its types try every interleaving of threads, and
//! every value that the memory orders let a load return. `CONTRIBUTING.md` says how to run those tests.

#[cfg(all(loom, test))]
pub(crate) use loom::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
#[cfg(not(all(loom, test)))]
pub(crate) use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
