//! tiny_http in isolation: one connection over a local socket that only `frontend` has.
//!
//! tiny_http's listener dies for good at the first accept error, and each accepted connection costs it two
//! file descriptors. So it accepts exactly once, at the start, and its listener is closed. From then on a
//! request needs no new descriptor, thread or connection. tiny_http sees complete, rewritten requests one
//! after the other, and its responses are read by a peer that never stalls.
//!
//! Requests that arrive together are written one after the other without waiting for responses, and all of
//! their responses leave once what they report is on disk. So hundreds of reports cost a few disk writes.
//! Clients are handled in `frontend`, paths in `routes`.

use std::io::{self, ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::api;
use super::request::Request;
use crate::fleet::Refusal;
use crate::sync::{AtomicBool, AtomicUsize, Ordering};

/// Time limit for drawing one response; a status page of 256 scenarios takes milliseconds.
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(5);
/// Additional time for each further request of a group.
const FURTHER_DEADLINE: Duration = Duration::from_millis(100);
/// The largest response in bytes: ten times the metrics of a plan with the most scenarios.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// The most header fields that tiny_http and the routes put into a response.
const ANSWER_FIELDS: usize = 32;

/// The handlers of requests.
pub(crate) struct Routes {
    /// Draws the response to a request and its body. It must not block on anything slow: requests are
    /// answered one after the other.
    pub(crate) draw: Box<Draw>,
    /// Called after a group of responses was drawn and before the first of them leaves. If it fails, calls
    /// get its refusal instead of their response; other responses leave all the same.
    pub(crate) settle: Box<dyn Fn() -> Result<(), Refusal> + Send + Sync>,
}

/// See [`Routes::draw`].
pub(crate) type Draw = dyn Fn(&tiny_http::Request, &[u8]) -> tiny_http::ResponseBox + Send + Sync;

/// The client of tiny_http.
pub(crate) struct TinyHttp {
    routes: Arc<Routes>,
    connection: Option<LocalConnection>,
    /// The thread of a failed connection; no new connection before it has ended.
    retired: Option<JoinHandle<()>>,
}

struct LocalConnection {
    socket: UnixStream,
    server: &'static tiny_http::Server,
    control: Arc<LocalControl>,
    thread: JoinHandle<()>,
}

/// What the thread that draws responses must know before it receives the first request of a group.
#[derive(Default)]
struct LocalControl {
    /// Number of requests in the group being written.
    group: AtomicUsize,
    /// No more requests will come.
    closing: AtomicBool,
}

impl LocalControl {
    fn begin_group(&self, requests: usize) {
        self.group.store(requests, Ordering::Release);
    }

    /// Whoever has the first request of a group gets the number of its requests.
    fn take_group(&self) -> usize {
        self.group.swap(0, Ordering::Acquire)
    }

    fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

impl TinyHttp {
    /// Start tiny_http.
    pub(crate) fn open(routes: Arc<Routes>) -> io::Result<Self> {
        let connection = Some(LocalConnection::open(Arc::clone(&routes))?);
        Ok(Self { routes, connection, retired: None })
    }

    /// The complete response to each of these requests, as bytes. After a failure the next call reconnects.
    pub(crate) fn exchange(&mut self, requests: &[Request]) -> Vec<io::Result<Vec<u8>>> {
        let mut answers = Vec::with_capacity(requests.len());
        if let Err(e) = self.connect().and_then(|connection| connection.exchange(requests, &mut answers)) {
            self.retired = self.connection.take().map(LocalConnection::close).or(self.retired.take());
            let why = || io::Error::new(e.kind(), e.to_string());
            let lost = requests.len() - answers.len();
            return answers.into_iter().map(Ok).chain((0..lost).map(|_| Err(why()))).collect();
        }
        answers.into_iter().map(Ok).collect()
    }

    fn connect(&mut self) -> io::Result<&mut LocalConnection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => {
                if self.retired.as_ref().is_some_and(|thread| !thread.is_finished()) {
                    return Err(io::Error::other("an earlier answer is still being drawn"));
                }
                Ok(none.insert(LocalConnection::open(Arc::clone(&self.routes))?))
            }
        }
    }

    /// End tiny_http and wait for its last response.
    pub(crate) fn close(mut self) {
        if let Some(thread) = self.connection.take().map(LocalConnection::close) {
            // It catches panics itself, and there is no one to report to.
            let _ = thread.join();
        }
    }
}

impl LocalConnection {
    fn open(routes: Arc<Routes>) -> io::Result<Self> {
        let name = format!("loadtester-{:032x}", fastrand::u128(..));
        let addr = SocketAddr::from_abstract_name(name)?;
        let listener = UnixListener::bind_addr(&addr)?;
        let last_call = listener.try_clone()?;
        let server = tiny_http::Server::from_listener(listener, None).map_err(io::Error::other)?;
        // Never dropped: its Drop expects a socket with a path. It holds an empty queue; its accepting thread
        // ends two lines below.
        let server: &'static tiny_http::Server = Box::leak(Box::new(server));
        let socket = UnixStream::connect_addr(&addr)?;
        // The connection made above is still accepted; no other one can be made.
        rustix::net::shutdown(&last_call, rustix::net::Shutdown::Both)?;
        socket.set_nonblocking(true)?;
        let control = Arc::new(LocalControl::default());
        let their_control = Arc::clone(&control);
        let thread = thread::Builder::new()
            .name("web-routes".into())
            .spawn(move || answer_requests(server, &their_control, &routes))?;
        let mut connection = Self { socket, server, control, thread };
        // Until it has answered once, it may still be about to take the two descriptors it needs.
        let first = Request { bytes: b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), is_head: true };
        match connection.exchange(&[first], &mut Vec::new()) {
            Ok(()) => Ok(connection),
            Err(e) => {
                connection.close();
                Err(e)
            }
        }
    }

    /// Write all requests and read all responses, whichever is possible: the routes' thread may wait for us
    /// to read before it takes the next request.
    fn exchange(&mut self, requests: &[Request], answers: &mut Vec<Vec<u8>>) -> io::Result<()> {
        let deadline = Instant::now() + EXCHANGE_DEADLINE + FURTHER_DEADLINE * requests.len() as u32;
        self.control.begin_group(requests.len());
        let mut unwritten = requests.iter().map(|request| &request.bytes[..]).peekable();
        let (mut written, mut read, mut chunk) = (0, Vec::new(), vec![0; 64 * 1024]);
        while answers.len() < requests.len() {
            while let Some(bytes) = unwritten.peek() {
                match self.socket.write(&bytes[written..]) {
                    Ok(n) => written += n,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(e) => return Err(e),
                }
                if written == bytes.len() {
                    (written, _) = (0, unwritten.next());
                }
            }
            self.wait(unwritten.peek().is_some(), deadline)?;
            match self.socket.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => read.extend_from_slice(&chunk[..n]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => continue,
                Err(e) => return Err(e),
            }
            while let Some(request) = requests.get(answers.len()) {
                let Some(length) = answer_bytes(&read, request.is_head)?.filter(|n| *n <= read.len()) else {
                    break;
                };
                answers.push(read.drain(..length).collect());
            }
            if read.len() > ANSWER_BYTES {
                return Err(io::Error::other("the answer is too long"));
            }
        }
        if read.is_empty() { Ok(()) } else { Err(io::Error::other("more answers than requests")) }
    }

    /// Wait until the socket is readable, or writable if `writes`.
    fn wait(&self, writes: bool, deadline: Instant) -> io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::other("the answer took too long"));
        }
        let flags = if writes { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&self.socket, flags)], Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    fn close(self) -> JoinHandle<()> {
        self.control.close();
        self.server.unblock();
        self.thread
    }
}

/// The length of the response at the start of `bytes`, once its head is complete.
fn answer_bytes(bytes: &[u8], is_head: bool) -> io::Result<Option<usize>> {
    let mut fields = [httparse::EMPTY_HEADER; ANSWER_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let head_bytes = match response.parse(bytes).map_err(io::Error::other)? {
        httparse::Status::Complete(n) => n,
        httparse::Status::Partial => return Ok(None),
    };
    if is_head || matches!(response.code, Some(204 | 304)) {
        return Ok(Some(head_bytes));
    }
    let length = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|h| std::str::from_utf8(h.value).ok()?.parse::<usize>().ok());
    length
        .and_then(|n| head_bytes.checked_add(n))
        .map(Some)
        .ok_or_else(|| io::Error::other("an answer without a length"))
}

/// The thread that draws responses. A panic in a route costs only that request, which gets a 500.
fn answer_requests(server: &tiny_http::Server, control: &LocalControl, routes: &Routes) {
    loop {
        let first = match server.recv() {
            Ok(first) => first,
            Err(_) if control.is_closing() => return,
            // The end of accepting, which we caused.
            Err(_) => continue,
        };
        let expected = control.take_group();
        let mut drawn = vec![PendingAnswer::of(first, routes)];
        // The front end is already writing the rest of the group.
        while drawn.len() < expected
            && let Ok(Some(next)) = server.recv_timeout(EXCHANGE_DEADLINE)
        {
            drawn.push(PendingAnswer::of(next, routes));
        }
        let settled = (routes.settle)();
        for mut answer in drawn {
            if let Err(refusal) = &settled
                && answer.is_call
            {
                answer.response = api::refused(refusal);
            }
            answer.send();
        }
        // While this thread waited in vain for the rest of a group, it may have missed the unblocking.
        if control.is_closing() {
            return;
        }
    }
}

/// A response that has not left.
struct PendingAnswer {
    response: tiny_http::ResponseBox,
    is_head: bool,
    /// It must be settled before it leaves.
    is_call: bool,
    writer: Box<dyn Write + Send>,
}

impl PendingAnswer {
    fn of(mut request: tiny_http::Request, routes: &Routes) -> Self {
        let mut body = Vec::new();
        // Always read all of it first: an unread body would be parsed as the next request.
        let is_whole = request.as_reader().read_to_end(&mut body).is_ok();
        let draw = || is_whole.then(|| (routes.draw)(&request, &body));
        let response = catch_unwind(AssertUnwindSafe(draw)).ok().flatten();
        let response = response.unwrap_or_else(|| tiny_http::Response::empty(500).boxed());
        let is_head = *request.method() == tiny_http::Method::Head;
        let is_call = api::knows(request.url().split('?').next().unwrap_or_default());
        // Only now does tiny_http read on.
        Self { response, is_head, is_call, writer: request.into_writer() }
    }

    fn send(mut self) {
        // A length instead of chunks: the front end needs it to find the end.
        let response = self.response.with_chunked_threshold(usize::MAX);
        let version = tiny_http::HTTPVersion(1, 1);
        // A write error means that the reader is gone.
        let _ = response.raw_print(&mut self.writer, version, &[], self.is_head, None);
        let _ = self.writer.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str) -> Request {
        Request { bytes: format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes(), is_head: false }
    }

    fn open(settle: impl Fn() -> Result<(), Refusal> + Send + Sync + 'static) -> io::Result<TinyHttp> {
        TinyHttp::open(Arc::new(Routes { draw: Box::new(echo), settle: Box::new(settle) }))
    }

    fn one(local: &mut TinyHttp, request: &Request) -> io::Result<Vec<u8>> {
        let request = Request { bytes: request.bytes.clone(), is_head: request.is_head };
        local.exchange(&[request]).pop().expect("one for each")
    }

    fn echo(request: &tiny_http::Request, body: &[u8]) -> tiny_http::ResponseBox {
        assert_ne!(request.url(), "/panic", "as asked");
        tiny_http::Response::from_data([request.url().as_bytes(), body].concat()).boxed()
    }

    #[test]
    fn one_connection_carries_thousands_of_requests_and_survives_a_panic() {
        let mut local = open(|| Ok(())).expect("local sockets are available");
        for i in 0..3_000 {
            let answer = one(&mut local, &request(&format!("/{i}"))).expect("an answer");
            assert!(answer.ends_with(format!("\r\n\r\n/{i}").as_bytes()));
        }
        let answer = one(&mut local, &request("/panic")).expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 500 "));
        let body = vec![b'x'; super::super::request::BODY_BYTES];
        let mut bytes = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        bytes.extend_from_slice(&body);
        let answer = one(&mut local, &Request { bytes, is_head: false }).expect("an answer");
        assert!(answer.ends_with(&body[..1_000]) && answer.len() > body.len());
        local.close();
    }

    #[test]
    fn a_broken_connection_is_replaced_once_its_thread_has_ended() {
        let mut local = open(|| Ok(())).expect("local sockets are available");
        let nonsense = Request { bytes: b"nonsense\r\n\r\n".to_vec(), is_head: false };
        let answer = one(&mut local, &nonsense).expect("tiny_http refuses it, then hangs up");
        assert!(answer.starts_with(b"HTTP/1.1 400 "));
        assert!(one(&mut local, &request("/lost")).is_err());
        let started = Instant::now();
        while one(&mut local, &request("/again")).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "it comes back");
        }
        local.close();
    }

    #[test]
    fn nobody_else_can_connect_to_it() {
        let local = open(|| Ok(())).expect("local sockets are available");
        let connection = local.connection.as_ref().expect("open");
        let tiny_http::ListenAddr::Unix(addr) = connection.server.server_addr() else {
            panic!("a local socket")
        };
        assert!(UnixStream::connect_addr(&addr).is_err());
        local.close();
    }

    #[test]
    fn a_group_is_answered_in_order_and_settled_once_before_anything_leaves() {
        let settled = Arc::new(AtomicUsize::new(0));
        let seen = settled.clone();
        let mut local = open(move || {
            seen.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
        .expect("local sockets are available");
        let before = settled.load(Ordering::Relaxed);
        // More than socket buffers hold, in both directions; one of them panics, one has a response without
        // body.
        let group = |n: usize| -> Vec<Request> {
            let post = |i: usize| {
                let body = vec![b'a' + (i % 26) as u8; 200_000 * (i % 3)];
                let head = format!("POST /{i} HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
                Request { bytes: [head.as_bytes(), &body].concat(), is_head: false }
            };
            let mut all: Vec<Request> = (0..n).map(post).collect();
            all[n / 2] = request("/panic");
            all[n / 3] = Request { bytes: b"HEAD /x HTTP/1.1\r\n\r\n".to_vec(), is_head: true };
            all
        };
        for (round, n) in [40, 64, 4].into_iter().enumerate() {
            let answers = local.exchange(&group(n));
            assert_eq!(settled.load(Ordering::Relaxed), before + round + 1, "once for {n}");
            for (i, answer) in answers.into_iter().enumerate() {
                let answer = answer.expect("an answer");
                let expected = format!(
                    "\r\n\r\n/{i}{}",
                    String::from_utf8(vec![b'a' + (i % 26) as u8; 200_000 * (i % 3)]).unwrap()
                );
                match i {
                    _ if i == n / 2 => assert!(answer.starts_with(b"HTTP/1.1 500 ")),
                    _ if i == n / 3 => assert!(answer.ends_with(b"\r\n\r\n")),
                    _ => assert!(answer.ends_with(expected.as_bytes()), "{i} of {n}"),
                }
            }
        }
        local.close();
    }

    #[test]
    fn what_could_not_be_settled_is_refused() {
        let mut local = open(|| Err(Refusal::JournalFailed)).expect("local sockets are available");
        let calls = ["/api/v1/workers/1/heartbeat", "/api/v1/plan?"].map(request);
        for answer in local.exchange(&calls) {
            let answer = String::from_utf8(answer.expect("an answer")).unwrap();
            assert!(answer.contains("journal_failed") && !answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        // Probes are not affected.
        let answer = one(&mut local, &request("/healthz")).expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        local.close();
    }
}

#[cfg(all(loom, test))]
mod loom_tests {
    use loom::sync::mpsc::channel;

    use super::*;

    /// The local connection and tiny_http's queue as two channels; `None`: unblocked.
    #[test]
    fn loom_each_group_is_answered_as_one_and_the_end_is_seen() {
        loom::model(|| {
            let control = Arc::new(LocalControl::default());
            let ((write, requests), (answer, answers)) = (channel(), channel());
            let routes = loom::thread::spawn({
                let control = Arc::clone(&control);
                move || {
                    while let Some(()) = requests.recv().unwrap() {
                        let expected = control.take_group();
                        (1..expected).for_each(|_| assert_eq!(requests.recv().unwrap(), Some(())));
                        answer.send(expected).unwrap();
                    }
                    assert!(control.is_closing());
                }
            });
            for group in [2, 1] {
                control.begin_group(group);
                (0..group).for_each(|_| write.send(Some(())).unwrap());
                assert_eq!(answers.recv().unwrap(), group);
            }
            control.close();
            write.send(None).unwrap();
            routes.join().unwrap();
        });
    }
}
