//! What must not be shown: values from the environment, and credentials, recognized by their names.
//!
//! Values from the environment are found by their text wherever they occur, and replaced by the variable they
//! came from. Other code decides where things are shown.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// What stands in the place of a credential.
pub(crate) const MASK: &str = "***";
/// Shorter values are looked for in what we send, and only as words of their own, not in what comes back: there
/// they would be found by accident all over, and prove nothing.
const LEAST_ECHO_BYTES: usize = 4;
/// Words in names of headers, parameters and fields that say what these hold.
const TELLING: [&str; 16] = [
    "key",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "session",
    "signature",
    "sig",
    "credential",
    "credentials",
    "authorization",
    "auth",
    "cookie",
    "jwt",
];
/// How words end that are two written as one, like `accesstoken` and `phpsessid`.
const TELLING_ENDS: [&str; 15] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "signature",
    "credential",
    "authorization",
    "cookie",
    "apikey",
    "accesskey",
    "privatekey",
    "secretkey",
    "sessionid",
    "sessid",
];
/// What a name ends with that holds a figure, or the kind of something: `token_count`, `token_type`.
const HARMLESS_ENDS: [&str; 4] = ["count", "length", "limit", "type"];
/// Ways to prove who one is that stand before the proof (RFC 9110, section 11.1): no secret.
const SCHEMES: [&str; 4] = ["basic", "bearer", "digest", "token"];

/// Values that must not be shown, each with its replacement.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Spellings of a value, the longest first, and its replacement.
    forms: Vec<(String, String)>,
}

/// Prints only the replacements: a value must not get into a message by accident.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.forms.iter().map(|(_, shown)| shown)).finish()
    }
}

impl Secrets {
    /// Replace `value` by the variable `name` from now on.
    pub fn add(&mut self, name: &str, value: &str) {
        self.replace(value, format!("${{{name}}}"));
    }

    /// Replace the credential in the header field `name`, if it is one: a target may echo it.
    pub(crate) fn add_header(&mut self, name: &str, value: &str) {
        // What a target echoes of `Basic` is user and password (RFC 7617).
        if let Some((scheme, encoded)) = after_scheme(value)
            && scheme.eq_ignore_ascii_case("basic")
            && let Some(text) =
                BASE64.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok())
        {
            let password = text.split_once(':').map_or("", |(_, password)| password);
            for secret in [&*text, password].into_iter().filter(|secret| secret.len() >= LEAST_ECHO_BYTES) {
                self.replace(secret, MASK.to_owned());
            }
        }
        let credential = after_scheme(value).map_or(value, |(_, rest)| rest);
        if names_a_credential(name) && credential.len() >= LEAST_ECHO_BYTES {
            self.replace(credential, MASK.to_owned());
        }
    }

    fn replace(&mut self, value: &str, shown: String) {
        let json = serde_json::Value::from(value).to_string();
        // Without its quotes; the value may end in one of its own.
        let in_json = json[1..json.len() - 1].to_owned();
        // Spellings in which targets send values back.
        let html = |text: &str| {
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
        };
        let careful_json = in_json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
        let forms = [
            value.to_owned(),
            in_json.replace('/', "\\/"),
            careful_json.replace('/', "\\/"),
            careful_json,
            in_json,
            html(value),
        ];
        for form in forms.into_iter().chain(percent_encoded(value)) {
            if !form.is_empty() && !self.forms.iter().any(|(known, _)| *known == form) {
                self.forms.push((form, shown.clone()));
            }
        }
        self.forms.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
    }

    /// `text`, which we send, with the replacement of each value.
    pub(crate) fn mask(&self, text: &str) -> String {
        self.masked(text, 1, usize::MAX)
    }

    /// The start of `text`, which we send, masked likewise: at least `bytes` bytes, if it has as many. A
    /// value that extends beyond is masked, too.
    pub(crate) fn mask_start(&self, text: &str, bytes: usize) -> String {
        self.masked(text, 1, bytes)
    }

    /// `text`, which we received, with the replacement of each value that is long enough to be recognized.
    pub(crate) fn mask_echo(&self, text: &str) -> String {
        self.masked(text, LEAST_ECHO_BYTES, usize::MAX)
    }

    /// With each value of at least `least` bytes masked, until there are `enough` bytes.
    fn masked(&self, text: &str, least: usize, enough: usize) -> String {
        let (mut masked, mut rest) = (String::with_capacity(text.len().min(enough)), text);
        let mut before = ' ';
        while let Some(c) = rest.chars().next().filter(|_| masked.len() < enough) {
            let stands_here = |form: &str| {
                form.len() >= least
                    && rest.starts_with(form)
                    && (form.len() >= LEAST_ECHO_BYTES || is_apart(before, &rest[form.len()..]))
            };
            match self.forms.iter().find(|(form, _)| stands_here(form)) {
                Some((form, shown)) => {
                    masked += shown;
                    before = form.chars().next_back().unwrap_or(c);
                    rest = &rest[form.len()..];
                }
                None => {
                    masked.push(c);
                    before = c;
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        masked
    }
}

/// Whether what stands between `before` and `after` is a word, or a number, of its own.
/// The ways in which senders and targets percent-encode a value: all that is reserved, all that a path or query cannot
/// have, or what no URL can have; with digits in upper or lower case.
fn percent_encoded(value: &str) -> impl Iterator<Item = String> {
    const IN_PATHS: &[u8] = b"-._~!$&'()*+,;=:@/?";
    const NOWHERE: &[u8] = b"\"<>\\^`{|}";
    let is_kept: [fn(u8) -> bool; 3] = [
        |b| b.is_ascii_alphanumeric() || b"-._~".contains(&b),
        |b| b.is_ascii_alphanumeric() || IN_PATHS.contains(&b),
        |b| b.is_ascii() && !NOWHERE.contains(&b),
    ];
    let encode = |is_kept: fn(u8) -> bool, is_upper: bool| {
        let byte = |b: u8| match (is_kept(b), is_upper) {
            (true, _) => char::from(b).to_string(),
            (false, true) => format!("%{b:02X}"),
            (false, false) => format!("%{b:02x}"),
        };
        value.bytes().map(byte).collect::<String>()
    };
    is_kept
        .into_iter()
        .flat_map(move |is_kept| [true, false].map(|is_upper| encode(is_kept, is_upper)))
        .collect::<Vec<_>>()
        .into_iter()
}

fn is_apart(before: char, after: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    !joins(before) && !after.starts_with(joins)
}

/// Whether a header, parameter or field of this name holds a credential: by the words in it, each as a whole, so
/// that neither `keyword` nor `monkey` does.
pub(crate) fn names_a_credential(name: &str) -> bool {
    let words = words(name);
    let is_harmless = words.last().is_some_and(|word| HARMLESS_ENDS.contains(&word.as_str()));
    let tells = |word: &String| {
        TELLING.contains(&word.as_str()) || TELLING_ENDS.iter().any(|end| word.ends_with(end))
    };
    !is_harmless && words.iter().any(tells)
}

/// The words of `camelCase`, `snake_case`, `kebab-case` and the like, in lower case.
fn words(name: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let letters: Vec<char> = name.chars().collect();
    for (i, c) in letters.iter().enumerate() {
        let before = i.checked_sub(1).map(|before| letters[before]);
        let ends_acronym = before.is_some_and(char::is_uppercase)
            && letters.get(i + 1).is_some_and(|after| after.is_lowercase());
        let begins = c.is_uppercase() && (before.is_some_and(char::is_lowercase) || ends_acronym);
        if (begins || !c.is_alphabetic()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphabetic() {
            word.extend(c.to_lowercase());
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// The value of the header field `name`, masked if the name indicates a credential.
pub(crate) fn header_value(name: &str, value: &str) -> String {
    if !names_a_credential(name) {
        return parameters(value);
    }
    after_scheme(value).map_or(MASK.to_owned(), |(scheme, _)| format!("{scheme} {MASK}"))
}

/// Splits `Bearer abc` into a known scheme and the credentials.
pub(super) fn after_scheme(value: &str) -> Option<(&str, &str)> {
    value.split_once(' ').filter(|(scheme, _)| SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()))
}

/// A path with its query; parameters are masked if their names indicate credentials.
pub(crate) fn path(text: &str) -> String {
    match text.split_once('?') {
        Some((path, query)) => format!("{path}?{}", parameters(query)),
        None => text.to_owned(),
    }
}

/// Any text, without what names in it say is secret: fields of JSON and parameters of forms and URLs, also where
/// these are damaged or cut.
pub(crate) fn text(text: &str) -> String {
    named_values(&parameters(&json_fields(&user_information(text))))
}

/// `user:password@` of URLs.
fn user_information(text: &str) -> String {
    let (mut masked, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("://") {
        let (before, from) = rest.split_at(at + 3);
        masked += before;
        let end = from.find(|c: char| c.is_whitespace() || "/?#\"'`<>\\".contains(c)).unwrap_or(from.len());
        rest = match from[..end].rfind('@') {
            Some(at) => {
                masked += MASK;
                &from[at..]
            }
            None => from,
        };
    }
    masked + rest
}

/// `name: value` and `name = value` wherever they stand: YAML, INI, GraphQL and fields of a head.
fn named_values(text: &str) -> String {
    let is_of_name = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    let (mut masked, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find([':', '=']) {
        let (before, from) = rest.split_at(at);
        let named = before.trim_end_matches([' ', '"', '\'']);
        let name = &named[named.trim_end_matches(is_of_name).len()..];
        let value = from[1..].trim_start_matches([' ', '\t']);
        let gap = from.len() - value.len();
        masked += before;
        masked += &from[..gap];
        rest = value;
        let is_apart = gap > 1 || value.starts_with(['"', '\'']) || from.starts_with('=');
        if !is_apart || !names_a_credential(name) {
            continue;
        }
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (begin, end) = match quote {
            Some(quote) => (1, value[1..].find(quote).map_or(value.len(), |at| at + 1)),
            None => {
                let scheme = after_scheme(value).map_or(0, |(scheme, _)| scheme.len() + 1);
                let stop =
                    |c: char| matches!(c, '\n' | '\r' | '"' | '\'' | '`' | '<' | '}' | ')' | '&' | ',');
                // The brace of a variable ends no value.
                let variable = value[scheme..].strip_prefix("${").and_then(|rest| rest.find('}'));
                let from = scheme + variable.map_or(0, |brace| brace + "${}".len());
                (scheme, value[from..].find(stop).map_or(value.len(), |at| from + at))
            }
        };
        let secret = value[begin..end].trim();
        if secret.is_empty() || secret.starts_with(MASK) || is_variable(secret) {
            continue;
        }
        masked += &value[..begin];
        masked += MASK;
        rest = &value[end..];
    }
    masked + rest
}

/// Whether a text is a variable from the environment and nothing else, not even a default.
pub(super) fn is_variable(text: &str) -> bool {
    let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// `value` of the field `name`; masked as a whole when the name says that it is a credential.
pub(crate) fn named(name: &str, value: String) -> String {
    if names_a_credential(name) { MASK.to_owned() } else { text(&value) }
}

/// `name=value` wherever it stands.
fn parameters(text: &str) -> String {
    let is_of_name = |c: char| c.is_alphanumeric() || "_-.[]%".contains(c);
    let (mut masked, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('=') {
        let (before, from) = rest.split_at(at);
        let name = &before[before.trim_end_matches(is_of_name).len()..];
        let value = &from[1..];
        masked += before;
        masked.push('=');
        rest = value;
        if !names_a_credential(name) {
            continue;
        }
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
        let (begin, end) = match quote {
            Some(quote) => (1, value[1..].find(quote).map_or(value.len(), |at| at + 1)),
            None => {
                (0, value.find(|c: char| c.is_whitespace() || "&\"'`<".contains(c)).unwrap_or(value.len()))
            }
        };
        masked += &value[..begin];
        masked += MASK;
        rest = &value[end..];
    }
    masked + rest
}

/// Scans the text without parsing it, so that a damaged document is masked as well.
fn json_fields(text: &str) -> String {
    let (mut masked, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('"') {
        let (before, from) = rest.split_at(at);
        let name = string(from);
        let after = from[name.len()..].trim_start();
        masked += before;
        masked += name;
        rest = &from[name.len()..];
        let Some(value) = after.strip_prefix(':').map(str::trim_start) else { continue };
        if !names_a_credential(name.trim_matches('"')) {
            continue;
        }
        let length = match value.chars().next() {
            Some('"') => string(value).len(),
            Some('{' | '[') => group(value).len(),
            _ => value.find([',', '}', ']', '\n']).unwrap_or(value.len()),
        };
        masked += &rest[..rest.len() - value.len()];
        masked += &format!("\"{MASK}\"");
        rest = &value[length..];
    }
    masked + rest
}

/// The object or array at the start of `text`; all of `text` where it has no end.
fn group(text: &str) -> &str {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(c) = text[at..].chars().next() {
        match c {
            '"' => at += string(&text[at..]).len() - 1,
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ => {}
        }
        at += c.len_utf8();
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

/// The string at the start of `text`, quotes included; all of `text` where it has no end.
fn string(text: &str) -> &str {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &text[..=i],
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_text_the_beginning_is_masked_and_no_value_is_cut() {
        let mut secrets = Secrets::default();
        secrets.add("TOKEN", "s3cret-value");
        let text = format!("ab s3cret-value {}", "x".repeat(100));
        assert_eq!(secrets.mask_start(&text, 5), "ab ${TOKEN}");
        assert_eq!(secrets.mask_start(&text, 12), "ab ${TOKEN} ");
        assert_eq!(secrets.mask_start("ab", 5), "ab");
        assert_eq!(secrets.mask_start(&text, usize::MAX), secrets.mask(&text));
    }

    #[test]
    fn a_value_from_the_environment_is_its_variable_wherever_it_turns_up() {
        let mut secrets = Secrets::default();
        secrets.add("TOKEN", "s3c\"ret");
        secrets.add("PART", "s3c");
        secrets.add("N", "1");
        assert_eq!(secrets.mask("a s3c\"ret b s3c c s3c\\\"ret 1"), "a ${TOKEN} b ${PART} c ${TOKEN} ${N}");
        // A short value would be found all over.
        assert_eq!(secrets.mask("HTTP/1.1 page=1&n=10 x1"), "HTTP/1.1 page=${N}&n=10 x1");
        // Replacements are not searched again, and short values are not masked in responses.
        assert_eq!(secrets.mask_echo("s3c 1 s3c\"ret"), "s3c 1 ${TOKEN}");
        assert!(!format!("{secrets:?}").contains("s3c"));
    }

    #[test]
    fn a_value_is_known_however_it_is_percent_encoded() {
        let mut secrets = Secrets::default();
        secrets.add("ODD", "sec\"ret'va|lue/9ü");
        for spelled in [
            "sec%22ret'va%7Clue/9%C3%BC",
            "sec%22ret'va%7clue/9%c3%bc",
            "sec%22ret%27va%7Clue%2F9%C3%BC",
            "sec%22ret%27va%7clue%2f9%c3%bc",
        ] {
            assert_eq!(secrets.mask(&format!("/x?q={spelled}")), "/x?q=${ODD}", "{spelled}");
        }
    }

    #[test]
    fn a_credential_typed_in_a_header_is_known_again_without_its_scheme() {
        let mut secrets = Secrets::default();
        secrets.add("TOKEN", "from-outside");
        for (name, value) in [
            ("Authorization", "Bearer typed-here"),
            ("Cookie", "sid=typed-too"),
            ("X-Api-Key", "from-outside"),
            ("Accept", "text/html"),
            ("Session", "on"),
        ] {
            secrets.add_header(name, value);
        }
        let came = "Bearer typed-here, sid=typed-too, from-outside, text/html, on";
        assert_eq!(secrets.mask_echo(came), "Bearer ***, ***, ${TOKEN}, text/html, on");
    }

    #[test]
    fn credentials_are_known_by_their_names() {
        for (name, value, shown) in [
            ("Authorization", "Bearer abc", "Bearer ***"),
            ("authorization", "abc def", "***"),
            ("Cookie", "a=b", "***"),
            ("Set-Cookie", "sid=1; Path=/", "***"),
            ("X-Api-Key", "abc", "***"),
            ("X_API_KEY", "abc", "***"),
            ("Proxy-Authorization", "Basic abc", "Basic ***"),
            ("X-Amz-Security-Token", "abc", "***"),
            ("Accept", "text/html", "text/html"),
            ("Keep-Alive", "timeout=5", "timeout=5"),
            ("Ocp-Apim-Subscription-Key", "abc", "***"),
            ("X-Functions-Key", "abc", "***"),
            ("X-Encryption-Key", "abc", "***"),
            ("Location", "https://a/b?c=d&access_token=e#f", "https://a/b?c=d&access_token=***"),
        ] {
            assert_eq!(header_value(name, value), shown, "{name}");
        }
        assert_eq!(path("/a?page=1&api_key=abc&key=d"), "/a?page=1&api_key=***&key=***");
        assert_eq!(path("/token/a"), "/token/a");
        assert_eq!(path("/a?subscription-key=b&keyword=c"), "/a?subscription-key=***&keyword=c");
        for name in
            ["privateKey", "signing_key", "APIKey", "refresh_token", "accesstoken", "PHPSESSID", "X-Auth"]
        {
            assert!(names_a_credential(name), "{name}");
        }
        for name in
            ["keyword", "monkey", "token_count", "tokenType", "keyboard", "author", "max_tokens", "design"]
        {
            assert!(!names_a_credential(name), "{name}");
        }
    }

    #[test]
    fn a_value_is_known_in_the_spellings_of_json_html_and_urls() {
        let mut secrets = Secrets::default();
        secrets.add("K", "a/b&c<d\"");
        for echoed in [
            "a/b&c<d\"",
            "a\\/b&c<d\\\"",
            "a/b\\u0026c\\u003cd\\\"",
            "a/b&amp;c&lt;d&quot;",
            "a%2Fb%26c%3Cd%22",
        ] {
            assert_eq!(secrets.mask_echo(&format!("x {echoed} y")), "x ${K} y", "{echoed}");
        }
        secrets.add_header("Authorization", "Basic YWxpY2U6aHVudGVyMnB3");
        assert_eq!(secrets.mask_echo("alice:hunter2pw, hunter2pw"), "***, ***");
    }

    #[test]
    fn bodies_lose_the_values_of_telling_fields() {
        for (text, shown) in [
            (
                r#"{"name": "x", "password" : "a\"b,c", "n": 1}"#,
                r#"{"name": "x", "password" : "***", "n": 1}"#,
            ),
            (r#"[{"access_token":123},{"token":{"a":"b"}}]"#, r#"[{"access_token":"***"},{"token":"***"}]"#),
            (r#"{"secret": "never ends"#, r#"{"secret": "***""#),
            (r#"{"a": "password", "b": "c"}"#, r#"{"a": "password", "b": "c"}"#),
            ("user=a&password=b", "user=a&password=***"),
            ("user=a&password=b\n", "user=a&password=***\n"),
            (r#"{"privateKey": "a", "keyword": "b"}"#, r#"{"privateKey": "***", "keyword": "b"}"#),
            ("is {\"refresh_token\": \"abc", "is {\"refresh_token\": \"***\""),
            ("moved to `/a?access_token=b`", "moved to `/a?access_token=***`"),
            ("plain words, a=b", "plain words, a=b"),
            ("password: a b\napi_key = c", "password: ***\napi_key = ***"),
            ("login(user: \"bob\", password: \"a\")", "login(user: \"bob\", password: \"***\")"),
            ("{'password': 'a', token: b}", "{'password': '***', token: ***}"),
            ("Authorization: Bearer abc, x", "Authorization: Bearer ***, x"),
            ("http://u:p@h/a http://auth:80/", "http://***@h/a http://auth:80/"),
            ("Authorization: Bearer ${TOKEN}", "Authorization: Bearer ${TOKEN}"),
            ("password: ${X:-a}\ntoken: ${T}", "password: ***\ntoken: ${T}"),
        ] {
            assert_eq!(super::text(text), shown);
        }
    }
}
