//! A target that plays a script: exact bytes, pauses and endings on raw sockets, and a count of what it saw.
//!
//! Every connection plays the steps it is given from the top, again and again, until one of them ends
//! it or the other side does. What a client should make of that stays with the tests.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// Longer than any run under test: a connection that hears nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a narrow target's kernel takes before the target reads.
const NARROW_BYTES: usize = 16 * 1024;
/// How often a connection that does nothing looks whether the script is over.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a connection does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Read one whole request: a head, and the body its Content-Length announces.
    Read,
    /// Read the head of a request and leave its body where it is.
    ReadHead,
    /// Read so many bytes of whatever comes, and leave the rest.
    Take(usize),
    /// Wait until there is something to read, and leave it.
    Peek,
    /// Read until the other side ends the connection.
    Wait,
    /// Send these bytes.
    Send(Arc<[u8]>),
    /// Send these bytes and a FIN in one segment, where both fit, and go on reading.
    SendLast(Arc<[u8]>),
    /// Send these bytes so many times over.
    Repeat(Arc<[u8]>, u64),
    /// Send these bytes one at a time, with a pause after each.
    Drip(Arc<[u8]>, Duration),
    /// Wait.
    Pause(Duration),
    /// Send no more, but go on reading (a FIN).
    HalfClose,
    /// Close as programs do: a FIN, or a reset when something lies unread.
    Close,
    /// Close with a reset whatever lies there.
    Reset,
    /// Neither read nor write any more, and keep the connection.
    Freeze,
}

/// [`Step::Send`] of a text.
pub fn send(text: impl AsRef<[u8]>) -> Step {
    Step::Send(text.as_ref().into())
}

/// [`Step::Pause`] of some milliseconds.
pub fn pause_ms(ms: u64) -> Step {
    Step::Pause(Duration::from_millis(ms))
}

/// A response with this status line's end and body, framed by its length.
pub fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// What the script saw.
#[derive(Debug, Default)]
struct Seen {
    connections: AtomicU64,
    requests: AtomicU64,
    over: AtomicBool,
}

/// A running script. Dropping it ends it.
#[derive(Debug)]
pub struct Script {
    listener: TcpListener,
    address: SocketAddr,
    seen: Arc<Seen>,
}

impl Script {
    /// Every connection plays `steps`.
    pub fn play(steps: impl Into<Vec<Step>>) -> Self {
        let steps = steps.into();
        Self::play_each(move |_| steps.clone())
    }

    /// The n-th connection, counted from 0, plays `steps(n)`.
    pub fn play_each(steps: impl Fn(u64) -> Vec<Step> + Send + 'static) -> Self {
        Self::play_on(TcpListener::bind(("127.0.0.1", 0)).expect("a free port of loopback"), steps)
    }

    /// [`Self::play`] at the end of a narrow road: segments and the room at their end are so small that
    /// the kernels hold some hundred kilobytes of what nobody reads, and not megabytes.
    pub fn play_narrowly(steps: impl Into<Vec<Step>>) -> Self {
        let segment_bytes: libc::c_int = 536;
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port of loopback");
        // SAFETY: the pointer and length describe `segment_bytes`, which outlives the call.
        let result = unsafe {
            libc::setsockopt(
                listener.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_MAXSEG,
                (&raw const segment_bytes).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        rustix::net::sockopt::set_socket_recv_buffer_size(&listener, NARROW_BYTES).expect("a socket");
        let steps = steps.into();
        Self::play_on(listener, move |_| steps.clone())
    }

    fn play_on(listener: TcpListener, steps: impl Fn(u64) -> Vec<Step> + Send + 'static) -> Self {
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::new(Seen::default());
        let (door, log) = (listener.try_clone().expect("a descriptor"), seen.clone());
        std::thread::spawn(move || {
            // Fails when the script is over and the listener shut down.
            while let Ok((socket, _)) = door.accept() {
                let n = log.connections.fetch_add(1, SeqCst);
                let (steps, log) = (steps(n), log.clone());
                std::thread::spawn(move || perform(&socket, &steps, &log));
            }
        });
        Self { listener, address, seen }
    }

    /// `http://…`, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections accepted.
    pub fn connections(&self) -> u64 {
        self.seen.connections.load(SeqCst)
    }

    /// Whole requests read: heads with [`Step::ReadHead`].
    pub fn requests(&self) -> u64 {
        self.seen.requests.load(SeqCst)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.seen.over.store(true, SeqCst);
        // Wakes the thread in accept. It can only have ended already.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
    }
}

/// Play `steps` until something ends the connection; an error is the other side's doing.
fn perform(socket: &TcpStream, steps: &[Step], seen: &Seen) {
    let set = socket.set_nodelay(true).and(socket.set_read_timeout(Some(PATIENCE)));
    set.and(socket.set_write_timeout(Some(PATIENCE))).expect("a fresh socket takes its options");
    let mut unread = Vec::new();
    loop {
        for step in steps {
            if seen.over.load(SeqCst) || !matches!(perform_one(socket, step, &mut unread, seen), Some(true)) {
                return;
            }
        }
    }
}

/// Whether the connection goes on; `None`: the other side ended it.
fn perform_one(mut socket: &TcpStream, step: &Step, unread: &mut Vec<u8>, seen: &Seen) -> Option<bool> {
    match step {
        Step::Read | Step::ReadHead => {
            read_request(socket, unread, matches!(step, Step::Read))?;
            seen.requests.fetch_add(1, SeqCst);
        }
        Step::Take(n) => socket.read_exact(&mut vec![0; *n]).ok()?,
        Step::Peek => drop(socket.peek(&mut [0]).ok()?),
        Step::Wait => while socket.read(&mut [0; 16 * 1024]).ok()? > 0 {},
        Step::Send(bytes) => socket.write_all(bytes).ok()?,
        Step::SendLast(bytes) => {
            rustix::net::sockopt::set_tcp_cork(socket, true).ok()?;
            socket.write_all(bytes).and_then(|()| socket.shutdown(Shutdown::Write)).ok()?;
        }
        Step::Repeat(bytes, times) => {
            for _ in 0..*times {
                socket.write_all(bytes).ok()?;
            }
        }
        Step::Drip(bytes, pause) => {
            for byte in bytes.iter() {
                socket.write_all(&[*byte]).ok()?;
                std::thread::sleep(*pause);
            }
        }
        Step::Pause(time) => std::thread::sleep(*time),
        Step::HalfClose => socket.shutdown(Shutdown::Write).ok()?,
        Step::Close => return Some(false),
        Step::Reset => {
            rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO)).ok()?;
            return Some(false);
        }
        Step::Freeze => {
            while !seen.over.load(SeqCst) {
                std::thread::sleep(LOOK_EVERY);
            }
            return Some(false);
        }
    }
    Some(true)
}

/// Take one request off the socket; bytes after it stay in `unread`.
fn read_request(mut socket: &TcpStream, unread: &mut Vec<u8>, with_body: bool) -> Option<()> {
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some(head) = unread.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4) {
            let length = if with_body { head + content_length(&unread[..head]) } else { head };
            if unread.len() >= length {
                unread.drain(..length);
                return Some(());
            }
        }
        match socket.read(&mut chunk) {
            Ok(n @ 1..) => unread.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    value.map_or(0, |value| value.trim().parse().expect("a length that is a number"))
}
