//! Checks before a run whether this machine has what a plan needs.
//!
//! [`check`] refuses what cannot work and names what to change. Plan validation, inspecting the machine
//! ([`Machine`] is passed in) and acting on the result are elsewhere.

use std::fmt;

use crate::plan::{
    DEFAULT_MAX_BODY_BYTES, DEFAULT_OPEN_CONNECTIONS, Load, Model, Plan, Shard, Target, likely_mistakes,
    shard_load,
};
use crate::schedule::{Arrivals, Picker, Piece};
use crate::tally::{Merged, Row, RowTimer, Tally, Timer};
use crate::units::{plural, print_bytes, print_count};

/// File descriptors reserved besides those already open: pollers, reports, the status server's clients.
const RESERVED_FDS: u64 = 256;
/// Our memory per connection, without what the kernel keeps: the project's own upper bound.
const CONNECTION_BYTES: u64 = 4096;
/// The same for its TLS state: keys and buffers, 9 KiB while it is idle. Of the 16 KiB records that pass
/// through it, few are incomplete at a time.
const TLS_CONNECTION_BYTES: u64 = 12 * 1024;
/// Tallies of a load thread: one it fills, one on its way back, one spare.
pub const TALLIES_PER_THREAD: u64 = 3;
/// The most windows open at a time: threads close theirs within a fraction of one, so there are two, except
/// when a thread is far behind.
pub(crate) const OPEN_WINDOWS_MAX: u64 = 3;
/// Our memory per due request that waits.
const BACKLOG_ENTRY_BYTES: u64 = 24;
/// The most scenarios without a request that are named one by one.
const MOST_STARVED: usize = 10;
/// The most buckets that the times of a step are expected to hit over a run: two powers of two. Fewer, if
/// fewer requests are planned.
const BUCKETS_PER_TIMER: u64 = 2_048;
/// The same for a single window.
const BUCKETS_PER_TIMER_AND_WINDOW: u64 = 256;
/// Memory per bucket that was hit.
const BUCKET_BYTES: u64 = 8;
/// How long a local port of a closed connection stays taken (Linux: TIME_WAIT is a constant 60 s).
const TIME_WAIT_S: f64 = 60.0;

/// The resources that this machine grants this process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// Cores we may run on; their numbers need not be contiguous. Empty: unknown.
    pub cores_allowed: Vec<usize>,
    /// CPUs' worth of time per second that our control groups allow; `None`: no quota.
    pub quota_cpus: Option<f64>,
    /// Soft limit on open file descriptors.
    pub fd_soft: u64,
    /// Hard limit on open file descriptors, up to which we may raise the soft one.
    pub fd_hard: u64,
    /// Descriptors open now.
    pub fd_in_use: u64,
    /// First and last local port the kernel picks from.
    pub local_ports: Option<(u16, u16)>,
    /// Bytes of memory available without displacing other processes; `None`: unknown.
    pub memory_available_bytes: Option<u64>,
}

impl Machine {
    /// The quota if it is below the number of cores, so that it can throttle us.
    pub(crate) fn binding_quota(&self) -> Option<f64> {
        self.quota_cpus.filter(|quota| *quota < self.cores_allowed.len().max(1) as f64)
    }
}

/// A resource that a run needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// One per connection, and our own.
    FileDescriptors,
    /// One per connection: all from one source address go to one address and port.
    LocalPorts,
    /// Bytes for tallies and connections, at most.
    Memory,
}

impl Resource {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::FileDescriptors => "file descriptors",
            Self::LocalPorts => "local ports",
            Self::Memory => "memory",
        }
    }
}

/// How much of a resource is needed and available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// The resource.
    pub resource: Resource,
    /// How much the run may take.
    pub needed: u64,
    /// How much it can have; `None`: unknown.
    pub(crate) available: Option<u64>,
}

impl fmt::Display for Need {
    /// `306 of 1,024`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let print = if self.resource == Resource::Memory { print_bytes } else { print_count };
        match self.available {
            Some(available) => write!(f, "{} of {}", print(self.needed), print(available)),
            None => write!(f, "{} (available amount unknown)", print(self.needed)),
        }
    }
}

/// The result of a preflight check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preflight {
    /// The needs, by resource.
    pub needs: Vec<Need>,
    /// Why it cannot work, each with what to change. Empty: it can.
    pub refusals: Vec<String>,
    /// What may go wrong.
    pub warnings: Vec<String>,
    /// The value to which the soft limit on file descriptors must be raised first; at most the hard one.
    pub raise_fd_to: Option<u64>,
}

/// Check `shard` of `plan` with `threads` load threads on `machine`.
pub fn check(plan: &Plan, shard: Shard, threads: usize, busy_poll: bool, machine: &Machine) -> Preflight {
    let mut flight = Preflight::default();
    let each = shard_load(plan, shard).connections;
    let connections = each.saturating_mul(plan.targets.len() as u32);
    file_descriptors(connections, threads, machine, &mut flight);
    local_ports(plan, each.saturating_mul(sharing_ports(plan)), machine, &mut flight);
    memory(plan, connections, threads, machine, &mut flight);
    if let Some(quota) = machine.binding_quota().filter(|_| busy_poll) {
        flight.refusals.push(format!(
            "--busy-poll under a quota of {} spends the quota on waiting: \
             leave it out, or raise the container's CPU limit to its number of cores",
            plural_cpus(quota)
        ));
    } else if busy_poll && threads >= machine.cores_allowed.len() {
        flight.warnings.push(
            "--busy-poll on every core leaves none for the status server and the reports: use fewer --threads"
                .into(),
        );
    }
    flight.warnings.extend(starved_scenarios(plan));
    flight.warnings.extend(likely_mistakes(plan));
    flight
}

/// Lower the open model's default of connections to what `machine` has room for, with a note that says so.
/// What the plan asks for is never changed.
pub fn fit_default_connections(
    plan: &mut Plan,
    shard: Shard,
    threads: usize,
    machine: &Machine,
) -> Option<String> {
    let Model::Open { connections: None, .. } = plan.load.model else { return None };
    let wanted = u64::from(shard_load(plan, shard).connections);
    let targets = plan.targets.len() as u64;
    let descriptors = machine.fd_hard.max(machine.fd_soft).saturating_sub(own_descriptors(threads, machine));
    let descriptors = descriptors / targets;
    let ports = available_ports(plan, machine).unwrap_or(u64::MAX) / u64::from(sharing_ports(plan));
    let memory = machine.memory_available_bytes.map_or(u64::MAX, |bytes| {
        bytes.saturating_sub(memory_bytes(plan, 0, threads)) / connection_bytes(plan) / targets
    });
    let rooms =
        [(descriptors, Resource::FileDescriptors), (ports, Resource::LocalPorts), (memory, Resource::Memory)];
    let (room, resource) = rooms.into_iter().min_by_key(|(room, _)| *room)?;
    // Each thread opens one at least.
    let room = room.max(threads as u64);
    if room >= wanted {
        return None;
    }
    let Model::Open { connections, .. } = &mut plan.load.model else { return None };
    *connections = Some((room as u32).saturating_mul(shard.of));
    Some(format!(
        "at most {} instead of {}: not enough {}: if requests wait for a connection, {}",
        plural(room, "connection"),
        print_count(wanted),
        resource.label(),
        match resource {
            Resource::FileDescriptors => "raise the limit (`ulimit -n`, or the container's nofile limit)",
            Resource::LocalPorts => "widen net.ipv4.ip_local_port_range or use `load.source_addresses`",
            Resource::Memory => "raise the container's memory limit",
        }
    ))
}

/// The most connections a load opens at a time.
pub(crate) fn most_connections(load: &Load) -> u32 {
    match &load.model {
        Model::Closed { connections } => *connections,
        Model::Open { connections, .. } => connections.unwrap_or(DEFAULT_OPEN_CONNECTIONS),
    }
}

/// How many requests are measured: the mean for Poisson arrivals, the most where a closed run also has a
/// duration, exact otherwise. `None`: as many as the target answers in the time.
pub fn expected_requests(load: &Load) -> Option<u64> {
    let Model::Open { pieces, .. } = &load.model else { return load.requests };
    let asked: f64 = pieces.iter().map(Piece::arrivals).sum();
    // Request k is due where the integral of the rate reaches k, from k = 0: a fraction counts as one
    // request. A millionth is subtracted for the rounding of the sum.
    let asked = (asked - 1e-6).ceil().max(0.0) as u64;
    Some(load.requests.map_or(asked, |limit| limit.min(asked)))
}

/// Whether exactly [`expected_requests`] will be sent.
pub(crate) fn count_is_exact(load: &Load) -> bool {
    match &load.model {
        Model::Closed { .. } => load.requests.is_some() && load.duration_ns.is_none(),
        Model::Open { arrivals, .. } => *arrivals == Arrivals::Even,
    }
}

/// `1 CPU`, `2.5 CPUs`.
pub(crate) fn plural_cpus(cpus: f64) -> String {
    format!("{} CPU{}", (cpus * 100.0).round() / 100.0, if cpus == 1.0 { "" } else { "s" })
}

/// Descriptors other than those of connections; each thread has an epoll instance.
fn own_descriptors(threads: usize, machine: &Machine) -> u64 {
    RESERVED_FDS + threads as u64 + machine.fd_in_use
}

/// Local ports of all source addresses; `None`: unknown, or none are needed.
fn available_ports(plan: &Plan, machine: &Machine) -> Option<u64> {
    let (first, last) =
        machine.local_ports.filter(|_| plan.targets.iter().any(|target| target.unix.is_none()))?;
    // Each local address has all of the ports.
    let sources = plan.connections.source_addresses.len().max(1) as u64;
    Some((u64::from(last.saturating_sub(first)) + 1) * sources)
}

/// The most targets whose connections go to the same host and port, and so share the local ports; at least 1.
fn sharing_ports(plan: &Plan) -> u32 {
    let peers = || plan.targets.iter().filter(|target| target.unix.is_none()).map(Target::peer);
    peers().map(|peer| peers().filter(|other| *other == peer).count() as u32).max().unwrap_or(1)
}

fn file_descriptors(connections: u32, threads: usize, machine: &Machine, flight: &mut Preflight) {
    let ours = own_descriptors(threads, machine);
    let needed = u64::from(connections) + ours;
    flight.needs.push(Need {
        resource: Resource::FileDescriptors,
        needed,
        available: Some(machine.fd_hard.max(machine.fd_soft)),
    });
    if needed <= machine.fd_soft {
        return;
    }
    if needed <= machine.fd_hard {
        flight.raise_fd_to = Some(needed);
        return;
    }
    let most = machine.fd_hard.saturating_sub(ours);
    flight.refusals.push(format!(
        "{} and {ours} file descriptors of our own are {}, the hard limit is {}: \
         raise it (`ulimit -n {needed}` as root, or the service's or container's nofile limit){}",
        plural(connections.into(), "connection"),
        print_count(needed),
        print_count(machine.fd_hard),
        if most > 0 { format!(", or lower `concurrency` to at most {most}") } else { String::new() },
    ));
}

fn local_ports(plan: &Plan, connections: u32, machine: &Machine, flight: &mut Preflight) {
    let (Some(ports), Some((first, last))) = (available_ports(plan, machine), machine.local_ports) else {
        return;
    };
    let sources = plan.connections.source_addresses.len();
    let needed = u64::from(connections);
    flight.needs.push(Need { resource: Resource::LocalPorts, needed, available: Some(ports) });
    if needed > ports {
        flight.refusals.push(format!(
            "{} to one address and port need as many local ports, {first}-{last}{} are {}: \
             widen net.ipv4.ip_local_port_range, name more of this machine's addresses in \
             `load.source_addresses`, lower `concurrency`, or spread the load over workers",
            plural(needed, "connection"),
            if sources > 1 { format!(" of {sources} source addresses") } else { String::new() },
            print_count(ports),
        ));
        return;
    }
    let churn = peak_rate(&plan.load) * closing_share(plan) * TIME_WAIT_S;
    if churn > ports as f64 {
        flight.warnings.push(format!(
            "each request or few take a new local port, and a closed one may stay taken for {TIME_WAIT_S} s: \
             {} would be taken, {} exist; let connections live longer, lower the rate, or name more of this \
             machine's addresses in `load.source_addresses`",
            print_count(churn as u64),
            print_count(ports),
        ));
    }
}

/// The highest rate of the schedule, in requests per second; 0 in the closed model.
fn peak_rate(load: &Load) -> f64 {
    let Model::Open { pieces, .. } = &load.model else { return 0.0 };
    pieces.iter().flat_map(|piece| [piece.from, piece.to]).fold(0.0, f64::max)
}

/// The fraction of requests after which the plan closes the connection.
fn closing_share(plan: &Plan) -> f64 {
    match (plan.connections.keep_alive, plan.connections.most_requests) {
        (false, _) => 1.0,
        (true, Some(most)) => 1.0 / most.max(1) as f64,
        (true, None) => 0.0,
    }
}

fn memory(plan: &Plan, connections: u32, threads: usize, machine: &Machine, flight: &mut Preflight) {
    let without_bodies = memory_bytes(plan, connections, threads);
    let kept = kept_body_bytes(plan);
    let each = u64::from(connections) / plan.targets.len() as u64;
    let body = kept.iter().copied().max().unwrap_or(0);
    let keeping = kept.iter().filter(|bytes| **bytes > 0).count() as u64 * each;
    let needed = without_bodies + kept.iter().sum::<u64>() * each;
    let available = machine.memory_available_bytes;
    flight.needs.push(Need { resource: Resource::Memory, needed, available });
    let Some(available) = available else { return };
    // A default refuses nothing: most bodies are far smaller.
    let is_asked = body > DEFAULT_MAX_BODY_BYTES;
    let expected = if is_asked { needed } else { without_bodies };
    let [shown_needed, shown_available] = [needed, available].map(print_bytes);
    if without_bodies > available {
        flight.refusals.push(format!(
            "the run may take {shown_needed} of memory, {shown_available} can be had: lower `concurrency` or \
             --threads, use fewer scenarios, or raise the container's memory limit"
        ));
    } else if needed > available {
        let (list, where_possible) = if is_asked {
            (&mut flight.refusals, "")
        } else {
            (&mut flight.warnings, "if bodies are that long, ")
        };
        list.push(format!(
            "each of {} may keep a body of up to {} for `expect`: the run may take {shown_needed} of memory, \
             {shown_available} can be had: {where_possible}lower `expect.max_body` or `concurrency`",
            plural(keeping, "connection"),
            print_bytes(body),
        ));
    } else if expected > available / 2 {
        flight.warnings.push(format!(
            "the run may take {shown_needed} of memory, more than half of the {shown_available} that can be had"
        ));
    }
}

/// By target, the longest body that a connection keeps to look into it, in bytes. The buffer stays with the connection.
fn kept_body_bytes(plan: &Plan) -> Vec<u64> {
    let mut kept = vec![0; plan.targets.len()];
    for scenario in &plan.scenarios {
        let bytes = scenario.expect.as_deref().map_or(0, |expect| expect.most_body_bytes() as u64);
        kept[scenario.target] = bytes.max(kept[scenario.target]);
    }
    kept
}

/// The most memory of our own without kept bodies, in bytes: each load thread's tallies fully touched, every
/// connection open, and merged counts with as many buckets as a long run hits.
fn memory_bytes(plan: &Plan, connections: u32, threads: usize) -> u64 {
    let (steps, threads) = (plan.scenarios.len() as u64, threads as u64);
    // `CONNECTION_BYTES` includes what a tally takes for each connection.
    let tally = Tally::bytes(plan.scenarios.len(), plan.targets.len(), 0) as u64;
    let samples = expected_requests(&plan.load).map_or(u64::MAX, |n| n.div_ceil(steps.max(1)));
    let total = merged_bytes(steps, samples.min(BUCKETS_PER_TIMER));
    let requests: u64 = plan.scenarios.iter().map(request_bytes).sum();
    tally * TALLIES_PER_THREAD * threads
        + total
        + window_bytes(plan.scenarios.len()) * OPEN_WINDOWS_MAX
        + requests * (threads + 1)
        + u64::from(connections) * connection_bytes(plan)
        + longest_backlog(&plan.load) * plan.targets.len() as u64 * BACKLOG_ENTRY_BYTES
}

/// Our memory per connection, without kept bodies.
fn connection_bytes(plan: &Plan) -> u64 {
    let is_secure = plan.targets.iter().any(|target| target.tls.is_some());
    CONNECTION_BYTES + if is_secure { TLS_CONNECTION_BYTES } else { 0 } + rendered_bytes(plan)
}

/// Expected bytes of the merged counts of one window of a plan of `steps` steps.
pub(crate) fn window_bytes(steps: usize) -> u64 {
    merged_bytes(steps as u64, BUCKETS_PER_TIMER_AND_WINDOW)
}

/// Bytes of merged counts with `buckets` buckets in each timer.
fn merged_bytes(steps: u64, buckets: u64) -> u64 {
    let row = size_of::<Row>() as u64 + RowTimer::COUNT as u64 * buckets * BUCKET_BYTES;
    size_of::<Merged>() as u64 + Timer::COUNT as u64 * buckets * BUCKET_BYTES + steps * row
}

/// The most due requests that wait at a time.
fn longest_backlog(load: &Load) -> u64 {
    match load.model {
        Model::Open { backlog, .. } => backlog.into(),
        Model::Closed { .. } => 0,
    }
}

/// The longest request with holes, of which each connection has one: rendered, and the scratch space of its body.
fn rendered_bytes(plan: &Plan) -> u64 {
    let templates = plan.scenarios.iter().filter_map(|scenario| scenario.template.as_deref());
    templates.map(|template| template.most_bytes() as u64).max().unwrap_or(0)
}

/// Approximate bytes of one encoded request.
fn request_bytes(scenario: &crate::plan::Scenario) -> u64 {
    let headers: usize = scenario.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    (scenario.method.len() + scenario.path.len() + headers + scenario.body.len()) as u64
}

/// About how many requests of each scenario the plan will send; `None`: nobody can tell.
pub(crate) fn expected_by_scenario(plan: &Plan) -> Option<Vec<u64>> {
    let requests = expected_requests(&plan.load)?;
    let picker = Picker::new(&plan.weights(), 0).ok()?;
    Some(picker.shares(requests, plan.scenarios.len()))
}

/// Scenarios that a count of requests is too small for.
fn starved_scenarios(plan: &Plan) -> Vec<String> {
    let Some(requests) = expected_requests(&plan.load) else { return Vec::new() };
    let Some(shares) = expected_by_scenario(plan) else { return Vec::new() };
    let Ok(picker) = Picker::new(&plan.weights(), 0) else { return Vec::new() };
    let starved = plan.scenarios.iter().zip(shares).filter(|(_, n)| *n == 0);
    let starved: Vec<&str> = starved.map(|(scenario, _)| scenario.name.as_str()).collect();
    let remedy = format!("ask for at least {}", print_count(picker.period()));
    let requests = plural(requests, "request");
    let warning = |name| {
        format!("scenario `{name}` gets none of {requests} by its weight: {remedy}, or raise its weight")
    };
    let mut warnings: Vec<String> = starved.iter().take(MOST_STARVED).map(warning).collect();
    if let more @ 1.. = starved.len().saturating_sub(MOST_STARVED) {
        warnings.push(format!("{} get none either: {remedy}", plural(more as u64, "more scenario")));
    }
    warnings
}
