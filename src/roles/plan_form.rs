//! The form of a plan in transit between coordinator and workers: its text, the overrides from the command
//! line, the variables it names, and the content of its PEM files. The receiver checks it with the same code.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::variables::Variables;
use super::{Failure, plan_source, tls_files};
use crate::cli::Options;
use crate::data::{Content, NamedFile};
use crate::fleet::messages::{MAX_PLAN_MESSAGE_BYTES, PlanBundle};
use crate::load::Pem;
use crate::plan::{self, Overrides, Plan, quoted};
use crate::text::one_line;
use crate::units::{print_bytes, print_count};

/// The longest source name of a plan in transit, in bytes.
const MAX_SOURCE_BYTES: usize = 200;
/// The most bytes of data files that travel with a plan.
const MAX_TRAVELLING_BYTES: u64 = 4 << 20;

#[derive(Serialize, Deserialize)]
struct Form {
    text: String,
    variables: BTreeMap<String, String>,
    #[serde(flatten)]
    overrides: Overrides,
    #[serde(default)]
    pem: Files,
    /// Those of the named targets, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pem_of_targets: Vec<Files>,
    /// Content of the files of bodies and data, in base64, by the names in the plan.
    #[serde(default)]
    bodies: BTreeMap<String, String>,
    /// Data files that are too large to travel, by their names: each worker has its own copy.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    apart: BTreeMap<String, FileIdentity>,
}

/// What tells whether two data files are the same.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct FileIdentity {
    bytes: u64,
    sha256: String,
}

impl FileIdentity {
    fn of(file: &NamedFile) -> Self {
        Self { bytes: file.bytes, sha256: file.sha256.clone() }
    }
}

/// Where the data files are that do not travel with a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DataPlace<'a> {
    /// In the folder of this process's own plan, or where that says.
    PlanFolder(&'a Path),
    /// In this folder or below it: the plan is somebody else's, and must not lead to other files.
    Within(&'a Path),
    /// Nowhere; what would have to be done.
    Nowhere(&'static str),
}

impl DataPlace<'_> {
    /// The file called `name`, if it is the one that was announced. Nothing of another one is shown.
    fn file(self, name: &str, announced: &FileIdentity) -> Result<Content, String> {
        let content = match self {
            Self::PlanFolder(folder) => plan_source::named_file(folder, name)?,
            Self::Within(folder) => {
                let path = within(folder, name)
                    .map_err(|why| format!("{why}, in {}", quoted(&folder.display().to_string())))?;
                plan_source::named_file(Path::new(""), &path)?
            }
            Self::Nowhere(remedy) => {
                return Err(format!("the file is too large to travel with the plan: {remedy}"));
            }
        };
        if FileIdentity::of(&content.identity(name)?) != *announced {
            let bytes = print_count(announced.bytes);
            return Err(format!(
                "is not the file that the coordinator has, of {bytes} bytes: copy that one here"
            ));
        }
        Ok(content)
    }
}

/// The path of the regular file `name` in or below `folder`.
fn within(folder: &Path, name: &str) -> Result<String, String> {
    let resolve = |path: &Path| path.canonicalize().map_err(|error| error.to_string());
    let (folder, path) = (resolve(folder)?, resolve(&folder.join(name))?);
    if !path.starts_with(&folder) || !path.is_file() {
        return Err("there is no such file".to_owned());
    }
    path.to_str().map(str::to_owned).ok_or_else(|| "its name is not UTF-8".to_owned())
}

/// Content of a plan's PEM files in base64, since they may have any bytes between their blocks.
#[derive(Serialize, Deserialize, Default)]
struct Files {
    ca: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Files {
    fn pack(pem: &Pem) -> Self {
        let pack = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
        Self { ca: pack(&pem.ca), certificate: pack(&pem.certificate), key: pack(&pem.key) }
    }

    fn unpack(self) -> Result<Pem, String> {
        let unpack = |text: Option<String>| text.map(|text| STANDARD.decode(text)).transpose();
        let unpack = |text| unpack(text).map_err(|e| format!("a PEM file of the plan: {e}"));
        Ok(Pem { ca: unpack(self.ca)?, certificate: unpack(self.certificate)?, key: unpack(self.key)? })
    }
}

/// The plan named on the command line, if any: checked, and in its transit form.
///
/// # Errors
/// The plan's faults.
pub(crate) fn of(options: &Options) -> Result<Option<(Plan, PlanBundle)>, Failure> {
    let Some(path) = &options.plan else { return Ok(None) };
    let text = plan_source::read(path).map_err(Failure::usage)?;
    let given = Variables::of(options)?;
    let variables = RefCell::new(BTreeMap::new());
    let look_up = |name: &str| {
        let value = given.look_up(name)?;
        variables.borrow_mut().insert(name.to_owned(), value.clone());
        Some(value)
    };
    let bodies = RefCell::new(BTreeMap::new());
    let folder = tls_files::folder(Some(path));
    let read_file = |name: &str| {
        let content = plan_source::named_file(folder, name)?;
        if let Content::Bytes(bytes) = &content {
            bodies.borrow_mut().insert(name.to_owned(), STANDARD.encode(bytes));
        }
        Ok(content)
    };
    let overrides = options.overrides();
    let plan = plan::parse_with_files(&text, path, &overrides, &look_up, &read_file);
    let plan = plan.map_err(|faults| Failure::usage(faults.to_string()))?;
    given.check_named(options)?;
    let variables = variables.into_inner();
    let mut bodies = bodies.into_inner();
    let apart = too_large(&plan);
    bodies.retain(|name, _| !apart.contains_key(name));
    let pems = tls_files::contents(&plan, folder).map_err(Failure::usage)?;
    // Without a CA the system's CAs apply, and those have to be on the machines that send load.
    tls_files::check_own_cas(&plan, &pems).map_err(Failure::usage)?;
    let mut packed = pems.iter().map(Files::pack);
    let (pem, pem_of_targets) = (packed.next().unwrap_or_default(), packed.collect());
    let form = Form { text, variables, overrides, pem, pem_of_targets, bodies, apart };
    let content = serde_json::to_value(form).map_err(|e| Failure::usage(e.to_string()))?;
    let mut source: String = path.chars().filter(|c| !c.is_control()).collect();
    source.truncate(source.floor_char_boundary(MAX_SOURCE_BYTES));
    let bundle = PlanBundle { source, digest: digest(&plan, &pems), content };
    let bytes = serde_json::to_vec(&bundle).map_or(usize::MAX, |message| message.len());
    if bytes > MAX_PLAN_MESSAGE_BYTES {
        let (bytes, most) = (print_bytes(bytes as u64), print_bytes(MAX_PLAN_MESSAGE_BYTES as u64));
        return Err(Failure::usage(format!(
            "the plan has {bytes} with its variables and files, and {most} are what a fleet's calls carry: \
             shorten its bodies, or let `tls.ca` hold the target's CA alone"
        )));
    }
    Ok(Some((plan, bundle)))
}

/// Check the plan in `bundle`. `place`: where its data files are that did not come with it.
///
/// # Errors
/// The plan's faults, or that its digest differs from the announced one.
pub(crate) fn read(bundle: &PlanBundle, place: DataPlace<'_>) -> Result<Plan, String> {
    let Form { text, variables, overrides, pem, pem_of_targets, bodies, apart } = form(bundle)?;
    let look_up = |name: &str| variables.get(name).cloned();
    let read_file = |name: &str| {
        if let Some(encoded) = bodies.get(name) {
            return STANDARD.decode(encoded).map(Content::Bytes).map_err(|error| error.to_string());
        }
        let announced = apart.get(name).ok_or("did not come with the plan")?;
        place.file(name, announced)
    };
    let plan = plan::parse_with_files(&text, &bundle.source, &overrides, &look_up, &read_file);
    // Keep a peer's text on one line, so that it cannot fake a line of ours.
    let plan = plan.map_err(|faults| one_line(&faults.to_string().replace('\n', "; ")))?;
    let digest = digest(&plan, &unpack(pem, pem_of_targets)?);
    if digest != bundle.digest {
        return Err(format!("the plan is {digest}, and was announced as {}", bundle.digest));
    }
    Ok(plan)
}

/// The data files of `plan` that stay behind: the largest ones, so that those that travel have at most
/// [`MAX_TRAVELLING_BYTES`] together.
fn too_large(plan: &Plan) -> BTreeMap<String, FileIdentity> {
    let mut files: Vec<&NamedFile> = plan.data.iter().filter_map(|set| set.file.as_ref()).collect();
    files.sort_by_key(|file| file.bytes);
    let mut travelling = 0;
    files.retain(|file| {
        travelling += file.bytes;
        travelling > MAX_TRAVELLING_BYTES
    });
    files.into_iter().map(|file| (file.name.clone(), FileIdentity::of(file))).collect()
}

/// Require a token before a private key is served.
///
/// # Errors
/// `plan` names a private key and there is no token.
pub(crate) fn guard(plan: &Plan, token: Option<&str>) -> Result<(), Failure> {
    let mut clients = plan.targets.iter().filter_map(|target| target.tls.as_ref()?.client.as_ref());
    match (clients.next(), token) {
        (Some(client), None) => Err(Failure::usage(format!(
            "tls.key: {} would travel with the plan to whoever asks for it: set LOADTESTER_TOKEN or \
             --token-file for coordinator and workers (`openssl rand -hex 32` makes one)",
            quoted(&client.key)
        ))),
        _ => Ok(()),
    }
}

/// Digest of `plan` and its PEM files: plans that differ in either are different to a fleet. Without such
/// files it is the plan's own digest.
fn digest(plan: &Plan, pems: &[Pem]) -> String {
    let files = pems.iter().flat_map(|pem| [&pem.ca, &pem.certificate, &pem.key]);
    if files.clone().all(Option::is_none) {
        return plan.digest.clone();
    }
    let mut hash = Sha256::new();
    hash.update(&plan.digest);
    for file in files {
        let bytes = file.as_deref().unwrap_or_default();
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The PEM files in `bundle`, of each target.
///
/// # Errors
/// Why it cannot be parsed.
pub(crate) fn files(bundle: &PlanBundle) -> Result<Vec<Pem>, String> {
    let form = form(bundle)?;
    unpack(form.pem, form.pem_of_targets)
}

fn unpack(main: Files, of_targets: Vec<Files>) -> Result<Vec<Pem>, String> {
    std::iter::once(main).chain(of_targets).map(Files::unpack).collect()
}

fn form(bundle: &PlanBundle) -> Result<Form, String> {
    Form::deserialize(&bundle.content).map_err(|e| one_line(&format!("no plan of this version: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_command_line_says_of_a_plan_travels_with_it() {
        let folder = std::env::temp_dir().join(format!("loadtester-plan-form-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("plan.yaml");
        let text = "base_url: http://a:80/${BASE}\nload: {requests: 5}\n\
                    targets: {login: {url: 'https://b', tls: {ca: ca.pem}}}\n\
                    scenarios: [{method: POST, path: '/{{random.uuid}}', body_file: body.bin}]\n";
        std::fs::write(&path, text).unwrap();
        let ca = rcgen::generate_simple_self_signed(["b".to_owned()]).unwrap().cert.pem();
        std::fs::write(folder.join("ca.pem"), &ca).unwrap();
        std::fs::write(folder.join("body.bin"), b"\0\xff{{now}}").unwrap();
        let words = "-c 3 --stages 0s:10/min,1m:10/min --no-keepalive -6 --resolve a:80:::1 --label build=17 --env BASE=b";
        let words =
            words.split(' ').map(std::ffi::OsString::from).chain(["--plan".into(), path.clone().into()]);
        let mut options = crate::cli::parse(words.collect(), &|_| false).unwrap();
        options.proxy_variables.https = Some("http://user:pass@proxy:3128".to_owned());
        let (plan, bundle) = of(&options).unwrap().unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let text = serde_json::to_string(&bundle).unwrap();
        let received = read(&serde_json::from_str(&text).unwrap(), DataPlace::Nowhere("")).unwrap();
        assert_eq!(received, plan);
        let proxy = received.targets[1].proxy.as_ref().map(|proxy| (proxy.host.as_str(), proxy.port));
        assert_eq!(proxy, Some(("proxy", 3128)), "the coordinator's environment decides for the workers");
        let pems = files(&bundle).unwrap();
        assert_eq!(
            (pems.len(), pems[0].ca.is_some(), pems[1].ca.as_deref()),
            (2, false, Some(ca.as_bytes()))
        );
        assert_eq!(received.labels, [("build".to_owned(), "17".to_owned())]);
        assert_eq!(received.targets[0].connect_to, Some(("::1".to_owned(), 80)));
        assert!(!received.connections.keep_alive && received.connections.family.is_some());
        assert_eq!(
            (received.scenarios[0].path.as_str(), received.model_name()),
            ("/b/{{random.uuid}}", "open")
        );
        assert_eq!(received.scenarios[0].body, b"\0\xff{{now}}", "files travel with the plan, as they are");
    }
}
