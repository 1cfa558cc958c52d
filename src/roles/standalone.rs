//! One process alone: a plan in, a result out.
//!
//! ```text
//! plan ─▶ machine ─▶ threads connect ─▶ start ─▶ live view ─▶ last windows ─▶ summary, reports, exit code
//! ```

use std::io::{self, IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::abort::Abort;
use super::live::Live;
use super::resolver::{self, Resolver};
use super::signals::Interrupts;
use super::stop::Stop;
use super::{Exit, baseline_file, once, plan_source, summary, tls_files};
use crate::cli::{Format, Options, Timestamps};
use crate::client::Brief;
use crate::collector::{Board, Collector, detail_text};
use crate::load::{self, Control, Job, Route, Settled, TALLIES_PER_THREAD, Window};
use crate::plan::{self, Overrides, Plan, Slice, UrlForm};
use crate::report::hlog::Intervals;
use crate::report::{Ending, RunInfo, Snapshot, State};
use crate::sys::{self, Address, Clock, TlsConfig, cgroup::Groups};
use crate::tally::{Outcome, Tally};
use crate::verdict::{self, Threads, preflight};
use crate::web::{self, Listen, Site};

/// Between the last thread's readiness and the first request: all threads wake in it.
const START_LEAD_NS: u64 = 2_000_000;
/// How often the main thread looks at the run.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Carry out what was typed.
///
/// # Errors
/// What the user has to be told, with the exit code that goes with it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let plan = plan_of(options)?;
    carry_out(options, plan, &Interrupts::listen()?)
}

/// Something that ends the run before it has a result.
#[derive(Debug)]
pub struct Failure {
    /// What to tell the user.
    pub message: String,
    /// The exit code.
    pub exit: Exit,
}

impl Failure {
    /// The plan or the command line is at fault.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: Exit::Usage }
    }

    /// The run could not be carried out.
    pub fn incomplete(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: Exit::Incomplete }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::incomplete(error.to_string())
    }
}

/// Read and check the plan that the options name.
fn plan_of(options: &Options) -> Result<Plan, Failure> {
    let overrides = Overrides {
        concurrency: options.concurrency,
        rate: options.rate,
        requests: options.requests,
        duration_ns: options.duration_ns,
    };
    let plan = match (&options.plan, &options.url) {
        (Some(path), _) => {
            let text = plan_source::read(path).map_err(Failure::usage)?;
            plan::parse(&text, path, &overrides, &|name| std::env::var(name).ok())
        }
        (None, Some(url)) => {
            let body = plan_source::body(options.body.as_deref()).map_err(Failure::usage)?;
            let (method, headers) = (options.method.clone(), options.headers.clone());
            let tls = options.tls.clone();
            plan::from_url(&UrlForm { url: url.clone(), method, headers, body, tls }, &overrides)
        }
        (None, None) => return Err(Failure::usage("name a plan with --plan FILE, a URL, or --demo")),
    };
    plan.map_err(|faults| Failure::usage(faults.to_string()))
}

/// Drive a checked plan and judge the result.
///
/// # Errors
/// As [`run`].
pub fn carry_out(options: &Options, plan: Plan, interrupts: &Interrupts) -> Result<Exit, Failure> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 53)); // exact in JSON's numbers
    let machine = sys::limits::look();
    if options.once {
        return once::run(options, &plan, seed, interrupts);
    }
    let most = preflight::most_connections(&plan.load);
    let threads =
        verdict::threads_for(&machine, options.threads, options.no_pin, most).map_err(Failure::usage)?;
    let flight = preflight::check(&plan, threads.count, options.busy_poll, &machine);
    let tls = tls_files::read(&plan, tls_files::folder(options.plan.as_deref())).map_err(Failure::usage)?;
    if options.check {
        print!("{}", verdict::describe(&plan, &flight, &threads, &machine, seed));
        return Ok(if flight.refusals.is_empty() { Exit::Passed } else { Exit::Incomplete });
    }
    if !flight.refusals.is_empty() {
        return Err(Failure::incomplete(flight.refusals.join("\n")));
    }
    if let Some(soft) = flight.raise_fd_to {
        sys::limits::raise_file_descriptors(soft)?;
    }
    if !options.quiet {
        flight.warnings.iter().chain(&threads.notes).for_each(|w| eprintln!("note: {w}"));
    }
    warn_of_insecure(&plan);
    let baseline = baseline_file::read(options, &plan).map_err(Failure::usage)?;
    summary::check_writable(options).map_err(Failure::usage)?;
    let route = resolver::route(&plan)?;
    let started_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let info = RunInfo { baseline, ..run_info(&plan, options, seed, most) };
    let mut snapshot = Snapshot::new(info, threads.count, started_at);
    if options.reports.iter().any(|report| report.format == Format::Hlog) {
        let names = plan.scenarios.iter().map(|s| s.name.as_str());
        snapshot.intervals = Some(Intervals::new(names));
    }
    let board = Arc::new(Board::new(snapshot));
    let stop = Stop::new(interrupts);
    let server = serve(options, &board, &stop)?;
    if server.as_ref().is_some_and(|server| route.addresses().contains(&Address::Inet(server.addr()))) {
        let own = "base_url is the address of this program's own status server";
        return Err(Failure::usage(format!(
            "{own}: start the target first, or move the server with --listen"
        )));
    }
    let crew = Crew::start(options, Arc::new(Brief::new(plan, seed)), &threads, (route, tls))?;
    crew.see_through(options, &board, &stop)?;
    let exit = summary::conclude(options, &board)?;
    if let Some(server) = server {
        // One signal, if it was one, has ended the run already.
        let spent = if exit == Exit::Interrupted { interrupts.count().min(1) } else { 0 };
        linger(options, interrupts, spent);
        server.stop();
    }
    Ok(exit)
}

/// The load threads of a run and the channels to them.
pub(super) struct Crew {
    handles: Vec<std::thread::JoinHandle<()>>,
    control: Arc<Control>,
    clock: Clock,
    settled: Receiver<Settled>,
    windows: Receiver<Window>,
    empties: Vec<crossbeam_channel::Sender<Box<Tally>>>,
    target: String,
    /// Held until the run is over.
    _held: (Option<OwnedFd>, Option<Resolver>),
}

impl Crew {
    /// Start a thread for each place in `threads`; they connect and wait.
    pub(super) fn start(
        options: &Options,
        brief: Arc<Brief>,
        threads: &Threads,
        (route, tls): (Arc<Route>, Option<TlsConfig>),
    ) -> Result<Self, Failure> {
        let of = threads.count as u32;
        let stamps = options.timestamps == Timestamps::Kernel;
        let stamping = if stamps { sys::keep_stamping() } else { None };
        let resolver = Resolver::start(&brief.plan, &route)?;
        let (settle, settled) = bounded(threads.count);
        let (close, windows) = bounded(threads.count * TALLIES_PER_THREAD);
        let (control, clock) = (Arc::new(Control::default()), Clock::start());
        let target = format!("{} ({})", brief.plan.target.authority, route.addresses()[0]);
        let (mut handles, mut empties) = (Vec::new(), Vec::new());
        for thread in 0..threads.count {
            let (give_back, empty) = bounded(TALLIES_PER_THREAD);
            for _ in 1..TALLIES_PER_THREAD {
                let tally = Box::new(Tally::new(brief.plan.scenarios.len()));
                give_back.try_send(tally).expect("room for every tally there is");
            }
            empties.push(give_back);
            handles.push(load::spawn(Job {
                thread,
                core: threads.cores.get(thread).copied(),
                share: plan::share(&brief.plan, Slice { slot: thread as u32, of }),
                brief: brief.clone(),
                route: route.clone(),
                tls: tls.clone(),
                clock,
                kernel_timestamps: stamps,
                busy_poll: options.busy_poll,
                may_poll: threads.may_poll,
                control: control.clone(),
                settled: settle.clone(),
                windows: close.clone(),
                empties: empty,
                timetables: crossbeam_channel::never(),
            })?);
        }
        Ok(Self { handles, control, clock, settled, windows, empties, target, _held: (stamping, resolver) })
    }

    /// From the first connection to the last window.
    fn see_through(self, options: &Options, board: &Arc<Board>, stop: &Stop) -> Result<(), Failure> {
        self.reach_target(stop)?;
        let start_at_ns = self.clock.now() + START_LEAD_NS;
        self.control.start(start_at_ns);
        let collector = Collector {
            board: board.clone(),
            clock: self.clock,
            start_at_ns,
            from_ns: start_at_ns,
            windows: self.windows,
            empties: self.empties,
            group: Groups::find(std::path::Path::new("/"), "cpu"),
            closed: None,
        };
        let name = "collector".to_owned();
        let collector = std::thread::Builder::new().name(name).spawn(move || collector.run())?;
        let mut abort = Abort::default();
        let mut live = Live::new(options.quiet, io::stderr().is_terminal());
        let mut interrupted = false;
        while !collector.is_finished() {
            // A signal that comes when all is done, as one that ends the lingering, interrupts nothing.
            if stop.asked() && !interrupted {
                self.control.stop();
                interrupted = true;
                // Before the last picture is shown: who waits for that one looks no more.
                board.update(|s| {
                    if s.aborted.is_none() && s.state != State::Finished {
                        s.ending = Ending::Interrupted;
                    }
                });
            }
            if let Some(threshold) = abort.look(board).filter(|_| !interrupted) {
                board.update(|s| s.aborted = Some(threshold));
                self.control.stop();
            }
            std::thread::sleep(LOOK_EVERY);
            live.tick(board);
        }
        live.finish();
        for handle in self.handles.into_iter().chain([collector]) {
            handle.join().map_err(|_| Failure::incomplete("a thread of the run panicked; see above"))?;
        }
        Ok(())
    }

    /// One request by a crew of one: what was counted, timed and kept of it.
    pub(super) fn try_out(self, interrupts: &Interrupts) -> Result<Tally, Failure> {
        self.reach_target(&Stop::new(interrupts))?;
        self.control.start(self.clock.now() + START_LEAD_NS);
        let mut whole: Option<Tally> = None;
        loop {
            match self.windows.recv_timeout(LOOK_EVERY) {
                Ok(mut window) => {
                    whole
                        .get_or_insert_with(|| Tally::new(window.tally.scenarios.len()))
                        .merge(&window.tally);
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
        whole.ok_or_else(|| Failure::incomplete("a thread of the run panicked; see above"))
    }

    /// Wait until every thread's first attempts have ended and some thread has a connection.
    fn reach_target(&self, stop: &Stop) -> Result<(), Failure> {
        let (mut settled, mut reached, mut failure) = (0, false, None);
        while settled < self.handles.len() {
            match self.settled.recv_timeout(LOOK_EVERY) {
                Ok(Settled { reached: Ok(any) }) => {
                    settled += 1;
                    reached |= any;
                }
                Ok(Settled { reached: Err(why) }) => {
                    settled += 1;
                    failure = Some(why);
                }
                Err(_) if stop.asked() => {
                    self.control.stop();
                    return Err(Failure {
                        message: "interrupted before it began".into(),
                        exit: Exit::Interrupted,
                    });
                }
                Err(_) => {}
            }
        }
        match failure {
            Some((outcome, detail)) if !reached => {
                self.control.stop();
                let why = detail_text(detail, outcome);
                if outcome == Outcome::TlsFailed {
                    let what = format!("no TLS connection to {}: {why}; nothing was sent", self.target);
                    return Err(Failure::incomplete(what));
                }
                let remedy = match outcome {
                    Outcome::LocalError => {
                        "See --check for what is needed: file descriptors (`ulimit -n`), \
                         local ports (net.ipv4.ip_local_port_range), memory"
                    }
                    _ => "Is the target running, and is base_url right?",
                };
                Err(Failure::incomplete(format!(
                    "no connection to {}: {why} ({}); nothing was sent. {remedy}",
                    self.target,
                    outcome.explain()
                )))
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn warn_of_insecure(plan: &Plan) {
    if plan.tls.as_ref().is_some_and(|tls| tls.insecure) {
        eprintln!("warning: insecure: any certificate is accepted, whoever answers may be somebody else");
    }
}

fn run_info(plan: &Plan, options: &Options, seed: u64, connections: u32) -> RunInfo {
    let target_rate = match &plan.load.model {
        plan::Model::Closed { .. } => None,
        plan::Model::Open { pieces, .. } => {
            let asked: f64 = pieces.iter().map(|p| p.arrivals()).sum();
            plan.load.duration_ns.map(|d| asked / (d as f64 / 1e9))
        }
    };
    RunInfo {
        plan_name: plan.name.clone(),
        plan_source: plan.source.clone(),
        plan_digest: plan.digest.clone(),
        model: plan.model_name(),
        seed,
        target: plan.origin(),
        scenarios: plan.scenarios.iter().map(|s| (s.name.clone(), s.weight)).collect(),
        requests: plan.load.requests,
        duration_ns: plan.load.duration_ns,
        warmup_ns: plan.load.warmup_ns,
        target_rate,
        timestamps: if options.timestamps == Timestamps::Kernel { "kernel" } else { "user" },
        connections,
        insecure: plan.tls.as_ref().map(|tls| tls.insecure),
        thresholds: plan.thresholds.clone(),
        strict: options.strict,
        baseline: None,
    }
}

fn serve(options: &Options, board: &Arc<Board>, stop: &Stop) -> Result<Option<web::Server>, Failure> {
    if options.no_listen {
        return Ok(None);
    }
    let listen = options.listen.map_or(Listen::Default, Listen::At);
    let site = Site { operator: stop.operator()?, ..Site::of(board.clone()) };
    let server = web::serve(listen, site).map_err(|e| Failure::usage(e.to_string()))?;
    if !options.quiet {
        // Standard error may be gone; the run goes on.
        let _ = writeln!(io::stderr(), "status at http://{}/", server.addr());
    }
    Ok(Some(server))
}

/// Keep the status server up for as long as was asked, or until there are more signals than were `spent`.
fn linger(options: &Options, interrupts: &Interrupts, spent: usize) {
    let until = std::time::Instant::now() + Duration::from_nanos(options.linger_ns);
    while std::time::Instant::now() < until && interrupts.count() <= spent {
        std::thread::sleep(LOOK_EVERY.min(until.saturating_duration_since(std::time::Instant::now())));
    }
}
