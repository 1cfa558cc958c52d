//! Everything a target may do on the wire, done by a script on raw sockets: well-framed answers are
//! counted as such however they come, and every bad end has its name.

use std::time::Duration;

use rustix::process::Signal;

use crate::run::{Ended, eventually, run, run_plan, start};
use crate::script::{Script, Step, pause_ms, response, send};

const REQUESTS: u64 = 40;
const MIB: usize = 1 << 20;

/// [`REQUESTS`] requests over two connections, and how they ended.
fn sent_to(script: &Script, more: &[&str]) -> Ended {
    let n = REQUESTS.to_string();
    run(&[&[script.url().as_str(), "-c", "2", "-n", &n], more].concat()).lawful()
}

/// All requests are answered well, over as many connections as the script saw.
fn check_all_ok(steps: impl Into<Vec<Step>>, more: &[&str]) -> Ended {
    let script = Script::play(steps);
    let ended = sent_to(&script, more);
    assert_eq!(ended.outcomes(), [("ok".to_owned(), REQUESTS)], "{}", ended.stdout);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!((script.requests(), ended.number("totals.sent")), (REQUESTS, REQUESTS));
    // A connection opened at the very end may not be accepted yet.
    let (opened, accepted) = (ended.number("totals.connections_opened"), script.connections());
    assert!(opened.abs_diff(accepted) <= 2, "{opened} opened, {accepted} accepted");
    ended
}

/// All requests are answered well over two connections that stay.
fn check_kept(steps: impl Into<Vec<Step>>, more: &[&str]) -> Ended {
    let ended = check_all_ok(steps, more);
    assert_eq!(ended.number("totals.connections_opened"), 2);
    ended
}

/// All requests are answered well, each over a connection of its own.
fn check_one_each(steps: impl Into<Vec<Step>>, more: &[&str]) -> Ended {
    let ended = check_all_ok(steps, more);
    let opened = ended.number("totals.connections_opened");
    assert!((REQUESTS..=REQUESTS + 2).contains(&opened), "{opened} connections opened");
    ended
}

fn answer(text: &str) -> [Step; 2] {
    [Step::Read, send(text)]
}

fn answers(text: &str, n: usize) -> Vec<Step> {
    std::iter::repeat_n(answer(text), n).flatten().collect()
}

/// A message cut into pieces at these places.
fn split(text: &str, places: &[usize]) -> Vec<Step> {
    let mut steps = vec![Step::Read];
    let mut from = 0;
    for to in places.iter().copied().chain([text.len()]) {
        steps.extend([send(&text[from..to]), pause_ms(2)]);
        from = to;
    }
    steps
}

#[test]
fn a_length_frames_a_response() {
    let ended = check_kept(answer(&response("200 OK", "hello")), &[]);
    assert_eq!(ended.number("totals.bytes_received"), REQUESTS * response("200 OK", "hello").len() as u64);
}

#[test]
fn chunks_frame_a_response() {
    let text =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: x\r\n\r\n";
    check_kept(answer(text), &[]);
    check_kept(split(text, &[3, 17, 44, 46, 48, 53, 60, 66, text.len() - 1]), &[]);
}

#[test]
fn the_end_of_the_stream_frames_a_response() {
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    check_one_each([Step::Read, send(head.to_owned() + "until close"), Step::Close], &[]);
    check_one_each([Step::Read, send(head), Step::Close], &[]);
    let ended =
        check_one_each([Step::Read, send(head), pause_ms(2), send("x".repeat(MIB + 1)), Step::Close], &[]);
    assert_eq!(ended.number("totals.bytes_received"), REQUESTS * (head.len() + MIB + 1) as u64);
}

/// The whole body and the end are there before the first look at them.
#[test]
fn a_long_response_until_close_is_read_to_the_end_of_the_stream() {
    // Large bodies first: then the kernel gives the connection room for the last one.
    let mut steps = answers(&response("200 OK", &"x".repeat(8 * MIB)), 6);
    let last = "HTTP/1.1 200 OK\r\n\r\n".to_owned() + &"x".repeat(MIB);
    steps.extend([Step::Read, pause_ms(300), send(last), Step::HalfClose, Step::Read]);
    let script = Script::play(steps);
    let run = start(&[&script.url(), "-c", "1", "-n", "7"]);
    eventually("the last request", || (script.requests() == 7).then_some(()));
    run.signal(Signal::STOP);
    // Longer than the script's pause.
    std::thread::sleep(Duration::from_millis(600));
    run.signal(Signal::CONT);
    let ended = run.end().lawful();
    assert_eq!(ended.outcomes(), [("ok".to_owned(), 7)], "{ended:#?}");
}

#[test]
fn http_1_0_closes_unless_it_says_otherwise() {
    let closing = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
    check_one_each([Step::Read, send(closing), Step::Close], &[]);
    check_one_each([Step::Read, send("HTTP/1.0 200 OK\r\n\r\nok"), Step::Close], &[]);
    check_kept(answer("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"), &[]);
}

#[test]
fn responses_without_a_body_end_with_their_head() {
    check_kept(answer("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"), &["-m", "HEAD"]);
    check_kept(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), &["-m", "HEAD"]);
    check_kept(answer("HTTP/1.1 204 No Content\r\n\r\n"), &[]);
    check_kept(answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"), &[]);
}

#[test]
fn interim_responses_are_not_the_answer() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let ended = check_kept(
        [
            Step::ReadHead,
            send(interim),
            send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
            pause_ms(1),
            send(response("201 Created", "done")),
        ],
        &["-m", "POST"],
    );
    assert_eq!(ended.report["status_codes"], serde_json::json!({ "201": REQUESTS }));
}

#[test]
fn a_response_may_come_in_pieces() {
    let text = response("200 OK", "hello");
    check_kept(split(&text, &[1]), &[]);
    check_kept(split(&text, &[text.len() - 5]), &[]);
    check_kept(split(&text, &[7, 16, 17, 18, text.len() - 7, text.len() - 1]), &[]);
    check_kept([Step::Read, Step::Drip(text.as_bytes().into(), Duration::from_micros(100))], &[]);
}

#[test]
fn a_large_body_is_counted_to_the_byte() {
    let text = response("200 OK", &"x".repeat(MIB));
    let ended = check_kept([Step::Read, send(&text)], &[]);
    assert_eq!(ended.number("totals.bytes_received"), REQUESTS * text.len() as u64);
    let chunk = format!("{:x}\r\n{}\r\n", MIB / 4, "x".repeat(MIB / 4));
    let text = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(4));
    let ended = check_kept([Step::Read, send(&text)], &[]);
    assert_eq!(ended.number("totals.bytes_received"), REQUESTS * text.len() as u64);
}

#[test]
fn a_connection_that_is_to_close_is_not_used_again() {
    let text = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    check_one_each([Step::Read, send(text), Step::Close], &[]);
    // Ours is the first to close when the target does not.
    check_one_each([Step::Read, send(text), Step::Read], &[]);
}

#[test]
fn a_target_may_end_keep_alive_after_some_requests() {
    let last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let mut steps = answers(&response("200 OK", ""), 4);
    steps.extend([Step::Read, send(last), Step::Close]);
    let opened = check_all_ok(steps, &[]).number("totals.connections_opened");
    assert!((REQUESTS / 5..=REQUESTS / 5 + 2).contains(&opened), "{opened} connections opened");
}

/// One outcome for all requests.
fn check_outcome(name: &str, steps: impl Into<Vec<Step>>, more: &[&str]) -> Ended {
    let script = Script::play(steps);
    let ended = sent_to(&script, more);
    assert_eq!(ended.outcomes(), [(name.to_owned(), REQUESTS)], "{ended:#?}");
    ended
}

#[test]
fn a_status_of_400_and_above_is_unexpected() {
    let ended = check_outcome("unexpected_status", answer(&response("500 Oops", "sorry")), &[]);
    assert_eq!(ended.report["status_codes"], serde_json::json!({ "500": REQUESTS }));
    assert_eq!(ended.number("response_time.count"), REQUESTS);
}

#[test]
fn a_close_before_the_end_of_the_response_is_early() {
    check_outcome("closed_early", [Step::Read, Step::Close], &[]);
    check_outcome("closed_early", [Step::Read, send("HTTP/1.1 200 OK\r\nConte"), Step::Close], &[]);
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
    check_outcome("closed_early", [Step::Read, send(short), Step::Close], &[]);
    let unfinished = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    check_outcome("closed_early", [Step::Read, send(unfinished), Step::HalfClose, Step::Read], &[]);
}

#[test]
fn a_reset_before_the_end_of_the_response_is_a_reset() {
    check_outcome("reset", [Step::Read, Step::Reset], &[]);
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
    check_outcome("reset", [Step::Read, send(short), pause_ms(5), Step::Reset], &[]);
    // Without a length, only an orderly end is one.
    check_outcome("reset", [Step::Read, send("HTTP/1.1 200 OK\r\n\r\nhel"), pause_ms(5), Step::Reset], &[]);
}

#[test]
fn what_is_not_http_is_a_protocol_error() {
    check_outcome("protocol_error", answer("SSH-2.0-OpenSSH_9.6\r\n"), &[]);
    check_outcome("protocol_error", answer("HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n"), &[]);
    let bad_chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n";
    check_outcome("protocol_error", answer(bad_chunk), &[]);
}

/// A plan with a timeout of 200 ms and four requests over two connections.
fn impatient(script: &Script, body: &str) -> String {
    format!(
        "base_url: {}
defaults: {{ timeout: 200ms, concurrency: 2, requests: 4 }}
scenarios: [{{ name: a, method: POST, path: /, body: \"{body}\" }}]
",
        script.url()
    )
}

/// All four requests time out, at the deadline and not later by an order of magnitude.
fn check_deadline(name: &str, ended: Ended) {
    let ended = ended.lawful();
    assert_eq!(ended.outcomes(), [(name.to_owned(), 4)], "{ended:#?}");
    assert_eq!(ended.number("response_time.count"), 4);
    let (min, max) = (ended.seconds("response_time.min"), ended.seconds("response_time.max"));
    assert!(min >= 0.199 && max < 1.0, "{min} s to {max} s");
}

#[test]
fn no_answer_is_a_timeout_at_its_deadline() {
    let script = Script::play([Step::Read, Step::Freeze]);
    check_deadline("timeout", run_plan(&impatient(&script, "x"), &[]));
    assert_eq!(script.requests(), 4);
}

#[test]
fn a_target_that_does_not_take_the_request_is_a_write_timeout() {
    let script = Script::play_narrowly([Step::Freeze]);
    // More than the two kernels will hold for us.
    let body = "x".repeat(3_900_000);
    let plan = impatient(&script, &body);
    let ended = run_plan(&plan, &[]);
    assert!(ended.number("totals.bytes_sent") < 4 * body.len() as u64);
    check_deadline("write_timeout", ended);
}

#[test]
fn one_slow_connection_does_not_hold_up_the_others() {
    let text = response("200 OK", "hello");
    let drip = Step::Drip(text.as_bytes().into(), Duration::from_secs(1));
    let script = Script::play_each(move |n| match n {
        0 => vec![Step::Read, drip.clone()],
        _ => answer(&text).to_vec(),
    });
    let plan = format!(
        "base_url: {}
defaults: {{ timeout: 500ms }}
load: {{ concurrency: 2, duration: 1s }}
scenarios: [{{ name: a, path: / }}]
",
        script.url()
    );
    let ended = run_plan(&plan, &["--threads", "1"]).lawful();
    let outcomes = ended.outcomes();
    assert!(
        matches!(&outcomes[..], [(ok, many), (timeout, 1)] if ok == "ok" && timeout == "timeout" && *many > 100),
        "{ended:#?}"
    );
    assert!(ended.seconds("response_time.p50") < 0.1, "{ended:#?}");
}

/// A target that sends first: whether it talks or hangs up, it must not be waited for in vain.
#[test]
fn a_target_that_ends_a_connection_before_the_request_is_not_waited_for() {
    let script = Script::play([Step::HalfClose, Step::Read, Step::Freeze]);
    let ended = sent_to(&script, &[]);
    assert_eq!(ended.outcomes(), [("closed_early".to_owned(), REQUESTS)], "{ended:#?}");
    // Accepted and closed: our bytes may come before the end or after it.
    let script = Script::play([Step::Close]);
    let ended = sent_to(&script, &[]);
    assert!(ended.outcomes().iter().all(|(name, _)| name == "closed_early" || name == "reset"), "{ended:#?}");
    assert_eq!(ended.number("totals.failed"), REQUESTS);
}

/// All are answered well, but for a few resets: a request that lies unread for 40 ms is acknowledged by
/// the target's kernel, as one that was read, and on a busy machine its thread may sleep that long.
fn check_sent_again(ended: &Ended, requests: u64, script: &Script) {
    let ok = ended.number("outcomes.ok");
    let others: u64 =
        ended.outcomes().iter().filter(|(name, _)| name != "ok" && name != "reset").map(|o| o.1).sum();
    assert_eq!((ended.number("totals.due"), others), (requests, 0), "{ended:?}");
    assert!(ok >= requests - 5, "{ended:?}");
    assert_eq!(script.requests(), ok, "what was not read was not answered, and nothing was read twice");
}

#[test]
fn a_request_that_meets_an_idle_close_is_sent_again() {
    // Every connection ends after its third answer without a word, and resets what comes later.
    let mut steps = answers(&response("200 OK", "ok"), 3);
    steps.push(Step::Close);
    let script = Script::play(steps);
    let ended = run(&[&script.url(), "-c", "4", "-n", "3000"]).lawful();
    check_sent_again(&ended, 3_000, &script);
    assert!(ended.number("totals.connections_opened") >= 999, "{ended:?}");
}

#[test]
fn requests_sent_again_are_in_the_summary() {
    // The connection goes when the next request has come and before it is read.
    let script = Script::play([Step::Read, send(response("200 OK", "ok")), Step::Peek, Step::Close]);
    let ended = run(&[&script.url(), "-c", "1", "-n", "20"]).lawful();
    check_sent_again(&ended, 20, &script);
    assert!(ended.stdout.lines().any(|line| line.starts_with("sent again ")), "{}", ended.stdout);
}

#[test]
fn an_idempotent_request_is_sent_again_though_the_target_has_read_it() {
    for load in [&["-c", "2"][..], &["-c", "2", "-r", "1000"]] {
        let script = Script::play([Step::Read, send(response("200 OK", "ok")), Step::Read, Step::Close]);
        let ended = run(&[&[script.url().as_str(), "-n", "100"], load].concat()).lawful();
        assert_eq!(ended.outcomes(), [("ok".to_owned(), 100)], "{ended:#?}");
        assert_eq!(script.requests(), 100 + ended.number("totals.retried"));
    }
}

#[test]
fn a_post_the_target_has_read_is_not_sent_again() {
    let script = Script::play([Step::Read, send(response("200 OK", "ok")), Step::Read, Step::Close]);
    let ended = run(&[&script.url(), "-m", "POST", "-c", "2", "-n", "100"]).lawful();
    assert_eq!(ended.outcomes(), [("closed_early".to_owned(), 50), ("ok".to_owned(), 50)], "{ended:#?}");
    assert_eq!(script.requests(), 100);
}

/// The head of an answer that overtakes the body of its request.
#[test]
fn an_answer_before_the_whole_request_is_taken_counts() {
    let refusal = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let script = Script::play([Step::ReadHead, send(refusal), Step::Freeze]);
    let body = "x".repeat(3_900_000);
    let ended = run_plan(&impatient(&script, &body), &[]).lawful();
    assert_eq!(ended.report["status_codes"], serde_json::json!({ "413": 4 }), "{ended:#?}");
}
