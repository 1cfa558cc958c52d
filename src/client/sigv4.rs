//! Signs requests for AWS (Signature Version 4, "Create a signed AWS API request" in the IAM User Guide).

use std::io::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::plan::AwsSigV4;

/// The most bytes that a signature adds to a request, without the session token.
const MOST_BYTES: usize = 1_024;
/// The service whose paths are signed as they are sent, and whose requests carry the digest of their body.
const S3: &str = "s3";

/// Signs the requests of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    auth: AwsSigV4,
}

impl Signer {
    pub(crate) fn new(auth: &AwsSigV4) -> Self {
        Self { auth: auth.clone() }
    }

    /// The most bytes that [`Self::sign`] adds.
    pub(crate) fn most_bytes(&self) -> usize {
        let AwsSigV4 { access_key_id, session_token, region, service, .. } = &self.auth;
        let own = [access_key_id, region, service].map(String::len).iter().sum::<usize>();
        MOST_BYTES + own + session_token.as_ref().map_or(0, String::len)
    }

    /// Appends the fields that sign the request whose `head` lacks its end, with this `body`, sent at `unix_ns`.
    pub(crate) fn sign(&self, head: &mut Vec<u8>, body: &[u8], unix_ns: u64) {
        let time = jiff::Timestamp::from_nanosecond(unix_ns.into()).unwrap_or_default();
        let time = time.strftime("%Y%m%dT%H%M%SZ").to_string();
        let digest = hex(&Sha256::digest(body));
        let is_s3 = self.auth.service == S3;
        // Writing to a vector cannot fail.
        let _ = write!(head, "X-Amz-Date: {time}\r\n");
        if let Some(token) = &self.auth.session_token {
            let _ = write!(head, "X-Amz-Security-Token: {token}\r\n");
        }
        if is_s3 {
            let _ = write!(head, "X-Amz-Content-Sha256: {digest}\r\n");
        }
        let (canonical, signed) = canonical_request(head, &digest, is_s3);
        let date = &time[..8];
        let scope = format!("{date}/{}/{}/aws4_request", self.auth.region, self.auth.service);
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let mut key = format!("AWS4{}", self.auth.secret_access_key).into_bytes();
        for part in [date, &self.auth.region, &self.auth.service, "aws4_request"] {
            key = hmac(&key, part.as_bytes()).to_vec();
        }
        let _ = write!(
            head,
            "Authorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={}\r\n",
            self.auth.access_key_id,
            hex(&hmac(&key, to_sign.as_bytes()))
        );
    }
}

/// The canonical request of `head`, and the names of the signed fields.
fn canonical_request(head: &[u8], digest: &str, is_s3: bool) -> (String, String) {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or("/"));
    // A request to a forwarding proxy has a whole URL, of which the target sees the path.
    let target = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|p| p.split_once('=').unwrap_or((p, "")))
        .collect();
    pairs.sort_unstable();
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut fields: Vec<(String, String)> = Vec::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let name = name.to_ascii_lowercase();
        if name != "host" && name != "content-type" && !name.starts_with("x-amz-") {
            continue;
        }
        let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => *values += &format!(",{value}"),
            None => fields.push((name, value)),
        }
    }
    fields.sort_unstable();
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    let signed = names.join(";");
    let lines: String = fields.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let path = if is_s3 { path.to_owned() } else { encoded_again(&without_dots(path)) };
    (format!("{method}\n{path}\n{}\n{lines}\n{signed}\n{digest}", query.join("&")), signed)
}

/// The path without empty segments, `.` and `..`.
fn without_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

/// Percent-encoded as if it were not yet: all services but S3 sign paths so.
fn encoded_again(path: &str) -> String {
    let encode = |b: u8| match b {
        b'/' | b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
            char::from(b).to_string()
        }
        _ => format!("%{b:02X}"),
    };
    path.bytes().map(encode).collect()
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_to_a_proxy_is_signed_as_the_target_sees_it() {
        let canonical = |line: &str| {
            let head = format!("GET {line} HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic eA==\r\n");
            canonical_request(head.as_bytes(), "0", false)
        };
        assert_eq!(canonical("http://a/b%20c?d=1"), canonical("/b%20c?d=1"));
        assert_eq!(canonical("/").1, "host");
    }

    fn signer(service: &str, session_token: Option<&str>) -> Signer {
        Signer::new(&AwsSigV4 {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: session_token.map(str::to_owned),
            region: "us-east-1".to_owned(),
            service: service.to_owned(),
        })
    }

    fn signature(service: &str, head: &str, body: &str) -> String {
        let mut head = head.as_bytes().to_vec();
        // 2015-08-30T12:36:00Z, the time of Amazon's test suite.
        signer(service, None).sign(&mut head, body.as_bytes(), 1_440_938_160_000_000_000);
        String::from_utf8(head).unwrap().split("Signature=").nth(1).unwrap().trim_end().to_owned()
    }

    /// Vectors `get-vanilla`, `get-vanilla-query-order-key-case` and `post-vanilla` of Amazon's test suite for
    /// Signature Version 4.
    #[test]
    fn signatures_are_those_of_amazons_test_suite() {
        for (request, signature_of_suite) in [
            ("GET / HTTP/1.1", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (
                "GET /?Param2=value2&Param1=value1 HTTP/1.1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            ("POST / HTTP/1.1", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ] {
            let head = format!("{request}\r\nHost: example.amazonaws.com\r\n");
            assert_eq!(signature("service", &head, ""), signature_of_suite, "{request}");
        }
    }

    #[test]
    fn paths_are_normalized_and_encoded_twice_but_for_s3() {
        assert_eq!(without_dots("/a/./b/../c//d/"), "/a/c/d/");
        assert_eq!((without_dots("/"), without_dots("/..")), ("/".to_owned(), "/".to_owned()));
        assert_eq!(encoded_again("/a%20b/~c"), "/a%2520b/~c");
        let head = b"GET /a//b%20c?d HTTP/1.1\r\nHost: h\r\nContent-Type:  text/plain \r\nOther: x\r\n";
        let (canonical, signed) = canonical_request(head, "D", true);
        assert_eq!(canonical, "GET\n/a//b%20c\nd=\ncontent-type:text/plain\nhost:h\n\ncontent-type;host\nD");
        assert_eq!(signed, "content-type;host");
        assert!(canonical_request(head, "D", false).0.starts_with("GET\n/a/b%2520c\n"));
    }

    #[test]
    fn a_token_and_the_digest_for_s3_are_sent_and_signed() {
        let mut head = b"PUT /x HTTP/1.1\r\nHost: h\r\n".to_vec();
        let signer = signer(S3, Some("TOKEN"));
        let before = head.len();
        signer.sign(&mut head, b"body", 0);
        assert!(head.len() - before <= signer.most_bytes());
        let text = String::from_utf8(head).unwrap();
        assert!(text.contains("X-Amz-Security-Token: TOKEN\r\n"), "{text}");
        let signed = "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,";
        assert!(text.contains("X-Amz-Content-Sha256: 230d8358dc8e8890") && text.contains(signed), "{text}");
    }
}
