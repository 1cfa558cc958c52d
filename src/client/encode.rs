//! Encodes requests: a scenario's own, as a redirect changes them, and those with holes.

use super::sigv4::Signer;
use crate::http::describes_content;
use crate::http1::{self, BodyFraming, HeadPart, Request};
use crate::plan::{Plan, RequestTemplate, Scenario, Target};
use crate::template::{Context, Template};

/// The encoded request of `scenario`; with holes, only what is the same in all its requests.
pub(crate) fn encode(plan: &Plan, scenario: &Scenario) -> Request {
    if scenario.template.is_some() || (plan.auth.is_some() && plan.target_of(scenario).name.is_empty()) {
        return Request::empty(&scenario.method, !scenario.body.is_empty());
    }
    encode_to(plan, scenario, &scenario.method, &scenario.path, true)
}

/// The same with another method and target; without a body, also without the fields that describe it.
pub(crate) fn encode_to(
    plan: &Plan,
    scenario: &Scenario,
    method: &str,
    path: &str,
    with_body: bool,
) -> Request {
    let mut fields = scenario.headers.clone();
    if !with_body {
        fields.retain(|(name, _)| !describes_content(name));
    }
    if !plan.connections.keep_alive {
        fields.push(("Connection".to_owned(), "close".to_owned()));
    }
    let target = plan.target_of(scenario);
    fields.extend(proxy_field(target));
    let body: &[u8] = if with_body { &scenario.body } else { &[] };
    let whole = format!("{}{path}", forwarded_to(target));
    http1::encode(method, &whole, &target.authority, &fields, (body, scenario.chunked))
}

/// What stands before the path in a request: a proxy that forwards requests takes whole URLs (RFC 9112, section 3.2.2).
fn forwarded_to(target: &Target) -> String {
    target.forwarder().map_or(String::new(), |_| target.origin())
}

/// The field that shows a forwarding proxy who we are.
fn proxy_field(target: &Target) -> Option<(String, String)> {
    let authorization = target.forwarder()?.authorization.clone()?;
    Some(("Proxy-Authorization".to_owned(), authorization))
}

/// A request with holes: its head up to the body's framing, and its body.
#[derive(Debug)]
pub(crate) struct EncodedTemplate {
    head: Template,
    body: Template,
    framing: BodyFraming,
    signer: Option<Signer>,
}

impl EncodedTemplate {
    /// That of `scenario`; `None`: it has no holes, and is not signed.
    pub(crate) fn of(plan: &Plan, scenario: &Scenario) -> Option<Self> {
        let target = plan.target_of(scenario);
        let signer = plan.auth.as_ref().filter(|_| target.name.is_empty()).map(Signer::new);
        let constant;
        let template = match &scenario.template {
            Some(template) => &**template,
            None => {
                signer.as_ref()?;
                constant = RequestTemplate::without_holes(scenario);
                &constant
            }
        };
        let RequestTemplate { path, headers, body } = template;
        let closes = (!plan.connections.keep_alive).then(|| ("Connection".to_owned(), "close".to_owned()));
        let ours: Vec<(String, String)> = closes.into_iter().chain(proxy_field(target)).collect();
        let names = scenario.headers.iter().chain(&ours).map(|(name, _)| name.as_str());
        let mut head = Template::default();
        http1::head_parts(&scenario.method, &target.authority, names, |part| match part {
            HeadPart::Text(text) => head.push_text(text.as_bytes()),
            HeadPart::Target => {
                head.push_text(forwarded_to(target).as_bytes());
                head.append(path);
            }
            HeadPart::Value(i) => match headers.get(i) {
                Some(value) => head.append(value),
                None => head.push_text(ours[i - headers.len()].1.as_bytes()),
            },
        });
        let framing = BodyFraming::of(&scenario.method, !scenario.body.is_empty(), scenario.chunked);
        Some(Self { head, body: body.clone(), framing, signer })
    }

    /// The longest request, in bytes.
    pub(crate) fn most_bytes(&self) -> usize {
        let body = self.body.most_bytes();
        let signature = self.signer.as_ref().map_or(0, Signer::most_bytes);
        self.head.most_bytes() + signature + body + BodyFraming::most_bytes(body)
    }

    /// Writes the request of `context` over that in `request`. `scratch` holds its body meanwhile.
    pub(crate) fn render(&self, context: &Context<'_>, request: &mut Request, scratch: &mut Vec<u8>) {
        scratch.clear();
        self.body.render(context, scratch);
        request.bytes.clear();
        self.head.render(context, &mut request.bytes);
        if let Some(signer) = &self.signer {
            signer.sign(&mut request.bytes, scratch, context.unix_ns);
        }
        request.end_head(self.framing, scratch);
    }
}

/// `scenario` with its holes filled.
pub(crate) fn filled(scenario: &Scenario, context: &Context<'_>) -> Scenario {
    let mut filled = scenario.clone();
    let Some(template) = filled.template.take() else { return filled };
    let bytes = |template: &Template| {
        let mut bytes = Vec::new();
        template.render(context, &mut bytes);
        bytes
    };
    let text = |template: &Template| String::from_utf8_lossy(&bytes(template)).into_owned();
    filled.path = text(&template.path);
    filled
        .headers
        .iter_mut()
        .zip(&template.headers)
        .for_each(|((_, value), template)| *value = text(template));
    filled.body = bytes(&template.body);
    filled
}
