//! The loads that are compared, the target of each, and the generator's command line for them.

use std::path::Path;
use std::time::Duration;

use super::TARGET_CORE;
use super::certificates::Certificates;
use super::instrument::child::{Job, Scratch, Service};
use super::instrument::contestant::find;
use super::instrument::tool_output::{self, ToolOutput};

/// One run may take this long: callgrind slows a program down about fifty times.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How much of the asked load must have been completed for a run to count.
const LEAST_COMPLETED: f64 = 0.99;

/// A load.
#[derive(Debug)]
pub struct Case {
    /// What it is called on the command line and in the table.
    pub name: &'static str,
    connections: usize,
    body_bytes: usize,
    tls: bool,
    /// Requests per second; `None`: the closed model.
    pub rate: Option<f64>,
}

const fn closed(name: &'static str, connections: usize) -> Case {
    Case { name, connections, body_bytes: 2, tls: false, rate: None }
}

/// All of them.
pub const CASES: [Case; 7] = [
    closed("c1", 1),
    closed("c10", 10),
    closed("c64", 64),
    closed("c256", 256),
    Case { body_bytes: 100 * 1024, ..closed("100kb-c10", 10) },
    Case { tls: true, ..closed("https-c10", 10) },
    Case { rate: Some(10_000.0), ..closed("open", 50) },
];

/// How long one run is to be.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// This many requests.
    Requests(u64),
    /// This many seconds.
    Seconds(f64),
}

/// A running target; it ends when this is dropped.
pub struct Target {
    url: String,
    ca: Option<String>,
    _service: Service,
    /// Holds nginx's files.
    _home: Scratch,
}

impl Case {
    /// Start its target: our own over plain HTTP, nginx over TLS.
    pub fn start(&self) -> Result<Target, String> {
        let home = Scratch::new()?;
        if !self.tls {
            let service = Service::target(TARGET_CORE, &["--body".to_owned(), self.body_bytes.to_string()])?;
            let url = format!("http://{}/", service.address);
            return Ok(Target { url, ca: None, _service: service, _home: home });
        }
        let nginx = find("nginx").ok_or("nginx is not installed: apt-get install nginx")?;
        let certificates = Certificates::make(home.path());
        let (certificate, key) = &certificates.server;
        let server =
            format!("ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;");
        let listen = (" ssl", server.as_str());
        let service = Service::nginx(&nginx, TARGET_CORE, home.path(), self.body_bytes, listen)?;
        let url = format!("https://{}/body", service.address);
        Ok(Target { url, ca: Some(certificates.ca), _service: service, _home: home })
    }

    /// The generator's command line behind its name: one thread, one seed, no status server. The report
    /// goes to `scratch`.
    pub fn args(&self, target: &Target, length: Length, scratch: &Path) -> Vec<String> {
        let mut line = format!(
            "{} -c {} --threads 1 --seed 7 --quiet --no-listen --report {}",
            target.url,
            self.connections,
            report(scratch).display()
        );
        line += &match (length, self.rate) {
            (Length::Requests(n), None) => format!(" -n {n}"),
            (Length::Requests(n), Some(rate)) => format!(" -r {rate} -d {}s", n as f64 / rate),
            (Length::Seconds(s), None) => format!(" -d {s}s"),
            (Length::Seconds(s), Some(rate)) => format!(" -r {rate} -d {s}s"),
        };
        if let Some(ca) = &target.ca {
            line += &format!(" --cacert {ca}");
        }
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// What the run whose report is in `scratch` says of itself, and how many seconds it measured; an
    /// error when it fell short of `asked` requests.
    pub fn read_output(&self, asked: Option<u64>, scratch: &Path) -> Result<(ToolOutput, f64), String> {
        let text = std::fs::read_to_string(report(scratch)).map_err(|e| format!("no report: {e}"))?;
        let output = tool_output::loadtester(&text).ok_or("the report has no figures")?;
        let least = asked.unwrap_or(1) as f64 * LEAST_COMPLETED;
        if (output.requests as f64) < least {
            return Err(format!("{} of {} requests completed", output.requests, asked.unwrap_or(1)));
        }
        let report: serde_json::Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        Ok((output, report["measured_seconds"].as_f64().unwrap_or_default()))
    }
}

/// A job on the generator's core.
pub fn job(program: &Path) -> Job {
    Job::new(program, Some(super::GENERATOR_CORE), TIMEOUT)
}

fn report(scratch: &Path) -> std::path::PathBuf {
    scratch.join("report.json")
}
