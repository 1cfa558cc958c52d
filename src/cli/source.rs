//! What the arguments without a flag mean: a command, a plan or a URL.

use super::elsewhere;
use super::error::UsageError;
use super::topic::Topic;
use crate::plan::{did_you_mean, quoted, without_userinfo};

/// The only command so far.
const HELP: &str = "help";
/// How a plan's name ends.
const PLAN_ENDS: [&str; 3] = [".yaml", ".yml", ".json"];

/// What the arguments without a flag ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    Nothing,
    Help(Topic),
    Plan(String),
    /// With its scheme.
    Url(String),
}

/// What `free` means, the arguments without a flag; `is_file` tells whether there is a file of that name.
pub(super) fn of(free: &[String], is_file: &dyn Fn(&str) -> bool) -> Result<Source, UsageError> {
    match free {
        [] => Ok(Source::Nothing),
        [command, topics @ ..] if command == HELP => help(topics),
        [word, ..]
            if !is_file(word)
                && let Some(remedy) = elsewhere::command(word) =>
        {
            Err(UsageError::new(format!("{} is no command here: {}", quoted(word), remedy.text())))
        }
        [one] => single(one, is_file),
        [first, second, ..] => Err(UsageError::new(format!(
            "{} and {} stand without a flag: give one plan or one URL, and one flag for each value",
            shown(first),
            shown(second)
        ))),
    }
}

fn help(topics: &[String]) -> Result<Source, UsageError> {
    match topics {
        [] => Ok(Source::Help(Topic::Short)),
        [topic] => Topic::find(topic).map(Source::Help).ok_or_else(|| {
            let guess = did_you_mean(topic, Topic::names());
            let remedy = if guess.is_empty() { format!(": write {}", Topic::list()) } else { guess };
            UsageError::new(format!("there is no help on {}{remedy}", quoted(topic)))
        }),
        _ => Err(UsageError::new(format!("help is on one topic: write {}", Topic::list()))),
    }
}

fn single(text: &str, is_file: &dyn Fn(&str) -> bool) -> Result<Source, UsageError> {
    let has_scheme = text.contains("://") || text.starts_with("unix:");
    if !has_scheme && (text == "-" || is_file(text)) {
        return Ok(Source::Plan(text.to_owned()));
    }
    let lower = text.to_ascii_lowercase();
    let is_plan_name = PLAN_ENDS.iter().any(|end| lower.ends_with(end)) && !has_port(text) && !has_user(text);
    if has_scheme {
        Ok(Source::Url(text.to_owned()))
    } else if is_plan_name {
        Ok(Source::Plan(text.to_owned()))
    } else if text == "localhost" || text.contains([':', '/', '.']) || has_user(text) {
        Ok(Source::Url(format!("http://{text}")))
    } else {
        let guess = did_you_mean(text, [HELP]);
        Err(UsageError::new(format!(
            "{} is no command, no file and no URL{guess}; write the command `help`, a plan like loadplan.yaml, or a URL \
             like http://localhost:8081/path",
            quoted(text)
        )))
    }
}

/// Whether it begins like `host:8080/`.
fn has_port(text: &str) -> bool {
    let port = authority(text).rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether it begins like `user@host/` or `user:password@host/`.
fn has_user(text: &str) -> bool {
    authority(text).rfind('@').is_some_and(|at| at > 0)
}

/// What stands before the path, if the text is a URL without a scheme.
fn authority(text: &str) -> &str {
    text.split(['/', '?', '#']).next().unwrap_or_default()
}

/// `text` in a message, without the password that a URL may have.
fn shown(text: &str) -> String {
    quoted(&without_userinfo(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Source, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        of(&words, &|name| matches!(name, "plan" | "localhost.d/x" | "api.example.com"))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn the_first_argument_is_a_command_a_plan_or_a_url() {
        let url = |text: &str| Ok(Source::Url(text.to_owned()));
        let plan = |text: &str| Ok(Source::Plan(text.to_owned()));
        for (word, expected) in [
            ("help", Ok(Source::Help(Topic::Short))),
            ("plan", plan("plan")),
            ("-", plan("-")),
            ("a.yaml", plan("a.yaml")),
            ("x/b.YML", plan("x/b.YML")),
            ("plan.json", plan("plan.json")),
            ("localhost.d/x", plan("localhost.d/x")),
            ("api.example.com", plan("api.example.com")),
            ("http://a/plan.yaml", url("http://a/plan.yaml")),
            ("https://x", url("https://x")),
            ("localhost", url("http://localhost")),
            ("localhost/a", url("http://localhost/a")),
            ("127.0.0.1:8081", url("http://127.0.0.1:8081")),
            ("host:8080/data.json", url("http://host:8080/data.json")),
            ("[::1]:80/x.yaml", url("http://[::1]:80/x.yaml")),
            ("example.com", url("http://example.com")),
            ("a:b@host/", url("http://a:b@host/")),
            ("u:secret@host/x.json", url("http://u:secret@host/x.json")),
            ("u@host.yaml", url("http://u@host.yaml")),
            ("u@host", url("http://u@host")),
            ("plans/a@b.yaml", plan("plans/a@b.yaml")),
            ("@a.yaml", plan("@a.yaml")),
            ("unix:/run/app.sock", url("unix:/run/app.sock")),
        ] {
            assert_eq!(read(&[word]), expected, "{word}");
        }
        assert_eq!(read(&[]), Ok(Source::Nothing));
        assert_eq!(read(&["help", "exit-codes"]), Ok(Source::Help(Topic::ExitCodes)));
    }

    #[test]
    fn what_is_neither_is_refused_with_all_three() {
        let error = read(&["import"]).unwrap_err();
        for way in [
            "`import` is no command, no file and no URL;",
            "`help`",
            "loadplan.yaml",
            "http://localhost:8081",
        ] {
            assert!(error.contains(way), "{error}");
        }
        assert!(read(&["hepl"]).unwrap_err().contains("did you mean `help`?"));
        assert!(read(&["help", "fleets"]).unwrap_err().contains("did you mean `fleet`?"));
        assert!(read(&["help", "me"]).unwrap_err().contains("flags, plan, thresholds"));
        assert!(read(&["help", "plan", "fleet"]).unwrap_err().contains("one topic"));
        let two = read(&["http://u:secret@x", "y"]).unwrap_err();
        assert_eq!(two.split(" stand").next(), Some("`http://x` and `y`"));
        let two = read(&["u:secret@x/a", "unix:@app"]).unwrap_err();
        assert_eq!(two.split(" stand").next(), Some("`x/a` and `unix:@app`"));
    }
}
