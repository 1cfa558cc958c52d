//! The status server: its listener and its threads.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::frontend::Frontend;
use super::local::{self, Routes, TinyHttp};
use super::request::Hosts;
use super::routes;
use super::site::Site;
use super::timing::Timing;
use super::watchers::Watchers;
use crate::run::{SharedSnapshot, Snapshot};

/// Default address of the status server.
pub const DEFAULT_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8089);

/// Length of the kernel's accept queue: more than there can be workers. With the usual 128, calls that a
/// large fleet makes at once would wait a second for a SYN to be sent again.
const BACKLOG: i32 = 4_096;

/// How long a server waits at its end until each open page has the final picture. A page asks each second; on a busy
/// machine its requests take longer.
const LAST_PICTURE: Duration = Duration::from_secs(10);
/// How long the last answers have to leave once they are drawn.
const LEAVING: Duration = Duration::from_millis(300);
/// Interval of looking whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// [`DEFAULT_ADDR`], or a free port of the same address if that one is taken.
    Default,
    /// This address only; port 0 takes a free one.
    At(SocketAddr),
}

/// A running status server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    frontend: Frontend,
    shared: Arc<SharedSnapshot>,
    watchers: Arc<Watchers>,
}

/// Start the status server of `site`.
///
/// Call it from a thread that is not pinned: the server's threads inherit its affinity. On a loopback
/// address, only requests whose host is `localhost` or an IP address are answered.
///
/// # Errors
/// The address cannot be listened on. The message has the address and the remedy, except for `--no-listen`,
/// which a coordinator does not have.
pub fn serve(listen: Listen, site: Site) -> io::Result<Server> {
    let listener = match listen {
        Listen::At(addr) => bind(addr),
        Listen::Default => bind(DEFAULT_ADDR).or_else(|e| match e.kind() {
            ErrorKind::AddrInUse => bind(SocketAddr::new(DEFAULT_ADDR.ip(), 0)),
            _ => Err(e),
        }),
    }?;
    let addr = listener.local_addr()?;
    let on_loopback = addr.ip().to_canonical().is_loopback();
    let hosts = if on_loopback { Hosts::Loopback } else { Hosts::Any };
    let timing = Timing::new(site.clock, &listener);
    let (calls, deadlines, shared) = (site.calls.clone(), site.deadlines, site.shared.clone());
    let (site, watchers) = (Arc::new(site), Arc::new(Watchers::default()));
    let draw = || -> Box<local::Draw> {
        let (site, watchers) = (Arc::clone(&site), Arc::clone(&watchers));
        Box::new(move |request, body| routes::answer(request, body, &site, &watchers, on_loopback))
    };
    let settle = Box::new(move || calls.as_ref().map_or(Ok(()), |calls| calls.settle()));
    let calls = TinyHttp::open(Arc::new(Routes { draw: draw(), settle }))?;
    let pages = TinyHttp::open(Arc::new(Routes { draw: draw(), settle: Box::new(|| Ok(())) }))?;
    let frontend = Frontend::open(listener, hosts, calls, pages, timing, deadlines)?;
    Ok(Server { addr, frontend, shared, watchers })
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(addr).and_then(|listener| {
        // It listens already; listening again changes the backlog.
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(listener)
    });
    listener.map_err(|e| {
        let remedy = match e.kind() {
            ErrorKind::AddrInUse => "choose another with --listen ADDR:PORT (port 0 takes a free one)",
            ErrorKind::PermissionDenied => "choose a port from 1024 up with --listen ADDR:PORT",
            _ => "choose an address of this machine with --listen ADDR:PORT",
        };
        let why = format!("cannot listen on {addr} for the status server: {e}; {remedy}");
        io::Error::new(e.kind(), why)
    })
}

impl Server {
    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Wait until each open dashboard has the final picture, which stays there when the server is gone: usually about
    /// a second, at most ten, and not at all without an open one, or before the run is over.
    pub fn see_pages_off(&self) {
        let until = Instant::now() + LAST_PICTURE;
        let is_awaited = |now| self.shared.read(Snapshot::is_final) && self.watchers.is_any_waiting(now);
        while Instant::now() < until && is_awaited(Instant::now()) {
            thread::sleep(LOOK_EVERY);
        }
        if self.watchers.is_any_open(Instant::now()) {
            thread::sleep(LEAVING);
        }
    }

    /// Stop it, within about a second, after finishing the responses being written.
    pub fn stop(mut self) {
        self.frontend.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Refusal;
    use crate::fleet::messages::{CLOCK_HEADER, CallStamps, PROTOCOL, PROTOCOL_HEADER};
    use crate::run::RunInfo;
    use crate::sys::Clock;
    use crate::web::{Call, Calls};
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    /// A slow handler.
    struct Slow;

    impl Calls for Slow {
        fn carry_out(&self, _: Call<'_>) -> Result<String, Refusal> {
            std::thread::sleep(Duration::from_millis(300));
            Ok("{}".to_owned())
        }
    }

    fn stay(mut answered: TcpStream) -> Option<CallStamps> {
        let mut answer = String::new();
        answered.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let field = answer.lines().find_map(|line| line.strip_prefix(CLOCK_HEADER)?.strip_prefix(": "));
        field.map(|value| CallStamps::read(value).unwrap())
    }

    #[test]
    fn a_peer_is_told_when_its_call_came_and_not_when_its_turn_came() {
        let (clock, epoch_ns) = (Clock::start(), 7_000_000_000_000);
        let shared = Arc::new(SharedSnapshot::new(Snapshot::new(RunInfo::unknown(), 0, 0.0)));
        let any = Listen::At(SocketAddr::from(([127, 0, 0, 1], 0)));
        let site =
            Site { calls: Some(Arc::new(Slow)), clock: Some((clock, epoch_ns)), ..Site::of(shared.clone()) };
        let server = serve(any, site).unwrap();
        let send = || {
            let mut socket = TcpStream::connect(server.addr()).unwrap();
            let head =
                format!("{PROTOCOL_HEADER}: {PROTOCOL}\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n");
            write!(socket, "POST /api/v1/workers HTTP/1.1\r\n{head}{{}}").unwrap();
            socket
        };
        // The kernel begins to stamp a while after it is enabled.
        let is_stamped_on_arrival = || {
            let first = send();
            // While its response is drawn, the second call waits unread.
            std::thread::sleep(Duration::from_millis(100));
            let before_ns = epoch_ns + clock.now();
            let calls = [first, send()];
            let after_ns = epoch_ns + clock.now();
            let [first, second] = calls.map(|call| stay(call).expect("it tells its clock"));
            assert!(
                first.t1_ns <= before_ns && before_ns <= second.t1_ns,
                "{first:?} {before_ns} {second:?}"
            );
            assert!(first.t1_ns + 300_000_000 <= first.t2_ns && second.t2_ns <= epoch_ns + clock.now());
            second.t1_ns <= after_ns + 50_000_000
        };
        assert!((0..10).any(|_| is_stamped_on_arrival()), "the second call came when it was its turn");
        // Nobody compares clocks with a process that leads no fleet.
        let server = serve(any, Site::of(shared)).unwrap();
        let mut socket = TcpStream::connect(server.addr()).unwrap();
        write!(socket, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert_eq!(stay(socket), None);
    }

    #[test]
    fn a_fleet_that_calls_at_once_waits_in_line_and_is_not_sent_away() {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let addr = listener.local_addr().unwrap();
        // No connection is accepted. A SYN that finds the queue full is sent again after a second at the
        // earliest.
        let call = |_| TcpStream::connect_timeout(&addr, Duration::from_millis(900));
        let waiting: Vec<_> = (0..300).map(call).collect();
        assert!(waiting.iter().all(Result::is_ok), "{:?}", waiting.iter().position(Result::is_err));
    }
}
