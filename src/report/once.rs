//! One exchange for human readers: both messages, times and the checked expectations, with secrets masked.

use std::fmt::Write as _;

use super::format::{bytes, time};
use super::sanitize::one_line;
use crate::http::CapturedResponse;
use crate::plan::{Plan, secrets};
use crate::tally::{Histogram, Merged, Outcome, RowTime, StepId, Timer};

/// Bytes of a body shown per side: a few screenfuls.
const MOST_BODY_BYTES: usize = 4 << 10;
/// The most bytes of a decoded body.
const MOST_DECODED_BYTES: u64 = 1 << 20;
/// Prefixes of sent and received lines.
const SENT: &str = "> ";
const CAME: &str = "< ";
const LABEL: usize = 10;

/// One exchange that has ended.
#[derive(Debug)]
pub(crate) struct OnceExchange<'a> {
    /// A plan with one scenario.
    pub(crate) plan: &'a Plan,
    /// The request's bytes as sent.
    pub(crate) request: &'a [u8],
    /// Counters and timers, and the response.
    pub(crate) tally: &'a Merged,
    /// Details of the failure, if there was one.
    pub(crate) failure: &'a str,
}

impl OnceExchange<'_> {
    /// Whether the exchange succeeded.
    pub(crate) fn is_well(&self) -> bool {
        self.tally.row(StepId(0)).completed() == 1
    }

    /// Both messages, times and checks, ending with a line feed.
    pub(crate) fn page(&self) -> String {
        let mut page = format!("{}\n", one_line(&self.plan.scenarios[0].name));
        self.sent(&mut page);
        self.came(&mut page);
        let mut line = |label: &str, text: &str| {
            writeln!(page, "{label:<LABEL$}{text}").expect("writing to memory does not fail");
        };
        line("times", &self.times());
        let row = self.tally.row(StepId(0));
        let ended = Outcome::ALL.into_iter().find(|outcome| row.counter(*outcome) > 0);
        line("ended", &ended.map_or("not in time".to_owned(), |outcome| self.ending(outcome)));
        for (expectation, judged) in self.expectations() {
            match judged {
                Ok(()) => line("holds", &one_line(&expectation)),
                Err(came) => {
                    let came = one_line(&secrets::text(&self.plan.secrets.mask_echo(&came)));
                    line("broken", &format!("{}: {came}", one_line(&expectation)));
                }
            }
        }
        page
    }

    fn sent(&self, page: &mut String) {
        let split = memchr::memmem::find(self.request, b"\r\n\r\n").map_or(self.request.len(), |at| at + 4);
        let (head, body) = self.request.split_at(split);
        let secrets = &self.plan.secrets;
        let mask = |text: &str| secrets.mask(text);
        let first = |line: &str| match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
            [method, path, version] => format!("{method} {} {version}", secrets::path(&mask(path))),
            _ => mask(line),
        };
        lines(page, SENT, head_lines(head, &first, &mask));
        lines(page, SENT, body_lines(body, body.len() as u64, &mask));
    }

    fn came(&self, page: &mut String) {
        let Some(response) = self.tally.last_captured().filter(|r| !r.head().is_empty()) else { return };
        let mask = |text: &str| self.plan.secrets.mask_echo(text);
        lines(page, CAME, head_lines(response.head(), &mask, &mask));
        let view = response.view(0);
        let content = if view.body.len() as u64 == view.body_bytes {
            view.decoded(MOST_DECODED_BYTES)
        } else {
            Ok(None)
        };
        match content {
            Ok(Some(content)) => {
                lines(page, CAME, vec![format!("({}, decoded)", bytes(view.body_bytes))]);
                lines(page, CAME, body_lines(&content, content.len() as u64, &mask));
            }
            Ok(None) | Err(_) => lines(page, CAME, body_lines(view.body, view.body_bytes, &mask)),
        }
    }

    fn times(&self) -> String {
        let service = self.tally.row(StepId(0)).times(RowTime::Service);
        // A deadline that passed is no byte.
        let is_whole = self.tally.row(StepId(0)).status_codes().next().is_some();
        let nothing = Histogram::new();
        let named = [
            ("connect", self.tally.timer(Timer::ConnectTime)),
            ("proxy", self.tally.timer(Timer::TunnelTime)),
            ("TLS", self.tally.timer(Timer::TlsTime)),
            ("first byte", self.tally.timer(Timer::FirstByteTime)),
            ("last byte", if is_whole { &service } else { &nothing }),
        ];
        let times = named.iter().filter_map(|(name, h)| Some(format!("{name} {}", time(h.max()?))));
        let times: Vec<String> = times.collect();
        match times.is_empty() {
            true => "none".to_owned(),
            false => times.join(", ") + " (first and last byte from the send on)",
        }
    }

    fn ending(&self, outcome: Outcome) -> String {
        let what = format!("{}: {}", outcome.name(), outcome.explain());
        // Where nothing more is known, what was seen begins with the same words.
        let seen = self.failure.strip_prefix(outcome.explain()).unwrap_or(self.failure);
        match seen.trim_start_matches("; ") {
            "" => what,
            seen => format!("{what} ({})", one_line(seen)),
        }
    }

    /// Each expectation and its result; empty if no response arrived.
    fn expectations(&self) -> Vec<(String, Result<(), String>)> {
        let nothing = CapturedResponse::default();
        let response = self.tally.last_captured().unwrap_or(&nothing);
        let status = self.tally.row(StepId(0)).status_codes().next();
        match (&self.plan.scenarios[0].expect, status) {
            (Some(expect), Some((code, _))) => expect.judge_each(&response.view(code)),
            _ => Vec::new(),
        }
    }
}

fn lines(page: &mut String, mark: &str, lines: Vec<String>) {
    for line in lines {
        *page += (mark.to_owned() + &one_line(&line)).trim_end();
        page.push('\n');
    }
}

/// The lines of a head and the empty line after it.
fn head_lines(head: &[u8], first: &dyn Fn(&str) -> String, mask: &dyn Fn(&str) -> String) -> Vec<String> {
    let text = String::from_utf8_lossy(head);
    let text = text.trim_end_matches(['\r', '\n']);
    let each = text.split('\n').map(|line| line.trim_end_matches('\r')).enumerate();
    let mut shown: Vec<String> = each
        .map(|(i, line)| match line.split_once(':') {
            Some((name, value)) if i > 0 => {
                format!("{name}: {}", secrets::header_value(name, &mask(value.trim())))
            }
            _ => first(line),
        })
        .collect();
    shown.push(String::new());
    shown
}

/// The lines of a body of `length` bytes, of which `kept` is the beginning.
fn body_lines(kept: &[u8], length: u64, mask: &dyn Fn(&str) -> String) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(kept).or_else(|error| {
        // The end may be cut within a character.
        let whole = error.error_len().is_none().then(|| error.valid_up_to()).ok_or(error)?;
        std::str::from_utf8(&kept[..whole])
    }) else {
        return vec![format!("({}, not text)", bytes(length))];
    };
    if text.is_empty() {
        return Vec::new();
    }
    // Mask all of it before cutting: part of a secret would not be recognized.
    let masked = secrets::text(&mask(text));
    let readable = if kept.len() as u64 == length { indented(&masked) } else { masked.clone() };
    let end = readable.floor_char_boundary(MOST_BODY_BYTES);
    let mut shown = Vec::new();
    if readable != masked {
        shown.push(format!("({} of JSON, indented here)", bytes(length)));
    }
    shown.extend(readable[..end].lines().map(|line| line.replace('\t', "    ")));
    if end < readable.len() || (kept.len() as u64) < length {
        shown.push(format!("… ({} in all)", bytes(length)));
    }
    shown
}

/// JSON indented, in its own order; other text unchanged.
fn indented(text: &str) -> String {
    let is_json = text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if !is_json {
        return text.to_owned();
    }
    let (mut out, mut depth, mut in_string, mut escaped) = (String::new(), 0usize, false, false);
    let mut letters = text.chars().peekable();
    let new_line = |out: &mut String, depth: usize| *out += &format!("\n{}", "  ".repeat(depth));
    while let Some(c) = letters.next() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '"' => {
                in_string = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while letters.next_if(|c| c.is_whitespace()).is_some() {}
                if let Some(end) = letters.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out += ": ",
            c if c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_laid_out_in_its_own_order_and_other_text_left_alone() {
        let json = r#"{"b":[1,{}],"a":"x, {\"y\": 1}","c":[]}"#;
        let laid = "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": \"x, {\\\"y\\\": 1}\",\n  \"c\": []\n}";
        assert_eq!(indented(json), laid);
        assert_eq!(indented("{not json, at all}"), "{not json, at all}");
    }

    #[test]
    fn a_body_is_shown_as_far_as_it_is_text_and_short() {
        let plain = |text: &str| text.to_owned();
        assert_eq!(body_lines(b"\xff\xfe\0", 3, &plain), ["(3 B, not text)"]);
        assert!(body_lines(b"", 0, &plain).is_empty());
        assert_eq!(
            body_lines(b"{\"a\":1}", 7, &plain),
            ["(7 B of JSON, indented here)", "{", "  \"a\": 1", "}"]
        );
        let as_it_came = "{\n  \"a\": 1\n}";
        assert_eq!(
            body_lines(as_it_came.as_bytes(), as_it_came.len() as u64, &plain),
            ["{", "  \"a\": 1", "}"]
        );
        let cut = body_lines("aä".as_bytes().split_at(2).0, 3_000, &plain);
        assert_eq!(cut, ["a", "… (3.00 kB in all)"]);
        let long = body_lines("ä".repeat(9_000).as_bytes(), 18_000, &plain);
        assert_eq!((long[0].len(), long[1].as_str()), (MOST_BODY_BYTES, "… (18.0 kB in all)"));
    }
}
