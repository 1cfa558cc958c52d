//! What was received of a failed response, for people to look at: bounded and without secrets.

use super::exchange::Exchange;
use super::wire::Wire;
use crate::http::each_field;
use crate::http1::Framing;
use crate::plan::secrets::MASK;
use crate::plan::{Secrets, excerpt, secrets};

/// The most bytes that are looked at: many times what is shown, so that no secret is cut.
const MAX_BYTES: usize = 4 << 10;

/// What arrived on `wire` for `exchange`, which fails; `last`: the bytes that were read last, if they are at fault.
/// Empty: nothing came.
pub(super) fn of(wire: &Wire, exchange: &Exchange, last: &[u8], values: &Secrets) -> String {
    let Some(head) = wire.head() else {
        let partial = wire.partial_head();
        let came = if partial.is_empty() { last } else { partial };
        return if came.is_empty() {
            String::new()
        } else {
            format!("the target sent `{}`", shown(came, values))
        };
    };
    let mut text = format!("the response had status {}", head.status);
    match head.framing {
        Framing::Length(n) => {
            text += &format!(" and {} of {n} bytes of its body", n - wire.skippable().bytes.min(n));
        }
        Framing::Chunked | Framing::UntilClose => {
            text += &format!(", {} bytes with its head", exchange.received)
        }
    }
    if !last.is_empty() {
        text += &format!("; the last bytes read begin with `{}`", shown(last, values));
    }
    text
}

/// The `Location` in the head of a redirect that was not followed; empty: it has none.
pub(super) fn location(head: &[u8], values: &Secrets) -> String {
    let mut text = String::new();
    each_field(head, |name, value| {
        if name.eq_ignore_ascii_case("location") && text.is_empty() {
            text = format!("it leads to `{}`", shown(value, values));
        }
    });
    text
}

/// The start of `bytes`, in which header fields, JSON and parameters of telling names are masked.
fn shown(bytes: &[u8], values: &Secrets) -> String {
    let text = values.mask_echo(&String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_BYTES)]));
    // Whether the field that a folded line continues is a credential.
    let mut is_credential = false;
    let lines = text.split_inclusive('\n').map(|line| {
        let (content, end) = line.split_at(line.trim_end().len());
        if content.starts_with([' ', '\t']) && is_credential {
            return format!(" {MASK}{end}");
        }
        let is_name =
            |name: &str| name.trim_end().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let field = content.split_once(':');
        let field = field.filter(|(name, _)| is_name(name) && secrets::names_a_credential(name));
        is_credential = field.is_some();
        match field {
            Some((name, value)) => format!("{name}: {}{end}", secrets::header_value(name, value.trim())),
            None => secrets::text(line),
        }
    });
    excerpt(lines.collect::<String>().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_a_damaged_head_are_masked() {
        for (bytes, text) in [
            ("HTTP/1.1 200 OK\r\nSet-Cookie:sid=LEAK", "HTTP/1.1 200 OK\\r\\nSet-Cookie: ***"),
            ("X-Token: LEAK\r\n  LEAK\r\nA: b", "X-Token: ***\\r\\n ***\\r\\nA: b"),
            ("Authorization :  Bearer LEAK\n", "Authorization : Bearer ***\\n"),
            ("{\"password\": \"LEAK\"}", "{\"password\": \"***\"}"),
        ] {
            assert_eq!(shown(bytes.as_bytes(), &Secrets::default()), text);
        }
    }
}
