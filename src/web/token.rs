//! A secret token of a caller.

use std::fmt;

use sha2::{Digest, Sha256};

/// The minimum length of a token: shorter ones can be guessed.
const LEAST_CHARACTERS: usize = 16;

/// A token, stored as its SHA-256 digest.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// From its text, without surrounding whitespace.
    ///
    /// # Errors
    /// It is empty, shorter than 16 characters, or has characters other than visible ASCII.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "" => Err("a token may not be empty: `openssl rand -hex 32` makes one".into()),
            t if t.chars().count() < LEAST_CHARACTERS => Err(format!(
                "a token has at least {LEAST_CHARACTERS} characters, so that nobody guesses it: `openssl rand -hex 32` \
                 makes one"
            )),
            t if t.bytes().all(|b| b.is_ascii_graphic()) => Ok(Self(Sha256::digest(t).into())),
            _ => Err("a token may have letters, digits and signs of ASCII only".into()),
        }
    }

    /// Whether `text` is the token, in constant time: all bytes of the two digests are compared.
    pub(crate) fn is(&self, text: &str) -> bool {
        let offered: [u8; 32] = Sha256::digest(text).into();
        let difference = self.0.iter().zip(offered).fold(0, |d, (a, b)| d | (a ^ b));
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_again_and_never_shown() {
        let token = Token::new(" s3cret-of-16-signs\n").unwrap();
        assert!(token.is("s3cret-of-16-signs") && !token.is("s3cret-of-16-sign") && !token.is(""));
        assert!(!format!("{token:?}").contains("s3cret"));
        assert!(!token.is("s3cret-of-16-signs "));
        for text in [" \n", "two words that are long", "é-and-fifteen-others", "fifteen-signs-x"] {
            assert!(Token::new(text).is_err(), "{text}");
        }
    }
}
