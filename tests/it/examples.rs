//! The plans in `deploy/examples` are right, and an editor that follows their first line agrees.
//! `UPDATE_GOLDEN=1` rewrites the schema beside them.

use std::path::PathBuf;
use std::process::Command;

use loadtester::plan;

use crate::run::PROGRAM;

const SCHEMA: &str = "plan.schema.json";
const COMMENT: &str = "# yaml-language-server: $schema=./plan.schema.json\n";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/examples")
}

fn plans() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("deploy/examples is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

#[test]
fn the_schema_beside_them_is_the_one_the_program_prints() {
    let path = folder().join(SCHEMA);
    let schema = plan::schema() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let beside = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(beside == schema, "run UPDATE_GOLDEN=1 cargo test --test it examples");
}

#[test]
fn each_passes_the_check_and_leads_editors_to_the_schema() {
    let plans = plans();
    assert!(plans.len() >= 4, "{plans:?}");
    for path in plans {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(COMMENT), "{}", path.display());
        let output = Command::new(PROGRAM).arg("--plan").arg(&path).arg("--check").output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{}: {printed}", path.display());
        assert!(text.contains("\nthresholds:"), "each example judges something: {}", path.display());
    }
}
