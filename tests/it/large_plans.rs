//! Plans at the limits of what is accepted: one large body, many scenarios.

use std::path::Path;
use std::time::Duration;

use loadtester::plan;
use loadtester::roles::demo_target::DemoTarget;

use crate::instrument::child::{Ended, Job};
use crate::run::{PROGRAM, Room};

/// Resident memory a run may take that sends one body of 4 MiB.
const MOST_WITH_A_LARGE_BODY: u64 = 30_000_000;

fn run(room: &Room, args: &[&str]) -> Ended {
    let mut job = Job::new(PROGRAM, None, Duration::from_secs(60));
    job.args = args.iter().map(|arg| (*arg).to_owned()).collect();
    job.run(Path::new(&room.file(""))).expect("the program starts")
}

#[test]
fn a_body_of_4_mib_costs_little_more_than_its_size() {
    let target = DemoTarget::start_program(Path::new(PROGRAM), None).unwrap();
    let room = Room::new();
    let line = "      {\"name\": \"Jane Doe\", \"email\": \"jane@example.com\", \"token\": \"t0ken\"},\n";
    let body = line.repeat((4 << 20) / line.len());
    let plan = room.write(
        "plan.yaml",
        format!(
            "base_url: http://{}\nscenarios:\n  - method: POST\n    path: /echo\n    body: |\n{body}",
            target.addr()
        ),
    );
    let common = ["--plan", &plan, "--threads", "1", "-c", "1", "-r", "4/s", "-d", "700ms", "--quiet"];
    let ended = run(&room, &[&common[..], &["--listen", "127.0.0.1:0"]].concat());
    let peak = ended.peak_rss_bytes.expect("it runs long enough to be looked at");
    assert!(peak <= MOST_WITH_A_LARGE_BODY, "{peak} bytes resident: {}", ended.complaint());
    let checked = run(&room, &[&common[..], &["--check"]].concat());
    assert!(checked.stdout.contains("body of 3."), "{}", checked.stdout);
    assert!(checked.stdout.contains("\"token\": \"***\"") && !checked.stdout.contains("t0ken"));
}

#[test]
fn a_body_of_4_mib_is_accepted_however_it_is_indented() {
    let body = "      abcdefgh\n".repeat((4 << 20) / 9 + 1);
    let text = format!(
        "base_url: http://h\ndefaults: {{requests: 1}}\nscenarios:\n  - path: /\n    body: |\n{body}"
    );
    let plan = plan::parse(&text, "plan", &plan::Overrides::default(), &|_| None).unwrap();
    assert!(plan.scenarios[0].body.len() >= 4 << 20);
}
