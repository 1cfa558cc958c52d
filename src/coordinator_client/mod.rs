//! A worker's calls to its coordinator: one at a time, on a separate thread, each with a deadline.
//!
//! The thread is not pinned and runs at a higher priority than the load threads, so that load cannot starve
//! their lease. The fleet module decides which call is made when, and what follows from its answer.

mod timed_transport;
mod sticky_resolver;

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use ureq::http::StatusCode;

use crate::fleet::messages::{
    CLOCK_HEADER, CallStamps, MAX_CONTROL_BYTES, MAX_PLAN_MESSAGE_BYTES, PATH, PROTOCOL, PROTOCOL_HEADER,
};
use crate::fleet::{Checked as _, Refusal, Refused, worker::Exchange};
use crate::sys::{self, Clock};
use crate::text::one_line;
use sticky_resolver::StickyResolver;
use timed_transport::{ClockSampler, TimedConnector};

/// The thread's nice value: it needs little CPU time, but without delay.
const NICE: i32 = -10;
/// Capacity for waiting calls: the state machine has at most one under way on each client.
const QUEUE: usize = 2;

/// A call to make.
#[derive(Debug)]
pub(crate) struct Call {
    /// Returned with the answer.
    pub(crate) number: u64,
    /// Path below [`PATH`], beginning with `/`.
    pub(crate) path: String,
    /// Body to POST; `None`: GET.
    pub(crate) body: Option<Vec<u8>>,
    /// Timeout of the whole call.
    pub(crate) timeout: Duration,
}

/// The result of a call.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The number of the call.
    pub(crate) number: u64,
    /// The body of a 200 response.
    pub(crate) answer: Result<Vec<u8>, CallError>,
    /// When request and response left and arrived, if the coordinator stamped its side.
    pub(crate) exchange: Option<Exchange>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CallError {
    /// The coordinator refused.
    Refused(Refusal),
    /// The coordinator was unreachable, timed out, or sent no valid answer; the reason, for display.
    Unreachable(String),
}

/// The thread that makes calls. Once it is dropped, the thread ends after its present call.
#[derive(Debug)]
pub(crate) struct CoordinatorClient {
    calls: Sender<Call>,
    _thread: JoinHandle<()>,
}

impl CoordinatorClient {
    /// Calls go to `coordinator` (`http://HOST:PORT`) with `token`, if there is one. Results go to `tell`,
    /// with instants of `clock`.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(crate) fn open(
        name: &str,
        coordinator: &str,
        token: Option<&str>,
        clock: Clock,
        tell: impl Fn(Outcome) + Send + 'static,
    ) -> io::Result<Self> {
        let (calls, queue) = bounded(QUEUE);
        let base = format!("{coordinator}{PATH}");
        let authorization = token.map(|token| format!("Bearer {token}"));
        let work = move || {
            sys::set_nice(NICE);
            let caller = Caller::new(base, authorization, clock);
            queue.iter().for_each(|call| tell(caller.make(&call)));
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self { calls, _thread: thread })
    }

    /// Queue a call.
    pub(crate) fn call(&self, call: Call) {
        // The thread lives as long as this client, and the queue has capacity for every call that may be
        // under way.
        let _ = self.calls.send(call);
    }
}

/// The HTTP agent of the thread and its clock.
struct Caller {
    agent: ureq::Agent,
    base: String,
    authorization: Option<String>,
    sampler: ClockSampler,
    resolver: StickyResolver,
}

impl Caller {
    fn new(base: String, authorization: Option<String>, clock: Clock) -> Self {
        let (sampler, resolver) = (ClockSampler::new(clock), StickyResolver::default());
        let config = ureq::Agent::config_builder()
            // The environment's proxy is for the web, and would see our token.
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("loadtester/", env!("CARGO_PKG_VERSION")))
            // The coordinator answers one request per connection.
            .max_idle_connections(0)
            .build();
        let agent = ureq::Agent::with_parts(config, TimedConnector(sampler.clone()), resolver.clone());
        Self { agent, base, authorization, sampler, resolver }
    }

    fn make(&self, call: &Call) -> Outcome {
        let mut stay = None;
        let answer = self.ask(call, &mut stay);
        let answer = answer.unwrap_or_else(|e| Err(CallError::Unreachable(explain(&e, call.timeout))));
        match answer {
            Err(CallError::Unreachable(_)) => self.resolver.doubt(),
            _ => self.resolver.trust(),
        }
        let exchange = stay
            .zip(self.sampler.times())
            .map(|(CallStamps { t1_ns, t2_ns }, (t0_ns, t3_ns))| Exchange { t0_ns, t1_ns, t2_ns, t3_ns });
        Outcome { number: call.number, answer, exchange }
    }

    /// Make the call; `stay` receives the coordinator's timestamps.
    fn ask(
        &self,
        call: &Call,
        stay: &mut Option<CallStamps>,
    ) -> Result<Result<Vec<u8>, CallError>, ureq::Error> {
        let url = format!("{}{}", self.base, call.path);
        let mut fields = vec![(PROTOCOL_HEADER, PROTOCOL.to_string())];
        fields.extend(self.authorization.clone().map(|value| ("Authorization", value)));
        let mut response = match &call.body {
            Some(body) => {
                let request =
                    fields.iter().fold(self.agent.post(&url), |r, (name, value)| r.header(*name, value));
                request.config().timeout_global(Some(call.timeout)).build().send(&body[..])
            }
            None => {
                let request =
                    fields.iter().fold(self.agent.get(&url), |r, (name, value)| r.header(*name, value));
                request.config().timeout_global(Some(call.timeout)).build().call()
            }
        }?;
        let status = response.status();
        *stay = response.headers().get(CLOCK_HEADER).and_then(|value| CallStamps::read(value.to_str().ok()?));
        let most = if call.body.is_none() { MAX_PLAN_MESSAGE_BYTES } else { MAX_CONTROL_BYTES };
        let body = response.body_mut().with_config().limit(most as u64).read_to_vec()?;
        if status == StatusCode::OK {
            return Ok(Ok(body));
        }
        let trouble = match Refused::read(&body) {
            Ok(refused) => CallError::Refused(refused.into()),
            Err(_) => {
                CallError::Unreachable(format!("status {} and no word of this protocol", status.as_u16()))
            }
        };
        Ok(Err(trouble))
    }
}

/// The text that users see. The library's errors do not contain what was sent.
fn explain(error: &ureq::Error, timeout: Duration) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("no answer within {} ms", timeout.as_millis()),
        ureq::Error::HostNotFound => "its host name is not known".to_owned(),
        other => one_line(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::Receiver;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// A coordinator that gives each connection the next of these answers and forwards its requests.
    fn coordinator(answers: Vec<String>) -> (String, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = bounded(answers.len());
        std::thread::spawn(move || {
            for answer in answers {
                let (mut socket, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let mut chunk = [0; 4096];
                while !is_whole(&request) {
                    let n = socket.read(&mut chunk).unwrap();
                    request.extend_from_slice(&chunk[..n]);
                }
                tell.send(String::from_utf8(request).unwrap()).unwrap();
                if answer.is_empty() {
                    std::thread::sleep(Duration::from_millis(600));
                }
                let _ = socket.write_all(answer.as_bytes());
            }
        });
        (url, asked)
    }

    /// Whether head and body are complete.
    fn is_whole(request: &[u8]) -> bool {
        let text = String::from_utf8_lossy(request).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        length.is_none_or(|length| body.len() >= length.parse().unwrap())
    }

    fn http(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }

    #[test]
    fn each_call_ends_with_its_answer_a_refusal_or_what_stood_in_the_way() {
        let (url, asked) = coordinator(vec![
            http("200 OK", "{}"),
            http("410 Gone", r#"{"error":"replaced","message":"stop"}"#),
            http("302 Found\r\nLocation: http://127.0.0.1:1/", ""),
            http("200 OK", &"x".repeat(MAX_CONTROL_BYTES + 1)),
            "nonsense\r\n\r\n".to_owned(),
            String::new(),
        ]);
        let (sender, outcomes) = bounded(8);
        let link = CoordinatorClient::open("test", &url, Some("secret"), Clock::start(), move |outcome| {
            sender.send(outcome).unwrap()
        })
        .unwrap();
        let call = |number| {
            let (body, timeout) = (Some(b"body".to_vec()), Duration::from_millis(400));
            link.call(Call { number, path: "/workers".into(), body, timeout });
            let outcome = outcomes.recv().unwrap();
            assert_eq!(outcome.number, number);
            outcome.answer
        };
        assert_eq!(call(1).unwrap(), b"{}");
        let request = asked.recv().unwrap().to_lowercase();
        assert!(request.starts_with("post /api/v1/workers http/1.1\r\n"), "{request}");
        assert!(
            request.contains("authorization: bearer secret\r\n")
                && request.contains(&format!("loadtester-protocol: {PROTOCOL}\r\n"))
        );
        assert_eq!(call(2).unwrap_err(), CallError::Refused(Refusal::Replaced));
        assert_eq!(
            call(3).unwrap_err(),
            CallError::Unreachable("status 302 and no word of this protocol".into())
        );
        for number in 4..=5 {
            assert!(matches!(call(number).unwrap_err(), CallError::Unreachable(_)));
        }
        assert_eq!(call(6).unwrap_err(), CallError::Unreachable("no answer within 400 ms".into()));
        let CallError::Unreachable(why) = call(7).unwrap_err() else { panic!("nobody listens any more") };
        assert!(!why.contains("secret"), "{why}");
    }

    #[test]
    fn what_the_coordinator_tells_of_its_clock_goes_with_our_own_stamps() {
        let clock = |t1, t2| http(&format!("200 OK\r\n{CLOCK_HEADER}: {t1}, {t2}"), "{}");
        let (url, _asked) =
            coordinator(vec![clock("5", "7"), clock("7", "5"), clock("x", "7"), http("200 OK", "{}")]);
        let (sender, outcomes) = bounded(8);
        let clock = Clock::start();
        let link =
            CoordinatorClient::open("test", &url, None, clock, move |outcome| sender.send(outcome).unwrap())
                .unwrap();
        let exchange = |number| {
            let before_ns = clock.now();
            let timeout = Duration::from_secs(9);
            link.call(Call { number, path: "/workers".into(), body: Some(vec![b'x'; 100]), timeout });
            // The response waits unread for a while.
            std::thread::sleep(Duration::from_millis(300));
            (before_ns, outcomes.recv().unwrap().exchange)
        };
        let (before_ns, found) = exchange(1);
        let Exchange { t0_ns, t1_ns, t2_ns, t3_ns } = found.expect("both sides stamped it");
        assert_eq!((t1_ns, t2_ns), (5, 7));
        assert!(before_ns <= t0_ns && t0_ns <= t3_ns && t3_ns < before_ns + 250_000_000, "{found:?}");
        for number in 2..=4 {
            assert_eq!(exchange(number).1, None, "no clock shows that");
        }
    }
}
