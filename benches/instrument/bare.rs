//! The least a generator must do, and nothing else: the floor to compare with.
//!
//! Closed: send, read until the response's known length is there, send again. Open: send when the
//! schedule says, on a connection that is free. No statistics, no timestamps, no HTTP beyond the
//! length of the first response, which every later one must have.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use serde::{Deserialize, Serialize};

use super::os;
use super::wire::{body_length, head_end};

/// What `--help` and an empty command line print.
pub const USAGE: &str = "\
A bare epoll loop: what is left of a load generator without measuring.

  --to ADDR      the target, e.g. 127.0.0.1:8081
  --path PATH    what to ask for (default /)
  -c N           connections (default 50)
  -s SECONDS     how long (default 5)
  --rate R       open model: requests per second, evenly; without it, closed
  --core N       pin to a core";

const READ_BYTES: usize = 64 * 1024;
const EVENTS: usize = 512;
/// From this response length on bodies are dropped in the kernel instead of being copied out.
const DISCARD_FROM_BYTES: usize = 16 * 1024;
/// Bytes per read when the kernel only drops them.
const DISCARD_BYTES: usize = 1 << 20;
/// How long a target may take for its first answer, and an open run for its last ones.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a loop did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoopResult {
    /// Responses received.
    pub requests: u64,
    /// From the first send to the end.
    pub seconds: f64,
    /// CPU time of the process.
    pub cpu_seconds: f64,
    /// Open model: requests that were due before a connection was free.
    pub late: u64,
}

/// Connections, a request, and the length of every answer.
struct Loop {
    epoll: rustix::fd::OwnedFd,
    sockets: Vec<TcpStream>,
    /// Response bytes still to come, per connection.
    missing: Vec<usize>,
    request: Vec<u8>,
    response_bytes: usize,
    buffer: Vec<u8>,
    flags: RecvFlags,
    events: Vec<Event>,
}

impl Loop {
    fn connect(to: SocketAddr, path: &str, connections: usize) -> io::Result<Self> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {to}\r\n\r\n").into_bytes();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let sockets: Vec<TcpStream> =
            (0..connections).map(|_| TcpStream::connect(to)).collect::<io::Result<_>>()?;
        let first = sockets.first().ok_or_else(|| io::Error::other("at least one connection is needed"))?;
        let response_bytes = measure_response(first, &request)?;
        for (i, socket) in (0..).zip(&sockets) {
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            epoll::add(&epoll, socket, EventData::new_u64(i), EventFlags::IN | EventFlags::ET)?;
        }
        let discard = response_bytes >= DISCARD_FROM_BYTES;
        Ok(Self {
            epoll,
            missing: vec![0; sockets.len()],
            sockets,
            request,
            response_bytes,
            // With TRUNC the kernel wants the length of a buffer and writes nothing to it.
            buffer: vec![0; if discard { DISCARD_BYTES } else { READ_BYTES }],
            flags: if discard { RecvFlags::TRUNC } else { RecvFlags::empty() },
            events: Vec::with_capacity(EVENTS),
        })
    }

    fn send(&mut self, connection: usize) -> io::Result<()> {
        self.missing[connection] = self.response_bytes;
        // The last response is complete, so the target has read everything: a hundred bytes fit.
        match send(&self.sockets[connection], &self.request, SendFlags::NOSIGNAL)? {
            n if n == self.request.len() => Ok(()),
            n => Err(io::Error::other(format!("only {n} bytes of the request were taken"))),
        }
    }

    fn wait(&mut self, timeout_ns: Option<u64>) -> io::Result<()> {
        self.events.clear();
        let timeout = timeout_ns.map(os::timespec);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Read what there is; whether that completed the response.
    fn receive(&mut self, connection: usize) -> io::Result<bool> {
        loop {
            let n = match recv(&self.sockets[connection], &mut self.buffer[..], self.flags) {
                Ok((_, 0)) => return Err(io::Error::other("the target closed a connection")),
                Ok((_, n)) => n,
                Err(rustix::io::Errno::AGAIN) => return Ok(false),
                Err(e) => return Err(e.into()),
            };
            let missing = &mut self.missing[connection];
            *missing = missing
                .checked_sub(n)
                .ok_or_else(|| io::Error::other("a response longer than the first one"))?;
            if *missing == 0 || n < self.buffer.len() {
                return Ok(*missing == 0);
            }
        }
    }
}

/// Ask once and read the whole answer; how long head and body are together.
fn measure_response(mut socket: &TcpStream, request: &[u8]) -> io::Result<usize> {
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(request)?;
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    let mut length = None;
    while length.is_none_or(|length| answer.len() < length) {
        let n = socket.read(&mut part)?;
        if n == 0 {
            return Err(io::Error::other("the target closed the connection instead of answering"));
        }
        answer.extend_from_slice(&part[..n]);
        if length.is_none()
            && let Some(end) = head_end(&answer)
        {
            length = Some(end + body_length(&answer[..end]).map_err(io::Error::other)?);
        }
    }
    Ok(answer.len())
}

/// `connections` times: send, receive, again.
pub fn closed(to: SocketAddr, path: &str, connections: usize, seconds: f64) -> io::Result<LoopResult> {
    let mut it = Loop::connect(to, path, connections)?;
    let start = os::monotonic_ns();
    let end = start + (seconds * 1e9) as u64;
    let mut requests = 0;
    for connection in 0..connections {
        it.send(connection)?;
    }
    while os::monotonic_ns() < end {
        it.wait(Some(PATIENCE.as_nanos() as u64))?;
        for i in 0..it.events.len() {
            let connection = it.events[i].data.u64() as usize;
            if it.receive(connection)? {
                requests += 1;
                it.send(connection)?;
            }
        }
    }
    Ok(done(requests, start, 0))
}

/// Send the k-th request `k / rate` seconds after the start, asleep until then.
pub fn open(
    to: SocketAddr,
    path: &str,
    connections: usize,
    rate: f64,
    seconds: f64,
) -> io::Result<LoopResult> {
    let mut it = Loop::connect(to, path, connections)?;
    let mut free: Vec<usize> = (0..connections).collect();
    let total = (rate * seconds) as u64;
    let start = os::monotonic_ns();
    let due = |k: u64| start + (k as f64 * 1e9 / rate) as u64;
    let (mut k, mut requests, mut waiting, mut late) = (0, 0, 0u64, 0);
    while requests < total {
        while k < total && due(k) <= os::monotonic_ns() {
            match free.pop() {
                Some(connection) => it.send(connection)?,
                None => (waiting, late) = (waiting + 1, late + 1),
            }
            k += 1;
        }
        let now = os::monotonic_ns();
        if k == total && now > due(total) + PATIENCE.as_nanos() as u64 {
            return Err(io::Error::other(format!("{} responses never came", total - requests)));
        }
        it.wait(Some(if k < total { due(k).saturating_sub(now) } else { PATIENCE.as_nanos() as u64 }))?;
        for i in 0..it.events.len() {
            let connection = it.events[i].data.u64() as usize;
            if !it.receive(connection)? {
                continue;
            }
            requests += 1;
            if waiting > 0 {
                waiting -= 1;
                it.send(connection)?;
            } else {
                free.push(connection);
            }
        }
    }
    Ok(done(requests, start, late))
}

fn done(requests: u64, start: u64, late: u64) -> LoopResult {
    LoopResult {
        requests,
        seconds: (os::monotonic_ns() - start) as f64 / 1e9,
        cpu_seconds: os::cpu_ns() as f64 / 1e9,
        late,
    }
}

/// Run as a process of its own; prints one line of JSON.
pub fn main(args: &[String]) -> Result<(), String> {
    if args.is_empty() || args.iter().any(|a| a == "--help") {
        println!("{USAGE}");
        return Ok(());
    }
    let mut args = pico_args::Arguments::from_vec(args.iter().map(Into::into).collect());
    let mut parse = || -> Result<_, pico_args::Error> {
        Ok((
            args.value_from_str::<_, SocketAddr>("--to")?,
            args.opt_value_from_str("--path")?.unwrap_or_else(|| "/".to_owned()),
            args.opt_value_from_str("-c")?.unwrap_or(50),
            args.opt_value_from_str("-s")?.unwrap_or(5.0),
            args.opt_value_from_str("--rate")?,
            args.opt_value_from_str("--core")?,
        ))
    };
    let (to, path, connections, seconds, rate, core) = parse().map_err(|e| format!("{e}\n\n{USAGE}"))?;
    if let Some(left) = args.finish().first() {
        return Err(format!("unknown argument {}\n\n{USAGE}", left.display()));
    }
    let run = || -> io::Result<LoopResult> {
        if let Some(core) = core {
            os::pin_to(core)?;
        }
        os::raise_fd_limit()?;
        os::wake_exactly()?;
        match rate {
            None => closed(to, &path, connections, seconds),
            Some(rate) => open(to, &path, connections, rate, seconds),
        }
    };
    let done = run().map_err(|e| format!("the loop failed: {e}"))?;
    println!("{}", serde_json::to_string(&done).expect("plain numbers are JSON"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::target::{Settings, Stamps, Target};
    use super::*;

    /// Run a loop against a target; what both saw.
    fn against(
        body_bytes: usize,
        run: impl FnOnce(SocketAddr) -> io::Result<LoopResult>,
    ) -> (LoopResult, super::super::target::Report, Vec<u64>) {
        let listen = ([127, 0, 0, 1], 0).into();
        let settings = Settings {
            listen,
            body_bytes,
            close: false,
            log: Some((Stamps::Kernel, 1 << 20)),
            freeze_ns: None,
        };
        let target = Target::bind(settings).unwrap();
        let address = target.address().unwrap();
        let (stop, watched) = std::os::unix::net::UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || {
            target.stop_on(&watched).unwrap();
            target.run().unwrap()
        });
        let done = run(address).unwrap();
        drop(stop);
        let (report, arrivals) = thread.join().unwrap();
        (done, report, arrivals)
    }

    #[test]
    fn the_closed_loop_keeps_one_request_in_flight_per_connection() {
        for body in [2, 100_000] {
            let (done, report, _) = against(body, |to| closed(to, "/", 7, 0.2));
            assert!(done.requests > 7, "{done:?}");
            assert_eq!(report.connections, 7);
            // The measuring request, and those in flight at the end.
            let beyond = report.requests - done.requests;
            assert!((1..=8).contains(&beyond), "{beyond} more were sent than answered");
        }
    }

    #[test]
    fn the_open_loop_sends_as_many_as_asked_and_not_early() {
        let (done, report, mut arrivals) = against(2, |to| open(to, "/", 10, 2_000.0, 0.25));
        assert_eq!((done.requests, report.requests), (500, 501));
        arrivals.sort_unstable();
        // Without the measuring request; the last is due 499 / 2000 s after the first.
        let span = arrivals[500] - arrivals[1];
        assert!(span > 240_000_000, "{span}");
    }

    #[test]
    fn a_target_that_is_not_there_is_an_error() {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(closed(gone, "/", 1, 0.1).is_err());
    }
}
