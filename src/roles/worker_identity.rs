//! A worker's identity and limits: its slot, its host name, its allowed targets.

use super::Failure;
use crate::cli::Options;
use crate::fleet::messages::MAX_SLOT;
use crate::plan::{Plan, Target};

/// The variable that Kubernetes sets for each pod of an indexed job.
const SLOT_VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// Check that `--allow-target` permits where the connections of a plan really go.
pub(super) fn allowed(options: &Options, plan: &Plan) -> Result<(), String> {
    plan.targets.iter().try_for_each(|target| is_allowed(options, target))
}

fn is_allowed(options: &Options, target: &Target) -> Result<(), String> {
    let allowed = &options.allowed_targets;
    // Through a proxy both are reached.
    let (host, port) = match &target.proxy {
        Some(proxy) if allowed.iter().any(|allowed| allowed.allows(&target.host, target.port)) => {
            (proxy.host.as_str(), proxy.port)
        }
        Some(_) => (target.host.as_str(), target.port),
        None => target.peer(),
    };
    let is_allowed = || allowed.iter().any(|target| target.allows(host, port));
    match &target.unix {
        _ if allowed.is_empty() => Ok(()),
        Some(socket) if allowed.iter().any(|target| target.allows_socket(socket)) => Ok(()),
        Some(socket) => Err(format!(
            "the plan's target is the socket {socket}, which --allow-target does not name: nothing is sent there"
        )),
        None if is_allowed() => Ok(()),
        None => Err(format!(
            "the plan's connections go to {host}:{port}, which --allow-target does not name: nothing is sent there"
        )),
    }
}

/// The same for a plan that this worker did not bring. Without `--allow-target` it must not name this
/// machine's Unix sockets or link-local addresses (a cloud's metadata service).
pub(super) fn allowed_from_elsewhere(options: &Options, plan: &mut Plan) -> Result<(), String> {
    allowed(options, plan)?;
    if !options.allowed_targets.is_empty() {
        return Ok(());
    }
    if let Some(socket) = plan.targets.iter().find_map(|target| target.unix.as_ref()) {
        return Err(format!(
            "the plan, which this worker did not bring, leads to the socket {socket}: nothing is sent there unless \
             --allow-target unix:{socket} names it"
        ));
    }
    plan.refuses_link_local = true;
    Ok(())
}

pub(super) fn slot(options: &Options) -> Result<Option<u32>, Failure> {
    if options.slot.is_some() {
        return Ok(options.slot);
    }
    let Some(text) = std::env::var_os(SLOT_VARIABLE) else { return Ok(None) };
    let slot = text.to_str().and_then(|text| text.parse().ok()).filter(|slot| *slot < MAX_SLOT);
    slot.map(Some)
        .ok_or_else(|| Failure::usage(format!("{SLOT_VARIABLE} is not a place: unset it, or give --slot N")))
}

pub(super) fn hostname() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_and_proxy_has_to_be_allowed() {
        let text = "base_url: http://a:80\nload: {requests: 1}\nscenarios: [{path: /}]\n\
                    targets: {b: {url: 'https://b', proxy: 'p:3128'}}\n";
        let plan = crate::plan::parse(text, "p", &Default::default(), &|_| None).unwrap();
        for (words, refused) in [
            ("a b p", None),
            ("a:80 b:443 p:3128", None),
            ("a b", Some("p:3128")),
            ("a p", Some("b:443")),
            ("b p", Some("a:80")),
            ("", None),
        ] {
            let given = words.split_whitespace().flat_map(|word| ["--allow-target", word]);
            let fixed = ["--role", "worker", "--coordinator", "http://c:1"];
            let words = fixed.into_iter().chain(given).map(std::ffi::OsString::from).collect();
            let options = crate::cli::parse(words, &|_| false).unwrap();
            match (allowed(&options, &plan), refused) {
                (Ok(()), None) => {}
                (Err(message), Some(refused)) => assert!(message.contains(refused), "{message}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
