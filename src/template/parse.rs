//! Compiles `{{…}}`.
//!
//! ```text
//! hole     = "{{" value *( "|" filter ) "}}"
//! value    = name [ "(" [ argument *( "," argument ) ] ")" ] / set "." column / text
//! column   = a name, or a JSON pointer that begins with "/"
//! argument = value / a word or a number, where the function takes one
//! text     = "…" / '…', with its quote doubled within it
//! filter   = raw / url / json / base64
//! ```

use super::compiled::{Hole, Part, Template};
use super::encoding::Encoding;
use super::fit::Fit;
use super::function::{Expression, RandomValue};
use super::names::{AnyNames, Names};
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
    pub(crate) fn compile(
        text: &str,
        place: Place,
        holes: &mut u32,
        names: &mut dyn Names,
    ) -> Result<Self, String> {
        template(text, place, holes, names)
    }
}

/// `path` with characters for each hole that may stand in a path, also behind `%`.
pub(crate) fn without_holes(path: &str) -> String {
    match Template::compile(path, Place::Target, &mut 0, &mut AnyNames) {
        Ok(template) => String::from_utf8(template.with_stand_ins("aa")).unwrap_or_default(),
        // Whoever compiles it says why.
        Err(_) => "/".to_owned(),
    }
}

/// `path` with `map` applied to its text, and its holes as they were written.
pub(crate) fn with_text_mapped(path: &str, map: &dyn Fn(&str) -> String) -> String {
    match Template::compile(path, Place::Target, &mut 0, &mut AnyNames) {
        Ok(template) => String::from_utf8(template.with_text_mapped(map).typed()).unwrap_or_default(),
        // Whoever compiles it says why.
        Err(_) => path.to_owned(),
    }
}

fn template(text: &str, place: Place, holes: &mut u32, names: &mut dyn Names) -> Result<Template, String> {
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
        let (hole, after) = hole(inside, &parts.position, *holes, names)?;
        *holes += 1;
        parts.hole(hole);
        rest = after;
    }
    parts.literal(rest);
    let mut template = parts.finish();
    if place == Place::Target {
        find_segments(&mut template.parts);
    }
    Ok(template)
}

/// Marks the holes that are whole segments of a path.
fn find_segments(parts: &mut [Part]) {
    for i in 1..parts.len() {
        let (before, from) = parts.split_at_mut(i);
        let Part::Text(before) = &before[i - 1] else { continue };
        if before.contains(&b'?') {
            return;
        }
        let ends = match from.get(1) {
            None => true,
            Some(Part::Text(after)) => after.starts_with(b"/") || after.starts_with(b"?"),
            Some(Part::Hole(_)) => false,
        };
        if let Part::Hole(hole) = &mut from[0]
            && before.ends_with(b"/")
            && ends
            && hole.fit == Fit::Any
        {
            hole.fit = Fit::Segment;
        }
    }
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
fn hole<'a>(
    text: &'a str,
    position: &Position,
    number: u32,
    names: &mut dyn Names,
) -> Result<(Hole, &'a str), String> {
    let shown = || quoted(&format!("{OPEN}{}", &text[..text.find(CLOSE).map_or(text.len(), |at| at + 2)]));
    let in_hole = |why: String| format!("{}: {why}", shown());
    let mut parser = Parser { rest: text, hole: number, depth: 0, names };
    let mut value = parser.value().map_err(in_hole)?;
    let mut encoding = position.encoding();
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
    let fit = position.fit(encoding);
    if value.texts().any(|text| !fit.admits(text.as_bytes())) {
        return Err(in_hole(format!("the text {}", fit.fault())));
    }
    Ok((Hole { value, encoding, fit, typed: typed.into() }, parser.rest))
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

struct Parser<'a, 'n> {
    rest: &'a str,
    /// The number of the hole.
    hole: u32,
    depth: u32,
    names: &'n mut dyn Names,
}

impl<'a> Parser<'a, '_> {
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
        let (mut text, mut inside) = (String::new(), &self.rest[1..]);
        loop {
            let end =
                inside.find(quote).ok_or_else(|| format!("a text begins with {quote} and does not end"))?;
            text += &inside[..end];
            inside = &inside[end + 1..];
            // Doubled, it is one of the text.
            match inside.strip_prefix(quote) {
                Some(after) => (text, inside) = (text + &quote.to_string(), after),
                None => break,
            }
        }
        self.rest = inside;
        Ok(Some(Expression::Text(text.replace(LITERAL_OPEN, OPEN).into())))
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
            name => return self.field(name),
        })
    }

    /// The column of a data set whose name, and maybe that of its column, `name` is.
    fn field(&mut self, name: &str) -> Result<Expression, String> {
        let (set, column) = name.split_once('.').unwrap_or((name, ""));
        if !self.names.knows(set) {
            let sets: Vec<String> =
                self.names.sets().into_iter().map(|set| format!("{set}.{column}")).collect();
            let known: Vec<&str> =
                VALUES.into_iter().chain(FUNCTIONS).chain(sets.iter().map(String::as_str)).collect();
            return Err(unknown("value", name, &known));
        }
        let more =
            self.rest.find(|c: char| c.is_whitespace() || "|}),".contains(c)).unwrap_or(self.rest.len());
        let (more, rest) = self.rest.split_at(if name.contains('.') { more } else { 0 });
        self.rest = rest;
        let column = format!("{column}{more}");
        if column.is_empty() {
            return Err(format!("{} is a data set: name one of its columns, like `{set}.id`", quoted(set)));
        }
        self.names.field(set, &column).map(Expression::Field)
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
