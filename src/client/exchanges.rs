//! The exchanges in progress, on all connections: their times, deadlines, captured responses and redirects.

use std::borrow::Cow;

use super::deadlines::Deadlines;
use super::encode::{EncodedTemplate, filled};
use super::exchange::{Exchange, Start};
use super::judge;
use super::redirect::RedirectedRequest;
use super::rows::RowSupply;
use super::spec::RunSpec;
use crate::data::{Cells, Numbering};
use crate::http::{CapturedResponse, RedirectError};
use crate::http1::Request;
use crate::plan::Scenario;
use crate::tally::{Counter, Tally};

/// The id of an exchange in progress, reused after it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExchangeId(u32);

/// The most deadline lists, each checked in every turn. If there are more lengths, neighbors share a list:
/// setting such a deadline may walk past others.
const MAX_LISTS: usize = 64;

/// A deadline list, and how many nanoseconds after the send its deadlines are.
type List = (u32, u64);

/// The deadlines of one scenario's requests.
#[derive(Clone, Copy, Debug)]
struct Timeouts {
    /// For the complete response.
    whole: List,
    /// For its first byte, if that is earlier.
    first_byte: Option<List>,
}

/// A fixed number of slots for exchanges.
#[derive(Debug)]
pub(crate) struct Exchanges {
    places: Box<[Exchange]>,
    free: Vec<u32>,
    deadlines: Deadlines,
    /// By scenario.
    timeouts: Box<[Timeouts]>,
    /// What is captured of each response; empty when responses are not inspected.
    captured: Box<[CapturedResponse]>,
    /// Requests of single exchanges; empty when no scenario has holes or follows redirects.
    own: Box<[OwnRequest]>,
    /// Holds a body while its request is rendered.
    scratch: Vec<u8>,
    /// How this thread's requests are numbered.
    numbering: Numbering,
}

/// The request of a single exchange.
#[derive(Clone, Debug)]
struct OwnRequest {
    /// The exchange's number in the run.
    number: u64,
    /// When it was rendered first: a value of the clock stays what it was.
    rendered_ns: u64,
    rendered: Request,
    redirected: Option<RedirectedRequest>,
    /// Its rows of large files, by set; empty if the plan has none.
    rows: Box<[Cells]>,
}

impl Exchanges {
    /// Slots for `capacity` concurrent exchanges.
    pub(crate) fn new(spec: &RunSpec, capacity: usize, numbering: Numbering) -> Self {
        let scenarios = &spec.plan.scenarios;
        let of_scenario = |s: &Scenario| [Some(s.timeout_ns), s.first_byte_timeout_ns];
        let mut lengths: Vec<u64> = scenarios.iter().flat_map(of_scenario).flatten().collect();
        lengths.sort_unstable();
        lengths.dedup();
        let lists = lengths.len().min(MAX_LISTS);
        let place = |ns: u64| lengths.binary_search(&ns).expect("collected above");
        let list = |ns: u64| ((place(ns) * lists / lengths.len()) as u32, ns);
        let of_scenario = |s: &Scenario| Timeouts {
            whole: list(s.timeout_ns),
            first_byte: s.first_byte_timeout_ns.filter(|ns| *ns < s.timeout_ns).map(list),
        };
        let follows = scenarios.iter().any(|s| s.follow_redirects > 0);
        let captures = judge::looks_into_responses(spec);
        let longest = spec.templates.iter().flatten().map(EncodedTemplate::most_bytes).max();
        let has_large = spec.plan.data.iter().any(|set| set.large().is_some());
        let own = || OwnRequest {
            number: 0,
            rendered_ns: 0,
            rendered: Request {
                bytes: Vec::with_capacity(longest.unwrap_or(0)),
                ..Request::empty("GET", false)
            },
            redirected: None,
            rows: vec![Cells::default(); if has_large { spec.plan.data.len() } else { 0 }].into(),
        };
        let has_own = follows || longest.is_some();
        let ids = 0..capacity as u32;
        Self {
            places: vec![Exchange::VACANT; capacity].into(),
            free: ids.rev().collect(),
            deadlines: Deadlines::new(capacity, lists),
            timeouts: scenarios.iter().map(of_scenario).collect(),
            captured: vec![CapturedResponse::default(); if captures { capacity } else { 0 }].into(),
            own: (0..if has_own { capacity } else { 0 }).map(|_| own()).collect(),
            scratch: Vec::with_capacity(longest.unwrap_or(0)),
            numbering,
        }
    }

    /// Add a due request, to go over `connection`.
    #[inline]
    pub(crate) fn insert(&mut self, start: Start, connection: u32) -> ExchangeId {
        let id = self.free.pop().expect("no more exchanges than connections can carry");
        self.places[id as usize] = Exchange::new(start, connection);
        if let Some(own) = self.own.get_mut(id as usize) {
            own.number = start.number;
        }
        ExchangeId(id)
    }

    /// Fill the holes of its request, if it has any: its first send begins at `now`. False: a row for it is not there.
    #[inline]
    pub(crate) fn render(
        &mut self,
        spec: &RunSpec,
        (id, now): (ExchangeId, u64),
        rows: Option<&mut RowSupply>,
        tally: &mut Tally,
    ) -> bool {
        spec.templates.is_empty() || self.render_own(spec, (id, now), rows, tally)
    }

    fn render_own(
        &mut self,
        spec: &RunSpec,
        (id, now): (ExchangeId, u64),
        rows: Option<&mut RowSupply>,
        tally: &mut Tally,
    ) -> bool {
        let exchange = &mut self.places[id.0 as usize];
        let Some(template) = &spec.templates[exchange.step.index()] else { return true };
        if exchange.has_own_request {
            return true; // sent again, or after a redirect
        }
        let own = &mut self.own[id.0 as usize];
        if let Some(rows) = rows {
            for set in spec.large_sets_of(exchange.step) {
                if !rows.has(spec, &self.numbering, (*set, own.number)) {
                    return false;
                }
            }
            for set in spec.large_sets_of(exchange.step) {
                rows.take(spec, &self.numbering, (*set, own.number), &mut own.rows[usize::from(*set)]);
            }
        }
        let context = spec.context((own.number, &self.numbering), &own.rows, exchange.step, now);
        let plain = &spec.requests[exchange.step.index()];
        let bytes = std::mem::take(&mut own.rendered.bytes);
        own.rendered = Request { bytes, ..*plain };
        template.render(&context, &mut own.rendered, &mut self.scratch);
        (own.rendered_ns, own.redirected) = (now, None);
        exchange.has_own_request = true;
        if spec.capture_last {
            tally.capture_request(&own.rendered.bytes);
        }
        true
    }

    /// How this thread's requests are numbered.
    pub(crate) const fn numbering(&self) -> &Numbering {
        &self.numbering
    }

    /// Remove an ended exchange and its deadline, and return the exchange.
    #[inline]
    pub(crate) fn remove(&mut self, id: ExchangeId) -> &Exchange {
        self.deadlines.clear(id.0);
        self.free.push(id.0);
        let place = &mut self.places[id.0 as usize];
        place.is_vacant = true;
        place
    }

    #[inline]
    pub(crate) fn get(&self, id: ExchangeId) -> &Exchange {
        &self.places[id.0 as usize]
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: ExchangeId) -> &mut Exchange {
        &mut self.places[id.0 as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// How many of them are measured. Iterates over all slots.
    pub(crate) fn measured(&self) -> usize {
        self.places.iter().filter(|exchange| exchange.measured && !exchange.is_vacant).count()
    }

    /// When the one that was sent first was sent, of those on a connection that `is_meant`; `None`: none was. Looks at
    /// every place.
    pub(crate) fn oldest_sent_ns(&self, is_meant: impl Fn(u32) -> bool) -> Option<u64> {
        self.places
            .iter()
            .filter(|exchange| !exchange.is_vacant && is_meant(exchange.connection))
            .filter_map(|exchange| exchange.sent_ns)
            .min()
    }

    /// What it sends now.
    #[inline]
    pub(crate) fn request<'a>(&'a self, spec: &'a RunSpec, id: ExchangeId) -> &'a Request {
        let exchange = self.get(id);
        if exchange.has_own_request {
            let own = &self.own[id.0 as usize];
            return own.redirected.as_ref().map_or(&own.rendered, |redirected| &redirected.request);
        }
        &spec.requests[exchange.step.index()]
    }

    /// Make it follow a redirect, a response with `status`.
    ///
    /// # Errors
    /// Why it does not.
    pub(crate) fn redirect(
        &mut self,
        spec: &RunSpec,
        id: ExchangeId,
        status: u16,
        tally: &mut Tally,
    ) -> Result<(), RedirectError> {
        let exchange = &mut self.places[id.0 as usize];
        let scenario = &spec.plan.scenarios[exchange.step.index()];
        if exchange.redirects >= scenario.follow_redirects {
            return Err(RedirectError::TooMany);
        }
        let own = self.own.get_mut(id.0 as usize).ok_or(RedirectError::TooMany)?;
        let last = own.redirected.take().filter(|_| exchange.redirects > 0);
        let captured = self.captured.get(id.0 as usize).ok_or(RedirectError::BadLocation)?;
        let scenario = match scenario.template {
            None => Cow::Borrowed(scenario),
            Some(_) => {
                let number = (own.number, &self.numbering);
                Cow::Owned(filled(scenario, &spec.context(number, &own.rows, exchange.step, own.rendered_ns)))
            }
        };
        let next = RedirectedRequest::new(&spec.plan, &scenario, last, (status, captured.head()))?;
        own.redirected = Some(next);
        exchange.redirects += 1;
        exchange.has_own_request = true;
        tally.add(Counter::Redirects, u64::from(exchange.measured));
        Ok(())
    }

    /// The captured part of its response; `None`: responses are not inspected.
    #[inline]
    pub(crate) fn captured(&self, id: ExchangeId) -> Option<&CapturedResponse> {
        self.captured.get(id.0 as usize)
    }

    /// The same, to write to.
    #[inline]
    pub(crate) fn captured_mut(&mut self, id: ExchangeId) -> Option<&mut CapturedResponse> {
        self.captured.get_mut(id.0 as usize)
    }

    /// Its send call begins at `now`, and its deadline starts. `possible_ns`: since when a connection was
    /// free for it, if the send delay is to be recorded.
    #[inline]
    pub(crate) fn send_begins(
        &mut self,
        spec: &RunSpec,
        id: ExchangeId,
        possible_ns: Option<u64>,
        now: u64,
        tally: &mut Tally,
    ) {
        let exchange = &mut self.places[id.0 as usize];
        if let Some(captured) = self.captured.get_mut(id.0 as usize) {
            judge::begin(captured, spec, exchange);
        }
        exchange.send_begins(now, possible_ns, tally);
        let timeouts = &self.timeouts[exchange.step.index()];
        let awaited = timeouts.first_byte.filter(|_| exchange.first_byte_ns.is_none());
        let (list, length) = awaited.unwrap_or(timeouts.whole);
        // For one that is sent again, the deadline counts from the first send.
        let since_ns = exchange.sent_ns.unwrap_or(now);
        self.deadlines.set(id.0, list as usize, since_ns.saturating_add(length));
    }

    /// Its connection is opened again: if it was sent before, its deadline still counts from then.
    pub(crate) fn await_again(&mut self, id: ExchangeId) {
        let exchange = &self.places[id.0 as usize];
        if let Some(sent_ns) = exchange.sent_ns {
            let (list, length) = self.timeouts[exchange.step.index()].whole;
            self.deadlines.set(id.0, list as usize, sent_ns.saturating_add(length));
        }
    }

    /// Remove its deadline until it is sent again.
    pub(crate) fn suspend(&mut self, id: ExchangeId) {
        self.deadlines.clear(id.0);
    }

    /// Its deadline, if that came before `at_ns`.
    #[inline]
    pub(crate) fn missed_deadline(&self, id: ExchangeId, at_ns: u64) -> Option<u64> {
        self.deadlines.of(id.0).filter(|deadline_ns| at_ns > *deadline_ns)
    }

    /// Whether it has a first-byte deadline and that byte has not arrived.
    #[inline]
    pub(crate) fn awaits_first_byte(&self, id: ExchangeId) -> bool {
        let exchange = self.get(id);
        exchange.first_byte_ns.is_none() && self.timeouts[exchange.step.index()].first_byte.is_some()
    }

    /// The first byte of its response arrived at `at_ns`; from now on the deadline of the whole response
    /// counts.
    ///
    /// # Errors
    /// The deadline, if it was before `at_ns`.
    #[inline]
    pub(crate) fn first_byte_arrived(&mut self, id: ExchangeId, at_ns: u64) -> Result<(), u64> {
        let exchange = &self.places[id.0 as usize];
        let timeouts = &self.timeouts[exchange.step.index()];
        if timeouts.first_byte.is_none() {
            return Ok(());
        }
        if let Some(deadline_ns) = self.missed_deadline(id, at_ns) {
            return Err(deadline_ns);
        }
        let (list, length) = timeouts.whole;
        let since_ns = exchange.sent_ns.unwrap_or(at_ns);
        self.deadlines.set(id.0, list as usize, since_ns.saturating_add(length));
        Ok(())
    }

    /// The earliest deadline.
    #[inline]
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.deadlines.earliest()
    }

    /// The earliest deadline at or before `now`, except for exchanges on connections that are `held`.
    #[inline]
    pub(crate) fn expired(&self, now: u64, held: impl Fn(u32) -> bool) -> Option<(ExchangeId, u64)> {
        let held = |id: u32| held(self.places[id as usize].connection);
        self.deadlines.expired(now, held).map(|(id, at_ns)| (ExchangeId(id), at_ns))
    }
}
