//! What came of a response that could not be used, for people to look at: bounded and without secrets.

use super::exchange::Exchange;
use super::wire::Wire;
use crate::http::each_field;
use crate::http1::Framing;
use crate::plan::{Secrets, excerpt, secrets};

/// What arrived on `wire` for `exchange`, which fails; `unread`: the bytes at which it failed. Empty: nothing came.
pub(super) fn of(wire: &Wire, exchange: &Exchange, unread: &[u8], values: &Secrets) -> String {
    let Some(head) = wire.head() else {
        let partial = wire.partial_head();
        let came = if partial.is_empty() { unread } else { partial };
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
    if !unread.is_empty() {
        text += &format!("; where it failed it was `{}`", shown(unread, values));
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
    let text = values.mask_echo(&String::from_utf8_lossy(bytes));
    let lines = text.split_inclusive('\n').map(|line| match line.split_once(": ") {
        Some((name, value)) if secrets::names_a_credential(name) => {
            let end = &value[value.trim_end().len()..];
            format!("{name}: {}{end}", secrets::header_value(name, value.trim_end()))
        }
        _ => secrets::text(line),
    });
    excerpt(lines.collect::<String>().as_bytes())
}
