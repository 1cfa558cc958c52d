//! What is typed arrives on the wire: a server that keeps each request's head and body.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::run::{PROGRAM, RunDir, run, start_with};

/// A server that answers 200 and keeps what it was asked. Ends with the test's process.
#[derive(Clone)]
struct Recorder {
    address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    requests: Vec<(Vec<String>, String)>,
    connections: u64,
}

impl Recorder {
    fn start() -> Self {
        Self::on("127.0.0.1:0")
    }

    fn on(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let recorder = Self { address: listener.local_addr().unwrap(), heard: Arc::default() };
        let heard = recorder.heard.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                heard.lock().unwrap().connections += 1;
                let heard = heard.clone();
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(connection.try_clone().unwrap());
                    while let Some(request) = read(&mut reader) {
                        let closes = request.0.iter().any(|line| line == "Connection: close");
                        heard.lock().unwrap().requests.push(request);
                        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                        if (&connection).write_all(answer.as_bytes()).is_err() || closes {
                            return;
                        }
                    }
                });
            }
        });
        recorder
    }

    /// The first request's lines and body after a run with these arguments, `URL` standing for the address.
    fn asked(&self, args: &[&str]) -> (Vec<String>, String) {
        let url = format!("http://{}", self.address);
        let args: Vec<String> = args.iter().map(|arg| arg.replace("URL", &url)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).chain(["-n", "1"]).collect();
        let ended = run(&args);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        self.heard.lock().unwrap().requests.remove(0)
    }
}

fn read(reader: &mut impl BufRead) -> Option<(Vec<String>, String)> {
    let (mut lines, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => {
                length = line.strip_prefix("Content-Length: ").map_or(length, |n| n.parse().unwrap());
                lines.push(line.to_owned());
            }
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((lines, String::from_utf8(body).unwrap()))
}

fn output(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).stdin(Stdio::null()).output().unwrap()
}

fn stdout(args: &[&str]) -> String {
    String::from_utf8(output(args).stdout).unwrap()
}

#[test]
fn fields_of_one_name_user_and_body_are_sent_as_typed() {
    let target = Recorder::start();
    let fields = |lines: &[String], name: &str| -> Vec<String> {
        let values = lines.iter().filter_map(|line| line.strip_prefix(&format!("{name}: ")));
        values.map(str::to_owned).collect()
    };
    let (lines, body) =
        target.asked(&["URL", "-H", "Accept: a", "--header", "X: 1", "-H", "accept: b", "-b", "x=1"]);
    assert_eq!(fields(&lines, "Accept"), ["a", "b"], "{lines:?}");
    assert_eq!((lines[0].as_str(), body.as_str()), ("POST / HTTP/1.1", "x=1"));
    assert_eq!(target.asked(&["URL/a", "--method", "PUT", "--body", ""]).0[0], "PUT /a HTTP/1.1");
    let (lines, _) = target.asked(&["URL", "-u", "Aladdin:open sesame"]);
    assert_eq!(fields(&lines, "Authorization"), ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="], "{lines:?}");
    let url = format!("http://Aladdin:open%20sesame@{}/", target.address);
    let (lines, _) = target.asked(&[&url]);
    assert_eq!(fields(&lines, "Authorization"), ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="], "{lines:?}");
    // Without a scheme.
    let (lines, _) = target.asked(&[&target.address.to_string(), "-H", "Connection: keep-alive"]);
    assert_eq!(fields(&lines, "Connection"), ["keep-alive"]);
}

#[test]
fn a_list_of_values_in_a_plan_is_a_field_for_each() {
    let (target, dir) = (Recorder::start(), RunDir::new());
    let plan = format!(
        "x-anchors: {{ value: &two [1, '${{UNSET}}'], other: &kept kept }}\nbase_url: http://{}\n\
         defaults: {{ headers: {{ A: [x, y], B: *kept }} }}\nscenarios:\n  - {{ path: /, headers: {{ C: [1, true] }} }}\n",
        target.address
    );
    let path = dir.write("plan.yaml", plan);
    let (lines, _) = target.asked(&[&path]);
    assert_eq!(lines[2..], ["A: x", "A: y", "B: kept", "C: 1", "C: true"], "{lines:?}");
}

#[test]
fn each_request_has_a_connection_of_its_own_where_that_is_asked_for() {
    for flags in [&["--no-keepalive"][..], &["-H", "Connection: close"]] {
        let target = Recorder::start();
        let url = format!("http://{}", target.address);
        let ended = run(&[&[url.as_str(), "-n", "5", "-c", "1"], flags].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let heard = target.heard.lock().unwrap();
        assert!(heard.connections >= 5, "{flags:?}: {} connections", heard.connections);
        let closing = |lines: &[String]| lines.iter().filter(|line| *line == "Connection: close").count();
        assert!(heard.requests.iter().all(|(lines, _)| closing(lines) == 1), "{flags:?}");
    }
}

#[test]
fn a_variable_of_the_command_line_takes_precedence_over_the_file_and_the_file_over_the_environment() {
    let (target, dir) = (Recorder::start(), RunDir::new());
    let plan = dir.write(
        "plan.yaml",
        format!(
            "base_url: http://{}\nscenarios: [{{ path: '/${{BY_FLAG}}/${{BY_FILE}}/${{BY_ENVIRONMENT}}' }}]\n",
            target.address
        ),
    );
    let file = dir.write("variables", "# none\nexport BY_FILE='file'\nBY_FLAG=file\r\n");
    let args = [plan.as_str(), "--env-file", &file, "--env", "BY_FLAG=a=b", "-n", "1"];
    let ended = start_with(&args, |command| {
        command.envs([("BY_FLAG", "env"), ("BY_FILE", "env"), ("BY_ENVIRONMENT", "env")]);
    })
    .end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(target.heard.lock().unwrap().requests[0].0[0], "GET /a=b/file/env HTTP/1.1");
    let slip =
        output(&[&plan, "-n", "1", "--env-file", &file, "--env", "BY_FLAGS=x", "--env", "BY_ENVIRONMENT=x"]);
    let message = String::from_utf8(slip.stderr).unwrap();
    assert_eq!(slip.status.code(), Some(2), "{message}");
    assert!(message.contains("the plan has no `${BY_FLAGS}`, did you mean `BY_FLAG`?"), "{message}");
}

#[test]
fn the_family_and_the_address_that_are_asked_for_are_used() {
    let six = Recorder::on("[::1]:0");
    let port = six.address.port();
    // The same port of 127.0.0.1 belongs to another server, where it is free.
    let four = TcpListener::bind(("127.0.0.1", port)).ok().map(|listener| {
        drop(listener);
        Recorder::on(&format!("127.0.0.1:{port}"))
    });
    let has_both = {
        use std::net::ToSocketAddrs as _;
        let found: Vec<SocketAddr> = ("localhost", port).to_socket_addrs().unwrap().collect();
        found.iter().any(SocketAddr::is_ipv6) && found.iter().any(SocketAddr::is_ipv4)
    };
    let url = format!("localhost:{port}");
    if let (true, Some(four)) = (has_both, &four) {
        for (flag, target) in [("-6", &six), ("-4", four), ("--ipv6", &six)] {
            let ended = run(&[&url, flag, "-n", "4", "-c", "2"]);
            assert_eq!(ended.code, Some(0), "{flag}: {ended:?}");
            assert_eq!(target.heard.lock().unwrap().requests.drain(..).count(), 4, "{flag}");
        }
    }
    let wrong = run(&["127.0.0.1:1", "-6", "-n", "1"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("-6: the host `127.0.0.1` has no IPv6 address"), "{wrong:?}");
    let name = format!("bücher.invalid:{port}");
    let ended = run(&[&name, "--resolve", &format!("{name}:[::1]"), "-n", "1"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let host = format!("Host: xn--bcher-kva.invalid:{port}");
    assert_eq!(six.heard.lock().unwrap().requests[0].0[1], host);
    let other = run(&[&name, "--resolve", "a.invalid:80:127.0.0.1", "-n", "1"]);
    assert_eq!(other.code, Some(2));
    assert!(other.stderr.contains("`a.invalid:80` is not the target"), "{other:?}");
}

#[test]
fn stages_of_the_command_line_are_run_and_go_before_the_plan() {
    let (target, dir) = (Recorder::start(), RunDir::new());
    let url = target.address.to_string();
    let ended = run(&[&url, "--stages", "0s:100/s,200ms:100/s,100ms:0/s"]).lawful();
    assert_eq!((ended.code, ended.number("totals.due")), (Some(0), 25), "{ended:?}");
    let plan = format!(
        "base_url: http://{url}\nload: {{ concurrency: 2, requests: 1000000 }}\nscenarios: [{{ path: / }}]\n"
    );
    let ended = run(&[&dir.write("plan.yaml", plan), "--stages=0s:600/min,500ms:600/min"]).lawful();
    assert_eq!((ended.code, ended.number("totals.due")), (Some(0), 5), "{ended:?}");
    let from = format!(
        "base_url: http://{url}\nload: {{ stages: [{{ for: 200ms, from: 100/s, rate: 0/s }}] }}\nscenarios: [{{ path: / }}]\n"
    );
    let ended = run(&[&dir.write("from.yaml", from)]).lawful();
    assert_eq!((ended.code, ended.number("totals.due")), (Some(0), 10), "{ended:?}");
}

#[test]
fn a_timeout_of_the_command_line_ends_a_request() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let ended = run(&[&url, "--timeout", "50ms", "-n", "1", "-c", "1"]).lawful();
    assert_eq!(ended.outcomes(), [("timeout".to_owned(), 1)], "{ended:?}");
}

#[test]
fn labels_are_in_every_report() {
    let (target, dir) = (Recorder::start(), RunDir::new());
    let plan = format!(
        "base_url: http://{}\nlabels: {{ team: search, build: 1 }}\nload: {{ requests: 1 }}\nscenarios: [{{ path: / }}]\n",
        target.address
    );
    let (plan, xml, html) = (dir.write("plan.yaml", plan), dir.file("r.xml"), dir.file("r.html"));
    let ended = run(&[&plan, "--label", "build=<2>", "--report", &xml, "--report", &html]);
    assert_eq!(ended.report["labels"], serde_json::json!({"build": "<2>", "team": "search"}));
    assert!(ended.stdout.contains("build=<2>, team=search"), "{ended:?}");
    let xml = std::fs::read_to_string(xml).unwrap();
    assert!(xml.contains("<property name=\"label.build\" value=\"&lt;2&gt;\"/>"), "{xml}");
    let html = std::fs::read_to_string(html).unwrap();
    assert!(html.contains("build=&lt;2&gt;, team=search"));
}

#[test]
fn what_no_url_may_have_is_percent_encoded_on_the_wire() {
    let target = Recorder::start();
    for (typed, sent) in [
        ("/a|b?q={\"ü\":<1>}", "GET /a%7Cb?q=%7B%22%C3%BC%22:%3C1%3E%7D HTTP/1.1"),
        ("/a%7Cb?c[]=1", "GET /a%7Cb?c[]=1 HTTP/1.1"),
        ("/\\^`|{{random.pick('a b')}}", "GET /%5C%5E%60%7Ca%20b HTTP/1.1"),
    ] {
        assert_eq!(target.asked(&[&format!("URL{typed}")]).0[0], sent);
        let dir = RunDir::new();
        let path = serde_json::Value::from(typed);
        let plan = format!(
            "base_url: http://{}\nload: {{requests: 1}}\nscenarios: [{{path: {path}}}]\n",
            target.address
        );
        assert_eq!(target.asked(&["--plan", &dir.write("plan.yaml", plan)]).0[0], sent);
    }
}

#[test]
fn a_variable_beside_a_url_is_warned_of_however_little_is_printed() {
    let target = Recorder::start();
    let url = format!("http://{}/${{ID}}", target.address);
    for args in
        [vec![url.as_str(), "-n", "1", "--quiet"], vec![&url, "--once"], vec![&url, "-n", "1", "--no-listen"]]
    {
        let ended = output(&args);
        let shown = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(shown.matches("`${ID}` is sent as it stands").count(), 1, "{args:?}: {shown}");
    }
}

#[test]
fn one_request_opens_one_connection() {
    for flags in [&["-n", "1"][..], &["-n", "1", "-c", "5"], &["-n", "1", "-r", "5/s", "-c", "5"]] {
        let target = Recorder::start();
        let url = format!("http://{}/", target.address);
        let ended = run(&[&[url.as_str()], flags].concat());
        let heard = target.heard.lock().unwrap();
        assert_eq!((ended.code, heard.requests.len(), heard.connections), (Some(0), 1, 1), "{flags:?}");
    }
}

#[test]
fn a_target_that_is_not_there_is_asked_after_by_the_word_that_was_typed() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dir = RunDir::new();
    let plan = dir.write(
        "plan.yaml",
        format!("base_url: http://{free}\nload: {{requests: 1}}\nscenarios: [{{path: /}}]\n"),
    );
    for (source, words) in [(format!("http://{free}/"), "is the URL right?"), (plan, "is base_url right?")] {
        let shown = String::from_utf8(output(&[&source, "-n", "1", "--no-listen"]).stderr).unwrap();
        assert!(shown.contains(words), "{shown}");
    }
}

#[test]
fn no_password_of_the_command_line_is_shown() {
    let target = Recorder::start();
    let url = format!("http://me:hunter22@{}/", target.address);
    for args in [vec![url.as_str(), "--check"], vec![&url, "--once"], vec![&url, "-n", "1", "--report", "-"]]
    {
        let shown = output(&args);
        let shown = String::from_utf8_lossy(&[shown.stdout, shown.stderr].concat()).into_owned();
        // The second is both in base64.
        for secret in ["hunter22", "bWU6aHVudGVyMjI="] {
            assert!(!shown.contains(secret), "{args:?}: {shown}");
        }
    }
    for wrong in [
        vec![url.as_str(), "-u", "a:hunter22"],
        vec!["http://me:hunter22@x/ y"],
        vec!["http://me:hunter22/@x/"],
        vec!["http://me:?hunter22@x/"],
        vec!["http://me:hunter22%@x/"],
        vec![&url, &url],
        vec!["me:hunter22@x", "y"],
        vec!["me:hunter22@x/ y.json"],
        vec!["--plan", "me:hunter22@x/y.json"],
        vec!["--plan", "http://me:hunter22@x/y.json"],
    ] {
        let shown = output(&wrong);
        assert_eq!(shown.status.code(), Some(2));
        let shown = String::from_utf8(shown.stderr).unwrap();
        assert!(!shown.contains("hunter22"), "{shown}");
    }
}

#[test]
fn messages_are_json_objects_where_that_is_asked_for() {
    let target = Recorder::start();
    let url = target.address.to_string();
    let ended =
        output(&[&url, "-n", "1", "--log-format", "json", "--listen", "127.0.0.1:0", "--report", "-"]);
    let lines: Vec<Value> = String::from_utf8(ended.stderr)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(lines.len() >= 2, "{lines:?}");
    for line in &lines {
        assert!(line["level"] == "info" || line["level"] == "warning", "{line}");
        assert!(line["run"].as_str().is_some_and(|run| run == lines[0]["run"]), "{line}");
    }
    assert!(lines[0]["message"].as_str().unwrap().starts_with("dashboard at http://"), "{lines:?}");
    let refused = output(&["--log-format=json", "--bogus"]);
    let line: Value = serde_json::from_slice(&refused.stderr).unwrap();
    assert_eq!((line["level"].as_str(), refused.status.code()), (Some("error"), Some(2)), "{line}");
    assert!(line["message"].as_str().unwrap().starts_with("unknown flag"), "{line}");
}

#[test]
fn help_fits_a_screen_and_has_topics() {
    let short = stdout(&["--help"]);
    assert!(short.lines().count() < 24 && short.lines().all(|line| line.chars().count() <= 80), "{short}");
    assert_eq!(stdout(&["help"]), short);
    assert_eq!(stdout(&["help", "exit-codes"]), stdout(&["--help", "exit-codes"]));
    assert!(stdout(&["--help", "all"]).contains("--metrics-scenarios"));
    let unknown = output(&["help", "flag"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("did you mean `flags`?"));
    // A reader that has enough is no failure.
    let script = format!("{PROGRAM} help all | head -n 1; echo ${{PIPESTATUS[0]}}");
    let piped = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!((piped.stderr.len(), piped.stdout.ends_with(b"\n0\n")), (0, true), "{piped:?}");
}

#[test]
fn the_man_page_is_one_that_groff_reads_without_a_warning() {
    let dir = RunDir::new();
    let page = dir.write("loadtester.1", stdout(&["--man"]));
    let Ok(read) = Command::new("groff").args(["-man", "-ww", "-Tutf8", "-rLL=78n", &page]).output() else {
        return;
    };
    assert_eq!(String::from_utf8_lossy(&read.stderr), "", "groff warns");
    let text = String::from_utf8_lossy(&read.stdout);
    assert!(text.contains("prints the keys of a plan"), "{text}");
}
