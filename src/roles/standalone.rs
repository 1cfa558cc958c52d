//! The standalone role: one process runs a plan and reports the result.
//!
//! ```text
//! plan ─▶ machine ─▶ threads connect ─▶ start ─▶ live view ─▶ last windows ─▶ summary, reports, exit code
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::abort::{Abort, AbortCause};
use super::live::Live;
use super::load_threads::{LoadThreads, Task, peers};
use super::resolver;
use super::run_info::run_info;
use super::signals::Interrupts;
use super::stop::Stop;
use super::timing::{LOOK_EVERY, START_LEAD_NS, linger, unix_origin_ns, wall_clock};
use super::variables::Variables;
use super::{Exit, Failure, baseline_file, log, machine, once, plan_source, summary, tls_files, tokens};
use crate::cli::Options;
use crate::client::RunSpec;
use crate::fleet::messages::Key;
use crate::load::Peer;
use crate::plan::{self, Plan, Shard, UrlForm};
use crate::report::Format;
use crate::report::describe;
use crate::report::terminal::stopping_line;
use crate::run::Intervals;
use crate::run::SharedSnapshot;
use crate::run::{Ending, RunInfo, Snapshot, State};
use crate::sys::{self, Address, Clock};
use crate::verdict::{self, preflight};
use crate::web::{self, Access, Listen, Site};

/// How long a stopped run may take to end before a message explains the wait; most end sooner.
const UNEXPLAINED: Duration = Duration::from_millis(250);

/// Run a plan with these command-line options.
///
/// # Errors
/// An error to print, with its exit code.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    carry_out(options, || plan_of(options), &Interrupts::listen()?)
}

/// Read and check the plan that the options name.
fn plan_of(options: &Options) -> Result<Plan, Failure> {
    let overrides = options.overrides();
    let url = options.url.as_ref().or(options.urls.as_ref());
    let plan = match (&options.plan, url) {
        (Some(path), _) => {
            let text = plan_source::read(path).map_err(Failure::usage)?;
            let variables = Variables::of(options)?;
            let folder = tls_files::folder(Some(path));
            let files = |name: &str| plan_source::named_file(folder, name);
            let look_up = |name: &str| variables.look_up(name);
            let plan = plan::parse_with_files(&text, path, &overrides, &look_up, &files);
            if plan.is_ok() {
                variables.check_named(options)?;
            }
            plan
        }
        (None, Some(url)) => {
            let body = options.body.as_deref().map(plan_source::body).transpose().map_err(Failure::usage)?;
            let form = UrlForm {
                url: url.clone(),
                urls: options.urls.as_deref().map(plan_source::urls).transpose().map_err(Failure::usage)?,
                method: options.method.clone(),
                headers: options.headers.clone(),
                body,
                user: options.user.clone(),
                timeout_ns: options.timeout_ns,
                tls: options.tls.clone(),
            };
            plan::from_url(&form, &overrides)
        }
        (None, None) => return Err(Failure::usage("name a plan with --plan FILE, a URL, or --demo")),
    };
    plan.map_err(|faults| Failure::usage(faults.to_string()))
}

/// Run a checked plan and compute the verdict; without a result, the reports give the reason.
///
/// # Errors
/// As [`run`].
pub(crate) fn carry_out(
    options: &Options,
    plan: impl FnOnce() -> Result<Plan, Failure>,
    interrupts: &Interrupts,
) -> Result<Exit, Failure> {
    let shared = Arc::new(SharedSnapshot::new(Snapshot::new(RunInfo::unknown(), 0, wall_clock())));
    let mut server = None;
    let measured = plan().and_then(|plan| measure(options, plan, interrupts, &shared, &mut server));
    let exit = match measured {
        Ok(Measured::Nothing(exit)) => return Ok(exit),
        Ok(Measured::Run { spent }) => summary::conclude(options, &shared).inspect(|_| {
            if server.is_some() {
                if options.listen.is_some() && options.linger_ns == 0 && !options.quiet {
                    log::info(
                        "the status server and its /metrics end with the run: --linger DURATION keeps them up",
                    );
                }
                linger(options, interrupts, spent);
            }
        }),
        Err(failure) => Err(summary::fail(options, &shared, failure)),
    };
    if let Some(server) = server {
        server.see_pages_off();
        server.stop();
    }
    exit
}

/// The outcome of [`measure`].
enum Measured {
    /// The plan was run.
    Run {
        /// How many signals ended the run.
        spent: usize,
    },
    /// The plan was only checked, or each scenario was sent once.
    Nothing(Exit),
}

/// Run the plan; `server` is left with the status server, unless there is none.
fn measure(
    options: &Options,
    mut plan: Plan,
    interrupts: &Interrupts,
    shared: &Arc<SharedSnapshot>,
    server: &mut Option<web::Server>,
) -> Result<Measured, Failure> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 53)); // exact in JSON's numbers
    let run_id = Key(fastrand::u128(..)).to_string();
    log::of_run(&run_id, None);
    let machine = machine::look();
    if options.once {
        plan::likely_mistakes(&plan).iter().for_each(|w| log::note(w));
        return once::run(options, &plan, (seed, &run_id), interrupts).map(Measured::Nothing);
    }
    let most = preflight::most_connections(&plan.load);
    let mut threads =
        verdict::threads_for(&machine, options.threads, options.no_pin, most).map_err(Failure::usage)?;
    let whole = Shard { slot: 0, of: 1 };
    threads.notes.extend(preflight::fit_default_connections(&mut plan, whole, threads.count, &machine));
    let most = preflight::most_connections(&plan.load);
    shared.update(|s| s.run = run_info(&plan, options, seed, most));
    let flight = preflight::check(&plan, whole, threads.count, options.busy_poll, &machine);
    verdict::rows::check_rows(&plan, seed).map_err(Failure::usage)?;
    let tls = tls_files::read(&plan, tls_files::folder(options.plan.as_deref())).map_err(Failure::usage)?;
    if options.check {
        summary::print_all("--check", &describe(&plan, &flight, &threads, &machine, seed))?;
        let exit = if flight.refusals.is_empty() { Exit::Passed } else { Exit::Incomplete };
        return Ok(Measured::Nothing(exit));
    }
    if !flight.refusals.is_empty() {
        return Err(Failure::incomplete(flight.refusals.join("\n")));
    }
    if let Some(soft) = flight.raise_fd_to {
        sys::limits::raise_file_descriptors(soft)?;
    }
    match options.quiet {
        // What is probably not meant makes the result worthless.
        true => plan::likely_mistakes(&plan).iter().for_each(|w| log::note(w)),
        false => flight.warnings.iter().chain(&threads.notes).for_each(|w| log::note(w)),
    }
    tls_files::warn_of_insecure(&plan);
    let baseline = baseline_file::read(options, &plan).map_err(Failure::usage)?;
    summary::check_writable(options).map_err(Failure::usage)?;
    let peers = peers(resolver::routes(&plan)?, tls);
    let started_at = wall_clock();
    let mut info = RunInfo { baseline, ..run_info(&plan, options, seed, most) };
    for (target, peer) in info.targets.iter_mut().zip(peers.iter()) {
        target.addresses = peer.route.addresses().iter().map(ToString::to_string).collect();
    }
    let mut snapshot = Snapshot::new(info, threads.count, started_at);
    if options.reports.iter().any(|report| report.format == Format::Hlog) {
        let names = plan.scenarios.iter().map(|s| s.name.as_str());
        snapshot.intervals = Some(Intervals::new(names));
    }
    shared.update(|s| *s = snapshot);
    let stop = Stop::new(interrupts);
    *server = serve(options, shared, &stop)?;
    let own = server.as_ref().map(|server| Address::Inet(server.addr()));
    let is_own = |peer: &Peer| own.as_ref().is_some_and(|own| peer.route.addresses().contains(own));
    if let Some(i) = peers.iter().position(is_own) {
        let key = resolver::key_of(&plan, &plan.targets[i]);
        return Err(Failure::usage(format!(
            "{key} is the address of this program's own status server: start the target first, or move the server with --listen"
        )));
    }
    let clock = Clock::start();
    let spec = Arc::new(RunSpec::new(plan, seed).of_run(run_id, unix_origin_ns(&clock)));
    let task = Task { options, spec, part: whole, threads: &threads, peers, clock };
    let spent = see_through(LoadThreads::start(task)?, options, shared, &stop)?;
    Ok(Measured::Run { spent })
}

/// Run from the first connection to the last window. The result is how many signals ended it: that many do not
/// end the lingering, too.
fn see_through(
    mut load_threads: LoadThreads,
    options: &Options,
    shared: &Arc<SharedSnapshot>,
    stop: &Stop,
) -> Result<usize, Failure> {
    load_threads.reach_target(stop)?;
    let start_at_ns = load_threads.clock.now() + START_LEAD_NS;
    load_threads.control.start(start_at_ns);
    let collector = load_threads.collect(shared, (start_at_ns, start_at_ns), None)?;
    let mut abort = Abort::default();
    let mut live = Live::new(options);
    let (mut interrupted, mut spent) = (false, 0);
    let mut explain_at = None;
    while !collector.is_finished() {
        // A signal after the end, such as one that ends the lingering, interrupts nothing.
        if stop.asked() && !interrupted {
            load_threads.control.stop();
            (interrupted, spent) = (true, usize::from(stop.by_signal()));
            explain_at = Some(Instant::now() + UNEXPLAINED);
            // Before the final snapshot is published: readers that wait for it stop reading then.
            shared.update(|s| {
                if s.aborted.is_none() && s.state != State::Finished && s.ending == Ending::Complete {
                    s.ending = Ending::Interrupted;
                    s.error = Some("interrupted before its end".to_owned());
                }
            });
        }
        if let Some(cause) = abort.look(shared).filter(|_| !interrupted) {
            if let AbortCause::Threshold(threshold) = cause {
                shared.update(|s| s.aborted = Some(threshold));
            }
            load_threads.control.stop();
        }
        if explain_at.take_if(|at| Instant::now() >= *at).is_some() {
            let (drain_ns, by_signal) = (load_threads.spec.plan.load.drain_ns, stop.by_signal());
            live.remark(&shared.read(|s| stopping_line(s, drain_ns, by_signal)));
        }
        std::thread::sleep(LOOK_EVERY);
        live.tick(shared);
    }
    live.finish();
    if collector.join().is_err() {
        load_threads.control.stop();
        shared.update(|s| s.fail(Ending::Incomplete, "the collector panicked: see above".to_owned()));
    }
    load_threads.join()?;
    Ok(spent)
}

/// Serve `shared`, unless the options forbid it.
///
/// # Errors
/// The address cannot be listened on.
fn serve(
    options: &Options,
    shared: &Arc<SharedSnapshot>,
    stop: &Stop,
) -> Result<Option<web::Server>, Failure> {
    if options.no_listen {
        return Ok(None);
    }
    let listen = options.listen.map_or(Listen::Default, Listen::At);
    let operator = stop.operator()?;
    let token = operator.as_ref().map(|operator| operator.token.clone());
    let reader = tokens::reader(&[std::env::var(tokens::OPERATOR_TOKEN).ok().as_deref().map(str::trim)])?;
    let access = Access { worker: None, operator: token, reader, public_status: options.public_status };
    let linger = Some(Duration::from_nanos(options.linger_ns));
    let site = Site { operator, access, linger, ..Site::of(shared.clone()) };
    let server = web::serve(listen, site).map_err(|e| Failure::usage(format!("{e}, or --no-listen")))?;
    if !options.quiet {
        log::info(&format!("dashboard at http://{}/", server.addr()));
    }
    Ok(Some(server))
}
