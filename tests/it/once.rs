//! `--once`: what went to and fro is shown, what is secret is not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output, Stdio};

use crate::run::PROGRAM;
use crate::script::{Script, Step, response, send};

/// A server that echoes each field and the body of a request.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the test's process.
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(connection.try_clone().unwrap());
            let (mut fields, mut length) = (Vec::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    break;
                }
                match line.trim_end().split_once(": ") {
                    Some((name, value)) => {
                        if name == "Content-Length" {
                            length = value.parse().unwrap();
                        }
                        fields.push(value.to_owned());
                    }
                    None if line == "\r\n" => break,
                    None => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let text = serde_json::json!({
                "fields": fields, "body": String::from_utf8_lossy(&body), "access_token": "issued-by-the-target"
            });
            let text = text.to_string();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: sid=cookie-of-target; Path=/";
            let _ = write!(&connection, "{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        }
    });
    address
}

/// `--once` with this plan, environment and more flags.
pub fn once(plan: &str, environment: &[(&str, &str)], flags: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["--plan", "-", "--once"]).args(flags).envs(environment.iter().copied());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(plan.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn page(output: &Output) -> String {
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn both_sides_are_shown_and_no_secret_is() {
    let plan = format!(
        "base_url: http://{}
defaults: {{ requests: 100, headers: {{ Authorization: 'Bearer ${{TOKEN}}', Cookie: sid=cookie-of-ours, X-Api-Key: key-of-ours }} }}
scenarios:
  - name: Create user
    method: POST
    path: /v1/${{TENANT}}?page=1&api_key=key-in-query
    headers: {{ X-Tenant: '${{TENANT}}' }}
    body: '{{\"tenant\": \"${{TENANT}}\", \"password\": \"typed-in-the-plan\", \"n\": 1}}'
    expect: {{ status: 2xx, header: {{ Content-Type: application/json }}, body_contains: '${{TENANT}}', json: {{ /n: 5 }} }}
",
        echo()
    );
    let output = once(&plan, &[("TOKEN", "t0k\"en-of-mine"), ("TENANT", "acme-north")], &[]);
    let page = page(&output);
    for secret in [
        "t0k",
        "en-of-mine",
        "acme-north",
        "cookie-of-ours",
        "key-of-ours",
        "key-in-query",
        "issued-by-the-target",
        "cookie-of-target",
    ] {
        assert!(!page.contains(secret), "{secret} is shown:\n{page}");
    }
    let ours = page.lines().filter(|line| line.starts_with('>')).collect::<String>();
    assert!(!ours.contains("typed-in-the-plan"), "{ours}");
    for shown in [
        "Create user\n> POST /v1/${TENANT}?page=1&api_key=*** HTTP/1.1\n",
        "> Authorization: Bearer ***\n> Cookie: ***\n> X-Api-Key: ***\n> X-Tenant: ${TENANT}\n",
        ">   \"tenant\": \"${TENANT}\",\n>   \"password\": \"***\",\n>   \"n\": 1\n",
        "< HTTP/1.1 200 OK\n< Content-Type: application/json\n< Set-Cookie: ***\n",
        "<   \"access_token\": \"***\",\n",
        "ended     expectation_failed: ",
    ] {
        assert!(page.contains(shown), "{shown} is not on\n{page}");
    }
    let of = |result: &str, word: &str| page.lines().any(|l| l.starts_with(result) && l.contains(word));
    for (result, word) in [
        ("holds     ", "2xx"),
        ("holds     ", "`application/json`"),
        ("holds     ", "`${TENANT}`"),
        ("broken    ", "`/n`"),
    ] {
        assert!(of(result, word), "no {result}{word} on\n{page}");
    }
    let times = page.lines().find(|line| line.starts_with("times")).unwrap();
    for part in ["connect ", "first byte ", "last byte "] {
        assert!(times.contains(part), "{times}");
    }
    assert_eq!(output.status.code(), Some(1), "an expectation is broken");
}

#[test]
fn how_it_ended_is_said_once() {
    let early =
        Script::play([Step::Read, send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), Step::Close]);
    let mute = Script::play([Step::Read, Step::Close]);
    for script in [early, mute] {
        let plan = format!(
            "base_url: {}\nload: {{ requests: 1 }}\nscenarios: [{{ name: a, path: / }}]\n",
            script.url()
        );
        let page = page(&once(&plan, &[], &[]));
        let ended = page.lines().find(|line| line.starts_with("ended     closed_early: ")).expect(&page);
        let (_, why) = ended.split_once("closed_early: ").unwrap();
        let said = why.split_once(" (").map_or(why, |(said, _)| said);
        assert_eq!(page.matches(said).count(), 1, "{page}");
    }
}

#[test]
fn each_scenario_is_sent_once_in_the_plans_order_whatever_its_weight() {
    let script = Script::play([Step::Read, send(response("200 OK", "ok"))]);
    let plan = format!(
        "base_url: {}\nload: {{ rate: 500/s, duration: 1h, warmup: 1m }}\nscenarios: [{{name: b, weight: 9, path: /}}, {{name: a, path: /}}]\n",
        script.url()
    );
    let output = once(&plan, &[], &[]);
    let page = page(&output);
    assert_eq!((output.status.code(), script.requests()), (Some(0), 2), "{page}");
    let names: Vec<&str> = page.lines().filter(|line| ["a", "b"].contains(line)).collect();
    assert_eq!(names, ["b", "a"], "{page}");
    assert_eq!(page.matches("ended     ok: ").count(), 2, "{page}");
    assert_eq!(page.matches("holds     ").count(), 2, "{page}");
}

#[test]
fn failures_are_printed_and_decide_the_exit_code() {
    let plan = |url: &str, rest: &str| {
        format!(
            "base_url: {url}\ndefaults: {{ requests: 1, timeout: 200ms }}\nscenarios: [{{name: a, path: / {rest}}}]\n"
        )
    };
    let missing = Script::play([Step::Read, send(response("404 Not Found", "no such\ttenant \x1b[2J"))]);
    let output = once(&plan(&missing.url(), ""), &[], &[]);
    let text = page(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.lines().any(|line| line.starts_with("broken    ") && line.ends_with(" 404")), "{text}");
    assert!(text.contains("< no such    tenant ?[2J\n"), "control characters stay out: {text}");

    let silent = Script::play([Step::Read, Step::Freeze]);
    let output = once(&plan(&silent.url(), ""), &[], &[]);
    let text = page(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("ended     timeout: ") && !text.contains("\n<"), "{text}");

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = once(&plan(&format!("http://{nobody}"), ""), &[], &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&nobody.to_string()), "{output:?}");
}
