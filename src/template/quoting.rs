//! Puts a value into a template's text so that it stays text.

use super::syntax::{CLOSE, LITERAL_OPEN, OPEN};

/// Where the end of a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Outside holes.
    Text,
    /// In a hole, outside quotes.
    Hole,
    /// In a hole, in these quotes.
    Quoted(char),
}

/// `value` as it must be written behind the template text `before` to be text there.
///
/// # Errors
/// It would be in a hole, outside quotes, and is not one word.
pub(crate) fn as_text(before: &str, value: &str) -> Result<String, &'static str> {
    let literal = value.replace(OPEN, LITERAL_OPEN);
    match end(before) {
        End::Text => Ok(literal),
        End::Quoted(quote) => Ok(literal.replace(quote, &format!("{quote}{quote}"))),
        End::Hole if value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) => Ok(literal),
        End::Hole => {
            Err("stands in `{{…}}` without quotes, and its value is not one word: put it in quotes there")
        }
    }
}

/// Whether what follows the template text `before` stands outside holes.
pub(crate) fn ends_outside_holes(before: &str) -> bool {
    end(before) == End::Text
}

fn end(text: &str) -> End {
    let (mut end, mut rest) = (End::Text, text);
    while !rest.is_empty() {
        let skipped = match end {
            End::Text if rest.starts_with(LITERAL_OPEN) => LITERAL_OPEN.len(),
            End::Text if rest.starts_with(OPEN) => {
                end = End::Hole;
                OPEN.len()
            }
            End::Hole if rest.starts_with(CLOSE) => {
                end = End::Text;
                CLOSE.len()
            }
            _ => {
                let c = rest.chars().next().unwrap_or_default();
                end = match end {
                    End::Hole if matches!(c, '"' | '\'') => End::Quoted(c),
                    // A doubled quote ends the text and begins it again, which comes to the same.
                    End::Quoted(quote) if quote == c => End::Hole,
                    end => end,
                };
                c.len_utf8()
            }
        };
        rest = &rest[skipped..];
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_so_that_it_stays_text() {
        for (before, value, written) in [
            ("/a?b=", "it's {{x}}", Ok("it's {{{{x}}")),
            ("{{{{ '", "it's", Ok("it's")),
            ("{{now}} '", "it's", Ok("it's")),
            ("{{url('", "x') | raw}}&evil={{url('y", Ok("x'') | raw}}&evil={{{{url(''y")),
            ("{{url(\"a'", "\"", Ok("\"\"")),
            ("{{url('a''b", "'", Ok("''")),
            ("{{random.int(1, ", "30", Ok("30")),
        ] {
            assert_eq!(as_text(before, value).as_deref(), written, "{before}{value}");
        }
        assert!(as_text("{{random.int(1, ", "30) | raw").is_err());
    }
}
