//! Valid plans that are probably mistakes.

use super::fault::quoted;
use super::model::{Plan, Scenario};
use super::secrets;

/// The media type of HTML forms.
const FORM: &str = "application/x-www-form-urlencoded";
/// The longest body that may be meant as a file's name, in bytes.
const MAX_FILE_NAME_BYTES: usize = 256;

/// A warning for each, with what to write instead.
pub(crate) fn likely_mistakes(plan: &Plan) -> Vec<String> {
    plan.scenarios.iter().flat_map(|scenario| of_scenario(plan, scenario)).collect()
}

fn of_scenario(plan: &Plan, scenario: &Scenario) -> Vec<String> {
    // Values from the environment and credentials are not shown.
    let shown = |text: &str| quoted(&secrets::text(&plan.secrets.mask(text)));
    let name = quoted(&scenario.name);
    let mut warnings = Vec::new();
    let body = std::str::from_utf8(&scenario.body).unwrap_or_default();
    let is_form = scenario.headers.iter().any(|(field, value)| {
        field.eq_ignore_ascii_case("content-type") && value.to_ascii_lowercase().starts_with(FORM)
    });
    if is_form && body.ends_with('\n') {
        warnings.push(format!(
            "scenario {name} sends a form that ends in a line feed, which becomes part of its last value: in YAML, \
             write `|-` instead of `|`"
        ));
    }
    if let Some(file) = body.strip_prefix('@').map(str::trim_end)
        && body.len() <= MAX_FILE_NAME_BYTES
        && !file.is_empty()
        && !file.contains(char::is_whitespace)
    {
        warnings.push(format!(
            "scenario {name} sends the text {} and not the content of a file: write `body_file:` and its name",
            shown(body.trim_end())
        ));
    }
    if matches!(scenario.method.as_str(), "GET" | "HEAD") && !scenario.body.is_empty() && plan.text.is_some()
    {
        warnings.push(format!(
            "scenario {name} sends a body with {}, which most targets ignore: write `method: POST`",
            scenario.method
        ));
    }
    // Braces of a path are encoded.
    let path = scenario.path.replace("%7B", "{").replace("%7D", "}");
    if let Some(placeholder) = placeholder(&path) {
        warnings.push(format!(
            "scenario {name} sends {} in its path as it stands: for a value of each request, write a hole like \
             `{{{{random.int(1, 100)}}}}`",
            shown(placeholder)
        ));
    }
    // A plan without a text is a URL with flags.
    if plan.text.is_none() {
        let values = scenario.headers.iter().map(|(_, value)| value.as_str());
        let mut texts = values.chain([path.as_str(), body]);
        if let Some(variable) = texts.find_map(variable) {
            warnings.push(format!(
                "{} is sent as it stands: only plans have variables; let the shell fill it in, in double quotes",
                quoted(variable)
            ));
        }
    }
    warnings
}

/// The first `{name}` that is a whole segment or parameter of `path`.
fn placeholder(path: &str) -> Option<&str> {
    let parts = path.split(['/', '?', '&', '=']);
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    let mut named = parts.filter(|part| {
        let inside = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        inside.is_some_and(is_name)
    });
    named.next()
}

/// The first `${NAME}` or `${NAME:-default}` in `text`.
fn variable(text: &str) -> Option<&str> {
    let from = &text[text.find("${")?..];
    let variable = &from[..=from.find('}')?];
    let name = variable[2..variable.len() - 1].split(":-").next().unwrap_or_default();
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then_some(variable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Overrides, UrlForm, from_url, parse};

    fn warnings(scenario: &str) -> String {
        let text = format!("base_url: http://h\ndefaults: {{requests: 9}}\nscenarios:\n  - {scenario}\n");
        let plan = parse(&text, "plan", &Overrides::default(), &|_| None).unwrap();
        likely_mistakes(&plan).join("\n")
    }

    #[test]
    fn what_is_hardly_meant_is_named_with_what_to_write() {
        let form = "{path: /, method: POST, headers: {content-type: Application/X-WWW-Form-Urlencoded; charset=utf-8}, \
                    body: \"a=1\\n\"}";
        assert!(warnings(form).contains("`|-`"), "{}", warnings(form));
        assert!(warnings("{path: /, method: POST, body: '@photo.jpg'}").contains("`@photo.jpg`"));
        let shown = warnings("{path: '/users/{id}?page={page}'}");
        assert!(
            shown.contains("sends `{id}` in its path") && shown.contains("`{{random.int(1, 100)}}`"),
            "{shown}"
        );
        for body in ["body: x", "form: {a: 1}", "multipart: [{name: a, value: b}]"] {
            let shown = warnings(&format!("{{path: /, {body}}}"));
            assert!(shown.contains("a body with GET") && shown.contains("`method: POST`"), "{shown}");
        }
    }

    #[test]
    fn values_from_the_environment_are_not_shown() {
        let text = "base_url: http://h\ndefaults: {requests: 9}\nscenarios:\n  - {path: /, method: POST, body: '${PW}'}\n";
        let env = |_: &str| Some("@hunter2".to_owned());
        let plan = parse(text, "plan", &Overrides::default(), &env).unwrap();
        let shown = likely_mistakes(&plan).join("\n");
        assert!(shown.contains("`${PW}`") && !shown.contains("hunter"), "{shown}");
    }

    #[test]
    fn ordinary_bodies_are_not_warned_of() {
        for scenario in [
            "{path: /, method: POST, body: \"a=1\\n\"}",
            "{path: /, method: POST, body: '{\"a\":{\"b\":{}}}'}",
            "{path: /, method: POST, body: '{\"a\":{\"b\":{\"c\": 1}}}'}",
            "{path: /, method: POST, body: '@ home'}",
            "{path: /, method: POST, body: '@'}",
            "{path: '/a%7Bb'}",
            "{path: '/a/b?filter={\"a\":1}&x={{random.uuid}}'}",
            "{path: '/a/{1}/{}/x{id}'}",
        ] {
            assert_eq!(warnings(scenario), "", "{scenario}");
        }
    }

    #[test]
    fn a_variable_beside_a_url_is_sent_as_it_stands() {
        let warnings = |value: &str| {
            let headers = vec![("Authorization".to_owned(), value.to_owned())];
            let form = UrlForm { url: "http://h/".to_owned(), headers, ..UrlForm::default() };
            likely_mistakes(&from_url(&form, &Overrides::default()).unwrap()).join("\n")
        };
        assert!(warnings("Bearer ${TOKEN}").contains("`${TOKEN}` is sent as it stands"));
        assert_eq!(warnings("Bearer $TOKEN"), "");
        assert_eq!(warnings("Bearer ${}"), "");
        let of_url = |url: &str| {
            from_url(&UrlForm { url: url.to_owned(), ..UrlForm::default() }, &Overrides::default())
        };
        let shown = likely_mistakes(&of_url("http://h/${ID}?a=1").unwrap()).join("\n");
        assert!(shown.contains("`${ID}` is sent as it stands"), "{shown}");
        let refused = of_url("http://${HOST}/").unwrap_err().to_string();
        assert!(refused.contains("only plans have variables"), "{refused}");
    }
}
