//! The coordinator role: the state machine behind the web server, its journal, the merged snapshot, and the
//! main thread that drives the clock and computes the verdict.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::abort::{Abort, AbortCause};
use super::coordinator_service::CoordinatorService;
use super::coordinator_service::handle::{Checkpointer, ServiceHandle};
use super::live::Live;
use super::signals::Interrupts;
use super::timing::{LOOK_EVERY, linger, wall_clock};
use super::{Exit, Failure, log, plan_form, summary, tokens};
use crate::cli::Options;
use crate::fleet::Refusal;
use crate::fleet::coordinator::StopReason;
use crate::run::{RunInfo, SharedSnapshot, Snapshot, State};
use crate::web::{self, Access, Listen, Operator, Site, Token};

/// Listen address with tokens.
const WITH_TOKENS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080);
/// Listen address without tokens.
const WITHOUT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// Minimum time to answer calls after the end, for workers whose last answer was lost on the network.
const LAST_WORD: Duration = Duration::from_millis(1_500);

/// Run a coordinator with these command-line options.
///
/// # Errors
/// An error to print, with its exit code.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let interrupts = Interrupts::listen()?;
    let shared = Arc::new(SharedSnapshot::new(Snapshot::new(RunInfo::unknown(), 0, wall_clock())));
    let live = Live::new(options);
    let opened = open(options, &shared, &live);
    let (handle, server) = opened.map_err(|failure| match options.state_dir {
        // The reports may be those of the run in the journal.
        Some(_) => failure,
        None => summary::fail(options, &shared, failure),
    })?;
    let exit = lead(options, &shared, &handle, &interrupts, live);
    // The process that takes the run over waits for the journal.
    if !handle.with(|service| service.is_left()) {
        let spent = interrupts.count().min(1);
        linger(options, &interrupts, spent);
        server.see_pages_off();
        let code = match &exit {
            Ok(exit) => Some(*exit),
            Err(failure) => handle.with(|service| service.never_began()).map(|_| failure.exit),
        };
        // A coordinator being moved in its last moments may have to deliver its result elsewhere.
        if let Some(exit) = code.filter(|_| !interrupts.by_term()) {
            handle.with(|service| service.record_exit(exit));
            // The run has ended; its answers do not wait for this record.
            let _ = handle.settle();
        }
    }
    server.stop();
    exit
}

fn open(
    options: &Options,
    shared: &Arc<SharedSnapshot>,
    live: &Live,
) -> Result<(Arc<ServiceHandle>, web::Server), Failure> {
    summary::check_writable(options).map_err(Failure::usage)?;
    let own = plan_form::of(options)?;
    let listen_config = ListenConfig::look(options)?;
    if let Some((plan, _)) = &own {
        plan_form::guard(plan, listen_config.worker.as_deref())?;
    }
    let service = CoordinatorService::open(
        options,
        shared.clone(),
        own,
        listen_config.operator.is_some(),
        live.notes(),
    )?;
    let handle = Arc::new(ServiceHandle::new(service));
    let server = listen_config.open(options, shared, &handle)?;
    Ok((handle, server))
}

/// Tick until the result is sealed, then compute the verdict.
fn lead(
    options: &Options,
    shared: &Arc<SharedSnapshot>,
    handle: &Arc<ServiceHandle>,
    interrupts: &Interrupts,
    mut live: Live,
) -> Result<Exit, Failure> {
    let mut abort = Abort::default();
    let mut interrupted = false;
    let mut checkpointer = Checkpointer::new(handle.clone());
    loop {
        if interrupts.any() && !interrupted {
            interrupted = true;
            if interrupts.by_term() && handle.with(CoordinatorService::leave) {
                return left(options, shared, handle, live);
            }
            handle.with(|service| service.stop(StopReason::Interrupted));
        }
        if let Some(cause) = abort.look(shared).filter(|_| !interrupted) {
            let reason = match cause {
                AbortCause::Threshold(threshold) => StopReason::Threshold(threshold),
                AbortCause::OutOfData => StopReason::OutOfData,
            };
            handle.with(|service| service.stop(reason));
        }
        let is_sealed = handle.with(CoordinatorService::tick);
        // On failure it has already stopped the run.
        let _ = handle.settle();
        if is_sealed {
            handle.with(CoordinatorService::seal);
            break;
        }
        checkpointer.look();
        std::thread::sleep(LOOK_EVERY);
        live.tick(shared);
    }
    live.finish();
    let sealed = Instant::now();
    while sealed.elapsed() < LAST_WORD || handle.with(|service| service.is_awaited()) {
        std::thread::sleep(LOOK_EVERY);
    }
    if let Some(why) = handle.with(|service| service.never_began()) {
        let exit = if interrupted { Exit::Interrupted } else { Exit::Incomplete };
        return Err(summary::fail(options, shared, Failure { message: why, exit }));
    }
    summary::conclude(options, shared)
}

/// Exit without ending the run: the journal has it all for the next process.
fn left(
    options: &Options,
    shared: &SharedSnapshot,
    handle: &ServiceHandle,
    live: Live,
) -> Result<Exit, Failure> {
    let settled = handle.settle();
    live.finish();
    let failed = |failure| summary::fail(options, shared, failure);
    settled.map_err(|refusal: Refusal| failed(Failure::incomplete(refusal.message())))?;
    if shared.read(|snapshot| snapshot.state == State::Starting) {
        let message = "ended before load began; the fleet's state is kept in --state-dir".to_owned();
        return Err(failed(Failure { message, exit: Exit::Interrupted }));
    }
    handle.with(CoordinatorService::show_left);
    summary::conclude(options, shared)
}

/// The listen address and the tokens.
struct ListenConfig {
    listen: SocketAddr,
    worker: Option<String>,
    operator: Option<String>,
    reader: Option<Token>,
}

impl ListenConfig {
    fn look(options: &Options) -> Result<Self, Failure> {
        let worker = tokens::worker(options.token_file.as_deref())?;
        let operator = tokens::operator(options.operator_token_file.as_deref())?;
        if worker.is_some() && worker == operator {
            return Err(Failure::usage(
                "the workers' token and the operator's are the same: give the operator another",
            ));
        }
        if worker.is_none() && operator.is_some() {
            return Err(Failure::usage(
                "there is a token for operators and none for workers, so that none could join: set \
                 LOADTESTER_TOKEN or --token-file, too",
            ));
        }
        let listen = options.listen.unwrap_or(if worker.is_some() { WITH_TOKENS } else { WITHOUT });
        if worker.is_none() && !listen.ip().to_canonical().is_loopback() {
            return Err(Failure::usage(format!(
                "--listen {listen}: without a token anybody there could load what they like: set LOADTESTER_TOKEN \
                 or --token-file (`openssl rand -hex 32` makes one), or listen on 127.0.0.1"
            )));
        }
        let reader = tokens::reader(&[worker.as_deref(), operator.as_deref()])?;
        Ok(Self { listen, worker, operator, reader })
    }

    fn open(
        &self,
        options: &Options,
        shared: &Arc<SharedSnapshot>,
        handle: &Arc<ServiceHandle>,
    ) -> Result<web::Server, Failure> {
        let token =
            |text: &Option<String>| text.as_deref().map(Token::new).transpose().map_err(Failure::usage);
        let (worker, own) = (token(&self.worker)?, token(&self.operator)?);
        let operator = own.clone().map(|token| {
            let (start, stop) = (handle.clone(), handle.clone());
            Operator {
                token,
                start: Some(Box::new(move || start.with(|service| service.start()))),
                stop: Box::new(move || {
                    stop.with(|service| service.stop(StopReason::Operator));
                    Ok(())
                }),
            }
        });
        let reader = self.reader.clone();
        let access = Access { worker, operator: own, reader, public_status: options.public_status };
        let clock = Some(handle.with(|service| service.clock()));
        let site = Site {
            operator,
            access,
            calls: Some(handle.clone()),
            clock,
            linger: Some(Duration::from_nanos(options.linger_ns)),
            ..Site::of(shared.clone())
        };
        let server = web::serve(Listen::At(self.listen), site).map_err(|e| Failure::usage(e.to_string()))?;
        if !options.quiet {
            let only = if self.worker.is_some() { "" } else { "; loopback only: there is no token" };
            log::info(&format!(
                "coordinator at http://{}/ (dashboard at the same address{only})",
                server.addr()
            ));
        }
        Ok(server)
    }
}
