//! What templates render, and the faults of those that do not compile.

use super::*;
use std::collections::HashSet;

fn context(number: u64) -> Context<'static> {
    Context { seed: 7, number, step: 2, unix_ns: 1_795_982_288_123_456_789, run_id: "1f", row: None }
}

/// A plan without data.
struct NoNames;

impl Names for NoNames {
    fn sets(&self) -> Vec<&str> {
        Vec::new()
    }

    fn field(&mut self, _: &str, _: &str) -> Result<Field, String> {
        unreachable!("there are no sets")
    }
}

fn compiled(text: &str, place: Place) -> Template {
    Template::compile(text, place, &mut 0, &mut NoNames).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn rendered(text: &str, place: Place) -> String {
    let (template, mut out) = (compiled(text, place), Vec::new());
    template.render(&context(41), &mut out);
    assert!(out.len() <= template.most_bytes(), "{text}: {} bytes", out.len());
    String::from_utf8(out).unwrap()
}

#[test]
fn text_stays_and_holes_are_filled() {
    assert_eq!(rendered("", Place::Text), "");
    assert_eq!(rendered("a } }} b", Place::Text), "a } }} b");
    assert_eq!(rendered("{{{{x}} {{flow.number}}", Place::Text), "{{x}} 41");
    assert_eq!(
        rendered("{{ now }}|{{now.s}}|{{now.ms}}", Place::Text),
        "2026-11-29T19:58:08.123Z|1795982288|1795982288123"
    );
    assert_eq!(rendered("{{run.id}}", Place::Header), "1f");
    assert!(!compiled("a {{{{ b", Place::Text).has_holes());
    assert_eq!(compiled("/a/{{now}}?b={{run.id}}", Place::Target).with_stand_ins("x"), b"/a/x?b=x");
}

#[test]
fn a_value_is_written_as_its_place_needs_it() {
    let pick = "{{random.pick('a \"b\"/c')}}";
    assert_eq!(
        rendered(&format!("/x/{pick}?q={pick}"), Place::Target),
        "/x/a%20%22b%22%2Fc?q=a%20%22b%22%2Fc"
    );
    assert_eq!(rendered(pick, Place::Header), "a \"b\"/c");
    let json = format!("{{\"k\\\"\": \"{pick}\", \"n\": {{{{random.int(3, 3)}}}}}}");
    assert_eq!(rendered(&json, Place::Json), "{\"k\\\"\": \"a \\\"b\\\"/c\", \"n\": 3}");
    assert_eq!(rendered(&format!("a={pick}"), Place::Form), "a=a%20%22b%22%2Fc");
    assert_eq!(rendered(&format!("\"{pick}\""), Place::Text), "\"a \"b\"/c\"");
    assert_eq!(rendered("{{random.pick('a b') | raw}}", Place::Form), "a b");
    assert_eq!(rendered("{{random.pick('a b') | base64 | url}}", Place::Text), "YSBi");
    assert_eq!(rendered("{{random.pick('?>') | base64}} {{base64('?>')}}", Place::Target), "Pz4= Pz4%3D");
    assert_eq!(rendered("[{{'a\"' | json}}]", Place::Json), "[\"a\\\"\"]");
}

#[test]
fn the_kind_of_a_body_is_told_by_its_type_or_its_first_character() {
    for (content_type, body, expected) in [
        (Some("application/json; charset=utf-8"), "x", Place::Json),
        (Some("application/problem+JSON"), "x", Place::Json),
        (Some("application/x-www-form-urlencoded"), "{", Place::Form),
        (Some("text/plain"), "{", Place::Text),
        (None, " {\"a\": 1}", Place::Json),
        (None, "[1]", Place::Json),
        (None, "{{now}}", Place::Text),
        (None, "a=b", Place::Text),
    ] {
        assert_eq!(Place::of_body(content_type, body), expected, "{content_type:?} {body}");
    }
}

/// The digests are those of `openssl dgst -sha256 [-hmac KEY]`, and of test case 6 of RFC 4231.
#[test]
fn digests_are_those_of_openssl() {
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(rendered("{{sha256('abc')}}", Place::Header), abc);
    let jefe = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(rendered("{{hmac_sha256('Jefe', \"what do ya want for nothing?\")}}", Place::Header), jefe);
    // A key longer than a block, which is hashed.
    let (key, long) = ("k".repeat(80), "t".repeat(100));
    let mac = {
        use hmac::{Hmac, KeyInit as _, Mac as _};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(long.as_bytes());
        mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect::<String>()
    };
    assert_eq!(rendered(&format!("{{{{hmac_sha256('{key}', '{long}')}}}}"), Place::Header), mac);
}

#[test]
fn random_values_are_functions_of_seed_number_step_and_hole() {
    let template =
        compiled("{{random.uuid}} {{random.uuid}} {{random.hex(5)}} {{random.letters(7)}}", Place::Text);
    let of = |number: u64| {
        let mut out = Vec::new();
        template.render(&context(number), &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(of(5), of(5));
    let all: HashSet<String> = (0..1_000).map(of).collect();
    assert_eq!(all.len(), 1_000);
    for text in &all {
        let words: Vec<&str> = text.split(' ').collect();
        assert_ne!(words[0], words[1], "each occurrence is a new value");
        assert!(
            words[0].len() == 36 && words[0].as_bytes()[14] == b'4' && "89ab".contains(&words[0][19..20])
        );
        assert!(words[2].len() == 5 && words[2].bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(words[3].len() == 7 && words[3].bytes().all(|b| b.is_ascii_lowercase()));
    }
    let ints = compiled("{{random.int(-1, 1)}}", Place::Text);
    let of = |number| {
        let mut out = Vec::new();
        ints.render(&context(number), &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!((0..200).map(of).collect::<HashSet<_>>(), ["-1", "0", "1"].map(str::to_owned).into());
    let whole = format!("{{{{random.int({}, {})}}}}", i64::MIN, i64::MAX);
    assert!(rendered(&whole, Place::Text).parse::<i64>().is_ok());
}

#[test]
fn faults_name_the_hole_and_the_remedy() {
    for (text, expected) in [
        ("a {{now", "`{{now`: `{{` without `}}`: close it, or write `{{{{` for the two characters"),
        ("{{}}", "`{{}}`: names nothing"),
        ("{{random.uid}}", "`{{random.uid}}`: there is no value `random.uid`, did you mean `random.uuid`?"),
        ("{{token}}", "there is no value `token`: there are now, now.s"),
        ("{{random.int}}", "`random.int` takes arguments: write `random.int(1, 30)`"),
        ("{{random.int(1)}}", "`,` is missing"),
        ("{{random.int(5, 1)}}", "5 is more than 1"),
        ("{{random.int(a, 1)}}", "`a` is not a whole number"),
        ("{{random.hex(0)}}", "0 is not possible: 1 to 4096"),
        ("{{now()}}", "`now` takes no arguments"),
        ("{{now x}}", "`x` is not expected here"),
        ("{{now | upper}}", "there is no filter `upper`: there are raw, url, json, base64"),
        ("{{sha256('a}}", "does not end"),
        ("{{sha256(now}}", "`)` is missing"),
        (
            "{{base64(base64(base64(base64(base64(base64(base64(base64(base64(now)))))))))}}",
            "more than 8 deep",
        ),
    ] {
        let error = Template::compile(text, Place::Text, &mut 0, &mut NoNames).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
