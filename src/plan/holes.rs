//! Compiles the `{{…}}` of a scenario's path, headers and body, and writes the body.

use super::content::{Content, Multipart, PartValue};
use super::data::OpenData;
use super::model::RequestTemplate;
use super::path::Path;
use super::reader::PlanReader;
use crate::template::{self, Encoding, Place, Template};

/// Path, headers and content of a request, as typed.
pub(super) struct Typed<'a> {
    pub(super) path: &'a mut String,
    pub(super) headers: &'a mut [(String, String)],
    /// Where the headers are that the scenario does not set itself.
    pub(super) inherited: &'a Path,
    pub(super) content: Option<Content>,
}

/// Compiles the scenario at `at`: its body, and its request with holes if it has any. Without, path and headers are
/// left as they are sent; with them, path, headers and body are as typed. Faults are recorded.
pub(super) fn compile(
    reader: &mut PlanReader<'_>,
    at: &Path,
    typed: Typed<'_>,
    data: &mut OpenData,
) -> (Vec<u8>, Option<Box<RequestTemplate>>) {
    let Typed { path, headers, inherited, content } = typed;
    let content_type = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let content_type = content_type.map(|(_, value)| value.clone());
    let mut compiler = Compiler { reader, data, holes: 0 };
    let template = RequestTemplate {
        path: compiler.compile(&at.key("path"), path, Place::Target),
        headers: headers
            .iter()
            .map(|(name, value)| {
                let own = at.key("headers").key(name);
                let is_own = compiler.reader.is_given(&own);
                let place = if is_own { own } else { inherited.key(name) };
                compiler.compile(&place, value, Place::Header)
            })
            .collect(),
        body: content
            .map_or_else(Template::default, |content| compiler.body(at, content, content_type.as_deref())),
    };
    let all = [&template.path, &template.body];
    if all.into_iter().chain(&template.headers).any(Template::has_holes) {
        let body = template.body.typed();
        return (body, Some(Box::new(template)));
    }
    // `{{{{` is what is left of holes.
    let text = |template: &Template| String::from_utf8(template.typed()).unwrap_or_default();
    *path = text(&template.path);
    headers.iter_mut().zip(&template.headers).for_each(|((_, value), template)| *value = text(template));
    (template.body.typed(), None)
}

struct Compiler<'a, 'b> {
    reader: &'a mut PlanReader<'b>,
    data: &'a mut OpenData,
    /// Holes compiled so far.
    holes: u32,
}

impl Compiler<'_, '_> {
    fn compile(&mut self, at: &Path, text: &str, place: Place) -> Template {
        if !text.contains(template::OPEN) {
            return Template::of_bytes(text.as_bytes().to_vec());
        }
        let compiled = Template::compile(text, place, &mut self.holes, self.data)
            .and_then(|template| self.data.check(&template).map(|()| template));
        self.reader.read(at, "text with holes like `{{random.uuid}}`", compiled).unwrap_or_default()
    }

    fn body(&mut self, at: &Path, content: Content, content_type: Option<&str>) -> Template {
        match content {
            Content::Text(text) => {
                let place = Place::of_body(content_type, &text);
                self.compile(&at.key("body"), &text, place)
            }
            Content::File(bytes) => Template::of_bytes(bytes),
            Content::Form(fields) => {
                let at = at.key("form");
                let mut body = Template::default();
                for (i, (name, value)) in fields.iter().enumerate() {
                    let begin = if i > 0 { "&" } else { "" };
                    body.push_text(begin.as_bytes());
                    let [name_part, value_part] = [name, value].map(|text| {
                        self.compile(&at.key(name), text, Place::Form).with_text_encoded(Encoding::Url)
                    });
                    body.append(&name_part);
                    body.push_text(b"=");
                    body.append(&value_part);
                }
                body
            }
            Content::Multipart(multipart) => self.multipart(at, multipart),
        }
    }

    fn multipart(&mut self, at: &Path, multipart: Multipart) -> Template {
        let boundary = multipart.boundary();
        let mut body = Template::default();
        for (i, part) in multipart.parts.into_iter().enumerate() {
            body.push_text(format!("--{boundary}\r\n{}", part.head).as_bytes());
            match part.value {
                PartValue::Text(text) => {
                    let at = at.key("multipart").index(i).key("value");
                    body.append(&self.compile(&at, &text, Place::Text));
                }
                PartValue::File(bytes) => body.push_text(&bytes),
            }
            body.push_text(b"\r\n");
        }
        body.push_text(format!("--{boundary}--\r\n").as_bytes());
        body
    }
}
