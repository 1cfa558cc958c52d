//! A load thread: wait, feed the client, drain it, ship the tally.
//!
//! This is where a thread's client meets the machine. Everything it needs is its own: connections,
//! poller, client, tallies. Shared with others are only the brief and the control, which it reads,
//! and the channel ends it uses once a window.

mod job;
mod route;
mod secure;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use crate::client::{Action, Client, End};
use crate::report::ThreadHealth;
use crate::sys::{self, Addresses, Epoll, MAX_EVENTS, Poller, Ready, RealtimeOffset, Socket};
use crate::tally::{Detail, Outcome, Tally};
use crate::verdict::preflight;

use secure::Secure;

pub use job::{Control, Job, Last, Settled, Window};
pub use route::Route;

/// How long a window is: what the timeline, the live view and a scrape can tell apart.
pub const WINDOW_NS: u64 = 1_000_000_000;
/// Tallies that go round between one load thread and the collector.
pub const TALLIES_PER_THREAD: usize = preflight::TALLIES_PER_THREAD as usize;
/// Read at once, of what has to be looked at.
const BUFFER_BYTES: usize = 16 * 1024;
/// Read at once where a head is expected: most small responses whole. Of a large one little is copied
/// before it is known that the rest may be discarded in the kernel.
const HEAD_READ_BYTES: usize = 4 * 1024;
/// Reads from one connection before the others have their turn.
const READS_IN_A_ROW: usize = 16;
/// The longest sleep: how soon a request to stop is noticed.
const LONGEST_WAIT_NS: u64 = 50_000_000;
/// Between requests due closer together than this a thread does not sleep, it looks for events: to fall
/// asleep and be woken twice a request, for its answer and for the next one, takes a core about as long,
/// and each wake-up would be late by a part of it.
const SHORTEST_GAP_NS: u64 = 50_000;
/// The longest sleep while the start is awaited.
const START_WAIT_NS: u64 = 200_000;
/// What a wait that finds events at once takes at most: the call, and the copying of each event. To
/// leave a core and come back takes longer.
const NO_SLEEP_NS: u64 = 2_000;
const NO_SLEEP_NS_PER_EVENT: u64 = 150;

/// Start a load thread.
///
/// # Errors
/// When the machine has no room for a thread or an epoll instance.
pub fn spawn(job: Job) -> io::Result<JoinHandle<()>> {
    let epoll = Epoll::new()?;
    let name = format!("load-{}", job.thread);
    std::thread::Builder::new().name(name).spawn(move || Thread::new(job, Poller::new(epoll)).run())
}

struct Thread {
    job: Job,
    client: Client,
    poller: Poller,
    addresses: Addresses,
    /// Which version of the route they are of.
    route_seen: u64,
    sockets: Box<[Option<Socket>]>,
    /// Where the target is https.
    secure: Option<Secure>,
    /// Tells events of a connection's present socket from those of its earlier ones.
    generations: Box<[u32]>,
    /// Connections with more to read, whose edge has been used up, and whether each is among them.
    unread: VecDeque<u32>,
    is_unread: Box<[bool]>,
    buffer: Box<[u8]>,
    offset: RealtimeOffset,
    /// Time spent waiting since `observed_from_ns`.
    idle_ns: u64,
    observed_from_ns: u64,
    /// When the last step ended, and when by its word something else comes due.
    stepped_at_ns: u64,
    /// Waits in a row that brought all the events they could, and when the first of them began.
    full_rounds: usize,
    full_since_ns: u64,
    next_at_ns: u64,
    /// Whether anything came due or was done in this step.
    acted: bool,
    pinned: bool,
}

impl Thread {
    fn new(job: Job, poller: Poller) -> Self {
        let n = job.share.connections as usize;
        let tally = Box::new(Tally::new(job.brief.plan.scenarios.len()));
        Self {
            client: Client::new(job.brief.clone(), job.share.clone(), tally),
            poller,
            addresses: Addresses::new(
                job.route.addresses(),
                job.route.sources(),
                n,
                n.wrapping_mul(job.share.arrivals.0 as usize),
            ),
            route_seen: 0,
            sockets: (0..n).map(|_| None).collect(),
            secure: job.tls.as_ref().map(|tls| Secure::new(tls.for_thread(n as u32), n)),
            generations: vec![0; n].into(),
            unread: VecDeque::with_capacity(n),
            is_unread: vec![false; n].into(),
            buffer: vec![0; BUFFER_BYTES].into(),
            offset: RealtimeOffset::measure(&job.clock),
            idle_ns: 0,
            observed_from_ns: u64::MAX,
            stepped_at_ns: 0,
            full_rounds: 0,
            full_since_ns: 0,
            next_at_ns: 0,
            acted: false,
            pinned: false,
            job,
        }
    }

    fn run(mut self) {
        self.pinned = self.job.core.is_some_and(sys::cores::pin);
        sys::sharpen_timers();
        self.client.open();
        while !self.client.is_settled() && !self.job.control.is_stopped() {
            self.step(LONGEST_WAIT_NS);
        }
        // Nobody listening means that the run was given up.
        let _ = self.job.settled.send(Settled { reached: self.client.reached_target() });
        let start_ns = loop {
            match self.job.control.start_at_ns.load(Ordering::Acquire) {
                0 if self.job.control.is_stopped() => return,
                0 => self.step(START_WAIT_NS),
                at_ns => break at_ns,
            }
        };
        // Not before the instant itself: what is sent earlier is neither warm-up nor measured.
        let from_ns = self.job.control.from_ns.load(Ordering::Relaxed);
        while let wait_ns @ 1.. = from_ns.saturating_sub(self.job.clock.now()) {
            if self.job.control.is_stopped() {
                break;
            }
            self.step(wait_ns.min(LONGEST_WAIT_NS));
        }
        self.client.join(start_ns, from_ns);
        self.load(start_ns + self.job.brief.plan.load.warmup_ns);
    }

    /// Apply load until there is nothing left to do.
    fn load(&mut self, measure_from_ns: u64) {
        self.observed_from_ns = measure_from_ns.max(self.job.clock.now());
        let mut window_ends = measure_from_ns + WINDOW_NS;
        let mut timetables = 0;
        let load_ended_at_ns = loop {
            let now = self.job.clock.now();
            if now >= window_ends {
                self.ship(now);
                window_ends += WINDOW_NS * (1 + (now - window_ends) / WINDOW_NS);
            }
            let stop_at_ns = self.job.control.stop_at_ns.load(Ordering::Relaxed);
            if stop_at_ns < self.client.stops_at_ns() {
                self.client.stop(stop_at_ns.max(now));
            }
            let sent = self.job.control.timetables.load(Ordering::Acquire);
            if sent != timetables {
                timetables = sent;
                self.job
                    .timetables
                    .try_iter()
                    .for_each(|(from_ns, table)| self.client.follow(from_ns, table));
            }
            if self.client.is_done(now) {
                break self.client.load_ended(now);
            }
            self.step(window_ends.saturating_sub(now).min(LONGEST_WAIT_NS));
        };
        let unfinished = self.client.outstanding() + self.client.forfeit();
        let last = Last { load_ended_at_ns, unfinished };
        let now = self.job.clock.now();
        // The load is over: waiting for an empty tally holds nobody up. None will come when the
        // collector is gone, and then nobody wants ours.
        if let Ok(empty) = self.job.empties.recv() {
            self.send_window(empty, now, Some(last));
        }
    }

    /// Close the window, if there is an empty tally to go on with; else go on with this one.
    fn ship(&mut self, now: u64) {
        if let Ok(empty) = self.job.empties.try_recv() {
            self.send_window(empty, now, None);
        }
    }

    fn send_window(&mut self, empty: Box<Tally>, now: u64, last: Option<Last>) {
        // The drain is not measured time.
        let observed_ns = now.min(self.client.stops_at_ns()).saturating_sub(self.observed_from_ns);
        let health = ThreadHealth {
            core: self.job.core.filter(|_| self.pinned),
            busy_ns: observed_ns.saturating_sub(self.idle_ns),
            observed_ns,
            in_flight: self.client.in_flight(),
            backlog: self.client.backlog(),
            connections: self.client.established(),
        };
        let tally = self.client.swap_tally(empty);
        let window = Window { thread: self.job.thread, ended_at_ns: now, tally, health, last };
        // The channel has room for every tally there is; it is closed only when nobody wants them.
        let _ = self.job.windows.try_send(window);
    }

    /// Do what is due, wait for what comes next but no longer than `most_ns`, and serve it.
    #[inline]
    fn step(&mut self, most_ns: u64) {
        let now = self.job.clock.now();
        self.acted = now >= self.next_at_ns;
        self.drain(now);
        let before = self.job.clock.now();
        let left_ns =
            self.client.wait_until(before).map_or(most_ns, |at| at.saturating_sub(before).min(most_ns));
        let hurried = self.job.may_poll && self.client.gap_ns() < SHORTEST_GAP_NS;
        let polls = hurried || self.job.busy_poll || !self.unread.is_empty();
        let wait_ns = if polls { 0 } else { left_ns };
        // Fails only for a bad descriptor or buffer, which would be ours: then there are no events.
        let events = self.poller.wait(wait_ns).unwrap_or(0);
        let mut now = self.job.clock.now();
        let idle_from_ns = match polls {
            // A round in which nothing happened was spent waiting, all of it.
            true if events == 0 && !self.acted && self.unread.is_empty() => self.stepped_at_ns,
            false if slept(now - before, events) => before,
            _ => now,
        };
        // A wait may have begun before the measured time did.
        let observed_to_ns = now.min(self.client.stops_at_ns());
        self.idle_ns += observed_to_ns.saturating_sub(idle_from_ns.max(self.observed_from_ns));
        self.next_at_ns = before + left_ns;
        self.offset.refresh(&self.job.clock, now);
        for i in 0..events {
            now = self.serve(self.poller.ready(i), now);
            now = self.drain(now);
        }
        for _ in 0..self.unread.len() {
            let Some(c) = self.unread.pop_front() else { break };
            self.is_unread[c as usize] = false;
            // Whether it was hung up is not remembered: no edge may be left to wait for.
            now = match self.secure {
                None => self.read(c, true, now),
                Some(_) => self.read_secure(c, true, now),
            };
            now = self.drain(now);
        }
        if let Some(served_to_ns) = self.served_to(events, before) {
            let is_unread = &self.is_unread;
            self.client.advance_but(served_to_ns, |c| is_unread[c as usize]);
            now = self.drain(now);
        }
        self.stepped_at_ns = now;
    }

    /// The instant up to which everything that lay in the kernel has been served, but for connections with
    /// more to read. Deadlines are looked at only up to it: a response that was there in time is in time,
    /// though we may be late.
    fn served_to(&mut self, events: usize, waited_from_ns: u64) -> Option<u64> {
        if events < MAX_EVENTS {
            self.full_rounds = 0;
            return Some(waited_from_ns);
        }
        // There was more than one wait can bring. Sockets are served in turn, so after this many rounds
        // all that were ready before the first of them have been.
        if self.full_rounds == 0 {
            self.full_since_ns = waited_from_ns;
        }
        self.full_rounds += 1;
        let all_served = self.full_rounds > self.sockets.len() / MAX_EVENTS;
        all_served.then(|| {
            self.full_rounds = 0;
            self.full_since_ns
        })
    }

    /// Do all the client wants; returns the present.
    #[inline]
    fn drain(&mut self, mut now: u64) -> u64 {
        self.client.permit(self.job.control.permitted_until_ns.load(Ordering::Relaxed));
        while let Some(action) = self.client.next(now) {
            self.acted = true;
            match action {
                Action::Send(c) if self.secure.is_none() => self.write(c, now),
                Action::Send(c) => self.write_secure(c, now),
                Action::Connect(c) => self.connect(c, now),
                Action::Close(c) => self.close(c),
            }
            if !self.client.may_have_more() {
                break;
            }
            now = self.job.clock.now();
        }
        now
    }

    #[inline]
    fn serve(&mut self, ready: Ready, mut now: u64) -> u64 {
        let c = ready.token as u32;
        let Some(socket) = &self.sockets[c as usize] else { return now };
        if self.generations[c as usize] != (ready.token >> 32) as u32 {
            return now;
        }
        if self.secure.is_some() {
            return self.serve_secure(c, ready, now);
        }
        if self.client.is_connecting(c) {
            if ready.writable || ready.hung_up {
                // An attempt that failed says so with its event.
                match if ready.hung_up { socket.outcome() } else { Ok(()) } {
                    Ok(()) => {
                        self.addresses.reached(c);
                        self.client.connected(c, now);
                    }
                    Err(e) => self.connect_failed(c, &e, now),
                }
            }
            if !(ready.readable && self.client.is_established(c)) {
                return now;
            }
            // The target spoke or hung up before it was asked, and this edge will not come again.
            now = self.drain(now);
        }
        if ready.writable && !self.client.outgoing(c).is_empty() {
            self.write(c, now);
        }
        if ready.readable || ready.hung_up { self.read(c, ready.hung_up, now) } else { now }
    }

    /// Read until there is nothing left, or others have waited long enough; returns the present.
    #[inline]
    fn read(&mut self, c: u32, hung_up: bool, mut now: u64) -> u64 {
        for _ in 0..READS_IN_A_ROW {
            if !self.client.is_established(c) {
                return now; // closed, or opened anew and not there yet
            }
            let Some(socket) = &self.sockets[c as usize] else { return now };
            let skippable = self.client.skippable(c);
            let room = if self.client.expects_head(c) { HEAD_READ_BYTES } else { BUFFER_BYTES };
            let discard = skippable > room as u64 && socket.can_discard();
            let result =
                if discard { socket.discard(skippable) } else { socket.receive(&mut self.buffer[..room]) };
            now = self.job.clock.now();
            let received = match result {
                Ok(received) if received.bytes > 0 => received,
                Ok(_) => {
                    self.ended(c, End::Eof, now);
                    return now;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return now,
                Err(e) => {
                    self.ended(c, End::Reset(e.raw_os_error().unwrap_or_default()), now);
                    return now;
                }
            };
            let stamp_ns = received.stamp_ns.map(|ns| self.offset.translate(ns));
            let asked = if discard {
                self.client.skipped(c, received.bytes as u64, stamp_ns, now);
                skippable
            } else {
                self.client.received(c, &self.buffer[..received.bytes], stamp_ns, now);
                room as u64
            };
            // Less than asked for: the kernel has no more, and the next byte is a new edge (epoll(7)).
            // After a hang-up no edge will come, so read on to the end.
            if (received.bytes as u64) < asked && !hung_up {
                return now;
            }
        }
        self.read_later(c);
        now
    }

    fn read_later(&mut self, c: u32) {
        if !self.is_unread[c as usize] {
            self.is_unread[c as usize] = true;
            self.unread.push_back(c);
        }
    }

    fn ended(&mut self, c: u32, end: End, now: u64) {
        let Some(socket) = &self.sockets[c as usize] else { return };
        let (total, current) = self.client.written(c);
        let unread = matches!(end, End::Reset(_)) && self.client.sends_no_body(c);
        let unacknowledged = sys::unacknowledged(socket, total, current, unread);
        self.client.closed(c, end, unacknowledged, now);
    }

    #[inline]
    fn write(&mut self, c: u32, now: u64) {
        let Some(socket) = &self.sockets[c as usize] else { return };
        match socket.send(self.client.outgoing(c)) {
            Ok(n) => self.client.sent(c, n),
            // A writable event will come: the socket is watched for it from the beginning.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => {
                // A target may answer a large request early and close: its answer lies in the kernel.
                if self.client.written(c).1 > 0 {
                    self.read(c, false, now);
                }
                if !self.client.outgoing(c).is_empty() {
                    self.ended(c, End::Reset(e.raw_os_error().unwrap_or_default()), now);
                }
            }
        }
    }

    fn connect(&mut self, c: u32, now: u64) {
        if let Some(addresses) = self.job.route.newer(&mut self.route_seen) {
            self.addresses.replace(addresses);
        }
        let (address, source) = self.addresses.choose(c);
        let socket = match Socket::connect(address, source, self.job.kernel_timestamps) {
            Ok(socket) => socket,
            Err(e) => return self.connect_failed(c, &e, now),
        };
        let generation = &mut self.generations[c as usize];
        *generation = generation.wrapping_add(1);
        let token = u64::from(*generation) << 32 | u64::from(c);
        match self.poller.add(&socket, token) {
            Ok(()) => self.sockets[c as usize] = Some(socket),
            Err(e) => self.connect_failed(c, &e, now),
        }
    }

    fn connect_failed(&mut self, c: u32, error: &io::Error, now: u64) {
        let errno = error.raw_os_error().unwrap_or_default();
        let outcome = match errno {
            // Accepted and dropped before anything was sent is a refusal, too.
            libc::ECONNREFUSED | libc::ECONNRESET | libc::ECONNABORTED | libc::EPIPE => {
                Outcome::ConnectRefused
            }
            // A Unix socket whose queue is full.
            libc::EAGAIN => Outcome::ConnectRefused,
            libc::ETIMEDOUT => Outcome::ConnectTimeout,
            libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EHOSTDOWN | libc::ENETDOWN | libc::ENOENT => {
                Outcome::ConnectUnreachable
            }
            // Ports, descriptors, memory, permission: this machine's.
            _ => Outcome::LocalError,
        };
        // An address of a family that this machine does not speak (`::1` where IPv6 is off).
        let not_for_us = matches!(errno, libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT);
        let nobody_there =
            not_for_us || matches!(outcome, Outcome::ConnectRefused | Outcome::ConnectUnreachable);
        if nobody_there && self.addresses.try_another(c) {
            self.connect(c, now);
        } else {
            self.client.connect_failed(c, outcome, Detail::Os(errno), now);
        }
    }

    fn close(&mut self, c: u32) {
        if self.secure.is_some() {
            self.close_secure(c);
        }
        self.sockets[c as usize] = None;
    }
}

/// Whether a wait of `took_ns` that brought `events` was idleness. A thread that never catches up finds
/// its next events ready each time it asks; the asking is work.
#[inline]
fn slept(took_ns: u64, events: usize) -> bool {
    took_ns > NO_SLEEP_NS + NO_SLEEP_NS_PER_EVENT * events as u64
}
