//! What came of a response that could not be used is shown where people look: in `--once`, in the summary and
//! in the HTML report.

use std::fs;

use crate::once::once;
use crate::run::{RunDir, run_plan};
use crate::script::{Script, Step, pause_ms, send};

/// What a target does with each request, what `load` and the scenario say of it, and words that must be shown.
fn cases() -> Vec<(Vec<Step>, &'static str, &'static [&'static str])> {
    let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100];
    let alert = [21, 3, 3, 0, 2, 2, 70];
    vec![
        (
            vec![Step::Read, send("SSH-2.0-OpenSSH_9.6\r\n"), Step::Close],
            "",
            &["protocol_error", "the target sent `SSH-2.0-OpenSSH_9.6\\r\\n`"],
        ),
        (
            vec![
                Step::Read,
                send("HTTP/1.1 200 OK\r\nX-Session: s3cret\r\nBad Name: 1\r\n\r\n"),
                Step::Close,
            ],
            "",
            &["protocol_error", "HTTP/1.1 200 OK\\r\\nX-Session: ***\\r\\nBad Name: 1"],
        ),
        (vec![Step::Read, send(settings), Step::Close], "", &["protocol_error", "HTTP/2"]),
        (vec![Step::Read, send(alert), Step::Close], "", &["protocol_error", "speaks TLS: write https://"]),
        (
            vec![Step::Read, send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), Step::Close],
            "",
            &["closed_early", "status 200 and 3 of 10 bytes of its body"],
        ),
        (
            vec![Step::Read, send("HTTP/1.1 206 Partial\r\nContent-Le"), Step::Close],
            "",
            &["closed_early", "the target sent `HTTP/1.1 206 Partial\\r\\nContent-Le`"],
        ),
        (
            vec![
                Step::Read,
                send("HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\nab"),
                pause_ms(400),
                Step::Close,
            ],
            "timeout: 200ms",
            &["timeout", "status 500 and 2 of 9 bytes of its body"],
        ),
        (
            vec![
                Step::Read,
                send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n"),
                Step::Close,
            ],
            "",
            &["protocol_error", "status 200", "\\r\\nab\\r\\nzz\\r\\n"],
        ),
        (
            vec![
                Step::Read,
                send(
                    "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/a?token=s3cret\r\nContent-Length: 0\r\n\r\n",
                ),
            ],
            "follow_redirects: 1",
            &["redirect_failed", "it leads to `http://elsewhere.test/a?token=***`"],
        ),
    ]
}

#[test]
fn the_first_of_each_failure_shows_what_came() {
    for (steps, more, words) in cases() {
        let script = Script::play(steps);
        let dir = RunDir::new();
        let (html, json) = (dir.file("report.html"), dir.file("report.json"));
        let scenario = if more.is_empty() { String::new() } else { format!(", {more}") };
        let plan = format!(
            "base_url: {}\nload: {{concurrency: 1, requests: 2}}\nscenarios: [{{path: /{scenario}}}]\n",
            script.url()
        );
        let ended = run_plan(&plan, &["--report", &html, "--report", &json]);
        let plain = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let page = fs::read_to_string(&html).expect("the report");
        for word in words {
            assert!(plain.contains(word), "{word} is not in\n{}", ended.stdout);
            assert!(page.contains(word), "{word} is not in the page after\n{}", ended.stdout);
        }
        let all = [ended.stdout, page, fs::read_to_string(&json).expect("the report")].concat();
        assert!(!all.contains("s3cret"), "{all}");
    }
}

#[test]
fn once_shows_what_came_and_no_time_of_a_byte_that_did_not() {
    for (steps, more, words) in cases() {
        let script = Script::play(steps);
        let scenario = if more.is_empty() { String::new() } else { format!(", {more}") };
        let plan = format!(
            "base_url: {}\nload: {{requests: 1}}\nscenarios: [{{path: /{scenario}}}]\n",
            script.url()
        );
        let ended = once(&plan, &[], &[]);
        let page = String::from_utf8(ended.stdout).expect("UTF-8");
        assert_eq!(ended.status.code(), Some(1), "{page}");
        for word in words {
            assert!(page.contains(word), "{word} is not in\n{page}");
        }
        assert!(!page.contains("s3cret"), "{page}");
        assert_eq!(page.contains(", last byte "), words.contains(&"redirect_failed"), "{page}");
    }
}
