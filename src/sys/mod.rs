//! The world, as far as this crate touches it: cores, control groups, limits.

pub mod cgroup;
pub mod cores;
pub mod limits;
