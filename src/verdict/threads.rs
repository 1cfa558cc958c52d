//! Chooses the number of load threads and their cores.

use super::preflight::{Machine, plural_cpus};
use crate::units::{plural, print_count};

/// The most load threads: more than the cores of any machine one would send from.
pub(crate) const MAX_THREADS: usize = 1024;
/// With fewer cores than this, pinning keeps the kernel from moving everything else (status server,
/// collector, the target on this machine) away from a load thread.
pub(crate) const PIN_FROM_CORES: usize = 3;

/// The load threads of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Threads {
    /// How many; at least 1.
    pub count: usize,
    /// The core of each thread in turn; empty: not pinned.
    pub cores: Vec<usize>,
    /// Whether they may poll for events instead of sleeping when requests are due close together: not under a
    /// quota, which polling would use up.
    pub may_poll: bool,
    /// Why the choice may not be the expected one.
    pub notes: Vec<String>,
}

impl Threads {
    /// Whether each thread is pinned to its core.
    pub fn pinned(&self) -> bool {
        !self.cores.is_empty()
    }
}

/// One thread per whole CPU allowed to us, by affinity and quota, and at most one per connection; `asked`
/// (`--threads`) overrides the CPUs but not the connections: a thread without one could send nothing.
///
/// More threads than CPUs are allowed, to see what that costs, with a note. Threads are pinned when at least
/// `PIN_FROM_CORES` cores are allowed to us. Not under a quota: it grants time, not cores, and every
/// container on the machine would choose the same lowest ones.
///
/// # Errors
/// No threads, or more than `MAX_THREADS`, were requested.
pub fn threads_for(
    machine: &Machine,
    asked: Option<usize>,
    no_pin: bool,
    connections: u32,
) -> Result<Threads, String> {
    if asked.is_some_and(|n| n == 0 || n > MAX_THREADS) {
        return Err(format!(
            "--threads takes 1 to {}: leave it out for one per core",
            print_count(MAX_THREADS as u64)
        ));
    }
    let cores = machine.cores_allowed.len().clamp(1, MAX_THREADS);
    let quota = machine.binding_quota();
    // A quota is never negative; below one it grants no whole CPU, and we still need one thread.
    let ours = quota.map_or(cores, |cpus| (cpus.floor() as usize).clamp(1, cores));
    let wanted = asked.unwrap_or(ours);
    let count = wanted.min(connections.max(1) as usize);

    let mut notes = Vec::new();
    if count < wanted && asked.is_some() {
        notes.push(format!(
            "{} for {}: more threads would have no connection",
            threads(count),
            plural(connections.into(), "connection")
        ));
    }
    if let Some(cpus) = quota.filter(|cpus| cpus.fract() > 0.0) {
        notes.push(if cpus < 1.0 {
            format!(
                "the quota of {} is less than one thread can use: it will be stopped when it is busy; \
                 raise the container's CPU limit to a whole number",
                plural_cpus(cpus)
            )
        } else {
            format!(
                "the quota of {} grants {} whole: the rest is left to the status server",
                plural_cpus(cpus),
                ours
            )
        });
    }
    if count > ours {
        notes.push(format!(
            "{} on {} take turns: expect late sends",
            threads(count),
            plural_cpus(ours as f64)
        ));
    }
    let pin = !no_pin && quota.is_none() && cores >= PIN_FROM_CORES && count <= machine.cores_allowed.len();
    let cores = if pin { machine.cores_allowed[..count].to_vec() } else { Vec::new() };
    Ok(Threads { count, cores, may_poll: quota.is_none(), notes })
}

fn threads(count: usize) -> String {
    plural(count as u64, "thread")
}
