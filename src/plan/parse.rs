//! Turns a plan's text, or a URL and its flags, into a [`Plan`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::check;
use super::fault::{Fault, Faults, Position, quoted};
use super::json_schema::SCHEMA;
use super::limits::{DEFAULT_URL_DURATION_NS, MAX_PLAN_BYTES};
use super::model::Plan;
use super::overrides::Overrides;
use super::path::Path;
use super::plan_schema::Document;
use super::reader::ReadFile;
use super::secrets::Secrets;
use super::shown_text::shown_text;
use super::urls::UrlList;
use super::yaml::{self, Node};
use super::{identity, schema_check, url, variables};
use crate::data::Content;
use crate::template::Template;
use crate::units;

const FORM: &str = "write at least `base_url:` and `scenarios:`; --schema prints its form";

/// The command-line form without a plan file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UrlForm {
    /// The whole URL, as typed; not used with `urls`.
    pub url: String,
    /// `--urls`.
    pub urls: Option<UrlList>,
    /// `-m`.
    pub method: Option<String>,
    /// `-H`, in order.
    pub headers: Vec<(String, String)>,
    /// The content that `-b` gives; `None`: there is no `-b`.
    pub body: Option<Vec<u8>>,
    /// `--user`: name and password.
    pub user: Option<(String, String)>,
    /// `--timeout`, in nanoseconds.
    pub timeout_ns: Option<u64>,
    /// The TLS flags.
    pub tls: UrlTls,
}

/// The command line's TLS flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UrlTls {
    /// `--cacert`: a file.
    pub ca: Option<String>,
    /// `--cert`: a file.
    pub cert: Option<String>,
    /// `--key`: a file.
    pub key: Option<String>,
    /// `--insecure`.
    pub insecure: bool,
}

impl UrlTls {
    /// The `tls` section of a plan with these flags; `None` without any.
    fn node(&self) -> Option<Node> {
        let files = [("ca", &self.ca), ("cert", &self.cert), ("key", &self.key)];
        let files = files.into_iter().filter_map(|(key, file)| Some((key, Node::text(file.as_ref()?))));
        let entries: Vec<_> = files.chain(self.insecure.then(|| ("insecure", Node::yes()))).collect();
        (!entries.is_empty()).then(|| Node::map(entries))
    }
}

/// The plan in `text`, which names no files of bodies. `source` is its name in messages; `env` looks up a variable.
///
/// # Errors
/// All faults at once.
pub fn parse(
    text: &str,
    source: &str,
    overrides: &Overrides,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Plan, Faults> {
    parse_with_files(text, source, overrides, env, &no_files)
}

fn no_files(_: &str) -> Result<Content, String> {
    Err("no files are read here".to_owned())
}

/// The plan in `text`; `files` reads those that it names for bodies.
///
/// # Errors
/// All faults at once.
pub fn parse_with_files(
    text: &str,
    source: &str,
    overrides: &Overrides,
    env: &dyn Fn(&str) -> Option<String>,
    files: &ReadFile<'_>,
) -> Result<Plan, Faults> {
    let mut faults = Faults::new(source);
    match read(text) {
        Ok(mut root) => {
            root.forget_extensions();
            let secrets = variables::fill_in(&mut root, env, &mut faults);
            let meant = meaning(&root, source, overrides, files, faults);
            let mut plan = keep_secret(secrets, meant.map_err(|faults| faults.with_anchors_named(text))?);
            plan.text = Some(shown_text(&root, &plan.secrets));
            Ok(plan)
        }
        Err((position, message)) => {
            faults.add(position, &Path::default(), message);
            Err(faults)
        }
    }
}

fn read(text: &str) -> Result<Node, (Option<Position>, String)> {
    if text.len() > MAX_PLAN_BYTES {
        let limit = units::print_bytes(MAX_PLAN_BYTES as u64);
        return Err((None, format!("the plan is larger than {limit}: shorten its bodies")));
    }
    let root = yaml::read(text)?;
    let what = match &root.value {
        yaml::Value::Map(_) => return Ok(root),
        // An empty plan has no position to report.
        yaml::Value::Null => return Err((None, format!("the plan is empty: {FORM}"))),
        yaml::Value::Seq(_) => "the plan is a list, not a mapping",
        yaml::Value::Scalar(_) | yaml::Value::Unknown => "the plan is a single value, not a mapping",
    };
    Err((root.at, format!("{what}: {FORM}")))
}

/// The plan of `loadtester URL` with its flags.
///
/// # Errors
/// All faults at once; their paths are the flags.
pub fn from_url(form: &UrlForm, overrides: &Overrides) -> Result<Plan, Faults> {
    let (url, userinfo) = url::split_userinfo(form.urls.as_ref().map_or(&form.url, |urls| &urls.origin));
    let mut faults = Faults::new(&url);
    let user = user(form, userinfo, &mut faults);
    let (base, path) = match url::parse(&url) {
        Ok(url) => (url.origin(), if url.rest.is_empty() { "/".to_owned() } else { url.rest }),
        Err(message) => {
            let message = if url.contains("${") {
                "only plans have variables: let the shell fill in `${…}`, in double quotes".to_owned()
            } else {
                message
            };
            faults.add(None, &Path::of("URL"), message);
            // The flags are still worth checking.
            ("https://localhost".to_owned(), "/".to_owned())
        }
    };
    let mut scenario = Vec::new();
    // As curl does: who gives a body means to send it.
    if let Some(method) = form.method.as_deref().or(form.body.as_ref().map(|_| "POST")) {
        scenario.push(("method", Node::text(method)));
    }
    if let Some(ns) = form.timeout_ns {
        scenario.push(("timeout", Node::text(&units::print_duration(ns))));
    }
    let mut fields = form.headers.clone();
    if let Some((name, password)) = &user {
        fields.push((
            "Authorization".to_owned(),
            format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))),
        ));
    }
    let closes = |(name, value): &(String, String)| {
        name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close")
    };
    let is_closing = fields.iter().any(closes);
    fields.retain(|field| !closes(field));
    scenario.push(("headers", headers(&fields)));
    let mut parts = vec![("base_url", Node::text(&base))];
    match &form.urls {
        Some(urls) => {
            let (scenarios, data) = urls.nodes(&scenario);
            parts.extend([("scenarios", scenarios), ("data", data)]);
        }
        None => {
            scenario.push(("path", Node::text(&path)));
            let scenarios = Node { at: None, value: yaml::Value::Seq(vec![Node::map(scenario)]) };
            parts.push(("scenarios", scenarios));
        }
    }
    parts.extend(form.tls.node().map(|tls| ("tls", tls)));
    let root = Node::map(parts);
    let mut overrides = overrides.clone();
    overrides.no_keep_alive |= is_closing;
    if overrides.requests.is_none() && overrides.duration_ns.is_none() && overrides.stages.is_none() {
        overrides.duration_ns = Some(DEFAULT_URL_DURATION_NS);
    }
    let files = |name: &str| form.urls.as_ref().map_or_else(|| no_files(name), |urls| urls.file(name));
    let mut plan = meaning(&root, &url, &overrides, &files, faults).map_err(Faults::in_terms_of_flags)?;
    for scenario in &mut plan.scenarios {
        scenario.body = form.body.clone().unwrap_or_default();
        if let Some(template) = &mut scenario.template {
            template.body = Template::of_bytes(scenario.body.clone());
        }
    }
    plan.digest = identity::digest(&plan);
    let mut secrets = Secrets::default();
    if let Some((_, password)) = &user {
        secrets.add_header("Authorization", password);
    }
    Ok(keep_secret(secrets, plan))
}

/// Name and password of `--user` or of the URL; faults are recorded.
fn user(form: &UrlForm, userinfo: Option<&str>, faults: &mut Faults) -> Option<(String, String)> {
    let mut fault = |message: &str| faults.add(None, &Path::of("--user"), message);
    let user = match (&form.user, userinfo) {
        (Some(_), Some(_)) => {
            fault("the URL has a user and password, too: keep one of the two");
            return None;
        }
        (Some(user), None) => user.clone(),
        (None, Some(userinfo)) => match url::user_of(userinfo) {
            Ok(user) => user,
            Err(message) => {
                faults.add(None, &Path::of("URL"), message);
                return None;
            }
        },
        (None, None) => return None,
    };
    if form.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
        fault("user and password are sent as `Authorization`, and -H gives one, too: keep one of the two");
    }
    if user.0.contains(':') {
        fault("a user name cannot contain `:`: basic authentication has no way to say it");
    }
    Some(user)
}

/// The fields as a mapping; those of one name, in whatever spelling, as a list.
fn headers(fields: &[(String, String)]) -> Node {
    let mut by_name: Vec<(&str, Vec<Node>)> = Vec::new();
    for (name, value) in fields {
        match by_name.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, values)) => values.push(Node::text(value)),
            None => by_name.push((name, vec![Node::text(value)])),
        }
    }
    let node = |values: Vec<Node>| Node { at: None, value: yaml::Value::Seq(values) };
    Node::map(by_name.into_iter().map(|(name, values)| (name, node(values))).collect())
}

/// `plan` with its secrets: `secrets` and the credentials in its headers.
fn keep_secret(mut secrets: Secrets, plan: Plan) -> Plan {
    for (name, value) in plan.scenarios.iter().flat_map(|s| &s.headers) {
        secrets.add_header(name, value);
        if let Some(sent) = with_base64(value) {
            secrets.add_header(name, &sent);
        }
    }
    for proxy in plan.targets.iter().filter_map(|target| target.proxy.as_ref()) {
        for userinfo in proxy.userinfo.iter() {
            secrets.add("proxy", userinfo);
            userinfo.split_once(':').iter().for_each(|(_, password)| secrets.add("proxy", password));
        }
        if let Some(authorization) = &proxy.authorization {
            secrets.add_header("Proxy-Authorization", authorization);
        }
    }
    if let Some(auth) = &plan.auth {
        secrets.add("secret_access_key", &auth.secret_access_key);
        auth.session_token.iter().for_each(|token| secrets.add("session_token", token));
    }
    // Names and thresholds are shown everywhere.
    let mut plan = plan;
    let shown = plan.name.iter_mut().chain(plan.scenarios.iter_mut().map(|s| &mut s.name));
    let shown = shown.chain(plan.thresholds.iter_mut().map(|t| &mut t.expression));
    let shown = shown.chain(plan.labels.iter_mut().map(|(_, value)| value));
    shown.for_each(|text| *text = secrets.mask_echo(text));
    Plan { secrets, ..plan }
}

/// What is sent for a value like `Basic {{base64('user:password')}}`.
fn with_base64(value: &str) -> Option<String> {
    let (before, rest) = value.split_once("{{base64('")?;
    let text = rest.strip_suffix("')}}")?.replace("''", "'").replace("{{{{", "{{");
    Some(format!("{before}{}", STANDARD.encode(text)))
}

/// The common part of [`parse`] and [`from_url`].
fn meaning(
    root: &Node,
    source: &str,
    overrides: &Overrides,
    files: &ReadFile<'_>,
    mut faults: Faults,
) -> Result<Plan, Faults> {
    let shaped = schema_check::check(root, &SCHEMA, &Path::default(), &mut faults).unwrap_or_default();
    let document: Document = match serde_json::from_value(shaped) {
        Ok(document) => document,
        Err(error) => {
            // The shape check passes only what the types can hold; a gap between the two must not go
            // unnoticed. With faults it is a gap that they have left.
            if faults.list().is_empty() {
                let what = format!("this is a bug in loadtester: the plan cannot be read ({error})");
                faults.add(None, &Path::default(), what);
            }
            return Err(faults.sorted());
        }
    };
    check::check(root, document, source, overrides, files, &mut faults).ok_or_else(|| faults.sorted())
}

impl Faults {
    /// The same faults; those of unknown keys that hold anchors in `text` say where these may stand.
    fn with_anchors_named(mut self, text: &str) -> Self {
        for fault in self.list_mut().iter_mut().filter(|fault| fault.message.starts_with("unknown key")) {
            let is_at_top = !fault.path.contains(['.', '[']);
            if is_at_top && fault.position.is_some_and(|at| yaml::holds_anchor(text, at)) {
                let write = quoted(&format!("x-{}:", fault.path));
                fault.message = format!("unknown key: to keep an anchor here, write {write}");
            }
        }
        self
    }

    /// The same faults, with flags of the URL form as paths instead of a plan's keys.
    fn in_terms_of_flags(mut self) -> Self {
        for fault in self.list_mut() {
            fault.path = flag_of(fault);
            fault.source = "command line".to_owned();
        }
        self
    }
}

fn flag_of(fault: &Fault) -> String {
    match fault.path.strip_prefix("scenarios[0].").unwrap_or(&fault.path) {
        "method" => "-m".to_owned(),
        header if header.starts_with("headers.") => format!("-H {}", &header["headers.".len()..]),
        "headers" => "-H".to_owned(),
        "timeout" => "--timeout".to_owned(),
        "labels" => "--label".to_owned(),
        "path" | "base_url" => "URL".to_owned(),
        "tls" => "--cacert, --cert, --key, --insecure".to_owned(),
        "tls.ca" => "--cacert".to_owned(),
        "tls.cert" => "--cert".to_owned(),
        "tls.key" => "--key".to_owned(),
        "tls.insecure" => "--insecure".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_thresholds_show_variables_and_not_their_values() {
        let text = "plan: of ${TOKEN}\nbase_url: http://a\nload: {requests: 1}\nscenarios:\n\
                    - {name: 'with ${TOKEN}', path: /}\n- {path: '/?api_key=typed'}\n\
                    thresholds: ['with ${TOKEN}: p99 < 1s']\n";
        let env = |name: &str| (name == "TOKEN").then(|| "s3cret".to_owned());
        let plan = parse(text, "p", &Default::default(), &env).unwrap();
        assert_eq!(plan.name.as_deref(), Some("of ${TOKEN}"));
        assert_eq!(plan.scenarios[0].name, "with ${TOKEN}");
        assert_eq!(plan.scenarios[1].name, "GET /?api_key=***");
        assert_eq!(plan.thresholds[0].expression, "with ${TOKEN}: p99 < 1s");
        assert_eq!(plan.thresholds[0].scenario, Some(0));
    }

    #[test]
    fn a_password_in_base64_is_masked_as_it_is_sent() {
        let text = "base_url: http://a\nload: {requests: 1}\nscenarios:\n- path: /\n  headers:\n    \
                    Authorization: \"Basic {{base64('ada:it''s s3cret')}}\"\n";
        let plan = parse(text, "p", &Default::default(), &|_| None).unwrap();
        let echo = format!("{} it's s3cret", STANDARD.encode("ada:it's s3cret"));
        assert_eq!(plan.secrets.mask_echo(&echo), "*** ***");
    }

    #[test]
    fn what_a_broken_expectation_tells_is_masked_by_its_name() {
        let text = "base_url: http://a\nload: {requests: 1}\nscenarios:\n- path: /\n  expect:\n    \
                    header: {Set-Cookie: typed}\n    json: {/access_token: typed, /user: typed}\n";
        let plan = parse(text, "p", &Default::default(), &|_| None).unwrap();
        let body = r#"{"access_token":"s3cret","user":{"password":"s3cret"}}"#;
        let head = b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=s3cret\r\n\r\n";
        let response = crate::http::ResponseView {
            status: crate::http::Status(200),
            head,
            body: body.as_bytes(),
            body_bytes: body.len() as u64,
        };
        for (rule, judged) in plan.scenarios[0].expect.as_ref().unwrap().judge_each(&response) {
            let description = format!("{rule} {judged:?}");
            let is_typed = description.contains("typed") && !rule.contains("user");
            assert!(!description.contains("s3cret") && !is_typed, "{description}");
        }
    }
}
