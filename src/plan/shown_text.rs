//! The text of a plan for reports: without values from the environment, which it does not hold, and without
//! credentials, which are known by their names.

use super::secrets::{MASK, Secrets, names_a_credential, text as mask_fields};

/// The most of a plan's text that reports hold, in bytes: hundreds of scenarios without large bodies.
const MAX_BYTES: usize = 64 << 10;

/// `text` masked, and cut where it is very long.
pub(super) fn shown_text(text: &str, secrets: &Secrets) -> String {
    let end = text.floor_char_boundary(MAX_BYTES);
    let mut shown = mask_fields(&secrets.mask_echo(&yaml_fields(&text[..end])));
    if end < text.len() {
        shown += &format!("\n… ({} in all)\n", crate::units::print_bytes(text.len() as u64));
    }
    shown
}

/// Masks the values of telling keys, line by line, without parsing the text.
fn yaml_fields(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    // The indentation of a telling key whose value is on the lines below.
    let mut above: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let indent = content.len() - content.trim_start().len();
        above = above.filter(|key| content.trim().is_empty() || indent > *key);
        let is_scalar = !content.trim().is_empty() && keys(content).next().is_none();
        if above.is_some() && is_scalar {
            masked += &content[..indent];
            masked += MASK;
        } else {
            masked += &mask_line(content);
            // Dashes of a list count as indentation.
            let key = content.len() - content.trim_start_matches([' ', '-']).len();
            above = above.or_else(|| ends_in_telling_key(content).then_some(key));
        }
        masked += &line[content.len()..];
    }
    masked
}

/// Where keys of a mapping stand in `line`: the key's bytes, and where its value begins.
fn keys(line: &str) -> impl Iterator<Item = (&str, usize)> {
    line.match_indices(':').filter_map(move |(at, _)| {
        let rest = &line[at + 1..];
        if !(rest.is_empty() || rest.starts_with(' ')) {
            return None;
        }
        let before = line[..at].trim_end_matches(['"', '\'']);
        let is_of_key = |c: char| c.is_alphanumeric() || "_-.".contains(c);
        let key = &before[before.trim_end_matches(is_of_key).len()..];
        (!key.is_empty()).then_some((key, at + 1))
    })
}

/// Whether the value of the last key is below: as a block, or on the next line.
fn ends_in_telling_key(line: &str) -> bool {
    let Some((key, value)) = keys(line).last() else { return false };
    let value = line[value..].trim();
    names_a_credential(key) && (value.is_empty() || value.starts_with(['|', '>']))
}

fn mask_line(line: &str) -> String {
    let (mut masked, mut done) = (String::new(), 0);
    for (key, at) in keys(line) {
        if at < done || !names_a_credential(key) {
            continue;
        }
        let begin = line.len() - line[at..].trim_start().len();
        let value = &line[begin..begin + value_bytes(&line[begin..], line[..at].contains(['{', '[']))];
        if value.is_empty() || value.starts_with(['|', '>', '{', '[', '&', '*']) || is_variable(value) {
            continue;
        }
        masked += &line[done..begin];
        masked += MASK;
        done = begin + value.len();
    }
    masked + &line[done..]
}

/// The length of the value at the start of `text`; `in_flow`: it stands within `{ }` or `[ ]`.
fn value_bytes(text: &str, in_flow: bool) -> usize {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        return text[1..].find(quote).map_or(text.len(), |end| end + 2);
    }
    let comment = text.find(" #").unwrap_or(text.len());
    let end = if in_flow { text.find([',', '}', ']']).unwrap_or(text.len()) } else { text.len() };
    text[..end.min(comment)].trim_end().len()
}

/// Whether a value is a variable from the environment and nothing else, but for the name of a scheme.
fn is_variable(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    let variable = value.split_once(' ').map_or(value, |(_, rest)| rest);
    let name = variable.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_telling_keys_are_masked_wherever_they_stand() {
        for (text, shown) in [
            ("Authorization: Bearer abc\nAccept: a\n", "Authorization: ***\nAccept: a\n"),
            ("  Authorization: Bearer ${TOKEN}\n", "  Authorization: Bearer ${TOKEN}\n"),
            ("X-Api-Key: \"${KEY:-abc}\" # mine", "X-Api-Key: *** # mine"),
            ("headers: {Accept: a, X-Api-Key: abc, B: c}", "headers: {Accept: a, X-Api-Key: ***, B: c}"),
            ("- {\"password\": 'a, b', n: 1}", "- {\"password\": ***, n: 1}"),
            ("secret: |\n  abc\n  def\n\nnext: 1\n", "secret: |\n  ***\n  ***\n\nnext: 1\n"),
            ("- password:\n    abc\n  user: x\n", "- password:\n    ***\n  user: x\n"),
            ("auth:\n  kind: basic\n  password: abc\n", "auth:\n  kind: basic\n  password: ***\n"),
            ("path: /a?api_key=abc&page=1\n", "path: /a?api_key=***&page=1\n"),
            ("body: '{\"password\": \"abc\"}'\n", "body: '{\"password\": \"***\"}'\n"),
            ("# password: abc\r\nkeyword: abc\r\n", "# password: ***\r\nkeyword: abc\r\n"),
            ("base_url: http://h:80/token\n", "base_url: http://h:80/token\n"),
        ] {
            assert_eq!(shown_text(text, &Secrets::default()), shown);
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let shown = shown_text(&"ä".repeat(MAX_BYTES), &Secrets::default());
        assert!(shown.ends_with("… (131 kB in all)\n"), "{}", &shown[shown.len() - 40..]);
        assert!(shown.len() < MAX_BYTES + 100);
    }
}
