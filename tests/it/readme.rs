//! README.md agrees with the command line and the plan. `UPDATE_README=1` writes the
//! table of flags.

use loadtester::{cli, plan};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const BEGIN: &str = "<!-- flags: written by a test -->\n";
const END: &str = "<!-- /flags -->\n";

fn readme() -> String {
    std::fs::read_to_string(PATH).expect("README.md is there")
}

#[test]
fn the_table_of_flags_is_the_one_the_parser_uses() {
    let readme = readme();
    let begin = readme.find(BEGIN).expect("README.md marks where the flags begin") + BEGIN.len();
    let end = begin + readme[begin..].find(END).expect("README.md marks where the flags end");
    let table = format!("\n{}\n", cli::markdown_table().trim());
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(PATH, format!("{}{table}\n{}", &readme[..begin], &readme[end..])).unwrap();
        return;
    }
    assert!(readme[begin..end].trim() == table.trim(), "run UPDATE_README=1 cargo test --test it readme");
}

#[test]
fn every_plan_in_it_is_valid() {
    let readme = readme();
    let plans: Vec<&str> = readme
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|text| text.contains("base_url"))
        .collect();
    assert!(!plans.is_empty(), "README.md shows a plan");
    for text in plans {
        let parsed = plan::parse(text, "README.md", &plan::Overrides::default(), &|_| None);
        assert!(parsed.is_ok(), "{}", parsed.unwrap_err());
    }
}
