//! The cores this process may use, and pinning a thread to one of them.
//!
//! The number of threads and their placement are in `verdict::threads_for`. CPU quotas are in `cgroup`: an
//! affinity mask does not reflect them.

use core_affinity::CoreId;

/// The largest core number of the kernel interface in use, plus one (glibc's `CPU_SETSIZE`).
const CORES_MAX: usize = 1024;

/// The cores the calling thread may run on, ascending and not necessarily contiguous. Call once, before
/// pinning: a pinned thread sees one core. Empty if the kernel returns an error.
pub fn allowed() -> Vec<usize> {
    core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect()
}

/// Pin the calling thread to `core`. `false`: the kernel refused (no such core, or not allowed), and the
/// affinity is unchanged.
#[must_use]
pub(crate) fn pin(core: usize) -> bool {
    core < CORES_MAX && core_affinity::set_for_current(CoreId { id: core })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_sees_its_core_only() {
        let cores = allowed();
        let last = *cores.last().expect("this thread runs somewhere");
        let seen = std::thread::spawn(move || pin(last).then(allowed)).join().expect("no panic");
        assert_eq!(seen, Some(vec![last]));
        assert_eq!(allowed(), cores, "other threads keep theirs");
    }

    #[test]
    fn a_core_that_does_not_exist_is_refused() {
        let (bit, beyond) =
            std::thread::spawn(|| (pin(CORES_MAX - 1), pin(usize::MAX))).join().expect("no panic");
        assert!(!beyond);
        assert!(!bit || allowed().contains(&(CORES_MAX - 1)));
    }
}
