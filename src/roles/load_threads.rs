//! The load threads of a process, their collector and the channels to them: started for a shard of a plan,
//! driven through a run, joined. A standalone process has shard 0 of 1.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::resolver::{Resolver, key_of};
use super::signals::Interrupts;
use super::stop::Stop;
use super::timing::{LOOK_EVERY, START_LEAD_NS};
use super::{Exit, Failure};
use crate::cli::{Options, Timestamps};
use crate::client::{RunSpec, Timetable};
use crate::collector::{Collector, MergedWindow};
use crate::load::{
    self, Control, FirstConnects, Job, Peer, Route, TALLIES_PER_THREAD, ThreadFailure, Window,
};
use crate::plan::{self, Shard, Target};
use crate::run::{SharedSnapshot, detail_text};
use crate::sys::{self, Clock, TlsConfig, cgroup::Groups};
use crate::tally::{Detail, Merged, Outcome, Tally};
use crate::verdict::Threads;

/// Timetables queued for a thread, which takes them at its next iteration.
const TIMETABLES: usize = 16;

/// What the load threads need to start.
pub(crate) struct Task<'a> {
    /// The command-line options.
    pub(crate) options: &'a Options,
    /// The plan, its requests and the seed.
    pub(crate) spec: Arc<RunSpec>,
    /// This process's shard.
    pub(crate) part: Shard,
    /// Number of threads, and their cores.
    pub(crate) threads: &'a Threads,
    /// How connections to each target are made.
    pub(crate) peers: Arc<[Peer]>,
    pub(crate) clock: Clock,
}

/// How connections to each target are made, from what was found for each.
pub(crate) fn peers(routes: Vec<Arc<Route>>, tls: Vec<Option<TlsConfig>>) -> Arc<[Peer]> {
    routes.into_iter().zip(tls).map(|(route, tls)| Peer { route, tls }).collect()
}

/// A target in messages: where its connections go.
fn shown(target: &Target, peer: &Peer) -> String {
    let address = peer.route.addresses()[0].to_string();
    match &target.proxy {
        Some(proxy) => format!("{} through the proxy {}", target.authority, at(&proxy.authority, &address)),
        None => at(&target.authority, &address),
    }
}

/// A host and port with their address, unless that is the same.
fn at(authority: &str, address: &str) -> String {
    if authority == address { address.to_owned() } else { format!("{authority} ({address})") }
}

/// Why there is no connection to the target with this `name`.
fn out_of_reach((name, key, is_proxied): (&str, &str, bool), outcome: Outcome, detail: Detail) -> Failure {
    let why = detail_text(detail, outcome);
    let remedy = match (outcome, detail) {
        (Outcome::TlsFailed, _) => {
            let why = match key.strip_prefix("targets.") {
                Some(_) => why.replace("`tls.", &format!("`{key}.tls.")),
                None => why,
            };
            return Failure::incomplete(format!("no TLS connection to {name}: {why}; nothing was sent"));
        }
        (Outcome::LocalError, _) => {
            "See --check for what is needed: file descriptors (`ulimit -n`), \
             local ports (net.ipv4.ip_local_port_range), memory"
        }
        // tinyproxy says 401.
        (Outcome::ProxyFailed, Detail::Status(401 | 407)) => {
            "Write user and password into the proxy's URL: `http://USER:PASSWORD@HOST:PORT`"
        }
        (Outcome::ProxyFailed, _) => "Does the proxy allow this target? `--proxy none` sends without a proxy",
        _ if is_proxied => "Is the proxy running? `--proxy none` sends without one",
        _ => {
            return Failure::incomplete(format!(
                "no connection to {name}: {why}; nothing was sent. Is the target running, and is {key} right?"
            ));
        }
    };
    Failure::incomplete(format!("no connection to {name}: {why}; nothing was sent. {remedy}"))
}

/// The load threads of a run and their channels.
pub(crate) struct LoadThreads {
    handles: Vec<JoinHandle<()>>,
    /// Reads rows of large files, if the plan has any.
    row_reader: Option<JoinHandle<()>>,
    /// The threads' shared control.
    pub(crate) control: Arc<Control>,
    pub(crate) clock: Clock,
    pub(crate) spec: Arc<RunSpec>,
    settled: Receiver<FirstConnects>,
    /// How many threads have settled.
    count: usize,
    /// By target: whether a thread reached it, and why one did not.
    reached: Vec<(bool, Option<(Outcome, Detail)>)>,
    windows: Receiver<Window>,
    failures: Receiver<ThreadFailure>,
    empties: Vec<Sender<Box<Tally>>>,
    timetables: Vec<Sender<(u64, Timetable)>>,
    /// The names of the targets in messages.
    names: Vec<String>,
    /// Held for the length of the run.
    _held: (Option<OwnedFd>, Vec<Resolver>),
}

impl LoadThreads {
    /// Start the threads; they open their connections and wait.
    ///
    /// # Errors
    /// When the system cannot start them.
    pub(crate) fn start(task: Task<'_>) -> Result<Self, Failure> {
        let Task { options, spec, part, threads, peers, clock } = task;
        let stamps = options.timestamps == Timestamps::Kernel;
        let stamping = if stamps { sys::hold_timestamping() } else { None };
        let resolvers = Resolver::start(&spec.plan, peers.iter().map(|peer| &peer.route))?;
        let (settle, settled) = bounded(threads.count);
        let (close, windows) = bounded(threads.count * TALLIES_PER_THREAD);
        let (fail, failures) = bounded(threads.count);
        let control = Arc::new(Control::default());
        let names = spec.plan.targets.iter().zip(&*peers).map(|(target, peer)| shown(target, peer)).collect();
        let (mut handles, mut empties, mut timetables) = (Vec::new(), Vec::new(), Vec::new());
        let (row_channels, row_reader) = load::spawn_row_reader(&spec, threads.count)?;
        let mut row_channels = row_channels.into_iter();
        for thread in 0..threads.count {
            let (give_back, empty) = bounded(TALLIES_PER_THREAD);
            let own = Shard { slot: thread as u32, of: threads.count as u32 };
            let share = plan::shard_load_within(&spec.plan, part, own);
            for _ in 1..TALLIES_PER_THREAD {
                let (steps, connections) = (spec.plan.scenarios.len(), share.connections as usize);
                let tally = Tally::for_connections(steps, connections).with_targets(spec.plan.targets.len());
                let tally = Box::new(tally);
                give_back.try_send(tally).expect("room for every tally there is");
            }
            let (send_timetable, timetable) = bounded(TIMETABLES);
            empties.push(give_back);
            timetables.push(send_timetable);
            handles.push(load::spawn(Job {
                thread,
                core: threads.cores.get(thread).copied(),
                share,
                spec: spec.clone(),
                peers: peers.clone(),
                rows: row_channels.next(),
                clock,
                kernel_timestamps: stamps,
                busy_poll: options.busy_poll,
                may_poll: threads.may_poll,
                control: control.clone(),
                settled: settle.clone(),
                windows: close.clone(),
                failures: fail.clone(),
                empties: empty,
                timetables: timetable,
            })?);
        }
        let reached = vec![(false, None); spec.plan.targets.len()];
        Ok(Self {
            handles,
            row_reader,
            control,
            clock,
            spec,
            settled,
            count: 0,
            reached,
            windows,
            failures,
            empties,
            timetables,
            names,
            _held: (stamping, resolvers),
        })
    }

    /// Wait up to `patience` per thread for all first connection attempts to end. `None`: not yet. An error:
    /// no thread has a connection, or a thread failed.
    pub(crate) fn settle(&mut self, patience: Duration) -> Option<Result<(), Failure>> {
        while self.count < self.handles.len() {
            if let Err(failure) = self.look_for_failure() {
                self.control.stop();
                return Some(Err(failure));
            }
            match self.settled.recv_timeout(patience) {
                Ok(FirstConnects { reached }) => {
                    self.count += 1;
                    for (known, reached) in self.reached.iter_mut().zip(reached) {
                        match reached {
                            Ok(any) => known.0 |= any,
                            Err(why) => known.1 = Some(why),
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let targets = self.names.iter().zip(&self.spec.plan.targets);
        let unreached = self.reached.iter().zip(targets).find_map(|((reached, failure), (name, target))| {
            let (outcome, detail) = failure.filter(|_| !reached)?;
            let key = match key_of(&self.spec.plan, target).as_str() {
                "URL" => "the URL".to_owned(),
                key => key.to_owned(),
            };
            Some(out_of_reach((name, &key, target.proxy.is_some()), outcome, detail))
        });
        match unreached {
            Some(failure) => {
                self.control.stop();
                Some(Err(failure))
            }
            None => Some(Ok(())),
        }
    }

    /// Wait until all first connection attempts have ended and some thread has a connection.
    ///
    /// # Errors
    /// Why no thread has one, or that a signal came.
    pub(crate) fn reach_target(&mut self, stop: &Stop) -> Result<(), Failure> {
        loop {
            match self.settle(LOOK_EVERY) {
                Some(settled) => return settled,
                None if stop.asked() => {
                    self.control.stop();
                    let message = "interrupted before it began".into();
                    return Err(Failure { message, exit: Exit::Interrupted });
                }
                None => {}
            }
        }
    }

    /// Run one request on one thread and return its merged tally.
    ///
    /// # Errors
    /// As [`Self::reach_target`].
    pub(crate) fn try_out(mut self, interrupts: &Interrupts) -> Result<Merged, Failure> {
        self.reach_target(&Stop::new(interrupts))?;
        self.control.start(self.clock.now() + START_LEAD_NS);
        let mut whole: Option<Merged> = None;
        loop {
            match self.windows.recv_timeout(LOOK_EVERY) {
                Ok(mut window) => {
                    match &mut whole {
                        Some(whole) => whole.merge_window(&window.tally),
                        None => whole = Some(window.tally.merged()),
                    }
                    if window.last.is_some() {
                        break;
                    }
                    window.tally.clear();
                    // A thread that has ended takes nothing back.
                    let _ = self.empties[window.thread].try_send(window.tally);
                }
                Err(RecvTimeoutError::Timeout) if !interrupts.any() => {}
                Err(_) => break,
            }
        }
        self.control.stop();
        if interrupts.any() {
            return Err(Failure { message: "interrupted".into(), exit: Exit::Interrupted });
        }
        self.join()?;
        whole.ok_or_else(|| Failure::incomplete("the load thread ended without a result"))
    }

    /// # Errors
    /// A thread has failed; reported once.
    fn look_for_failure(&self) -> Result<(), Failure> {
        self.failures.try_recv().map_or(Ok(()), |failure| Err(Failure::incomplete(failure.message())))
    }

    /// From `from_ns` on (a time of the schedule, which began at `start_ns`) assign `part` to the threads, or
    /// nothing.
    pub(crate) fn partition(&self, part: Option<Shard>, start_ns: u64, from_ns: u64) {
        let load = &self.spec.plan.load;
        let of = self.timetables.len() as u64;
        for (thread, send) in (0..).zip(&self.timetables) {
            let table = match part {
                Some(Shard { slot, of: workers }) => {
                    let slice = (u64::from(slot) + u64::from(workers) * thread, u64::from(workers) * of);
                    Timetable::new(load, slice, self.spec.seed, start_ns, start_ns + from_ns)
                }
                None => Timetable::nothing(load),
            };
            // The closed model has no timetable, and a thread that has ended takes none.
            table.into_iter().for_each(|table| drop(send.try_send((start_ns + from_ns, table))));
        }
        self.control.timetables_sent();
    }

    /// Collect the threads' measurements from `start_at_ns` on, on a thread.
    ///
    /// # Errors
    /// When the system cannot start it.
    pub(crate) fn collect(
        &mut self,
        shared: &Arc<SharedSnapshot>,
        (start_at_ns, from_ns): (u64, u64),
        closed: Option<Sender<MergedWindow>>,
    ) -> Result<JoinHandle<()>, Failure> {
        let collector = Collector {
            shared: shared.clone(),
            clock: self.clock,
            start_at_ns,
            from_ns,
            windows: std::mem::replace(&mut self.windows, crossbeam_channel::never()),
            failures: self.failures.clone(),
            control: self.control.clone(),
            empties: std::mem::take(&mut self.empties),
            group: Groups::find(std::path::Path::new("/"), "cpu"),
            closed,
        };
        let name = "collector".to_owned();
        Ok(std::thread::Builder::new().name(name).spawn(move || collector.run())?)
    }

    /// Join the threads, which are stopping or have ended.
    ///
    /// # Errors
    /// A thread failed and the collector did not receive its message.
    pub(crate) fn join(mut self) -> Result<(), Failure> {
        // A thread that never began must not wait for the collector.
        self.windows = crossbeam_channel::never();
        self.empties.clear();
        for handle in self.handles.drain(..).chain(self.row_reader.take()) {
            // It catches its own panics.
            let _ = handle.join();
        }
        self.look_for_failure()
    }
}
