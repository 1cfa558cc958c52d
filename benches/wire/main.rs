//! TLS and connections that come and go: CPU time per request and rates, beside others.
//!
//! `cargo bench --bench wire -- --rounds 5 --seconds 2 --only wrk,loadtester --cases https-c64`
//!
//! The generator has core 0, nginx core 1, over loopback; everybody meets the same nginx, and contestants
//! take turns within each round. Where connections are to come and go, nginx closes each after its
//! response (`keepalive_timeout 0`), and so says to everybody.

#[path = "../../tests/servers/certificates.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod certificates;
#[path = "../instrument/mod.rs"]
#[allow(dead_code, unused_imports, reason = "each program uses its part; tests run in tests/it")]
mod instrument;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use certificates::Certificates;
use instrument::child::{Ended, Job, Scratch, Service};
use instrument::contestant::{Contestant, Load, find, header, ours};
use instrument::options::{DefaultOptions, Options};
use instrument::schedule_fit::median;
use instrument::table::{Table, middle};
use instrument::tool_output::ToolOutput;

const GENERATOR_CORE: usize = 0;
const TARGET_CORE: usize = 1;
/// Bytes of the body.
const BODY_BYTES: usize = 2;
/// Beyond its duration a run may take so long.
const GRACE: Duration = Duration::from_secs(30);

const USAGE: &str = "\
Compare load generators over TLS and with connections that come and go; print Markdown.

  --rounds N     rounds per case (default 5)
  --seconds S    length of one run (default 2)
  --only A,B     these contestants
  --cases A,B    of https-c10 https-c64 churn-c10 churn-c64 tls-churn-c10 tls-churn-c64 (default: all)";

const CASES: [&str; 6] =
    ["https-c10", "https-c64", "churn-c10", "churn-c64", "tls-churn-c10", "tls-churn-c64"];
const CONTESTANTS: [Contestant; 3] = [Contestant::Wrk, Contestant::Oha, Contestant::Ours];

fn main() -> std::process::ExitCode {
    let args = instrument::own_args();
    instrument::finish(compare(&args))
}

fn compare(args: &[String]) -> Result<(), String> {
    let usual =
        DefaultOptions { usage: USAGE, rounds: 5, seconds: 2.0, contestants: &CONTESTANTS, cases: &CASES };
    let Some(asked) = usual.read(args)? else { return Ok(()) };
    asked.check(USAGE, |case| CASES.contains(&case))?;
    instrument::os::raise_fd_limit().map_err(|e| format!("cannot raise the limit of open files: {e}"))?;
    println!("# TLS and churn\n\n{}", header(&asked.contestants));
    println!(
        "Generator on core {GENERATOR_CORE}, nginx on core {TARGET_CORE}, loopback, one generator thread,"
    );
    println!("medians of {} rounds of {} s.\n", asked.rounds, asked.seconds);
    asked.tell_missing();
    let nginx = find("nginx").ok_or("nginx is not installed: apt-get install nginx")?;
    for case in &asked.cases {
        let (kind, connections) = case.rsplit_once("-c").unwrap_or_default();
        let is_secure = kind != "churn";
        let home = Scratch::new()?;
        let certificates = Certificates::make(home.path());
        let (certificate, key) = &certificates.server;
        let mut server = if kind == "https" { String::new() } else { "keepalive_timeout 0;".to_owned() };
        if is_secure {
            server += &format!(
                " ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_session_cache shared:s:8m; \
                 ssl_protocols TLSv1.2 TLSv1.3;"
            );
        }
        let listen = if is_secure { " ssl" } else { "" };
        let service = Service::nginx(&nginx, TARGET_CORE, home.path(), BODY_BYTES, (listen, &server))?;
        let scheme = if is_secure { "https" } else { "http" };
        let load = Load {
            url: format!("{scheme}://{}/body", service.address),
            connections: connections.parse().map_err(|_| format!("no case {case:?}"))?,
            seconds: asked.seconds,
            rate: None,
            core: Some(GENERATOR_CORE),
        };
        case_of(&asked, case, &load, is_secure.then_some(certificates.ca.as_str()))?;
    }
    Ok(())
}

/// One contestant's runs.
#[derive(Default)]
struct Samples {
    rate: Vec<f64>,
    cpu_us: Vec<f64>,
    core_percent: Vec<f64>,
}

fn case_of(asked: &Options, name: &str, load: &Load, ca: Option<&str>) -> Result<(), String> {
    let mut samples: BTreeMap<&str, Samples> = BTreeMap::new();
    for round in 1..=asked.rounds {
        for contestant in &asked.contestants {
            eprintln!("{name}, round {round}: {}", contestant.name());
            let scratch = Scratch::new()?;
            match run(*contestant, load, ca, scratch.path())? {
                Ok((ended, output)) => {
                    let samples = samples.entry(contestant.name()).or_default();
                    samples.rate.push(output.rate);
                    samples.cpu_us.push(ended.cpu_s * 1e6 / output.requests as f64);
                    samples.core_percent.push(ended.cpu_s / ended.wall_s * 100.0);
                }
                Err(fault) => println!("- {}, {name}: {fault}", contestant.name()),
            }
        }
    }
    print(asked, name, &samples);
    Ok(())
}

/// How one run went: an error ends the comparison, a fault of the contestant is remarked on.
fn run(
    contestant: Contestant,
    load: &Load,
    ca: Option<&str>,
    scratch: &Path,
) -> Result<Result<(Ended, ToolOutput), String>, String> {
    let job = match (contestant, ca) {
        (Contestant::Ours, Some(ca)) => our_job(load, ca, scratch)?,
        _ => contestant.job(load, scratch).ok_or("not installed")?,
    };
    // The others get no CA: wrk accepts every certificate.
    let job = if contestant == Contestant::Oha && ca.is_some() { job.args("--insecure") } else { job };
    Ok(contestant.run_job(&job, scratch))
}

/// Ours needs a plan that names its CA, and checks the certificate.
fn our_job(load: &Load, ca: &str, scratch: &Path) -> Result<Job, String> {
    let (base, path) = load.url.rsplit_once('/').ok_or("a URL with a path")?;
    let plan = scratch.join("plan.yaml");
    let text = format!(
        "base_url: {base}\ntls: {{ ca: '{ca}' }}\nload: {{ duration: {}s, concurrency: {} }}\nscenarios: [{{ path: /{path} }}]\n",
        load.seconds, load.connections
    );
    std::fs::write(&plan, text).map_err(|e| format!("cannot write {}: {e}", plan.display()))?;
    let program = Contestant::Ours.program().ok_or("not built")?;
    let job = Job::new(program, load.core, Duration::from_secs_f64(load.seconds) + GRACE);
    Ok(ours(job, scratch).arg("--plan").arg(plan.display().to_string()))
}

fn print(asked: &Options, name: &str, samples: &BTreeMap<&str, Samples>) {
    let head = [name, "requests/s", "CPU a request (µs)", "core used (%)", "rate: ours ÷", "CPU: ours ÷"];
    let mut table = Table::new(head);
    let middles = |contestant: &str| {
        let samples = samples.get(contestant)?;
        Some((median(&mut samples.rate.clone()), median(&mut samples.cpu_us.clone())))
    };
    let own = middles(Contestant::Ours.name());
    for contestant in &asked.contestants {
        let ratios = own.zip(middles(contestant.name()));
        let ratio = |of: fn((f64, f64)) -> f64| {
            ratios.map_or_else(String::new, |(ours, theirs)| format!("{:.2}", of(ours) / of(theirs)))
        };
        let (rate, cpu) = (ratio(|(rate, _)| rate), ratio(|(_, cpu)| cpu));
        let Some(samples) = samples.get(contestant.name()) else { continue };
        table.row([
            contestant.name().to_owned(),
            middle(&samples.rate, |v| format!("{v:.0}")),
            middle(&samples.cpu_us, |v| format!("{v:.2}")),
            middle(&samples.core_percent, |v| format!("{v:.0}")),
            rate,
            cpu,
        ]);
    }
    println!("{table}");
}
