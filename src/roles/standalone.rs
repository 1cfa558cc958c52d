//! One process alone: a plan in, a result out.
//!
//! ```text
//! plan ─▶ machine ─▶ threads connect ─▶ start ─▶ live view ─▶ last windows ─▶ summary, reports, exit code
//! ```

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::abort::Abort;
use super::crew::{Crew, Task};
use super::live::Live;
use super::resolver;
use super::signals::Interrupts;
use super::stop::Stop;
use super::{Exit, baseline_file, once, plan_source, summary, tls_files, tokens};
use crate::cli::{Format, Options, Timestamps};
use crate::client::RunSpec;
use crate::collector::Board;
use crate::plan::{self, Overrides, Plan, Slice, UrlForm};
use crate::report::hlog::Intervals;
use crate::report::terminal::stopping_line;
use crate::report::{Ending, RunInfo, Snapshot, State};
use crate::sys::{self, Address, Clock};
use crate::verdict::{self, preflight};
use crate::web::{self, Access, Listen, Site};

/// Between the last thread's readiness and the first request: all threads wake in it.
pub(super) const START_LEAD_NS: u64 = 2_000_000;
/// How often the main thread looks at the run.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a run that was stopped may take to end before it says what it waits for: most end sooner.
const UNEXPLAINED: Duration = Duration::from_millis(250);

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
            plan::parse(&text, path, &overrides, &tokens::variable)
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
    let started_at = wall_clock();
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
    let (part, clock) = (Slice { slot: 0, of: 1 }, Clock::start());
    let spec = Arc::new(RunSpec::new(plan, seed));
    let task = Task { options, spec, part, threads: &threads, route, tls, clock };
    see_through(Crew::start(task)?, options, &board, &stop)?;
    let exit = summary::conclude(options, &board)?;
    if let Some(server) = server {
        // One signal, if it was one, has ended the run already.
        let spent = if exit == Exit::Interrupted { interrupts.count().min(1) } else { 0 };
        linger(options, interrupts, spent);
        server.stop();
    }
    Ok(exit)
}

/// From the first connection to the last window.
fn see_through(mut crew: Crew, options: &Options, board: &Arc<Board>, stop: &Stop) -> Result<(), Failure> {
    crew.reach_target(stop)?;
    let start_at_ns = crew.clock.now() + START_LEAD_NS;
    crew.control.start(start_at_ns);
    let collector = crew.collect(board, (start_at_ns, start_at_ns), None)?;
    let mut abort = Abort::default();
    let mut live = Live::new(options.quiet, io::stderr().is_terminal());
    let mut interrupted = false;
    let mut explain_at = None;
    while !collector.is_finished() {
        // A signal that comes when all is done, as one that ends the lingering, interrupts nothing.
        if stop.asked() && !interrupted {
            crew.control.stop();
            interrupted = true;
            explain_at = Some(Instant::now() + UNEXPLAINED);
            // Before the last picture is shown: who waits for that one looks no more.
            board.update(|s| {
                if s.aborted.is_none() && s.state != State::Finished {
                    s.ending = Ending::Interrupted;
                }
            });
        }
        if let Some(threshold) = abort.look(board).filter(|_| !interrupted) {
            board.update(|s| s.aborted = Some(threshold));
            crew.control.stop();
        }
        if explain_at.take_if(|at| Instant::now() >= *at).is_some() {
            let (drain_ns, by_signal) = (crew.spec.plan.load.drain_ns, stop.by_signal());
            live.notes().say(&board.read(|s| stopping_line(s, drain_ns, by_signal)));
        }
        std::thread::sleep(LOOK_EVERY);
        live.tick(board);
    }
    live.finish();
    collector.join().map_err(|_| Failure::incomplete("a thread of the run panicked; see above"))?;
    crew.join()
}

pub(super) fn warn_of_insecure(plan: &Plan) {
    if plan.tls.as_ref().is_some_and(|tls| tls.insecure) {
        eprintln!("warning: insecure: any certificate is accepted, whoever answers may be somebody else");
    }
}

/// Seconds since the Unix epoch.
pub fn wall_clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// What is known of a run of `plan` before it starts.
pub fn run_info(plan: &Plan, options: &Options, seed: u64, connections: u32) -> RunInfo {
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

/// Serve `board`, unless that is not wanted.
///
/// # Errors
/// When the address cannot be listened on.
fn serve(options: &Options, board: &Arc<Board>, stop: &Stop) -> Result<Option<web::Server>, Failure> {
    if options.no_listen {
        return Ok(None);
    }
    let listen = options.listen.map_or(Listen::Default, Listen::At);
    let operator = stop.operator()?;
    let token = operator.as_ref().map(|operator| operator.token.clone());
    let access = Access { worker: None, operator: token, public_status: options.public_status };
    let site = Site { operator, access, ..Site::of(board.clone()) };
    let server = web::serve(listen, site).map_err(|e| Failure::usage(format!("{e}, or --no-listen")))?;
    if !options.quiet {
        // Standard error may be gone; the run goes on.
        let _ = writeln!(io::stderr(), "status at http://{}/", server.addr());
    }
    Ok(Some(server))
}

/// Keep the status server up for as long as was asked, or until there are more signals than were `spent`.
pub fn linger(options: &Options, interrupts: &Interrupts, spent: usize) {
    let until = Instant::now() + Duration::from_nanos(options.linger_ns);
    while Instant::now() < until && interrupts.count() <= spent {
        std::thread::sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now())));
    }
}
