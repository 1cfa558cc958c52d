//! The measuring target: one thread, epoll, a fixed answer to whatever is asked.
//!
//! It counts requests, can log when each of them arrived into memory set aside beforehand, and can
//! freeze: stop reading for a while at the start of each period. Periods begin at multiples of their
//! length on CLOCK_MONOTONIC, so every process of the machine knows when. Arrival is when the kernel
//! had the last byte, unless asked otherwise: the target's own queue is not the generator's fault.
//!
//! It runs until standard input closes, SIGTERM or SIGINT, then prints one line of JSON.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use serde::{Deserialize, Serialize};

use super::os;
use super::stall::Freeze;
use super::wire::RequestScanner;

/// What `--help` and an empty command line print.
pub const USAGE: &str = "\
A measuring target. It runs until standard input closes, SIGTERM or SIGINT, then prints a report.

  --listen ADDR     where to listen, e.g. 127.0.0.1:0; the address taken is printed first
  --core N          pin to a core
  --body BYTES      length of each response's body (default 2)
  --close           say in each response that the connection ends; the other side closes it
  --log FILE        write each request's arrival there: CLOCK_MONOTONIC nanoseconds, little-endian u64
  --log-capacity N  capacity of the log of arrivals (default 4000000)
  --stamps S        kernel: when the kernel had the last byte (default); user: when the target read it
  --freeze MS       stop reading for so long …
  --period MS       … at the start of each period (default 1000)";

/// Bytes read at once; a request is around a hundred.
const READ_BYTES: usize = 64 * 1024;
/// Readiness events taken at once.
const EVENTS: usize = 512;
/// Pending connections the kernel keeps: the most a comparison opens at once.
const LISTEN_BACKLOG: i32 = 16_384;
/// CLOCK_REALTIME is held against CLOCK_MONOTONIC this often: its slew stays below 0.5 µs in between.
const CLOCK_CHECK_NS: u64 = 1_000_000_000;
/// Event data of descriptors that ask for the end; connections carry their descriptor's number.
const STOP: u64 = u64::MAX;
const LISTENER: u64 = u64::MAX - 1;

/// Where arrival times come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamps {
    /// When the kernel had the last byte.
    Kernel,
    /// When the read returned.
    User,
}

/// What a target is to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Length of each response's body.
    pub body_bytes: usize,
    /// Each response says that the connection ends; closing it is left to the peer.
    pub close: bool,
    /// Log arrivals: from which clock, and the capacity of the log.
    pub log: Option<(Stamps, usize)>,
    /// How long of which period not to read, in nanoseconds.
    pub freeze_ns: Option<(u64, u64)>,
}

/// What a target saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Requests answered.
    pub requests: u64,
    /// Connections accepted.
    pub connections: u64,
    /// The first request was read.
    pub first_ns: u64,
    /// The last request was read.
    pub last_ns: u64,
    /// CPU time of the process.
    pub cpu_ns: u64,
    /// Arrivals that did not fit into the log.
    pub unlogged: u64,
    /// When it froze, from and to.
    pub freezes: Vec<Freeze>,
}

struct Connection {
    socket: TcpStream,
    scanner: RequestScanner,
    /// Response bytes not yet taken by the kernel: whole responses and the rest of one.
    unsent: usize,
}

/// A bound target.
pub struct Target {
    settings: Settings,
    epoll: rustix::fd::OwnedFd,
    listener: TcpListener,
    response: Vec<u8>,
    /// Indexed by descriptor.
    connections: Vec<Option<Connection>>,
    buffer: Vec<u8>,
    arrivals_ns: Vec<u64>,
    clock_offset_ns: i64,
    clock_checked_ns: u64,
    report: Report,
}

impl Target {
    /// Listen, and set memory aside.
    pub fn bind(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen)?;
        rustix::net::listen(&listener, LISTEN_BACKLOG)?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        let close = if settings.close { "Connection: close\r\n" } else { "" };
        let mut response =
            format!("HTTP/1.1 200 OK\r\n{close}Content-Length: {}\r\n\r\n", settings.body_bytes).into_bytes();
        response.resize(response.len() + settings.body_bytes, b'x');
        // Written once, so that no arrival waits for the kernel to find a page.
        let mut arrivals_ns = vec![1; settings.log.map_or(0, |(_, capacity)| capacity)];
        arrivals_ns.clear();
        Ok(Self {
            settings,
            epoll,
            listener,
            response,
            connections: Vec::new(),
            buffer: vec![0; READ_BYTES],
            arrivals_ns,
            clock_offset_ns: os::realtime_minus_monotonic_ns(),
            clock_checked_ns: os::monotonic_ns(),
            report: Report::default(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Also end when this becomes readable or closes. Descriptors that cannot be waited for (files,
    /// `/dev/null`) are ignored.
    pub fn stop_on(&self, stop: impl AsFd) -> io::Result<()> {
        match epoll::add(&self.epoll, stop, EventData::new_u64(STOP), EventFlags::IN) {
            Err(rustix::io::Errno::PERM) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Answer until stopped; what was seen, and the arrivals in the order they were read.
    pub fn run(mut self) -> io::Result<(Report, Vec<u64>)> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            let now = self.stay_frozen(os::monotonic_ns());
            if self.settings.log.is_some() && now > self.clock_checked_ns + CLOCK_CHECK_NS {
                self.clock_offset_ns = os::realtime_minus_monotonic_ns();
                self.clock_checked_ns = now;
            }
            let before = self.report.requests;
            for event in &events {
                match event.data.u64() {
                    STOP => return self.finish(),
                    LISTENER => self.accept()?,
                    fd => self.serve(fd as usize, event.flags),
                }
            }
            if self.report.requests > before {
                self.report.last_ns = now;
                if before == 0 {
                    self.report.first_ns = now;
                }
            }
        }
    }

    fn finish(mut self) -> io::Result<(Report, Vec<u64>)> {
        self.report.cpu_ns = os::cpu_ns();
        Ok((self.report, self.arrivals_ns))
    }

    /// Sleep out the freeze `now` lies in, if it does.
    fn stay_frozen(&mut self, now: u64) -> u64 {
        let Some((freeze, period)) = self.settings.freeze_ns else { return now };
        let start = now - now % period;
        if now - start >= freeze {
            return now;
        }
        os::sleep_until(start + freeze);
        let thawed = os::monotonic_ns();
        self.report.freezes.push((start, thawed));
        thawed
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // The peer gave up before it was its turn.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(e) => return Err(e),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            if matches!(self.settings.log, Some((Stamps::Kernel, _))) {
                os::stamp_arrivals(&socket)?;
            }
            let fd = socket.as_raw_fd() as usize;
            let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            epoll::add(&self.epoll, &socket, EventData::new_u64(fd as u64), interest)?;
            if self.connections.len() <= fd {
                self.connections.resize_with(fd + 1, || None);
            }
            self.connections[fd] = Some(Connection { socket, scanner: RequestScanner::default(), unsent: 0 });
            self.report.connections += 1;
        }
    }

    /// Read what there is and answer it; a connection that is over or makes no sense is closed.
    fn serve(&mut self, fd: usize, flags: EventFlags) {
        let Some(slot) = self.connections.get_mut(fd) else { return };
        // Closed earlier in the same batch of events.
        let Some(mut connection) = slot.take() else { return };
        let over = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        if self.read_all(&mut connection, over).is_ok() && self.write(&mut connection).is_ok() {
            self.connections[fd] = Some(connection);
        }
    }

    /// Edge-triggered: read until the socket is known to be empty. A short read says so, unless the
    /// peer has closed, whose end of file comes without an event of its own.
    fn read_all(&mut self, connection: &mut Connection, over: bool) -> io::Result<()> {
        loop {
            let (n, kernel_ns) = match self.read_once(connection) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
                Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
            };
            let requests = connection.scanner.feed(&self.buffer[..n]).map_err(io::Error::other)?;
            self.report.requests += requests;
            connection.unsent += requests as usize * self.response.len();
            if self.settings.log.is_some() {
                let at = kernel_ns
                    .map_or_else(os::monotonic_ns, |real| (real as i64 - self.clock_offset_ns) as u64);
                for _ in 0..requests {
                    self.log(at);
                }
            }
            if n < self.buffer.len() && !over {
                return Ok(());
            }
        }
    }

    fn read_once(&mut self, connection: &Connection) -> io::Result<(usize, Option<u64>)> {
        match self.settings.log {
            Some((Stamps::Kernel, _)) => os::recv_stamped(connection.socket.as_fd(), &mut self.buffer),
            _ => Ok((recv(&connection.socket, &mut self.buffer[..], RecvFlags::empty())?.1, None)),
        }
    }

    fn log(&mut self, at_ns: u64) {
        if self.arrivals_ns.len() < self.arrivals_ns.capacity() {
            self.arrivals_ns.push(at_ns);
        } else {
            self.report.unlogged += 1;
        }
    }

    /// Send what is owed until the kernel takes no more; its readiness brings us back.
    fn write(&self, connection: &mut Connection) -> io::Result<()> {
        while connection.unsent > 0 {
            let rest = match connection.unsent % self.response.len() {
                0 => self.response.len(),
                part => part,
            };
            let from = self.response.len() - rest;
            match send(&connection.socket, &self.response[from..], SendFlags::NOSIGNAL) {
                Ok(n) => connection.unsent -= n,
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}

/// Run as a process of its own.
pub fn main(args: &[String]) -> Result<(), String> {
    if args.is_empty() || args.iter().any(|a| a == "--help") {
        println!("{USAGE}");
        return Ok(());
    }
    let (settings, core, log_file) = parse(args)?;
    let failed = |what: &'static str| move |e: io::Error| format!("{what}: {e}");
    if let Some(core) = core {
        os::pin_to(core).map_err(failed("cannot pin the target"))?;
    }
    os::raise_fd_limit().map_err(failed("cannot raise the limit of open files"))?;
    os::wake_exactly().map_err(failed("cannot set the timer slack"))?;
    let target = Target::bind(settings).map_err(failed("cannot listen"))?;
    let (signalled, signal) = std::os::unix::net::UnixStream::pair().map_err(failed("no socket pair"))?;
    for number in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        let end = signal.try_clone().map_err(failed("no descriptor"))?;
        signal_hook::low_level::pipe::register(number, end).map_err(failed("cannot catch signals"))?;
    }
    target.stop_on(&signalled).map_err(failed("cannot wait for signals"))?;
    target.stop_on(io::stdin()).map_err(failed("cannot wait for standard input"))?;
    let address = target.address().map_err(failed("no address"))?;
    println!("listening on {address}");
    let (report, arrivals) = target.run().map_err(failed("the target failed"))?;
    if let Some(file) = log_file {
        write_log(&file, &arrivals).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    }
    println!("{}", serde_json::to_string(&report).expect("plain numbers are JSON"));
    Ok(())
}

fn parse(args: &[String]) -> Result<(Settings, Option<usize>, Option<std::path::PathBuf>), String> {
    let mut args = pico_args::Arguments::from_vec(args.iter().map(Into::into).collect());
    let mut parse = || -> Result<_, pico_args::Error> {
        let log_file: Option<std::path::PathBuf> = args.opt_value_from_str("--log")?;
        let capacity = args.opt_value_from_str("--log-capacity")?.unwrap_or(4_000_000);
        let stamps = args.opt_value_from_fn("--stamps", |s| match s {
            "kernel" => Ok(Stamps::Kernel),
            "user" => Ok(Stamps::User),
            _ => Err("kernel or user"),
        })?;
        let freeze: Option<u64> = args.opt_value_from_str("--freeze")?;
        let period: u64 = args.opt_value_from_str("--period")?.unwrap_or(1_000);
        let settings = Settings {
            listen: args.value_from_str("--listen")?,
            body_bytes: args.opt_value_from_str("--body")?.unwrap_or(2),
            close: args.contains("--close"),
            log: log_file.as_ref().map(|_| (stamps.unwrap_or(Stamps::Kernel), capacity)),
            freeze_ns: freeze.map(|ms| (ms * 1_000_000, period.max(1) * 1_000_000)),
        };
        Ok((settings, args.opt_value_from_str("--core")?, log_file))
    };
    let parsed = parse().map_err(|e| format!("{e}\n\n{USAGE}"))?;
    match args.finish().first() {
        None => Ok(parsed),
        Some(left) => Err(format!("unknown argument {}\n\n{USAGE}", left.display())),
    }
}

fn write_log(file: &std::path::Path, arrivals_ns: &[u64]) -> io::Result<()> {
    let mut out = io::BufWriter::new(std::fs::File::create(file)?);
    for at in arrivals_ns {
        out.write_all(&at.to_le_bytes())?;
    }
    out.flush()
}

/// Read what [`write_log`] wrote, ascending: connections are read in turn, not in order of arrival.
pub fn read_log(file: &std::path::Path) -> io::Result<Vec<u64>> {
    let bytes = std::fs::read(file)?;
    let (stamps, _) = bytes.as_chunks::<8>();
    let mut arrivals: Vec<u64> = stamps.iter().map(|b| u64::from_le_bytes(*b)).collect();
    arrivals.sort_unstable();
    Ok(arrivals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    /// A target on a thread of its own; dropping the socket ends it.
    fn start(change: impl FnOnce(&mut Settings)) -> (SocketAddr, UnixStream, JoinHandle) {
        let mut settings = Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            body_bytes: 2,
            close: false,
            log: Some((Stamps::Kernel, 1_000)),
            freeze_ns: None,
        };
        change(&mut settings);
        let target = Target::bind(settings).unwrap();
        let address = target.address().unwrap();
        let (stop, watched) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || {
            target.stop_on(&watched).unwrap();
            target.run().unwrap()
        });
        (address, stop, thread)
    }

    type JoinHandle = std::thread::JoinHandle<(Report, Vec<u64>)>;

    fn read_exactly(socket: &mut TcpStream, n: usize) -> Vec<u8> {
        socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        let mut bytes = vec![0; n];
        socket.read_exact(&mut bytes).unwrap();
        bytes
    }

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nxx";

    #[test]
    fn pipelined_and_split_requests_are_each_answered_once() {
        let (address, stop, thread) = start(|_| {});
        let mut socket = TcpStream::connect(address).unwrap();
        let before = os::monotonic_ns();
        socket.write_all(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HT").unwrap();
        assert_eq!(read_exactly(&mut socket, 2 * ANSWER.len()), ANSWER.repeat(2));
        socket.write_all(b"TP/1.1\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").unwrap();
        assert_eq!(read_exactly(&mut socket, 2 * ANSWER.len()), ANSWER.repeat(2));
        let after = os::monotonic_ns();
        drop(stop);
        let (report, arrivals) = thread.join().unwrap();
        assert_eq!((report.requests, report.connections, arrivals.len()), (4, 1, 4));
        // Two clocks are compared: a microsecond of grace.
        assert!(
            arrivals.iter().all(|t| (before - 1_000..after + 1_000).contains(t)),
            "{before} {arrivals:?}"
        );
    }

    #[test]
    fn a_body_larger_than_the_socket_takes_arrives_whole() {
        let (address, stop, thread) = start(|s| s.body_bytes = 20 << 20);
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 20971520\r\n\r\n".len();
        let all = read_exactly(&mut socket, head + (20 << 20));
        assert!(all[head..].iter().all(|b| *b == b'x'));
        drop((socket, stop));
        assert_eq!(thread.join().unwrap().0.requests, 1);
    }

    #[test]
    fn a_full_log_counts_what_it_cannot_hold() {
        let (address, stop, thread) = start(|s| s.log = Some((Stamps::User, 2)));
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(&b"GET / HTTP/1.1\r\n\r\n".repeat(5)).unwrap();
        read_exactly(&mut socket, 5 * ANSWER.len());
        drop(stop);
        let (report, arrivals) = thread.join().unwrap();
        assert_eq!((report.requests, report.unlogged, arrivals.len()), (5, 3, 2));
    }

    #[test]
    fn a_frozen_target_answers_when_it_thaws() {
        let (freeze, period) = (60_000_000, 200_000_000);
        let (address, stop, thread) = start(|s| s.freeze_ns = Some((freeze, period)));
        let mut socket = TcpStream::connect(address).unwrap();
        // Into the middle of the next freeze.
        let start = (os::monotonic_ns() / period + 1) * period;
        os::sleep_until(start + freeze / 3);
        socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let written = os::monotonic_ns();
        read_exactly(&mut socket, ANSWER.len());
        let answered = os::monotonic_ns();
        drop(stop);
        let (report, arrivals) = thread.join().unwrap();
        let thaw = start + freeze;
        assert!(arrivals[0] < answered);
        // A machine that was busy elsewhere may have missed the freeze: then there is nothing to see.
        if written < thaw - 1_000_000 {
            assert!(answered >= thaw, "answered {} ns into the freeze", answered - start);
            assert!(report.freezes.iter().any(|(from, to)| *from == start && *to >= thaw));
            assert!(arrivals[0] < thaw, "arrival is when it came, not when the target woke up");
        }
    }

    #[test]
    fn a_peer_that_leaves_is_forgotten() {
        let (address, stop, thread) = start(|_| {});
        for _ in 0..50 {
            let mut socket = TcpStream::connect(address).unwrap();
            socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
            read_exactly(&mut socket, ANSWER.len());
        }
        drop(stop);
        assert_eq!(thread.join().unwrap().0.connections, 50);
    }
}
