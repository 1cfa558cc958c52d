//! The characters of a path and query: those that are sent as they are, those that are percent-encoded, and those
//! that are refused.
//!
//! RFC 3986 leaves some printable characters out of URLs. Servers refuse them or read them differently, so they are
//! encoded, as browsers do. A space, a control character, `#` and a lone `%` may be meant in several ways.

use std::borrow::Cow;

use super::fault::quoted;
use crate::template;

/// The most characters that one message names.
const MOST_NAMED: usize = 8;

/// Whether a path and query has only characters that may stand there, or that [`encoded`] encodes. A value in a hole
/// is encoded when it is filled in.
///
/// # Errors
/// All that is wrong and what to write instead.
pub(super) fn check(target: &str) -> Result<(), String> {
    match target.contains(template::OPEN) {
        true => check_text(&template::without_holes(target)),
        false => check_text(target),
    }
}

/// The same for a text in which `{{` has no meaning.
pub(super) fn check_text(text: &str) -> Result<(), String> {
    let mut wrong = Vec::new();
    if text.contains('#') {
        wrong.push("a fragment (`#…`) is never sent: remove it, or write `%23`".to_owned());
    }
    if has_lone_percent(text) {
        wrong.push("`%` begins an encoded character, like `%20`: write `%25` for a `%` itself".to_owned());
    }
    let refused = refused_in(text);
    if !refused.is_empty() {
        let all = |one: &dyn Fn(char) -> String| {
            let named: Vec<String> = refused.iter().take(MOST_NAMED).map(|c| one(*c)).collect();
            let more = if refused.len() > MOST_NAMED { ", …" } else { "" };
            named.join(", ") + more
        };
        let it = if refused.len() == 1 { "it" } else { "them" };
        let (raw, written) =
            (all(&|c| quoted(&c.to_string())), all(&|c| format!("`{}`", percent_encoded(c))));
        wrong.push(format!("cannot contain {raw}: percent-encode {it} as {written}"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// What is wrong with the value of a variable in a path or URL, before `after`. No character is repeated but for
/// spaces, `#` and `%`.
pub(super) fn fault_of_value(value: &str, after: &str) -> Option<String> {
    let refused = refused_in(value);
    let mut wrong = Vec::new();
    if refused.contains(&' ') {
        wrong.push("a space (`%20`)");
    }
    if refused.iter().any(|c| *c != ' ' && c.is_whitespace() && !c.is_control()) {
        wrong.push("a space beyond ASCII");
    }
    if refused.iter().any(|c| c.is_control()) {
        wrong.push("a control character");
    }
    if value.contains('#') {
        wrong.push("`#` (`%23`)");
    }
    // The text behind it may complete `%2`.
    let is_open = after.starts_with('$') || after.starts_with(template::OPEN);
    let whole = format!("{value}{}", if is_open { "00" } else { after.get(..2).unwrap_or(after) });
    if whole.match_indices('%').any(|(at, _)| at < value.len() && is_lone(&whole, at)) {
        wrong.push("a `%` that begins no encoded character (`%25`)");
    }
    (!wrong.is_empty()).then(|| wrong.join(", "))
}

/// `target` with those characters percent-encoded that no URL may have and that have one meaning only. Holes are left
/// as they are.
pub(super) fn encoded(target: &str) -> Cow<'_, str> {
    match target.contains(template::OPEN) {
        true => Cow::Owned(template::with_text_mapped(target, &|text| encoded_text(text).into_owned())),
        false => encoded_text(target),
    }
}

/// The same for a text in which `{{` has no meaning.
pub(super) fn encoded_text(text: &str) -> Cow<'_, str> {
    if !text.contains(is_encoded) {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_encoded(c) {
            written += &percent_encoded(c);
        } else {
            written.push(c);
        }
    }
    Cow::Owned(written)
}

fn is_encoded(c: char) -> bool {
    !c.is_ascii() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
}

/// The characters that are refused, each once.
fn refused_in(text: &str) -> Vec<char> {
    let mut refused = Vec::new();
    for c in text.chars().filter(|c| c.is_control() || c.is_whitespace()) {
        if !refused.contains(&c) {
            refused.push(c);
        }
    }
    refused
}

fn has_lone_percent(text: &str) -> bool {
    text.match_indices('%').any(|(at, _)| is_lone(text, at))
}

/// Whether the `%` at `at` begins no encoded character.
fn is_lone(text: &str, at: usize) -> bool {
    let digits = text.as_bytes().get(at + 1..at + 3);
    !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

fn percent_encoded(c: char) -> String {
    c.encode_utf8(&mut [0; 4]).bytes().map(|b| format!("%{b:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_url_may_have_is_encoded_and_the_rest_left_alone() {
        for (typed, sent) in [
            ("/a?b=1&c=[2]", "/a?b=1&c=[2]"),
            ("/%7Ba%7D?q=100%25", "/%7Ba%7D?q=100%25"),
            ("/\"<>\\^`{|}", "/%22%3C%3E%5C%5E%60%7B%7C%7D"),
            ("/bücher/日?ü={\"a\":1}", "/b%C3%BCcher/%E6%97%A5?%C3%BC=%7B%22a%22:1%7D"),
            ("/|{{random.pick(\"<a>\", '{b}')}}|", "/%7C{{random.pick(\"<a>\", '{b}')}}%7C"),
            ("/{{{{a}}/{{now}}", "/%7B%7Ba%7D%7D/{{now}}"),
            ("/{{{{a}}", "/%7B%7Ba%7D%7D"),
        ] {
            assert_eq!(encoded(typed), sent, "{typed}");
            assert_eq!(encoded(sent), sent, "twice is the same as once");
            assert_eq!(check(typed), Ok(()), "{typed}");
        }
        assert_eq!(encoded_text("/{{now}}"), "/%7B%7Bnow%7D%7D");
    }

    #[test]
    fn all_that_is_refused_is_named_with_what_to_write() {
        for (text, words) in [
            ("/a b", "cannot contain ` `: percent-encode it as `%20`"),
            (
                "/a b\u{1}c d\u{a0}",
                "cannot contain ` `, `\\u{1}`, `\u{a0}`: percent-encode them as `%20`, `%01`, `%C2%A0`",
            ),
            ("/a%", "write `%25`"),
            ("/a%2", "write `%25`"),
            ("/a%+1", "write `%25`"),
            ("/%2{{now}}/%zz", "write `%25`"),
            ("/a#b c", "`%23`; cannot contain ` `"),
            ("/% ", "`%25` for a `%` itself; cannot contain ` `"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert_eq!(check("/%{{random.hex(2)}}/%2{{random.hex(1)}}/{{random.pick('a b#')}}"), Ok(()));
        let many: String = (1..20u8).map(char::from).collect();
        assert!(check(&many).unwrap_err().ends_with("`%08`, …"));
    }

    #[test]
    fn the_value_of_a_variable_is_judged_with_what_follows_it() {
        for (value, after, words) in [
            ("a b#\u{1}", "", Some("a space (`%20`), a control character, `#` (`%23`)")),
            ("100%", "/x", Some("a `%` that begins no encoded character (`%25`)")),
            ("a%2", "", Some("a `%` that begins no encoded character (`%25`)")),
            ("a%2", "0/x", None),
            ("a%", "${HEX}", None),
            ("\"ü\"%20", "%", None),
        ] {
            assert_eq!(fault_of_value(value, after).as_deref(), words, "{value}");
        }
    }
}
