//! Every place at which a message can be cut, ended or reset, and bodies larger than any buffer.

use std::time::Duration;

use crate::run::{Ended, run, start};
use crate::script::{Script, Step, pause_ms, response, send};

const GIB: u64 = 1 << 30;
/// More than a run with one connection takes, and far less than a body.
const MAX_RSS_BYTES: u64 = 64 << 20;

/// Responses of every framing. A body until close comes last: there an end is an answer.
fn answers() -> [String; 4] {
    [
        response("200 OK", "hello"),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: x\r\n\r\n".into(),
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n".into(),
        "HTTP/1.0 200 OK\r\n\r\nuntil close".into(),
    ]
}

fn is_until_close(text: &str) -> bool {
    text.starts_with("HTTP/1.0")
}

/// As many requests, one after the other, as there are places in `text`, before and behind included. The
/// n-th connection does what `steps` says of place n.
fn at_every_place(text: &str, steps: impl Fn(&str, usize) -> Vec<Step> + Send + 'static) -> Ended {
    let (places, text) = (text.len() as u64 + 1, text.to_owned());
    let script = Script::play_each(move |n| match usize::try_from(n) {
        Ok(at) if at <= text.len() => steps(&text, at),
        // One more may be opened at the end.
        _ => vec![Step::Freeze],
    });
    let ended = run(&[&script.url(), "-c", "1", "--threads", "1", "-n", &places.to_string()]).lawful();
    assert_eq!(script.requests(), places, "{ended:?}");
    ended
}

/// Outcomes that occur, by name.
fn counts<const N: usize>(mut expected: [(&str, u64); N]) -> Vec<(String, u64)> {
    expected.sort_unstable();
    expected.iter().filter(|(_, n)| *n > 0).map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

/// The first place at which a body until close is complete if the input ends there: behind its head.
fn first_good_end(text: &str) -> u64 {
    let head = text.find("\r\n\r\n").expect("a head") + 4;
    (if is_until_close(text) { head } else { text.len() }) as u64
}

#[test]
fn a_response_may_be_cut_at_every_byte() {
    for text in answers() {
        let ended = at_every_place(&text, |text, at| {
            vec![Step::Read, send(&text[..at]), pause_ms(2), send(&text[at..]), Step::Close]
        });
        assert_eq!(ended.outcomes(), counts([("ok", text.len() as u64 + 1)]), "{text}: {ended:?}");
    }
}

#[test]
fn a_close_at_every_byte_is_early_unless_all_has_come() {
    for text in answers() {
        let steps = |text: &str, at: usize| vec![Step::Read, send(&text[..at]), Step::Close];
        let ended = at_every_place(&text, steps);
        let early = first_good_end(&text);
        let ok = text.len() as u64 + 1 - early;
        assert_eq!(ended.outcomes(), counts([("ok", ok), ("closed_early", early)]), "{text}: {ended:?}");
    }
}

#[test]
fn a_half_close_at_every_byte_is_early_unless_all_has_come() {
    for text in answers() {
        let steps = |text: &str, at: usize| {
            vec![Step::Read, send(&text[..at]), Step::HalfClose, Step::Wait, Step::Close]
        };
        let ended = at_every_place(&text, steps);
        let early = first_good_end(&text);
        let ok = text.len() as u64 + 1 - early;
        assert_eq!(ended.outcomes(), counts([("ok", ok), ("closed_early", early)]), "{text}: {ended:?}");
    }
}

/// A reset is never an orderly end: of a body until close none is whole.
#[test]
fn a_reset_at_every_byte_is_a_reset_unless_all_has_come() {
    for text in answers() {
        let ended =
            at_every_place(&text, |text, at| vec![Step::Read, send(&text[..at]), pause_ms(5), Step::Reset]);
        let ok = u64::from(!is_until_close(&text));
        let reset = text.len() as u64 + 1 - ok;
        assert_eq!(ended.outcomes(), counts([("ok", ok), ("reset", reset)]), "{text}: {ended:?}");
    }
}

/// Closing with something unread resets; with all of it read it is an orderly end.
#[test]
fn an_end_at_any_byte_of_the_request_is_no_answer() {
    // What is sent for the URL form: the place of the last byte is that of the end.
    let request_bytes = {
        let script = Script::play([Step::Read, send(response("200 OK", ""))]);
        run(&[&script.url(), "-c", "1", "-n", "1"]).lawful().number("totals.bytes_sent") as usize
    };
    let requests = (request_bytes + 1).to_string();
    for (step, last) in [(Step::Close, "closed_early"), (Step::Reset, "reset")] {
        let script = Script::play_each(move |n| vec![Step::Peek, Step::Take(n as usize), step.clone()]);
        // The port in the Host field has the same width in both runs, or the counts would tell.
        let args = [script.url(), "-c".into(), "1".into(), "-n".into(), requests.clone()];
        let ended = run(&args.iter().map(String::as_str).collect::<Vec<_>>()).lawful();
        if ended.number("totals.bytes_sent") != (request_bytes * (request_bytes + 1)) as u64 {
            continue; // the port was shorter: the last places were none
        }
        let outcomes = match last {
            "reset" => counts([("reset", request_bytes as u64 + 1)]),
            _ => counts([("reset", request_bytes as u64), ("closed_early", 1)]),
        };
        assert_eq!(ended.outcomes(), outcomes, "{ended:?}");
    }
}

/// The second response comes when no request is outstanding: it must not answer the next one.
#[test]
fn bytes_that_come_between_requests_answer_nobody() {
    let stray = response("500 Not Mine", "");
    let script =
        Script::play([Step::Read, send(response("200 OK", "ok")), pause_ms(20), send(stray), Step::Wait]);
    // One request each 100 ms.
    let ended = run(&[&script.url(), "-c", "2", "-r", "10/s", "-d", "1s"]).lawful();
    assert_eq!(ended.outcomes(), counts([("ok", 10)]), "{ended:?}");
    assert_eq!(script.requests(), 10);
    assert!(script.connections() >= 9, "{} connections", script.connections());
}

/// The most memory that a run ever held, looked at while it runs.
fn peak_rss_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// One request answered with a body of a GiB, in little memory.
fn check_gib(steps: Vec<Step>, expected_bytes: u64) {
    let script = Script::play(steps);
    let running = start(&[&script.url(), "-c", "1", "-n", "1"]);
    let mut peak = 0;
    while let Some(now) = peak_rss_bytes(running.pid()) {
        peak = now.max(peak);
        std::thread::sleep(Duration::from_millis(5));
    }
    let ended = running.end().lawful();
    assert_eq!(ended.outcomes(), counts([("ok", 1)]), "{ended:?}");
    assert_eq!(ended.number("totals.bytes_received"), expected_bytes);
    assert!(peak > 0 && peak < MAX_RSS_BYTES, "{peak} bytes of memory");
}

#[test]
fn a_body_of_a_gib_takes_no_memory() {
    let piece = "x".repeat(1 << 20);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {GIB}\r\n\r\n");
    let body = Step::Repeat(piece.as_bytes().into(), 1 << 10);
    check_gib(vec![Step::Read, send(&head), body.clone()], head.len() as u64 + GIB);
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    check_gib(vec![Step::Read, send(head), body, Step::Close], head.len() as u64 + GIB);
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
    let (last, times) = ("0\r\n\r\n", 1 << 10);
    let expected = head.len() + chunk.len() * times + last.len();
    let body = Step::Repeat(chunk.as_bytes().into(), times as u64);
    check_gib(vec![Step::Read, send(head), body, send(last)], expected as u64);
}
