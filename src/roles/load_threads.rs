//! The load threads of a process, the collector behind them and the channels between: started for a part
//! of a plan, led through a run, joined. Alone, a process is worker 1 of 1.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::resolver::Resolver;
use super::signals::Interrupts;
use super::stop::Stop;
use super::timing::{LOOK_EVERY, START_LEAD_NS};
use super::{Exit, Failure};
use crate::cli::{Options, Timestamps};
use crate::client::{RunSpec, Timetable};
use crate::collector::{Collector, MergedWindow};
use crate::load::{self, Control, FirstConnects, Job, Route, TALLIES_PER_THREAD, ThreadFailure, Window};
use crate::plan::{self, Shard};
use crate::run::{SharedSnapshot, detail_text};
use crate::sys::{self, Clock, TlsConfig, cgroup::Groups};
use crate::tally::{Merged, Outcome, Tally};
use crate::verdict::Threads;

/// Timetables on their way to a thread; it takes them at its next turn.
const TIMETABLES: usize = 16;

/// What load threads are to do.
pub(crate) struct Task<'a> {
    /// What was typed.
    pub(crate) options: &'a Options,
    /// What is sent.
    pub(crate) spec: Arc<RunSpec>,
    /// This process's part of the plan.
    pub(crate) part: Shard,
    /// How many threads, and where.
    pub(crate) threads: &'a Threads,
    /// Where the target is.
    pub(crate) route: Arc<Route>,
    /// How connections are encrypted.
    pub(crate) tls: Option<TlsConfig>,
    /// The run's clock.
    pub(crate) clock: Clock,
}

/// The load threads of a run and the channels to them.
pub(crate) struct LoadThreads {
    handles: Vec<JoinHandle<()>>,
    /// Control of the threads.
    pub(crate) control: Arc<Control>,
    /// The run's clock.
    pub(crate) clock: Clock,
    /// What it carries out.
    pub(crate) spec: Arc<RunSpec>,
    settled: Receiver<FirstConnects>,
    /// Of the threads, how many have settled; whether one reached the target, and why one did not.
    count: usize,
    reached: bool,
    failure: Option<(Outcome, crate::tally::Detail)>,
    windows: Receiver<Window>,
    failures: Receiver<ThreadFailure>,
    empties: Vec<Sender<Box<Tally>>>,
    timetables: Vec<Sender<(u64, Timetable)>>,
    target: String,
    /// Held until the run is over.
    _held: (Option<OwnedFd>, Option<Resolver>),
}

impl LoadThreads {
    /// Start the threads; they open their connections and wait.
    ///
    /// # Errors
    /// When the system cannot start them.
    pub(crate) fn start(task: Task<'_>) -> Result<Self, Failure> {
        let Task { options, spec, part, threads, route, tls, clock } = task;
        let stamps = options.timestamps == Timestamps::Kernel;
        let stamping = if stamps { sys::hold_timestamping() } else { None };
        let resolver = Resolver::start(&spec.plan, &route)?;
        let (settle, settled) = bounded(threads.count);
        let (close, windows) = bounded(threads.count * TALLIES_PER_THREAD);
        let (fail, failures) = bounded(threads.count);
        let control = Arc::new(Control::default());
        let target = format!("{} ({})", spec.plan.target.authority, route.addresses()[0]);
        let (mut handles, mut empties, mut timetables) = (Vec::new(), Vec::new(), Vec::new());
        for thread in 0..threads.count {
            let (give_back, empty) = bounded(TALLIES_PER_THREAD);
            let own = Shard { slot: thread as u32, of: threads.count as u32 };
            let share = plan::shard_load_within(&spec.plan, part, own);
            for _ in 1..TALLIES_PER_THREAD {
                let (steps, connections) = (spec.plan.scenarios.len(), share.connections as usize);
                let tally = Box::new(Tally::for_connections(steps, connections));
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
                route: route.clone(),
                tls: tls.clone(),
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
        let (count, reached, failure) = (0, false, None);
        Ok(Self {
            handles,
            control,
            clock,
            spec,
            settled,
            count,
            reached,
            failure,
            windows,
            failures,
            empties,
            timetables,
            target,
            _held: (stamping, resolver),
        })
    }

    /// Wait a while until every thread's first attempts have ended. `None`: not yet; an error: no thread
    /// has a connection, or one has failed, and why.
    pub(crate) fn settle(&mut self, patience: Duration) -> Option<Result<(), Failure>> {
        while self.count < self.handles.len() {
            if let Err(failure) = self.look_for_failure() {
                self.control.stop();
                return Some(Err(failure));
            }
            match self.settled.recv_timeout(patience) {
                Ok(FirstConnects { reached }) => {
                    self.count += 1;
                    match reached {
                        Ok(any) => self.reached |= any,
                        Err(why) => self.failure = Some(why),
                    }
                }
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        match self.failure {
            Some((outcome, detail)) if !self.reached => {
                self.control.stop();
                Some(Err(self.out_of_reach(outcome, &detail_text(detail, outcome))))
            }
            _ => Some(Ok(())),
        }
    }

    /// Wait until every thread's first attempts have ended and some thread has a connection.
    ///
    /// # Errors
    /// Why none has, or that a signal came.
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

    /// One request by one thread: what was counted, timed and kept of it.
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
    /// That a thread has failed; sent once.
    fn look_for_failure(&self) -> Result<(), Failure> {
        self.failures.try_recv().map_or(Ok(()), |failure| Err(Failure::incomplete(failure.message())))
    }

    fn out_of_reach(&self, outcome: Outcome, why: &str) -> Failure {
        if outcome == Outcome::TlsFailed {
            let what = format!("no TLS connection to {}: {why}; nothing was sent", self.target);
            return Failure::incomplete(what);
        }
        let remedy = match outcome {
            Outcome::LocalError => {
                "See --check for what is needed: file descriptors (`ulimit -n`), \
                 local ports (net.ipv4.ip_local_port_range), memory"
            }
            _ => "Is the target running, and is base_url right?",
        };
        Failure::incomplete(format!(
            "no connection to {}: {why} ({}); nothing was sent. {remedy}",
            self.target,
            outcome.explain()
        ))
    }

    /// From `from_ns` on (a time of the schedule, which began at `start_ns`) let the threads own `part` of
    /// it, or nothing.
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
            // The closed model has no timetable; a thread that has ended wants none.
            table.into_iter().for_each(|table| drop(send.try_send((start_ns + from_ns, table))));
        }
        self.control.timetables_sent();
    }

    /// Collect what the threads measure from `start_at_ns` on, in a thread.
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

    /// Wait for the threads, which were asked to stop or have ended.
    ///
    /// # Errors
    /// When one of them has failed and the collector got no message.
    pub(crate) fn join(mut self) -> Result<(), Failure> {
        // One that never began waits for nobody.
        self.windows = crossbeam_channel::never();
        self.empties.clear();
        for handle in self.handles.drain(..) {
            // It catches its own panics.
            let _ = handle.join();
        }
        self.look_for_failure()
    }
}
