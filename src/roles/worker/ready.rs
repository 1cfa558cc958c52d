//! Prepares a worker for its shard: resolves the targets, starts threads and opens their first connections.

use std::sync::Arc;
use std::time::Duration;

use super::{Message, WorkerService};
use crate::client::RunSpec;
use crate::fleet::worker::Event;
use crate::load::Route;
use crate::plan::Shard;
use crate::roles::load_threads::{LoadThreads, Task, peers};
use crate::roles::run_info::{run_info, seed_of};
use crate::roles::timing::{unix_origin_ns, wall_clock};
use crate::roles::{Failure, log, machine, resolver, tls_files};
use crate::run::Snapshot;
use crate::sys;
use crate::verdict::preflight;
use crate::verdict::rows::check_rows;

impl WorkerService<'_> {
    /// Resolve the targets on a separate thread: resolution may take longer than a lease, and heartbeats have
    /// to go on.
    pub(super) fn find_route(&mut self, part: Shard) -> Result<(), Failure> {
        let Some((plan, _)) = self.plan.clone() else {
            return self.feed(Event::Prepared(part, Err("there is no plan".to_owned())));
        };
        self.routing = Some(part);
        let sender = self.sender.clone();
        let find = move || drop(sender.send(Message::Routes(part, resolver::routes(&plan))));
        std::thread::Builder::new().name("route".to_owned()).spawn(find)?;
        Ok(())
    }

    /// Start the load threads, unless another shard has been ordered meanwhile.
    pub(super) fn go_by(
        &mut self,
        part: Shard,
        routes: Result<Vec<Arc<Route>>, Failure>,
    ) -> Result<(), Failure> {
        if self.routing != Some(part) {
            return Ok(());
        }
        self.routing = None;
        match routes.and_then(|routes| self.prepare(part, routes)) {
            Ok(load_threads) => (self.load_threads, self.settling) = (Some(load_threads), Some(part)),
            Err(failure) => return self.feed(Event::Prepared(part, Err(failure.message))),
        }
        Ok(())
    }

    fn prepare(&mut self, part: Shard, routes: Vec<Arc<Route>>) -> Result<LoadThreads, Failure> {
        let (mut plan, pems) = self.plan.clone().ok_or_else(|| Failure::incomplete("there is no plan"))?;
        // All workers of a run derive the same seed from its key.
        let seed = seed_of(self.run.unwrap_or(self.key));
        check_rows(&plan, seed).map_err(Failure::usage)?;
        let machine = machine::look();
        let threads = self.threads.count;
        if let Some(note) = preflight::fit_default_connections(&mut plan, part, threads, &machine) {
            log::note(&note);
        }
        let flight = preflight::check(&plan, part, threads, self.options.busy_poll, &machine);
        if !flight.refusals.is_empty() {
            return Err(Failure::incomplete(flight.refusals.join("; ")));
        }
        if let Some(soft) = flight.raise_fd_to {
            sys::limits::raise_file_descriptors(soft)?;
        }
        let peers = peers(routes, tls_files::configs(&plan, &pems).map_err(Failure::usage)?);
        let most = preflight::most_connections(&plan.load);
        let info = run_info(&plan, self.options, seed, most);
        self.shared.update(|s| *s = Snapshot::new(info, threads, wall_clock()));
        let (options, threads, clock) = (self.options, &self.threads, self.clock);
        let run_id = self.run.unwrap_or(self.key).to_string();
        let spec = Arc::new(RunSpec::new(plan, seed).of_run(run_id, unix_origin_ns(&clock)));
        let load_threads = LoadThreads::start(Task { options, spec, part, threads, peers, clock })?;
        load_threads.control.permit(0);
        Ok(load_threads)
    }

    /// Report once the threads' first connection attempts have ended.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        let (Some(part), Some(load_threads)) = (self.settling, &mut self.load_threads) else { return Ok(()) };
        let Some(settled) = load_threads.settle(Duration::from_millis(1)) else { return Ok(()) };
        self.settling = None;
        self.feed(Event::Prepared(part, settled.map_err(|failure| failure.message)))
    }
}
