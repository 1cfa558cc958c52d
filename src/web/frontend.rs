//! The one thread that handles clients, so that tiny_http does not have to.
//!
//! It accepts connections, reads one complete request from each within a deadline and limits, has it answered
//! over [`TinyHttp`], writes the response within a deadline, and closes the connection:
//!
//! ```text
//! accept ─> Reading ─ complete ─> Asking ── call ──> Writing ─ all written ─> Lingering ─ EOF ─> closed
//!              │                    └ page ─> Drawing ─┘ └─ too slow ─> closed    └─ too slow ──> closed
//!              └─ refused, too slow ────────────┘
//! ```
//!
//! Calls and probes are answered at once, pages are drawn on a thread of their own (`pages`): a heartbeat does
//! not wait for the metrics of hundreds of scenarios.
//!
//! Nothing here blocks on a client. `request` parses, `routes` answers.

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::local::TinyHttp;
use super::pages::Pages;
use super::raw::{refusal, with_fields};
use super::request::{BUSY, Hosts, Incoming, NO_ANSWER, Request, TOO_SLOW};
use super::site::Deadlines;
use super::timing::Timing;

/// Clients at once. A new one replaces the one whose deadline is nearest, so that idle connections starve
/// nobody; dashboards, scrapers and probes together are a handful.
const MAX_CLIENTS: usize = 64;
/// How long we go on reading after the response, so that closing does not reset the connection before the
/// client has read it.
const LINGER: Duration = Duration::from_secs(1);
/// How long after [`Frontend::stop`] responses may still be written.
const STOP_DEADLINE: Duration = Duration::from_millis(500);
/// Limit on the bytes of requests and responses held for all clients together: four of the largest requests.
/// Checked after each round; the client that holds the most is closed first.
const HELD_BYTES: usize = 64 * 1024 * 1024;
/// Connections accepted in a row before existing ones are served, so that requests that arrive together are
/// answered together. Half of all clients, so that none of them has to be closed for another.
const ACCEPTS_AT_ONCE: usize = 32;
/// Pause in accepting when the process or system is out of descriptors or memory.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);
const CHUNK_BYTES: usize = 64 * 1024;

/// The running thread. Dropping this stops it.
#[derive(Debug)]
pub(crate) struct Frontend {
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Frontend {
    /// Serve `listener` on a new thread with responses from `calls` and `pages`; `timing` stamps when they left.
    pub(crate) fn open(
        listener: TcpListener,
        hosts: Hosts,
        calls: TinyHttp,
        pages: TinyHttp,
        timing: Timing,
        deadlines: Deadlines,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let pages = Pages::open(pages, MAX_CLIENTS)?;
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let state = ServerState {
            listener,
            hosts,
            services: Services { calls, timing, deadlines, chunk: vec![0; CHUNK_BYTES] },
            pages,
            next_client: 0,
            wake: Arc::clone(&wake),
            clients: Vec::with_capacity(MAX_CLIENTS),
            spare: spare_descriptor(),
            accept_from: None,
        };
        let thread = thread::Builder::new().name("web-frontend".into()).spawn(move || state.serve())?;
        Ok(Self { wake, thread: Some(thread) })
    }

    /// Stop accepting, finish the responses being written (within half a second), and join the thread.
    pub(crate) fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        // Only an eventfd with a count of 2^64 - 2 refuses this, and then it is readable anyway.
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
        // If the thread panicked, the hook has printed why; the run goes on without its status server.
        let _ = thread.join();
    }
}

impl Drop for Frontend {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The thread's state.
struct ServerState {
    listener: TcpListener,
    hosts: Hosts,
    services: Services,
    pages: Pages,
    /// The number of the client accepted next.
    next_client: u64,
    wake: Arc<OwnedFd>,
    clients: Vec<Client>,
    /// Closed to accept one more client when the process has no descriptor left.
    spare: Option<File>,
    /// When to accept again, after a shortage.
    accept_from: Option<Instant>,
}

/// What all clients share.
struct Services {
    /// Answers calls and probes.
    calls: TinyHttp,
    timing: Timing,
    deadlines: Deadlines,
    chunk: Vec<u8>,
}

struct Client {
    /// Unique among all clients of this server.
    number: u64,
    socket: TcpStream,
    state: State,
    deadline: Instant,
}

enum State {
    Reading(Incoming),
    /// Waits for its response until the end of this round.
    Asking {
        request: Request,
        came_ns: u64,
    },
    /// Its page is being drawn.
    Drawing {
        came_ns: u64,
    },
    Writing {
        answer: Vec<u8>,
        written: usize,
    },
    Lingering,
}

#[derive(PartialEq)]
enum Next {
    Keep,
    Close,
}

/// The result of [`ServerState::wait`].
struct Ready {
    stop: bool,
    drawn: bool,
    accept: bool,
    clients: Vec<bool>,
}

impl ServerState {
    fn serve(mut self) {
        loop {
            let ready = self.wait(true);
            if ready.stop {
                break;
            }
            self.serve_clients(&ready.clients);
            self.answer_all();
            if ready.drawn {
                self.take_drawn();
            }
            if ready.accept {
                self.accept();
                self.answer_all();
            }
            self.bound_memory();
        }
        self.finish();
    }

    /// Write the responses under way, then end.
    fn finish(mut self) {
        let last = Instant::now() + STOP_DEADLINE;
        self.clients.retain(|client| matches!(client.state, State::Drawing { .. } | State::Writing { .. }));
        self.clients.iter_mut().for_each(|client| client.deadline = client.deadline.min(last));
        while !self.clients.is_empty() {
            let ready = self.wait(false);
            self.serve_clients(&ready.clients);
            if ready.drawn {
                self.take_drawn();
            }
            self.clients.iter_mut().for_each(|client| client.deadline = client.deadline.min(last));
        }
        self.pages.close();
        self.services.calls.close();
    }

    /// Sleep until a socket is ready or a deadline passes.
    fn wait(&mut self, open: bool) -> Ready {
        let now = Instant::now();
        self.accept_from = self.accept_from.filter(|from| *from > now);
        let accepting = open && self.accept_from.is_none();
        let wake_at = self.clients.iter().map(|c| c.deadline).chain(self.accept_from.filter(|_| open)).min();
        let timeout = wake_at.map(|at| {
            let left = at.saturating_duration_since(now);
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() }
        });
        let mut fds = Vec::with_capacity(MAX_CLIENTS + 3);
        fds.push(PollFd::new(&*self.wake, if open { PollFlags::IN } else { PollFlags::empty() }));
        fds.push(PollFd::new(&self.pages, PollFlags::IN));
        fds.push(PollFd::new(&self.listener, if accepting { PollFlags::IN } else { PollFlags::empty() }));
        fds.extend(self.clients.iter().map(|c| PollFd::new(&c.socket, c.waits_for())));
        let polled = match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => true,
            Err(rustix::io::Errno::INTR) => false,
            Err(_) => {
                // Out of memory, or the descriptor limit was lowered below what is open.
                thread::sleep(ACCEPT_BACK_OFF);
                false
            }
        };
        let ready: Vec<bool> = fds.iter().map(|fd| polled && !fd.revents().is_empty()).collect();
        // poll reports an error on the listener even without flags set; accept then returns it.
        Ready { stop: ready[0], drawn: ready[1], accept: accepting && ready[2], clients: ready[3..].to_vec() }
    }

    /// Advance every client that is ready or past its deadline; `ready` is indexed like `clients`.
    fn serve_clients(&mut self, ready: &[bool]) {
        let Self { clients, services, .. } = self;
        let mut ready = ready.iter();
        clients.retain_mut(|client| {
            let is_ready = ready.next().is_some_and(|ready| *ready);
            let next = if is_ready { client.advance(services) } else { Next::Keep };
            match next {
                Next::Keep if client.deadline <= Instant::now() => client.expire() == Next::Keep,
                next => next == Next::Keep,
            }
        });
        if self.spare.is_none() {
            self.spare = spare_descriptor();
        }
    }

    /// Answer every client with a complete call, as one group, and have the others' pages drawn.
    fn answer_all(&mut self) {
        let Self { clients, services, pages, .. } = self;
        let (mut asking, mut requests) = (Vec::new(), Vec::new());
        for (i, client) in clients.iter_mut().enumerate() {
            let State::Asking { came_ns, .. } = client.state else { continue };
            let State::Asking { request, .. } =
                std::mem::replace(&mut client.state, State::Drawing { came_ns })
            else {
                continue;
            };
            if !request.is_page() {
                asking.push((i, came_ns));
                requests.push(request);
            } else if !pages.draw(client.number, request) {
                // An error shows in the next round.
                let _ = client.answer(refusal(BUSY), services.deadlines.response);
            }
        }
        if requests.is_empty() {
            return;
        }
        let answers = services.calls.exchange(&requests);
        drop(requests);
        // In order: of two clients that hold the same amount, the one that waited longer is closed.
        let mut gone = Vec::new();
        for ((i, came_ns), answer) in asking.into_iter().zip(answers) {
            let answer = services.complete(answer, came_ns);
            if clients[i].answer(answer, services.deadlines.response) == Next::Close {
                gone.push(i);
            }
        }
        gone.into_iter().rev().for_each(|i| drop(clients.remove(i)));
    }

    /// Send the pages that were drawn to those who still wait for them.
    fn take_drawn(&mut self) {
        let Self { clients, services, pages, .. } = self;
        for drawn in pages.take_drawn() {
            let Some(i) = clients.iter().position(|client| client.number == drawn.client) else { continue };
            let State::Drawing { came_ns } = clients[i].state else { continue };
            let answer = services.complete(drawn.answer, came_ns);
            if clients[i].answer(answer, services.deadlines.response) == Next::Close {
                clients.remove(i);
            }
        }
    }

    fn bound_memory(&mut self) {
        while self.clients.iter().map(Client::held_bytes).sum::<usize>() > HELD_BYTES {
            self.turn_away_first_by(|client| (Reverse(client.held_bytes()), client.deadline));
        }
    }

    fn accept(&mut self) {
        let mut made_room = false;
        for _ in 0..ACCEPTS_AT_ONCE {
            match self.listener.accept() {
                Ok((socket, _)) => {
                    self.admit(socket);
                    made_room = false;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                // accept reports a shortage before it checks the queue: close a client only if another one
                // waits.
                Err(e) if is_shortage(&e) && !self.somebody_waits() => return,
                Err(e) if is_shortage(&e) => {
                    // Another part of the process took the freed descriptor.
                    if made_room
                        || !(self.spare.take().is_some() || self.turn_away_first_by(|client| client.deadline))
                    {
                        self.accept_from = Some(Instant::now() + ACCEPT_BACK_OFF);
                        return;
                    }
                    made_room = true;
                }
                // This client is gone (ECONNABORTED and the like); try the next.
                Err(_) => {}
            }
        }
    }

    fn somebody_waits(&self) -> bool {
        let mut fds = [PollFd::new(&self.listener, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    fn admit(&mut self, socket: TcpStream) {
        if socket.set_nonblocking(true).is_err() {
            return;
        }
        if self.clients.len() >= MAX_CLIENTS {
            self.turn_away_first_by(|client| client.deadline);
        }
        let state = State::Reading(Incoming::new(self.hosts));
        let number = self.next_client;
        self.next_client += 1;
        let deadline = Instant::now() + self.services.deadlines.request;
        let mut client = Client { number, socket, state, deadline };
        // Its request is often here already.
        if client.advance(&mut self.services) == Next::Keep {
            self.clients.push(client);
        }
    }

    /// Close the client that comes first in this order; returns whether there was one.
    fn turn_away_first_by<K: Ord>(&mut self, order: impl Fn(&Client) -> K) -> bool {
        let first = self.clients.iter().enumerate().min_by_key(|(_, client)| order(client));
        let Some((i, _)) = first else { return false };
        self.clients.remove(i).turn_away();
        true
    }
}

impl Services {
    /// The response to send: what was drawn for a request that came at `came_ns`, or that nothing was.
    fn complete(&self, drawn: io::Result<Vec<u8>>, came_ns: u64) -> Vec<u8> {
        match drawn {
            Ok(answer) => {
                let own = self.timing.field(&answer, came_ns);
                with_fields(answer, &own)
            }
            Err(_) => refusal(NO_ANSWER),
        }
    }
}

impl Client {
    fn waits_for(&self) -> PollFlags {
        match self.state {
            State::Writing { .. } => PollFlags::OUT,
            // A client that has closed its side may still be reading.
            State::Drawing { .. } => PollFlags::empty(),
            State::Reading(_) | State::Asking { .. } | State::Lingering => PollFlags::IN,
        }
    }

    fn held_bytes(&self) -> usize {
        match &self.state {
            State::Reading(incoming) => incoming.held_bytes(),
            State::Asking { request, .. } => request.bytes.len(),
            State::Writing { answer, .. } => answer.len(),
            State::Drawing { .. } | State::Lingering => 0,
        }
    }

    /// One step: read once, or write as much as the socket takes.
    fn advance(&mut self, services: &mut Services) -> Next {
        if let State::Writing { .. } = self.state {
            return self.write();
        }
        let Services { timing, deadlines, chunk, .. } = services;
        let (read, came_ns) = match timing.receive(&self.socket, chunk) {
            Ok((0, _)) => return Next::Close,
            Ok((n, came_ns)) => (&chunk[..n], came_ns),
            Err(e) if is_retry(&e) => return Next::Keep,
            Err(_) => return Next::Close,
        };
        let State::Reading(incoming) = &mut self.state else { return Next::Keep };
        let answer = match incoming.push(read) {
            Ok(None) => return Next::Keep,
            Ok(Some(request)) => {
                self.state = State::Asking { request, came_ns };
                self.deadline = Instant::now() + deadlines.response;
                return Next::Keep;
            }
            Err(refused) => refusal(refused),
        };
        self.answer(answer, deadlines.response)
    }

    fn answer(&mut self, answer: Vec<u8>, within: Duration) -> Next {
        self.state = State::Writing { answer, written: 0 };
        self.deadline = Instant::now() + within;
        self.write()
    }

    fn write(&mut self) -> Next {
        let State::Writing { answer, written } = &mut self.state else { return Next::Keep };
        while *written < answer.len() {
            match self.socket.write(&answer[*written..]) {
                Ok(n) => *written += n,
                Err(e) if is_retry(&e) => return Next::Keep,
                Err(_) => return Next::Close,
            }
        }
        if self.socket.shutdown(Shutdown::Write).is_err() {
            return Next::Close;
        }
        self.state = State::Lingering;
        self.deadline = Instant::now() + LINGER;
        Next::Keep
    }

    /// The deadline has passed.
    fn expire(&mut self) -> Next {
        match self.state {
            State::Reading(_) => self.answer(refusal(TOO_SLOW), LINGER),
            State::Asking { .. } => Next::Keep,
            State::Drawing { .. } => self.answer(refusal(NO_ANSWER), LINGER),
            State::Writing { .. } | State::Lingering => Next::Close,
        }
    }

    /// Close now; if the client has no response yet, send 503 as far as the socket takes it.
    fn turn_away(mut self) {
        if let State::Reading(_) = self.state {
            let _ = self.socket.write(&refusal(BUSY));
        }
    }
}

/// A descriptor to give up when the process runs out of them.
fn spare_descriptor() -> Option<File> {
    File::open("/dev/null").ok()
}

fn is_retry(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Errors that an immediate accept would only repeat.
fn is_shortage(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EINVAL | libc::EBADF)
    )
}
