//! Reads how requests are authenticated.

use super::fault::quoted;
use super::model::{AwsSigV4, Scenario};
use super::path::Path;
use super::plan_schema::Document;
use super::reader::PlanReader;

/// The fields that a signature adds.
const OWN_FIELDS: [&str; 4] = ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];

/// The credentials of the plan, if it has any; faults are recorded.
pub(super) fn check(
    reader: &mut PlanReader<'_>,
    document: &Document,
    scenarios: &[Scenario],
) -> Option<AwsSigV4> {
    let form = document.auth.as_ref()?.aws_sigv4.as_ref()?;
    let at = Path::of("auth").key("aws_sigv4");
    let mut word = |key: &str, text: &Option<String>| {
        let text = text.clone()?;
        let is_word =
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b',');
        let read = if is_word { Ok(text) } else { Err(format!("{} is not one word", quoted(&text))) };
        reader.read(&at.key(key), "one word", read)
    };
    let access_key_id = word("access_key_id", &form.access_key_id);
    let (region, service) = (word("region", &form.region), word("service", &form.service));
    let mut secret = |key: &str, text: &Option<String>| {
        let text = text.clone()?;
        let is_text = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        let read = if is_text { Ok(text) } else { Err("is empty, or has a space or a line feed".to_owned()) };
        reader.read(&at.key(key), "a secret without spaces and line feeds", read)
    };
    let secret_access_key = secret("secret_access_key", &form.secret_access_key);
    let session_token = secret("session_token", &form.session_token);
    // Requests to named targets are not signed.
    for (i, scenario) in scenarios.iter().enumerate().filter(|(_, scenario)| scenario.target == 0) {
        let place = Path::of("scenarios").index(i);
        let is_own = |name: &&String| OWN_FIELDS.iter().any(|own| name.eq_ignore_ascii_case(own));
        if let Some(name) = scenario.headers.iter().map(|(name, _)| name).find(is_own) {
            reader
                .fault(&place.key("headers").key(name), "is set by `auth.aws_sigv4`: remove one of the two");
        }
        if scenario.follow_redirects > 0 {
            let what =
                "a signature is for one URL, so redirects are not followed with `auth.aws_sigv4`: remove it";
            reader.fault(&place.key("follow_redirects"), what);
        }
    }
    Some(AwsSigV4 {
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token,
        region: region?,
        service: service?,
    })
}
