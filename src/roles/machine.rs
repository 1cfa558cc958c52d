//! Reads what this machine grants this process.

use std::path::Path;

use crate::sys::cgroup::Groups;
use crate::sys::{cores, limits};
use crate::verdict::preflight::Machine;

/// Call before any thread is pinned: a pinned thread sees one core.
pub(super) fn look() -> Machine {
    let root = Path::new("/");
    let (fd_soft, fd_hard) = limits::file_descriptors();
    Machine {
        cores_allowed: cores::allowed(),
        quota_cpus: Groups::find(root, "cpu").and_then(|groups| groups.quota_cpus()),
        fd_soft,
        fd_hard,
        fd_in_use: limits::file_descriptors_in_use(),
        local_ports: limits::local_ports(),
        memory_available_bytes: limits::memory_available(root),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_cores_descriptors_ports_and_memory() {
        let machine = look();
        assert!(!machine.cores_allowed.is_empty());
        assert!(machine.fd_soft > 0 && machine.fd_hard >= machine.fd_soft && machine.fd_in_use >= 3);
        assert!(machine.local_ports.is_some());
        assert!(machine.memory_available_bytes.is_some_and(|bytes| bytes > 1 << 20));
    }
}
