//! The worker role: load threads, their collector, two clients of the coordinator, and the state machine on
//! the main thread that connects them.
//!
//! ```text
//! clients ──answers──▶ machine ──calls──▶ clients  machine ──lease, assignments, stop──▶ load threads
//!                       ▲────────windows──────── collector ◀──────────────────────────┘
//! ```

mod inbox;
mod ready;
mod progress_messages;
mod received_plan;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::load_threads::LoadThreads;
use super::signals::Interrupts;
use super::timing::wall_clock;
use super::worker_identity::{allowed, hostname, slot};
use super::{Exit, Failure, log, machine, plan_form, tokens};
use crate::cli::Options;
use crate::collector::MergedWindow;
use crate::coordinator_client::{self, Call, CoordinatorClient};
use crate::fleet::messages::{Acked, Assignment, Health, Joined, Key, Orders, PlanBundle};
use crate::fleet::report::{LastSpan, Report, Span};
use crate::fleet::worker::{self, Answer, CallError, Effect, Event, Request, Worker};
use crate::fleet::{Checked as _, Refusal};
use crate::load::{Pem, WINDOW_NS};
use crate::plan::{Plan, Shard};
use crate::run::{RunInfo, SharedSnapshot, Snapshot, State};
use crate::sys::{self, Clock};
use crate::tally::{Merged, ThreadHealth, Timer, quantile};
use crate::verdict::{self, Threads};
use crate::web::{self, Access, Listen, Site, Token};
use inbox::{Message, inbox};
use progress_messages::ProgressMessages;
use received_plan::check;

/// How far back this worker's clock reaches: the longest warm-up and the longest measurement, so that one
/// that joins late can name the instant at which its run began.
const PAST_NS: u64 = 60 * 24 * 3_600 * 1_000_000_000;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Interval at which the state machine gets the threads' health.
const HEALTH_EVERY_NS: u64 = 400_000_000;

/// Run a worker with these command-line options.
///
/// # Errors
/// An error to print, with its exit code.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let interrupts = Interrupts::listen()?;
    let own = plan_form::of(options)?;
    if let Some((plan, _)) = &own {
        allowed(options, plan).map_err(Failure::usage)?;
    }
    let token = tokens::worker(options.token_file.as_deref())?;
    if let Some((plan, _)) = &own {
        plan_form::guard(plan, token.as_deref())?;
    }
    let machine = machine::look();
    let threads =
        verdict::threads_for(&machine, options.threads, options.no_pin, u32::MAX).map_err(Failure::usage)?;
    if !options.quiet {
        threads.notes.iter().for_each(|note| log::note(note));
    }
    let key = Key(fastrand::u128(..));
    let mut config = worker::Config::new(key, env!("CARGO_PKG_VERSION"), fastrand::u64(..));
    config.slot = slot(options)?;
    config.host = hostname();
    config.threads = threads.count as u32;
    let (plan, bundle) = own.unzip();
    let pem = bundle.as_ref().map(plan_form::files).transpose().map_err(Failure::usage)?;
    config.plan = bundle;
    let shared =
        Arc::new(SharedSnapshot::new(Snapshot::new(RunInfo::unknown(), threads.count, wall_clock())));
    let server = serve(options, &shared, token.as_deref())?;
    let (sender, news) = inbox();
    let mut service =
        WorkerService::new(options, config, token.as_deref(), plan.zip(pem), threads, shared, sender)?;
    let exit = service.work(&news, &interrupts);
    if let Some(server) = server {
        server.see_pages_off();
        server.stop();
    }
    exit
}

/// The kind of a call under way.
#[derive(Clone, Copy)]
enum CallKind {
    Join,
    Plan,
    Heartbeat,
    Report,
}

struct WorkerService<'a> {
    options: &'a Options,
    machine: Worker<Report>,
    key: Key,
    clock: Clock,
    threads: Threads,
    /// The plan and the content of its PEM files.
    plan: Option<(Plan, Vec<Pem>)>,
    run: Option<Key>,
    shared: Arc<SharedSnapshot>,
    control: CoordinatorClient,
    reports: CoordinatorClient,
    under_way: HashMap<u64, CallKind>,
    sender: Sender<Message>,
    load_threads: Option<LoadThreads>,
    /// The shard whose connections are being opened.
    settling: Option<Shard>,
    /// The shard for which the routes to the targets are being resolved.
    routing: Option<Shard>,
    collector: Option<JoinHandle<()>>,
    /// When the schedule begins on the worker's clock, in nanoseconds; 0: not set.
    start_ns: u64,
    /// The current assignments; `applied_epoch`: the newest that the threads have.
    assignments: Vec<Assignment>,
    applied_epoch: u32,
    health_at_ns: u64,
    /// When the lease ends; `None`: no lease, or its end was printed.
    lease_until_ns: Option<u64>,
    failure_reported: bool,
    progress_messages: ProgressMessages,
    exit: Option<worker::Exit>,
}

impl<'a> WorkerService<'a> {
    fn new(
        options: &'a Options,
        config: worker::Config,
        token: Option<&str>,
        plan: Option<(Plan, Vec<Pem>)>,
        threads: Threads,
        shared: Arc<SharedSnapshot>,
        sender: Sender<Message>,
    ) -> Result<Self, Failure> {
        let url = options.coordinator.as_deref().unwrap_or_default();
        let clock = Clock::with_past(PAST_NS);
        let link = |name: &str| {
            let sender = sender.clone();
            CoordinatorClient::open(name, url, token, clock, move |outcome| {
                drop(sender.send(Message::Outcome(outcome)))
            })
        };
        Ok(Self {
            options,
            key: config.key,
            machine: Worker::new(config),
            clock,
            threads,
            plan,
            run: None,
            shared,
            control: link("link-control")?,
            reports: link("link-reports")?,
            under_way: HashMap::new(),
            sender,
            load_threads: None,
            settling: None,
            routing: None,
            collector: None,
            start_ns: 0,
            assignments: Vec::new(),
            applied_epoch: 0,
            health_at_ns: 0,
            lease_until_ns: None,
            failure_reported: false,
            progress_messages: ProgressMessages::new(url, options.quiet),
            exit: None,
        })
    }

    /// Loop until the state machine exits.
    fn work(&mut self, incoming: &Receiver<Message>, interrupts: &Interrupts) -> Result<Exit, Failure> {
        sys::set_nice(-5);
        let mut interrupted = false;
        self.feed(Event::Tick)?;
        while self.exit.is_none() {
            let now = self.clock.now();
            let wait_ns = self.machine.wait_until().map_or(u64::MAX, |at| at.saturating_sub(now));
            let patience = LOOK_EVERY.min(Duration::from_nanos(wait_ns));
            let news = incoming.recv_timeout(patience);
            if interrupts.any() && !interrupted {
                interrupted = true;
                self.feed(Event::Interrupted)?;
            }
            match news {
                Ok(Message::Outcome(outcome)) => self.answered(outcome)?,
                Ok(Message::Window(closed)) => {
                    let report = self.report(*closed);
                    self.feed(Event::Window(report))?;
                }
                Ok(Message::Ended) => self.load_ended()?,
                Ok(Message::Routes(part, routes)) => self.go_by(part, routes)?,
                Ok(Message::Plan(checked)) => {
                    let checked = checked.map(|plan| self.plan = Some(plan));
                    self.feed(Event::PlanChecked(checked))?;
                }
                Err(_) => self.feed(Event::Tick)?,
            }
            self.settle()?;
            self.tell_failure()?;
            self.tell_health()?;
            self.tell_lease();
            self.tell_reach();
        }
        if let Some(load_threads) = self.load_threads.take() {
            load_threads.control.stop();
        }
        self.conclude()
    }

    fn feed(&mut self, event: Event<Report>) -> Result<(), Failure> {
        let effects = self.machine.step(event, self.clock.now());
        effects.into_iter().try_for_each(|effect| self.carry_out(effect))
    }

    fn carry_out(&mut self, effect: Effect<Report>) -> Result<(), Failure> {
        match effect {
            Effect::Call { call, request, timeout_ns } => self.call(call, &request, timeout_ns),
            Effect::UsePlan(bundle) => {
                let (options, sender) = (self.options.clone(), self.sender.clone());
                // Its data files may have gigabytes, and heartbeats have to go on.
                let check = move || drop(sender.send(Message::Plan(Box::new(check(&options, &bundle)))));
                std::thread::Builder::new().name("plan".to_owned()).spawn(check)?;
            }
            Effect::Prepare(part) => {
                if let Some(load_threads) = self.load_threads.take() {
                    load_threads.control.stop();
                    if let Err(failure) = load_threads.join() {
                        return self.feed(Event::LoadFailed(failure.message));
                    }
                }
                self.find_route(part)?;
            }
            Effect::Assignments(assignments) => {
                self.assignments = assignments;
                self.partition();
            }
            Effect::Start { at_ns } => self.start(at_ns)?,
            Effect::Lease { until_ns } => {
                self.lease_until_ns = Some(until_ns);
                if let Some(load_threads) = &self.load_threads {
                    load_threads.control.permit(until_ns);
                }
            }
            Effect::StopLoad => {
                self.routing = None;
                if let Some(load_threads) = &self.load_threads {
                    load_threads.control.stop();
                }
                if self.collector.is_none() {
                    return self.feed(Event::LoadEnded);
                }
            }
            Effect::Exit(exit) => self.exit = Some(exit),
        }
        Ok(())
    }

    fn call(&mut self, number: u64, request: &Request<Report>, timeout_ns: u64) {
        let json = |body: serde_json::Result<Vec<u8>>| Some(body.expect("plain structs with string keys"));
        let (asked, path, body) = match request {
            Request::Join(join) => (CallKind::Join, "/workers".to_owned(), json(serde_json::to_vec(join))),
            Request::Plan => (CallKind::Plan, "/plan".to_owned(), None),
            Request::Heartbeat(id, beat) => {
                (CallKind::Heartbeat, format!("/workers/{}/heartbeat", id.0), json(serde_json::to_vec(beat)))
            }
            Request::Report { worker, seq, window, .. } => {
                (CallKind::Report, format!("/workers/{}/reports/{seq}", worker.0), Some(window.write()))
            }
            Request::Final(id, last) => {
                (CallKind::Report, format!("/workers/{}/final", id.0), json(serde_json::to_vec(last)))
            }
        };
        self.under_way.insert(number, asked);
        let link = if matches!(asked, CallKind::Report) { &self.reports } else { &self.control };
        link.call(Call { number, path, body, timeout: Duration::from_nanos(timeout_ns) });
    }

    fn answered(&mut self, outcome: coordinator_client::Outcome) -> Result<(), Failure> {
        let Some(asked) = self.under_way.remove(&outcome.number) else { return Ok(()) };
        if let Some(exchange) = outcome.exchange {
            self.feed(Event::Compared(exchange))?;
        }
        let answer = outcome.answer.map_err(|trouble| match trouble {
            coordinator_client::CallError::Refused(refusal) => CallError::Refused(refusal),
            coordinator_client::CallError::Unreachable(why) => CallError::Unreachable(why),
        });
        let answer = answer.and_then(|body| parse(asked, &body));
        let joined = answer.as_ref().ok().and_then(|answer| match answer {
            Answer::Joined(joined) => Some((joined.worker, joined.run)),
            _ => None,
        });
        self.run = joined.map(|(_, run)| run).or(self.run);
        self.feed(Event::Answered { call: outcome.number, answer })?;
        self.tell_reach();
        if let Some((worker, run)) = joined {
            self.progress_messages.joined(worker.0, &run);
        }
        Ok(())
    }

    fn start(&mut self, at_ns: u64) -> Result<(), Failure> {
        let Some(load_threads) = &mut self.load_threads else { return Ok(()) };
        let first = self.assignments.iter().find(|assignment| assignment.shard.is_some());
        let from_ns = at_ns + first.map_or(0, |assignment| assignment.from_ns);
        (self.start_ns, self.applied_epoch) = (at_ns, first.map_or(0, |assignment| assignment.epoch));
        load_threads.control.join(at_ns, from_ns);
        let (send, closed) = bounded(64);
        let collector = load_threads.collect(&self.shared, (at_ns, from_ns), Some(send))?;
        let sender = self.sender.clone();
        let forward = move || {
            closed.iter().for_each(|window| drop(sender.send(Message::Window(Box::new(window)))));
            drop(sender.send(Message::Ended));
        };
        std::thread::Builder::new().name("windows".to_owned()).spawn(forward)?;
        self.collector = Some(collector);
        self.progress_messages.say("load begins");
        self.partition();
        Ok(())
    }

    /// Pass the assignments that the threads do not have yet.
    fn partition(&mut self) {
        let Some(load_threads) = &self.load_threads else { return };
        if self.start_ns == 0 {
            return;
        }
        for assignment in self.assignments.iter().filter(|assignment| assignment.epoch > self.applied_epoch) {
            load_threads.partition(assignment.shard, self.start_ns, assignment.from_ns);
        }
        self.applied_epoch = self
            .assignments
            .last()
            .map_or(self.applied_epoch, |assignment| assignment.epoch.max(self.applied_epoch));
    }

    /// A window as a report, with instants of the schedule.
    fn report(&self, closed: MergedWindow) -> Report {
        let warmup_ns = self.shared.read(|s| s.run.warmup_ns);
        let from_ns = warmup_ns + closed.index * WINDOW_NS;
        let to_ns = from_ns + WINDOW_NS;
        let threads = self.shared.read(|s| s.threads.clone());
        let mut tally = closed.tally;
        tally.count_from(self.start_ns);
        Report { key: self.key, span: Span { from_ns, to_ns, last: None, threads }, tally }
    }

    fn load_ended(&mut self) -> Result<(), Failure> {
        if self.collector.take().is_some_and(|collector| collector.join().is_err()) {
            self.shared.update(|s| s.error = Some("the collector panicked: see above".to_owned()));
        }
        self.tell_failure()?;
        let report = self.shared.read(|s| {
            let ended_ns = s.run.warmup_ns + s.measured_ns;
            let last = LastSpan { load_ended_ns: ended_ns, unfinished: s.unfinished };
            let threads = s.threads.clone();
            let tally = Merged::new(s.run.scenarios.len());
            Report {
                key: self.key,
                span: Span { from_ns: ended_ns, to_ns: ended_ns, last: Some(last), threads },
                tally,
            }
        });
        self.tell_health()?;
        self.feed(Event::Window(report))?;
        self.feed(Event::LoadEnded)
    }

    /// Feed a load thread's failure once; the coordinator decides how the run goes on.
    fn tell_failure(&mut self) -> Result<(), Failure> {
        match self.shared.read(|s| s.error.clone()) {
            Some(why) if !std::mem::replace(&mut self.failure_reported, true) => {
                self.feed(Event::LoadFailed(why))
            }
            _ => Ok(()),
        }
    }

    fn tell_health(&mut self) -> Result<(), Failure> {
        let now = self.clock.now();
        if now < self.health_at_ns {
            return Ok(());
        }
        self.health_at_ns = now + HEALTH_EVERY_NS;
        let health = self.shared.read(|s| Health {
            busy: s.threads.iter().map(ThreadHealth::busy_ratio).fold(0.0, f64::max).min(1.0),
            in_flight: s.threads.iter().map(|t| t.in_flight).sum(),
            backlog: s.threads.iter().map(|t| t.backlog).sum(),
            connections: s.threads.iter().map(|t| t.connections).sum(),
            send_delay_p99_ns: quantile::percentile(s.tally.timer(Timer::SendDelay), 0.99),
            throttled_ns: s.throttled_ns,
            throttled_periods: s.throttled_periods,
            ..Health::default()
        });
        self.feed(Event::Health(health))
    }

    /// Print a note when the lease runs out while there is load to send.
    fn tell_lease(&mut self) {
        let is_over = self.lease_until_ns.is_some_and(|at| at <= self.clock.now());
        if is_over && self.collector.is_some() {
            self.lease_until_ns = None;
            log::note("nothing is sent: the coordinator has not answered for a whole lease");
        }
    }

    /// Print when the coordinator becomes unreachable, and when it is back.
    fn tell_reach(&mut self) {
        if self.exit.is_none()
            && let Some(line) = self.progress_messages.look(self.machine.in_vain_until(), self.clock.now())
        {
            self.progress_messages.say(&line);
        }
    }

    fn conclude(&mut self) -> Result<Exit, Failure> {
        self.shared.update(|s| s.state = State::Finished);
        let failed = |message: String, exit| Err(Failure { message, exit });
        match self.exit.take() {
            None | Some(worker::Exit::Done(None)) => {
                self.progress_messages.say("the end: the coordinator has all that this worker did");
                Ok(Exit::Passed)
            }
            Some(worker::Exit::Done(Some(why))) => {
                log::note(&format!("the run ended early: {why}"));
                Ok(Exit::Passed)
            }
            Some(worker::Exit::Refused(refusal)) => {
                let exit = if is_usage(&refusal) { Exit::Usage } else { Exit::Incomplete };
                failed(format!("the coordinator refuses: {}", refusal.message()), exit)
            }
            Some(worker::Exit::Unreachable(why)) => {
                let url = self.options.coordinator.as_deref().unwrap_or_default();
                failed(
                    format!("no coordinator at {url}: {why}; nothing is sent without one"),
                    Exit::Incomplete,
                )
            }
            Some(worker::Exit::Failed(why)) => failed(why, Exit::Incomplete),
            Some(worker::Exit::Interrupted) => failed("interrupted".to_owned(), Exit::Interrupted),
        }
    }
}

/// Whether a restart with the same settings would be refused again.
fn is_usage(refusal: &Refusal) -> bool {
    let named =
        ["unauthorized", "forbidden", "foreign_host", "other_protocol", "other_version", "other_plan"];
    named.contains(&refusal.name())
}

fn parse(asked: CallKind, body: &[u8]) -> Result<Answer, CallError> {
    let answer = match asked {
        CallKind::Join => Joined::read(body).map(Answer::Joined),
        CallKind::Plan => PlanBundle::read(body).map(Answer::Plan),
        CallKind::Heartbeat => Orders::read(body).map(|orders| Answer::Orders(Box::new(orders))),
        CallKind::Report => Acked::read(body).map(Answer::Acked),
    };
    answer.map_err(|refusal| CallError::Unreachable(format!("its answer is {}", refusal.message())))
}

fn serve(
    options: &Options,
    shared: &Arc<SharedSnapshot>,
    token: Option<&str>,
) -> Result<Option<web::Server>, Failure> {
    if options.no_listen {
        return Ok(None);
    }
    let worker = token.map(Token::new).transpose().map_err(Failure::usage)?;
    let reader = tokens::reader(&[token])?;
    let access = Access { worker, operator: None, reader, public_status: options.public_status };
    let listen = options.listen.map_or(Listen::Default, Listen::At);
    let site = Site { access, ..Site::of(shared.clone()) };
    let server = web::serve(listen, site).map_err(|e| Failure::usage(format!("{e}, or --no-listen")))?;
    if !options.quiet {
        log::info(&format!("dashboard at http://{}/", server.addr()));
    }
    Ok(Some(server))
}
