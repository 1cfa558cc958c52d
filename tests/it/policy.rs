//! What is made of whatever a target may answer: the policy as a table of exact bytes. Each row is
//! played by a script to the program, and fed to the decoder cut at every byte; the table in the
//! documentation, `src/http1/policy.md`, is written from it with `UPDATE_README=1`.

use std::sync::Mutex;

use loadtester::http::MAX_FIELDS;
use loadtester::http1::{Decoder, HeadMemo, MAX_HEAD_BYTES, ProtocolError};
use loadtester::tally::Outcome;

use crate::policy_rows::groups;
use crate::run::{Ended, run_plan};
use crate::script::{Script, Step, send};

/// Requests sent for each row, one after the other.
const REQUESTS: u64 = 4;
/// Rows that run at the same time: each mostly waits for the other process.
const AT_ONCE: usize = 4;
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http1/policy.md");

/// What becomes of an exchange that meets a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// A complete response; the connection is used again.
    Accept,
    /// A complete response; the next request gets a new connection.
    AcceptAndClose,
    /// A protocol error, and why.
    Refuse(ProtocolError),
    /// Another outcome; the connection is closed.
    Fail(Outcome),
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Get,
    Head,
    /// A POST with a body that no kernel takes whole.
    LargePost,
}

/// One line of the policy.
#[derive(Clone, Debug)]
pub struct Row {
    pub case: &'static str,
    pub policy: Policy,
    /// Section of RFC 9112, unless it names another.
    pub rfc: &'static str,
    pub asked: Asked,
    /// What the target does on each connection, again and again.
    pub steps: Vec<Step>,
}

impl Row {
    /// A request is read and answered with these bytes.
    pub fn new(case: &'static str, answer: impl AsRef<[u8]>, policy: Policy, rfc: &'static str) -> Self {
        Self { case, policy, rfc, asked: Asked::Get, steps: vec![Step::Read, send(answer)] }
    }

    /// The same as the answer to another request.
    pub fn asked(self, asked: Asked) -> Self {
        Self { asked, ..self }
    }

    /// More is done after the answer.
    pub fn then(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }

    /// What is done instead.
    pub fn by(self, steps: impl Into<Vec<Step>>) -> Self {
        Self { steps: steps.into(), ..self }
    }

    /// The bytes of the answer, where it is that and an ending.
    fn bytes(&self) -> Option<&[u8]> {
        let answers = |step: &&Step| matches!(step, Step::Send(_));
        match (self.steps.first(), self.steps.get(1)) {
            (Some(Step::Read), Some(Step::Send(bytes))) if self.steps.iter().filter(answers).count() == 1 => {
                Some(bytes)
            }
            _ => None,
        }
    }

    fn play(&self) -> Ended {
        let script = match self.asked {
            Asked::LargePost => Script::play_narrowly(self.steps.clone()),
            _ => Script::play(self.steps.clone()),
        };
        let (method, body) = match self.asked {
            Asked::Get => ("GET", String::new()),
            Asked::Head => ("HEAD", String::new()),
            Asked::LargePost => ("POST", format!(", body: \"{}\"", "x".repeat(3_900_000))),
        };
        // Long, unless it is what the row waits for.
        let timeout = if self.policy == Policy::Fail(Outcome::Timeout) { "200ms" } else { "20s" };
        let plan = format!(
            "base_url: {}\nload: {{ concurrency: 1, requests: {REQUESTS} }}\n\
             scenarios: [{{ name: a, path: /, method: {method}, timeout: {timeout}{body} }}]\n",
            script.url()
        );
        run_plan(&plan, &["--threads", "1"]).lawful()
    }

    /// Play it; what was not as the row says.
    fn fault(&self) -> Option<String> {
        let ended = self.play();
        let outcome = match self.policy {
            Policy::Accept | Policy::AcceptAndClose => Outcome::Ok,
            Policy::Refuse(_) => Outcome::ProtocolError,
            Policy::Fail(outcome) => outcome,
        };
        let opened = ended.number("totals.connections_opened");
        let reused = opened == 1;
        let output = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let explained = |error: ProtocolError| output.contains(error.explain());
        let holds = ended.outcomes() == [(outcome.name().to_owned(), REQUESTS)]
            && reused == (self.policy == Policy::Accept)
            && (reused || (REQUESTS..=REQUESTS + 1).contains(&opened))
            && !matches!(self.policy, Policy::Refuse(error) if !explained(error));
        (!holds)
            .then(|| format!("{}: not {:?}, {opened} connections\n{}", self.case, self.policy, ended.stdout))
    }

    /// The line of the document's table.
    fn line(&self) -> String {
        let policy = match self.policy {
            Policy::Accept => "accept".to_owned(),
            Policy::AcceptAndClose => "accept and close".to_owned(),
            Policy::Refuse(error) => format!("refuse: {}", error.explain()),
            Policy::Fail(outcome) => format!("fail: `{}`", outcome.name()),
        };
        format!("| {} | {policy} | {} |\n", self.case, self.rfc)
    }
}

fn rows() -> Vec<Row> {
    groups().into_iter().flat_map(|(_, rows)| rows).collect()
}

#[test]
fn every_row_holds_on_the_wire() {
    let queue = Mutex::new(rows());
    let faults = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap().pop();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(row) = next() {
                    let played = std::panic::catch_unwind(|| row.fault());
                    let fault = played.unwrap_or_else(|_| Some(format!("{}: see above", row.case)));
                    faults.lock().unwrap().extend(fault);
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} rows do not hold:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_documented_table_is_the_tested_one() {
    let mut text = format!(
        "What a target may answer and what becomes of it. *Accept*: the response counts and the connection\n\
         is used again. *Accept and close*: the response counts, the next request gets a new connection.\n\
         *Refuse*: the exchange ends as `protocol_error`, for the reason given, and its connection is closed.\n\
         *Fail*: it ends with that outcome. Bytes that come when no request is outstanding end the connection;\n\
         those that the kernel had before the next request left are never its answer, and that is sent over another\n\
         connection if it is idempotent or had not left; those that arrive later cannot be told from its answer. A\n\
         response that breaks an expectation, on a connection that has carried one before, ends the connection: it may\n\
         be another request's. An idempotent request on a used connection that ends without a byte of response is sent\n\
         again once; any other only if the target's kernel acknowledged none of it before an orderly end. A target that\n\
         closes used connections at will so fails some POST. Sections are those of RFC 9112 unless another is named. Bounds: a\n\
         head of {} KiB and {MAX_FIELDS} fields.\n",
        MAX_HEAD_BYTES >> 10
    );
    for (title, rows) in groups() {
        text += &format!("\n### {title}\n\n| case | policy | section |\n|---|---|---|\n");
        text.extend(rows.iter().map(Row::line));
    }
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(DOCUMENT, &text).unwrap();
    }
    let written = std::fs::read_to_string(DOCUMENT).unwrap_or_default();
    assert!(written == text, "run UPDATE_README=1 cargo test --test it policy");
}

#[test]
fn every_case_is_listed_once() {
    let mut cases: Vec<_> = rows().iter().map(|row| row.case).collect();
    let all = cases.len();
    cases.sort_unstable();
    cases.dedup();
    assert_eq!(cases.len(), all);
}

/// What a decoder makes of pieces: bytes taken, whether the response is complete, whether an end of the
/// stream would make it so, and whether the connection may be kept.
fn decode<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    to_head: bool,
) -> Result<(usize, bool, bool, Option<bool>), ProtocolError> {
    let (mut decoder, mut memo, mut consumed) = (Decoder::new(), HeadMemo::new(), 0);
    for piece in pieces {
        let fed = decoder.feed(piece, to_head, &mut memo)?;
        consumed += fed.consumed;
        if fed.complete {
            break;
        }
        assert_eq!(fed.consumed, piece.len(), "an incomplete response takes all it is given");
    }
    let complete = decoder.head().is_some() && decoder.ends_here() && decoder.skippable().bytes == 0;
    Ok((consumed, complete, decoder.ends_here(), decoder.head().map(|head| head.keep_alive)))
}

/// Places to cut `length` bytes at: all, or of a long message some everywhere and all at its ends.
fn places(length: usize) -> impl Iterator<Item = usize> {
    (0..=length).filter(move |at| length < 2_000 || *at < 300 || length - at < 300 || at % 997 == 0)
}

#[test]
fn every_row_is_decoded_alike_however_it_is_cut() {
    for row in rows() {
        let Some(bytes) = row.bytes() else { continue };
        let to_head = row.asked == Asked::Head;
        let whole = decode([bytes], to_head);
        match (row.policy, whole) {
            (Policy::Accept, Ok(result)) => {
                assert_eq!(result, (bytes.len(), true, true, Some(true)), "{}", row.case);
            }
            (Policy::AcceptAndClose, Ok((taken, _, ends, keeps))) => {
                let unclean = taken < bytes.len() || row.steps.len() > 2;
                assert!(ends && (unclean || keeps == Some(false)), "{}", row.case);
            }
            (Policy::Refuse(error), result) => assert_eq!(result, Err(error), "{}", row.case),
            (Policy::Fail(_), result) => assert!(result.is_ok(), "{}: {result:?}", row.case),
            (policy, result) => panic!("{}: {result:?} is not {policy:?}", row.case),
        }
        for at in places(bytes.len()) {
            let (first, second) = bytes.split_at(at);
            assert_eq!(decode([first, second], to_head), whole, "{}, cut at {at}", row.case);
        }
        if bytes.len() < 10_000 {
            assert_eq!(decode(bytes.chunks(1), to_head), whole, "{}, byte by byte", row.case);
        }
    }
}
