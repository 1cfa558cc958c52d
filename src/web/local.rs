//! tiny_http, out of everybody's reach: one connection over a local socket that only the gate holds.
//!
//! tiny_http's listener dies for good at the first accept error, and each accepted connection costs it
//! two file descriptors, so it accepts exactly once, at the start, and its listener is closed. From
//! then on a request needs no new descriptor, no new thread and no new connection. It sees whole,
//! rewritten requests one after the other and its answers are read by somebody who never stalls.
//! What stays out: clients (the gate), what a path means (routes).

use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::request::Request;

/// How long drawing one answer may take; a status page of 256 scenarios takes milliseconds.
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(5);
/// The largest answer, in bytes: ten times the metrics of a plan with the most scenarios.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// The most header fields tiny_http and the routes put into an answer.
const ANSWER_FIELDS: usize = 32;

/// Draws the answer to a request, given its body. It must not block on anything slow: requests are
/// answered one after the other.
pub type Routes = dyn Fn(&tiny_http::Request, &[u8]) -> tiny_http::ResponseBox + Send + Sync;

/// The way to tiny_http.
pub struct Local {
    routes: Arc<Routes>,
    link: Option<Link>,
    /// The thread of a link that broke; no new link before it has ended.
    retired: Option<JoinHandle<()>>,
}

struct Link {
    stream: UnixStream,
    server: &'static tiny_http::Server,
    closing: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Local {
    /// Start tiny_http.
    pub fn open(routes: Arc<Routes>) -> io::Result<Self> {
        let link = Some(Link::open(Arc::clone(&routes))?);
        Ok(Self { routes, link, retired: None })
    }

    /// The whole answer to `request`, as bytes. After a failure the next call starts afresh.
    pub fn exchange(&mut self, request: &Request) -> io::Result<Vec<u8>> {
        let link = match &mut self.link {
            Some(link) => link,
            none => {
                if self.retired.as_ref().is_some_and(|thread| !thread.is_finished()) {
                    return Err(io::Error::other("an earlier answer is still being drawn"));
                }
                none.insert(Link::open(Arc::clone(&self.routes))?)
            }
        };
        let answer = link.exchange(request);
        if answer.is_err() {
            self.retired = self.link.take().map(Link::close);
        }
        answer
    }

    /// End tiny_http and wait for its last answer.
    pub fn close(mut self) {
        if let Some(thread) = self.link.take().map(Link::close) {
            // It catches panics itself, and there is nobody to tell.
            let _ = thread.join();
        }
    }
}

impl Link {
    fn open(routes: Arc<Routes>) -> io::Result<Self> {
        let name = format!("loadtester-{:032x}", fastrand::u128(..));
        let addr = SocketAddr::from_abstract_name(name)?;
        let listener = UnixListener::bind_addr(&addr)?;
        let last_call = listener.try_clone()?;
        let server = tiny_http::Server::from_listener(listener, None).map_err(io::Error::other)?;
        // Never dropped: its Drop expects a socket with a path. What it holds is an empty queue; its
        // accepting thread ends two lines below.
        let server: &'static tiny_http::Server = Box::leak(Box::new(server));
        let stream = UnixStream::connect_addr(&addr)?;
        // The connection made above is still accepted, no other one can be made.
        rustix::net::shutdown(&last_call, rustix::net::Shutdown::Both)?;
        stream.set_write_timeout(Some(EXCHANGE_DEADLINE))?;
        let closing = Arc::new(AtomicBool::new(false));
        let seen_closing = Arc::clone(&closing);
        let thread = thread::Builder::new()
            .name("web-routes".into())
            .spawn(move || answer_requests(server, &seen_closing, &*routes))?;
        let mut link = Self { stream, server, closing, thread };
        // Until it has answered once, it may still be about to take the two descriptors it needs.
        let first = Request { bytes: b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), is_head: true };
        match link.exchange(&first) {
            Ok(_) => Ok(link),
            Err(e) => {
                link.close();
                Err(e)
            }
        }
    }

    fn exchange(&mut self, request: &Request) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + EXCHANGE_DEADLINE;
        self.stream.write_all(&request.bytes)?;
        let mut answer = Vec::new();
        let mut whole = None;
        let mut chunk = vec![0; 64 * 1024];
        while whole.is_none_or(|n| answer.len() < n) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || answer.len() > ANSWER_BYTES {
                return Err(io::Error::other("the answer took too long or too much"));
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => answer.extend_from_slice(&chunk[..n]),
            }
            if whole.is_none() {
                whole = answer_bytes(&answer, request.is_head)?;
            }
        }
        Ok(answer)
    }

    fn close(self) -> JoinHandle<()> {
        self.closing.store(true, Ordering::Release);
        self.server.unblock();
        self.thread
    }
}

/// The length of the answer that begins with `bytes`, once its head is complete.
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

/// The thread that draws answers. A panic in a route is answered with 500 (by the drop of the
/// request) and costs nothing else.
fn answer_requests(server: &tiny_http::Server, closing: &AtomicBool, routes: &Routes) {
    loop {
        match server.recv() {
            Ok(mut request) => {
                let _ = catch_unwind(AssertUnwindSafe(move || {
                    let mut body = Vec::new();
                    // All of it, always and first: the gate reads the answer only after it has
                    // written the body, and a body left unread would be taken for the next request.
                    if request.as_reader().read_to_end(&mut body).is_ok() {
                        // A length instead of chunks: that is how the gate finds the end.
                        let response = routes(&request, &body).with_chunked_threshold(usize::MAX);
                        let _ = request.respond(response);
                    }
                }));
            }
            Err(_) if closing.load(Ordering::Acquire) => return,
            // The end of accepting, which we asked for.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str) -> Request {
        Request { bytes: format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes(), is_head: false }
    }

    fn echo(request: &tiny_http::Request, body: &[u8]) -> tiny_http::ResponseBox {
        assert_ne!(request.url(), "/panic", "as asked");
        tiny_http::Response::from_data([request.url().as_bytes(), body].concat()).boxed()
    }

    #[test]
    fn one_connection_carries_thousands_of_requests_and_survives_a_panic() {
        let mut local = Local::open(Arc::new(echo)).expect("local sockets are available");
        for i in 0..3_000 {
            let answer = local.exchange(&request(&format!("/{i}"))).expect("an answer");
            assert!(answer.ends_with(format!("\r\n\r\n/{i}").as_bytes()));
        }
        let answer = local.exchange(&request("/panic")).expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 500 "));
        let body = vec![b'x'; super::super::request::BODY_BYTES];
        let mut bytes = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        bytes.extend_from_slice(&body);
        let answer = local.exchange(&Request { bytes, is_head: false }).expect("an answer");
        assert!(answer.ends_with(&body[..1_000]) && answer.len() > body.len());
        local.close();
    }

    #[test]
    fn a_broken_connection_is_replaced_once_its_thread_has_ended() {
        let mut local = Local::open(Arc::new(echo)).expect("local sockets are available");
        let nonsense = Request { bytes: b"nonsense\r\n\r\n".to_vec(), is_head: false };
        let answer = local.exchange(&nonsense).expect("tiny_http refuses it, then hangs up");
        assert!(answer.starts_with(b"HTTP/1.1 400 "));
        assert!(local.exchange(&request("/lost")).is_err());
        let started = Instant::now();
        while local.exchange(&request("/again")).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "it comes back");
        }
        local.close();
    }

    #[test]
    fn nobody_else_can_connect_to_it() {
        let local = Local::open(Arc::new(echo)).expect("local sockets are available");
        let link = local.link.as_ref().expect("open");
        let tiny_http::ListenAddr::Unix(addr) = link.server.server_addr() else { panic!("a local socket") };
        assert!(UnixStream::connect_addr(&addr).is_err());
        local.close();
    }
}
