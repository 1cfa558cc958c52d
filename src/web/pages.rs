//! The thread that draws pages, so that workers' calls do not wait for a page of hundreds of scenarios.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::{EventfdFlags, eventfd};

use super::local::TinyHttp;
use super::request::Request;

/// A request for a page.
struct Job {
    client: u64,
    request: Request,
}

/// A page that was drawn.
pub(crate) struct Drawn {
    /// Who asked for it.
    pub(crate) client: u64,
    /// The whole response as bytes.
    pub(crate) answer: io::Result<Vec<u8>>,
}

/// The running thread.
pub(crate) struct Pages {
    jobs: Sender<Job>,
    drawn: Receiver<Drawn>,
    /// Readable when a page was drawn.
    ready: Arc<OwnedFd>,
    thread: JoinHandle<()>,
}

impl Pages {
    /// Draw pages with `local` on a new thread, with at most `capacity` waiting.
    pub(crate) fn open(mut local: TinyHttp, capacity: usize) -> io::Result<Self> {
        let (jobs, asked) = bounded::<Job>(capacity);
        // One: pages that lie here are not counted among the bytes held for clients.
        let (done, drawn) = bounded(1);
        let ready = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let signal = Arc::clone(&ready);
        let thread = thread::Builder::new().name("web-pages".into()).spawn(move || {
            for Job { client, request } in asked {
                let answer = local.exchange(&[request]).pop().expect("one answer for each request");
                if done.send(Drawn { client, answer }).is_err() {
                    break;
                }
                // Only an eventfd with a count of 2^64 - 2 refuses this, and then it is readable anyway.
                let _ = rustix::io::write(&*signal, &1_u64.to_ne_bytes());
            }
            local.close();
        })?;
        Ok(Self { jobs, drawn, ready, thread })
    }

    /// Have `request` drawn for `client`; `false`: too many wait already.
    pub(crate) fn draw(&self, client: u64, request: Request) -> bool {
        self.jobs.try_send(Job { client, request }).is_ok()
    }

    /// The pages drawn since the last call.
    pub(crate) fn take_drawn(&self) -> Vec<Drawn> {
        // Nothing to read means that no page was drawn.
        let _ = rustix::io::read(&*self.ready, &mut [0_u8; 8]);
        self.drawn.try_iter().collect()
    }

    /// End the thread after the page that it is drawing.
    pub(crate) fn close(self) {
        let Self { jobs, drawn, thread, .. } = self;
        drop((jobs, drawn));
        // A panic was printed by the hook, and there is no one else to tell.
        let _ = thread.join();
    }
}

impl AsFd for Pages {
    /// Readable when a page was drawn.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::super::frontend::Frontend;
    use super::super::local::Routes;
    use super::super::request::Hosts;
    use super::super::site::Deadlines;
    use super::super::timing::Timing;
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::time::Duration;

    fn ask(addr: std::net::SocketAddr, path: &str) -> TcpStream {
        let mut socket = TcpStream::connect(addr).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        socket
    }

    fn answer(mut socket: TcpStream) -> String {
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn calls_are_answered_while_a_page_is_being_drawn() {
        let (go_on, wait) = bounded::<()>(1);
        let draw = move |request: &tiny_http::Request, _: &[u8]| {
            if request.url() == "/metrics" {
                wait.recv_timeout(Duration::from_secs(20)).expect("the call was answered meanwhile");
            }
            tiny_http::Response::from_string(request.url()).boxed()
        };
        let draw = Arc::new(draw);
        let open = || {
            let draw = Arc::clone(&draw);
            let draw = Box::new(move |request: &_, body: &_| draw(request, body));
            TinyHttp::open(Arc::new(Routes { draw, settle: Box::new(|| Ok(())) })).unwrap()
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (addr, timing) = (listener.local_addr().unwrap(), Timing::new(None, &listener));
        let mut frontend =
            Frontend::open(listener, Hosts::Any, open(), open(), timing, Deadlines::default()).unwrap();
        let page = ask(addr, "/metrics");
        // A reader may close its sending side early.
        page.shutdown(Shutdown::Write).unwrap();
        for path in ["/api/v1/run", "/healthz", "/readyz"] {
            assert!(answer(ask(addr, path)).ends_with(path));
        }
        go_on.send(()).unwrap();
        assert!(answer(page).ends_with("/metrics"));
        frontend.stop();
    }

    #[test]
    fn a_page_that_takes_too_long_to_begin_is_refused_when_too_many_wait() {
        let (go_on, wait) = bounded::<()>(0);
        let draw = move |request: &tiny_http::Request, _: &[u8]| {
            if request.url() == "/slow" {
                wait.recv_timeout(Duration::from_secs(20)).expect("told to go on");
            }
            tiny_http::Response::from_string("").boxed()
        };
        let routes = Routes { draw: Box::new(draw), settle: Box::new(|| Ok(())) };
        let pages = Pages::open(TinyHttp::open(Arc::new(routes)).unwrap(), 2).unwrap();
        let request = || Request { bytes: b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), is_head: false };
        // One is being drawn, or waits like the other two.
        let accepted = (0..4).filter(|client| pages.draw(*client, request())).count();
        assert!((2..=3).contains(&accepted), "{accepted}");
        (0..accepted).for_each(|_| go_on.send(()).unwrap());
        let mut drawn = 0;
        while drawn < accepted {
            drawn += pages.take_drawn().len();
        }
        pages.close();
    }
}
