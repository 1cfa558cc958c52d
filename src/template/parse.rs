//! Compiles `{{…}}`.
//!
//! ```text
//! hole     = "{{" value *( "|" filter ) "}}"
//! value    = name [ "(" [ argument *( "," argument ) ] ")" ] / text
//! argument = value / a word or a number, where the function takes one
//! text     = "…" / '…'
//! filter   = raw / url / json / base64
//! ```

use super::compiled::{Hole, Part, Template};
use super::encoding::Encoding;
use super::function::{Expression, RandomValue};
use super::position::{Place, Position};
use super::syntax::{CLOSE, LITERAL_OPEN, OPEN};
use crate::text::{did_you_mean, quoted};

/// The most random digits or letters of one hole.
const MOST_LETTERS: usize = 4_096;
/// The deepest nesting of functions.
const MOST_DEPTH: u32 = 8;

/// Names without arguments.
const VALUES: [&str; 6] = ["now", "now.s", "now.ms", "flow.number", "run.id", "random.uuid"];
/// Names with arguments.
const FUNCTIONS: [&str; 9] = [
    "random.int",
    "random.hex",
    "random.letters",
    "random.pick",
    "sha256",
    "hmac_sha256",
    "base64",
    "url",
    "json",
];
const FILTERS: [&str; 4] = ["raw", "url", "json", "base64"];

impl Template {
    /// Compiles `text`, which stands at `place`. Its holes are numbered from `*holes` on, which is advanced.
    ///
    /// # Errors
    /// The first fault, and what to write instead.
    pub(crate) fn compile(text: &str, place: Place, holes: &mut u32) -> Result<Self, String> {
        template(text, place, holes)
    }
}

/// `path` with a character that may stand in a path for each hole.
pub(crate) fn without_holes(path: &str) -> String {
    match Template::compile(path, Place::Target, &mut 0) {
        Ok(template) => String::from_utf8(template.with_stand_ins("x")).unwrap_or_default(),
        // Whoever compiles it says why.
        Err(_) => "/".to_owned(),
    }
}

fn template(text: &str, place: Place, holes: &mut u32) -> Result<Template, String> {
    let mut parts =
        Parts { parts: Vec::new(), literal: String::new(), position: Position::at_start_of(place) };
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let (before, from) = rest.split_at(at);
        parts.literal(before);
        if let Some(after) = from.strip_prefix(LITERAL_OPEN) {
            parts.literal(OPEN);
            rest = after;
            continue;
        }
        let inside = &from[OPEN.len()..];
        let (hole, after) = hole(inside, parts.position.encoding(), *holes)?;
        *holes += 1;
        parts.hole(hole);
        rest = after;
    }
    parts.literal(rest);
    Ok(parts.finish())
}

/// What was compiled so far.
struct Parts {
    parts: Vec<Part>,
    literal: String,
    position: Position,
}

impl Parts {
    fn literal(&mut self, text: &str) {
        self.position.pass(text);
        self.literal += text;
    }

    fn flush(&mut self) {
        if !self.literal.is_empty() {
            self.parts.push(Part::Text(std::mem::take(&mut self.literal).into_bytes().into()));
        }
    }

    fn hole(&mut self, hole: Hole) {
        self.flush();
        self.parts.push(Part::Hole(hole));
    }

    fn finish(mut self) -> Template {
        self.flush();
        Template { parts: self.parts }
    }
}

/// The hole whose inside `text` begins with, and what follows it.
fn hole(text: &str, encoding: Encoding, number: u32) -> Result<(Hole, &str), String> {
    let shown = || quoted(&format!("{OPEN}{}", &text[..text.find(CLOSE).map_or(text.len(), |at| at + 2)]));
    let in_hole = |why: String| format!("{}: {why}", shown());
    let mut parser = Parser { rest: text, hole: number, depth: 0 };
    let mut value = parser.value().map_err(in_hole)?;
    let mut encoding = encoding;
    while parser.take("|") {
        let filter = parser.name();
        encoding = Encoding::Raw;
        value = match filtered(filter, value).map_err(in_hole)? {
            Filtered::AsItIs(value) => value,
            Filtered::Encoded(how, value) => Expression::Encoded(how, Box::new(value)),
        };
    }
    if !parser.take(CLOSE) {
        let why = if text.contains(CLOSE) {
            format!("{} is not expected here", quoted(parser.rest.split(CLOSE).next().unwrap_or_default()))
        } else {
            format!("`{OPEN}` without `{CLOSE}`: close it, or write `{LITERAL_OPEN}` for the two characters")
        };
        return Err(in_hole(why));
    }
    let typed = format!("{OPEN}{}", &text[..text.len() - parser.rest.len()]);
    Ok((Hole { value, encoding, typed: typed.into() }, parser.rest))
}

enum Filtered {
    AsItIs(Expression),
    Encoded(Encoding, Expression),
}

fn filtered(name: &str, value: Expression) -> Result<Filtered, String> {
    Ok(match name {
        "raw" => Filtered::AsItIs(value),
        "url" => Filtered::Encoded(Encoding::Url, value),
        "json" => Filtered::Encoded(Encoding::Json, value),
        "base64" => Filtered::Encoded(Encoding::Base64, value),
        _ => return Err(unknown("filter", name, &FILTERS)),
    })
}

struct Parser<'a> {
    rest: &'a str,
    /// The number of the hole.
    hole: u32,
    depth: u32,
}

impl<'a> Parser<'a> {
    fn skip_blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes `word` if it is next.
    fn take(&mut self, word: &str) -> bool {
        self.skip_blank();
        let after = self.rest.strip_prefix(word);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.take(word) { Ok(()) } else { Err(format!("{} is missing", quoted(word))) }
    }

    /// A name, which may have dots; empty if none is next.
    fn name(&mut self) -> &'a str {
        self.skip_blank();
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let end = self.rest.find(|c| !is_of_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name
    }

    /// A quoted text, if one is next.
    fn text(&mut self) -> Result<Option<Expression>, String> {
        self.skip_blank();
        let Some(quote) = self.rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            return Ok(None);
        };
        let inside = &self.rest[1..];
        let end = inside.find(quote).ok_or_else(|| format!("a text begins with {quote} and does not end"))?;
        self.rest = &inside[end + 1..];
        Ok(Some(Expression::Text(inside[..end].replace(LITERAL_OPEN, OPEN).into())))
    }

    fn value(&mut self) -> Result<Expression, String> {
        if let Some(text) = self.text()? {
            return Ok(text);
        }
        let name = self.name();
        if self.take("(") {
            self.depth += 1;
            if self.depth > MOST_DEPTH {
                return Err(format!("functions are nested more than {MOST_DEPTH} deep"));
            }
            let value = self.call(name)?;
            self.depth -= 1;
            self.expect(")")?;
            return Ok(value);
        }
        Ok(match name {
            "now" => Expression::Now,
            "now.s" => Expression::NowSeconds,
            "now.ms" => Expression::NowMilliseconds,
            "flow.number" => Expression::Number,
            "run.id" => Expression::RunId,
            "random.uuid" => Expression::Random(RandomValue::Uuid, self.hole),
            "" => return Err("names nothing: write a name like `random.uuid`".to_owned()),
            function if FUNCTIONS.contains(&function) => {
                return Err(format!(
                    "{} takes arguments: write {}",
                    quoted(function),
                    quoted(example(function))
                ));
            }
            name => return Err(unknown("value", name, &[&VALUES[..], &FUNCTIONS].concat())),
        })
    }

    /// The arguments of the function `name`, up to the parenthesis.
    fn call(&mut self, name: &str) -> Result<Expression, String> {
        let hole = self.hole;
        let random = |value| Ok(Expression::Random(value, hole));
        match name {
            "random.int" => {
                let from = self.number(name)?;
                self.expect(",")?;
                let to = self.number(name)?;
                if from > to {
                    return Err(format!("{from} is more than {to}: write the smaller one first"));
                }
                random(RandomValue::Int { from, to })
            }
            "random.hex" => random(RandomValue::Hex(self.length(name)?)),
            "random.letters" => random(RandomValue::Letters(self.length(name)?)),
            "random.pick" => random(RandomValue::Pick(self.words()?)),
            "sha256" => Ok(Expression::Sha256(Box::new(self.value()?))),
            "hmac_sha256" => {
                let key = Box::new(self.value()?);
                self.expect(",")?;
                Ok(Expression::Hmac { key, text: Box::new(self.value()?) })
            }
            "base64" => Ok(Expression::Encoded(Encoding::Base64, Box::new(self.value()?))),
            "url" => Ok(Expression::Encoded(Encoding::Url, Box::new(self.value()?))),
            "json" => Ok(Expression::Encoded(Encoding::Json, Box::new(self.value()?))),
            value if VALUES.contains(&value) => {
                Err(format!("{} takes no arguments: write it alone", quoted(value)))
            }
            name => Err(unknown("function", name, &FUNCTIONS)),
        }
    }

    /// A whole number.
    fn number(&mut self, function: &str) -> Result<i64, String> {
        self.skip_blank();
        let end = self.rest.find([',', ')', '|', '}']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        let word = word.trim();
        word.parse().map_err(|_| {
            format!(
                "{} is not a whole number of at most 19 digits: write {}",
                quoted(word),
                quoted(example(function))
            )
        })
    }

    fn length(&mut self, function: &str) -> Result<usize, String> {
        let length = self.number(function)?;
        let possible = usize::try_from(length).ok().filter(|n| (1..=MOST_LETTERS).contains(n));
        possible.ok_or_else(|| format!("{length} is not possible: 1 to {MOST_LETTERS} are"))
    }

    /// Words with commas between them, up to the parenthesis.
    fn words(&mut self) -> Result<Box<[Box<str>]>, String> {
        let mut words = Vec::new();
        loop {
            let word = match self.text()? {
                Some(Expression::Text(text)) => text,
                _ => {
                    let end = self.rest.find([',', ')']).unwrap_or(self.rest.len());
                    let (word, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    word.trim().into()
                }
            };
            words.push(word);
            if !self.take(",") {
                return Ok(words.into());
            }
        }
    }
}

/// How a function is written.
fn example(function: &str) -> &'static str {
    match function {
        "random.int" => "random.int(1, 30)",
        "random.hex" => "random.hex(16)",
        "random.letters" => "random.letters(8)",
        "random.pick" => "random.pick(red, green)",
        "hmac_sha256" => "hmac_sha256(\"key\", now.s)",
        "base64" => "base64(random.uuid)",
        "url" => "url(now)",
        "json" => "json(now)",
        _ => "sha256(now)",
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let guess = did_you_mean(name, known.iter().copied());
    let remedy = if guess.is_empty() { format!(": there are {}", known.join(", ")) } else { guess };
    format!("there is no {what} {}{remedy}", quoted(name))
}
