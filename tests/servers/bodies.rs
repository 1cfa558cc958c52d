//! What programs that are not ours understand of our bodies: Python of forms, parts, JSON and queries, Node of chunks.
//!
//! Each server answers with what it understood as JSON, and the plan expects that.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{CaseResult, Skipped, program};
use crate::run::{RunDir, run};
use crate::service::{Service, all_ok, free_address};

/// Characters that mean something in a URL, a form, JSON or a head.
const HOSTILE: &str = "a \"b\" \\ & + % / ? = # ; é 😀 <c>";

/// Answers with the query, the form, the parts or the JSON of a request, as Python's standard library reads them.
const PYTHON: &str = r#"
import email, email.policy, hashlib, http.server, json, sys, urllib.parse

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.headers.get("Content-Type", "")
        url = urllib.parse.urlsplit(self.path)
        understood = {"path": urllib.parse.unquote(url.path), "query": dict(urllib.parse.parse_qsl(url.query)),
                      "type": kind.split(";")[0]}
        if kind.startswith("application/x-www-form-urlencoded"):
            understood["form"] = urllib.parse.parse_qs(body.decode(), keep_blank_values=True)
        elif kind.startswith("multipart/form-data"):
            head = f"Content-Type: {kind}\r\n\r\n".encode()
            parts = email.message_from_bytes(head + body, policy=email.policy.HTTP).iter_parts()
            understood["parts"] = [{"name": p.get_param("name", header="content-disposition"),
                                    "filename": p.get_filename(), "type": p.get("content-type"),
                                    "digest": hashlib.sha256(p.get_payload(decode=True)).hexdigest()} for p in parts]
        else:
            understood["json"] = json.loads(body)
        answer = json.dumps(understood).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *_): pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

/// Answers with the length and the digest of a body, and how it was framed.
const NODE: &str = r#"
const { createHash } = require("crypto");
require("http").createServer((request, response) => {
    const hash = createHash("sha256");
    let length = 0;
    request.on("data", (chunk) => { length += chunk.length; hash.update(chunk); });
    request.on("end", () => response.end(JSON.stringify({
        length, digest: hash.digest("hex"), framing: request.headers["transfer-encoding"] ?? "length",
    })));
}).listen(Number(process.argv[2]), "127.0.0.1");
"#;

/// A server in this language, and its address.
fn start(language: &str, package: &str, name: &str, code: &str) -> Result<(Service, SocketAddr), Skipped> {
    let language = program(language, package)?;
    let (run_dir, address) = (RunDir::new(), free_address());
    let mut command = Command::new(language);
    command.arg(run_dir.write(name, code)).arg(address.port().to_string());
    Ok((Service::start(command, run_dir, address), address))
}

/// Sends each scenario ten times; all of them are answered as expected.
fn all_expected(address: SocketAddr, scenarios: Vec<Value>, files: &[(&str, &[u8])]) {
    all_expected_with(address, scenarios, files, json!({}));
}

/// The same with data sets.
fn all_expected_with(address: SocketAddr, scenarios: Vec<Value>, files: &[(&str, &[u8])], data: Value) {
    let count = scenarios.len() as u64;
    let plan = json!({
        "base_url": format!("http://{address}"),
        "load": { "requests": 10 * count, "concurrency": 3 },
        "data": data,
        "scenarios": scenarios,
    });
    let run_dir = RunDir::new();
    for (name, content) in files {
        std::fs::write(run_dir.file(name), content).expect("disk space");
    }
    let path = run_dir.write("plan.yaml", plan.to_string());
    all_ok(run(&[&path]), 10 * count);
}

/// What a data file may hold besides: line ends, and what means something in a plan.
const LINES: &str = "two\r\nlines\n\twith {{now}}, ${HOME}, {{{{, ', \"\" and \u{1}";

pub fn python_understands_the_values_of_data_files_in_every_place() -> CaseResult {
    let (_service, address) = start("python3", "python3", "server.py", PYTHON)?;
    let all = format!("{HOSTILE}{LINES}");
    let csv = format!("value,plain\n\"{}\",\"{}\"\n", all.replace('"', "\"\""), HOSTILE.replace('"', "\"\""));
    let lines = format!("{}\n", json!({ "value": { "deep": [all] } }));
    // In the plan itself a variable would be filled in.
    let typed = all.replace("${", "$${");
    let mut scenarios = Vec::new();
    for (name, hole) in [("csv", "d.value"), ("lines", "l./value/deep/0"), ("inline", "i.value")] {
        scenarios.push(json!({
            "name": format!("{name} form"), "method": "POST", "path": format!("/{{{{{hole}}}}}?q={{{{{hole}}}}}"),
            "form": { "field": format!("{{{{{hole}}}}}") },
            "expect": { "json": { "/path": format!("/{typed}"), "/query/q": typed, "/form/field/0": typed } },
        }));
        scenarios.push(json!({
            "name": format!("{name} json"), "method": "POST", "path": "/x",
            "body": format!("{{\"in\": \"<{{{{{hole}}}}}>\", \"alone\": {{{{{hole} | json}}}}}}"),
            "expect": { "json": { "/json/in": format!("<{typed}>"), "/json/alone": typed } },
        }));
        scenarios.push(json!({
            "name": format!("{name} part"), "method": "POST", "path": "/x",
            "multipart": [{ "name": "text", "value": format!("{{{{{hole}}}}}") }],
            "expect": { "json": { "/parts/0/digest": sha2_hex(all.as_bytes()) } },
        }));
    }
    let data = json!({
        "d": { "file": "d.csv" }, "l": { "file": "l.jsonl" },
        "i": { "rows": [{ "value": typed }] },
    });
    all_expected_with(address, scenarios, &[("d.csv", csv.as_bytes()), ("l.jsonl", lines.as_bytes())], data);
    Ok(())
}

pub fn python_understands_queries_forms_parts_and_json_with_any_characters() -> CaseResult {
    let (_service, address) = start("python3", "python3", "server.py", PYTHON)?;
    let hole = format!("{{{{random.pick('{HOSTILE}')}}}}");
    let binary: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    let digest = sha2_hex(&binary);
    let scenarios = vec![
        json!({
            "name": "form", "method": "POST", "path": "/x",
            "form": { "plain": HOSTILE, "hole": hole, "several": ["1", 2], "a&b=c": "" },
            "expect": { "json": {
                "/type": "application/x-www-form-urlencoded",
                "/form/plain/0": HOSTILE, "/form/hole/0": HOSTILE, "/form/several/1": "2", "/form/a&b=c/0": "",
            } },
        }),
        json!({
            "name": "path and query", "method": "POST", "path": format!("/{hole}?q={hole}&r={hole}"), "body": "{}",
            "expect": { "json": { "/path": format!("/{HOSTILE}"), "/query/q": HOSTILE, "/query/r": HOSTILE } },
        }),
        json!({
            "name": "json", "method": "POST", "path": "/x",
            "body": format!("{{\"in\": \"<{hole}>\", \"alone\": {{{{random.pick('{HOSTILE}') | json}}}}, \"n\": {{{{random.int(5, 5)}}}}}}"),
            "expect": { "json": { "/json/in": format!("<{HOSTILE}>"), "/json/alone": HOSTILE, "/json/n": 5 } },
        }),
        json!({
            "name": "parts", "method": "POST", "path": "/x",
            "multipart": [
                { "name": "text", "value": hole },
                { "name": "a \"quoted\" name", "value": "plain\r\nlines" },
                { "name": "file", "file": "all.bin" },
                { "name": "named", "file": "all.bin", "filename": "other name.png", "type": "image/png" },
            ],
            "expect": { "json": {
                "/type": "multipart/form-data",
                "/parts/0/name": "text", "/parts/0/digest": sha2_hex(HOSTILE.as_bytes()), "/parts/0/filename": null,
                "/parts/1/name": "a %22quoted%22 name", "/parts/1/digest": sha2_hex(b"plain\r\nlines"),
                "/parts/2/filename": "all.bin", "/parts/2/type": "application/octet-stream", "/parts/2/digest": digest,
                "/parts/3/filename": "other name.png", "/parts/3/type": "image/png", "/parts/3/digest": digest,
            } },
        }),
    ];
    all_expected(address, scenarios, &[("all.bin", &binary)]);
    Ok(())
}

pub fn node_reads_files_and_chunks() -> CaseResult {
    let (_service, address) = start("node", "nodejs", "server.js", NODE)?;
    let (small, large) = (b"{\"a\": \"{{now}}\"}".to_vec(), vec![b'x'; 100_000]);
    let scenario = |name: &str, file: &str, content: &[u8], chunked: bool| {
        let digest = sha2_hex(content);
        json!({
            "name": name, "method": "POST", "path": "/", "body_file": file, "chunked": chunked,
            "expect": { "json": {
                "/length": content.len(), "/digest": digest, "/framing": if chunked { "chunked" } else { "length" },
            } },
        })
    };
    let text = "one {{random.int(7, 7)}}";
    let scenarios = vec![
        scenario("small", "small.json", &small, false),
        scenario("small in chunks", "small.json", &small, true),
        scenario("large in chunks", "large.bin", &large, true),
        json!({
            "name": "holes in chunks", "method": "PUT", "path": "/", "body": text, "chunked": true,
            "expect": { "json": { "/digest": sha2_hex(b"one 7"), "/framing": "chunked" } },
        }),
    ];
    all_expected(address, scenarios, &[("small.json", &small), ("large.bin", &large)]);
    Ok(())
}

fn sha2_hex(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
