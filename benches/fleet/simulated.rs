//! A worker that sends nothing but speaks to its coordinator as every worker does: the worker's own state
//! machine, the real forms of all messages, a connection for each call.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use loadtester::fleet::messages::{Acked, Joined, Key, Orders, PATH, PROTOCOL, PlanBundle};
use loadtester::fleet::report::{LastSpan, Report, Span};
use loadtester::fleet::worker::{Answer, CallError, Config, Effect, Event, Exit, Request, Worker};
use loadtester::fleet::{Checked, Refused};
use loadtester::tally::{Merged, Outcome, RowCounter, RowTimer, StepId, ThreadHealth, Timer};

/// How long a window is.
const WINDOW_NS: u64 = 1_000_000_000;
/// A worker without anything to do looks again after this.
const IDLE: Duration = Duration::from_millis(50);

/// How a simulated worker's part of the run went.
#[derive(Debug)]
pub struct WorkerResult {
    /// How it ended.
    pub exit: Exit,
    /// When it was taken in.
    pub joined: Option<Instant>,
    /// From the connect to the whole answer, of each heartbeat under load.
    pub heartbeats: Vec<Duration>,
    /// The same, of each report.
    pub reports: Vec<Duration>,
    /// Calls that were not answered, or answered with a refusal, and had to be made again.
    pub in_vain: usize,
}

/// Counts of one scenario that fill all histograms from end to end.
pub fn full_window() -> Merged {
    let (mut tally, mut rng) = (Merged::new(1), fastrand::Rng::with_seed(1));
    // As many in each power of two as there are buckets, some of which stay empty.
    let mut fill = |record: &mut dyn FnMut(u64)| {
        for power in 0..42 {
            (0..1_000).for_each(|_| record((1 << power) + rng.u64(0..1 << power)));
        }
    };
    let step = StepId(0);
    RowTimer::ALL.into_iter().for_each(|timer| fill(&mut |ns| tally.record_row(step, timer, ns)));
    Timer::ALL.into_iter().for_each(|timer| fill(&mut |ns| tally.record(timer, ns)));
    [RowCounter::Due, RowCounter::Sent].into_iter().for_each(|which| tally.add_row(step, which, 42_000));
    tally.add_row(step, Outcome::Ok, 42_000);
    tally
}

/// What a simulated worker does.
#[derive(Clone, Debug)]
pub struct AssignedShard {
    /// Where its coordinator listens.
    pub coordinator: SocketAddr,
    /// Windows until its load is over, a second each.
    pub windows: u64,
    /// What it counted in each of them.
    pub tally: Arc<Merged>,
    /// The same, encoded, so that the workers do not encode it hundreds of times.
    pub written: Arc<Vec<u8>>,
    /// How many workers are between their first window and their last.
    pub under_load: Arc<AtomicU32>,
}

/// One worker, on the thread that calls [`Simulated::run`].
pub struct Simulated {
    part: AssignedShard,
    key: Key,
    machine: Worker<Report>,
    clock: Instant,
    events: VecDeque<Event<Report>>,
    calls: VecDeque<(u64, Request<Report>, Duration)>,
    /// When load begins on its clock.
    start_ns: Option<u64>,
    closed: u64,
    load_ended: bool,
    results: WorkerResult,
}

impl AssignedShard {
    /// Of a run that `coordinator` leads, with so many windows that all count this.
    pub fn new(coordinator: SocketAddr, windows: u64, tally: Merged) -> Self {
        let mut written = Vec::new();
        tally.write(&mut written);
        Self {
            coordinator,
            windows,
            tally: Arc::new(tally),
            written: Arc::new(written),
            under_load: Arc::default(),
        }
    }

    /// A report's bytes, in the form that `Report::write` gives them.
    fn write(&self, report: &Report) -> Vec<u8> {
        // Windows that were merged while they waited count more.
        if report.tally.sum(RowCounter::Due) != self.tally.sum(RowCounter::Due) {
            return report.write();
        }
        let empty = Report { key: report.key, span: report.span.clone(), tally: Merged::new(0) };
        let mut none = Vec::new();
        empty.tally.write(&mut none);
        let mut bytes = empty.write();
        bytes.truncate(bytes.len() - none.len() - size_of::<u32>());
        bytes.extend_from_slice(&self.written);
        let mut crc = flate2::Crc::new();
        crc.update(&bytes);
        bytes.extend_from_slice(&crc.sum().to_be_bytes());
        bytes
    }
}

impl Simulated {
    /// The one with this number.
    pub fn new(part: AssignedShard, number: u32) -> Self {
        let key = Key(u128::from(number) + 1);
        let mut config = Config::new(key, env!("CARGO_PKG_VERSION"), u64::from(number));
        config.host = format!("simulated-{number}");
        let results = WorkerResult {
            exit: Exit::Interrupted,
            joined: None,
            heartbeats: Vec::new(),
            reports: Vec::new(),
            in_vain: 0,
        };
        Self {
            part,
            key,
            machine: Worker::new(config),
            clock: Instant::now(),
            events: VecDeque::from([Event::Tick]),
            calls: VecDeque::new(),
            start_ns: None,
            closed: 0,
            load_ended: false,
            results,
        }
    }

    /// Take part in a run until it is over.
    pub fn run(mut self) -> WorkerResult {
        loop {
            while let Some(event) = self.events.pop_front() {
                let now = self.now();
                for effect in self.machine.step(event, now) {
                    if let Effect::Exit(exit) = effect {
                        self.results.exit = exit;
                        return self.results;
                    }
                    self.carry_out(effect);
                }
            }
            match self.calls.pop_front() {
                Some((call, request, timeout)) => {
                    let answer = self.call(&request, timeout);
                    self.events.push_back(Event::Answered { call, answer });
                }
                None => self.wait(),
            }
            self.close_windows();
        }
    }

    fn now(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }

    fn carry_out(&mut self, effect: Effect<Report>) {
        match effect {
            Effect::Call { call, request, timeout_ns } => {
                self.calls.push_back((call, request, Duration::from_nanos(timeout_ns)));
            }
            Effect::UsePlan(_) => self.events.push_back(Event::PlanChecked(Ok(()))),
            Effect::Prepare(slice) => self.events.push_back(Event::Prepared(slice, Ok(()))),
            Effect::Start { at_ns } => self.start_ns = Some(at_ns),
            Effect::StopLoad => self.end_load(),
            Effect::Assignments(_) | Effect::Lease { .. } | Effect::Exit(_) => {}
        }
    }

    fn window_due_ns(&self) -> Option<u64> {
        self.start_ns.filter(|_| !self.load_ended).map(|start| start + (self.closed + 1) * WINDOW_NS)
    }

    fn wait(&self) {
        let due = self.machine.wait_until().into_iter().chain(self.window_due_ns()).min();
        let left = due.map_or(IDLE, |due| Duration::from_nanos(due.saturating_sub(self.now())));
        std::thread::sleep(left);
    }

    fn close_windows(&mut self) {
        while self.window_due_ns().is_some_and(|due| due <= self.now()) {
            self.closed += 1;
            let is_last = self.closed == self.part.windows;
            self.window(is_last);
        }
        if self.events.is_empty() {
            self.events.push_back(Event::Tick);
        }
    }

    fn window(&mut self, is_last: bool) {
        let to_ns = self.closed * WINDOW_NS;
        let last = is_last.then_some(LastSpan { load_ended_ns: to_ns, unfinished: 0 });
        let span = Span {
            from_ns: to_ns.saturating_sub(WINDOW_NS),
            to_ns,
            last,
            threads: vec![ThreadHealth {
                observed_ns: to_ns,
                busy_ns: to_ns / 10,
                ..ThreadHealth::default()
            }],
        };
        let report = Report { key: self.key, span, tally: Merged::clone(&self.part.tally) };
        self.events.push_back(Event::Window(report));
        if self.closed == 1 {
            self.part.under_load.fetch_add(1, Ordering::Relaxed);
        }
        if is_last {
            self.part.under_load.fetch_sub(1, Ordering::Relaxed);
            self.load_ended = true;
            self.events.push_back(Event::LoadEnded);
        }
    }

    /// Asked to stop early.
    fn end_load(&mut self) {
        if self.start_ns.is_none() {
            self.events.push_back(Event::LoadEnded);
        } else if !self.load_ended {
            self.closed += 1;
            self.window(true);
        }
    }

    fn call(&mut self, request: &Request<Report>, timeout: Duration) -> Result<Answer, CallError> {
        let bytes = written(request, &self.part);
        let begun = Instant::now();
        let answer = exchange(self.part.coordinator, &bytes, timeout);
        let took = begun.elapsed();
        let answer = match answer {
            Ok((200, body)) => read(request, &body),
            Ok((status, body)) => match Refused::read(&body) {
                Ok(refused) => Err(CallError::Refused(refused.into())),
                Err(_) => Err(CallError::Unreachable(format!("status {status}"))),
            },
            Err(e) => Err(CallError::Unreachable(e.to_string())),
        };
        match request {
            _ if answer.is_err() => self.results.in_vain += 1,
            Request::Join(_) => self.results.joined = Some(Instant::now()),
            Request::Heartbeat(..) if self.start_ns.is_some() && !self.load_ended => {
                self.results.heartbeats.push(took);
            }
            Request::Report { .. } => self.results.reports.push(took),
            _ => {}
        }
        answer
    }
}

/// The bytes of a call.
fn written(request: &Request<Report>, part: &AssignedShard) -> Vec<u8> {
    let json = "these messages are JSON";
    let (path, body) = match request {
        Request::Join(join) => ("/workers".to_owned(), serde_json::to_vec(join).expect(json)),
        Request::Plan => {
            let get = format!(
                "GET {PATH}/plan HTTP/1.1\r\nHost: 127.0.0.1\r\nLoadtester-Protocol: {PROTOCOL}\r\n\r\n"
            );
            return get.into_bytes();
        }
        Request::Heartbeat(id, beat) => {
            (format!("/workers/{}/heartbeat", id.0), serde_json::to_vec(beat).expect(json))
        }
        Request::Report { worker, seq, window, .. } => {
            (format!("/workers/{}/reports/{seq}", worker.0), part.write(window))
        }
        Request::Final(id, last) => {
            (format!("/workers/{}/final", id.0), serde_json::to_vec(last).expect(json))
        }
    };
    let head = format!(
        "POST {PATH}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nLoadtester-Protocol: {PROTOCOL}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

fn exchange(to: SocketAddr, request: &[u8], timeout: Duration) -> io::Result<(u16, Vec<u8>)> {
    let mut socket = TcpStream::connect_timeout(&to, timeout)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.write_all(request)?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    let damaged = || io::Error::other("no HTTP response");
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(damaged)?;
    let status =
        std::str::from_utf8(&answer[..end]).ok().and_then(|head| head.split(' ').nth(1)?.parse().ok());
    Ok((status.ok_or_else(damaged)?, answer.split_off(end + 4)))
}

fn read(request: &Request<Report>, body: &[u8]) -> Result<Answer, CallError> {
    let answer = match request {
        Request::Join(_) => Joined::read(body).map(Answer::Joined),
        Request::Plan => PlanBundle::read(body).map(Answer::Plan),
        Request::Heartbeat(..) => Orders::read(body).map(|orders| Answer::Orders(Box::new(orders))),
        Request::Report { .. } | Request::Final(..) => Acked::read(body).map(Answer::Acked),
    };
    answer.map_err(|refusal| CallError::Unreachable(refusal.message()))
}
