//! How a worker gets ready for its part of the plan: the way to the target, then threads and their first
//! connections.

use std::sync::Arc;
use std::time::Duration;

use super::super::crew::{Crew, Task};
use super::super::standalone::{self, Failure};
use super::super::{resolver, tls_files};
use super::{News, Station, seed_of};
use crate::client::RunSpec;
use crate::fleet::worker::Event;
use crate::load::Route;
use crate::plan::Slice;
use crate::report::Snapshot;
use crate::sys;
use crate::verdict::preflight;

impl Station<'_> {
    /// Find the way to the target on a thread of its own: names may take longer to be resolved than a lease
    /// lasts, and heartbeats have to go on.
    pub(super) fn find_route(&mut self, part: Slice) -> Result<(), Failure> {
        let Some((plan, _)) = self.plan.clone() else {
            return self.feed(Event::Prepared(part, Err("there is no plan".to_owned())));
        };
        self.routing = Some(part);
        let tell = self.tell.clone();
        let find = move || drop(tell.send(News::Route(part, resolver::route(&plan))));
        std::thread::Builder::new().name("route".to_owned()).spawn(find)?;
        Ok(())
    }

    /// Start the crew, unless another part has been wanted meanwhile.
    pub(super) fn go_by(&mut self, part: Slice, route: Result<Arc<Route>, Failure>) -> Result<(), Failure> {
        if self.routing != Some(part) {
            return Ok(());
        }
        self.routing = None;
        match route.and_then(|route| self.prepare(part, route)) {
            Ok(crew) => (self.crew, self.settling) = (Some(crew), Some(part)),
            Err(failure) => return self.feed(Event::Prepared(part, Err(failure.message))),
        }
        Ok(())
    }

    fn prepare(&mut self, part: Slice, route: Arc<Route>) -> Result<Crew, Failure> {
        let (plan, pem) = self.plan.clone().ok_or_else(|| Failure::incomplete("there is no plan"))?;
        // All of a fleet are given the same seed: it is in the name of their run.
        let seed = seed_of(self.run.unwrap_or(self.key));
        let machine = sys::limits::look();
        let flight = preflight::check(&plan, self.threads.count, self.options.busy_poll, &machine);
        if !flight.refusals.is_empty() {
            return Err(Failure::incomplete(flight.refusals.join("; ")));
        }
        if let Some(soft) = flight.raise_fd_to {
            sys::limits::raise_file_descriptors(soft)?;
        }
        let tls = tls_files::config(&plan, &pem).map_err(Failure::usage)?;
        let most = preflight::most_connections(&plan.load);
        let info = standalone::run_info(&plan, self.options, seed, most);
        let threads = self.threads.count;
        self.board.update(|s| *s = Snapshot::new(info, threads, standalone::wall_clock()));
        let (options, threads, clock) = (self.options, &self.threads, self.clock);
        let spec = Arc::new(RunSpec::new(plan, seed));
        let crew = Crew::start(Task { options, spec, part, threads, route, tls, clock })?;
        crew.control.permit(0);
        Ok(crew)
    }

    /// Tell the machine once the threads' first attempts have ended.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        let (Some(part), Some(crew)) = (self.settling, &mut self.crew) else { return Ok(()) };
        let Some(settled) = crew.settle(Duration::from_millis(1)) else { return Ok(()) };
        self.settling = None;
        self.feed(Event::Prepared(part, settled.map_err(|failure| failure.message)))
    }
}
