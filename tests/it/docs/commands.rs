//! Finds the program's command lines in shell blocks, with just enough of the shell's grammar for documents.

/// The program's names in documents.
const NAMES: [&str; 2] = ["loadtester", "target/release/loadtester"];
/// What stands before a command without being part of it.
const PREFIXES: [&str; 6] = ["if", "then", "do", "!", "exec", "time"];

/// One token of a shell block.
#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    /// The end of a command.
    Separator,
    /// `>` and the like, with a file after it.
    Redirect,
}

/// The arguments of each call of the program in `text`.
pub fn of_program(text: &str) -> Vec<Vec<String>> {
    let tokens = tokens(text);
    tokens.split(|token| *token == Token::Separator).filter_map(arguments).collect()
}

/// The arguments if the command is a call of the program.
fn arguments(command: &[Token]) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut tokens = command.iter();
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) => words.push(word.clone()),
            Token::Redirect => drop(tokens.next()),
            Token::Separator => unreachable!("commands are split there"),
        }
    }
    let is_prefix = |word: &String| PREFIXES.contains(&word.as_str()) || is_assignment(word);
    let begin = words.iter().position(|word| !is_prefix(word))?;
    let command = &words[begin..];
    let program = command[0].as_str();
    if NAMES.contains(&program) {
        return Some(command[1..].to_vec());
    }
    // An image has the program as its entry point.
    let image = command.iter().position(|word| word.starts_with("loadtester:"))?;
    let is_run = command[1..].first().is_some_and(|word| word == "run");
    (is_run && ["docker", "podman"].contains(&program)).then(|| command[image + 1..].to_vec())
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    })
}

fn tokens(text: &str) -> Vec<Token> {
    let (mut tokens, mut word): (Vec<Token>, Option<String>) = (Vec::new(), None);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                // A line goes on.
                Some('\n') | None => tokens.extend(word.take().map(Token::Word)),
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            '\'' => {
                let quoted = word.get_or_insert_default();
                quoted.extend(chars.by_ref().take_while(|c| *c != '\''));
            }
            '"' => {
                let quoted = word.get_or_insert_default();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    quoted.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
                }
            }
            '$' if chars.peek() == Some(&'(') => {
                word.get_or_insert_default().push_str("substituted");
                let mut depth = 0;
                for c in chars.by_ref() {
                    depth += i32::from(c == '(') - i32::from(c == ')');
                    if depth == 0 {
                        break;
                    }
                }
            }
            '#' if word.is_none() => {
                chars.by_ref().take_while(|c| *c != '\n').for_each(drop);
                tokens.push(Token::Separator);
            }
            '>' | '<' => {
                // A number before it is a file descriptor; `&` after it, too.
                tokens.extend(
                    word.take().filter(|word| !word.bytes().all(|b| b.is_ascii_digit())).map(Token::Word),
                );
                while chars.next_if(|c| matches!(c, '>' | '&')).is_some() {}
                tokens.push(Token::Redirect);
            }
            '\n' | ';' | '|' | '&' | '(' | ')' | '{' | '}' if !(matches!(c, '{' | '}') && word.is_some()) => {
                tokens.extend(word.take().map(Token::Word));
                tokens.push(Token::Separator);
            }
            c if c.is_whitespace() => tokens.extend(word.take().map(Token::Word)),
            c => word.get_or_insert_default().push(c),
        }
    }
    tokens.extend(word.map(Token::Word));
    tokens
}

#[test]
fn command_lines_are_found_as_a_shell_would() {
    let text = "cd x && loadtester a.yaml -H 'A: b c' \\\n    --quiet > out.txt 2>&1 # a remark\n\
                KEY=1 TOKEN=$(cat x | y) target/release/loadtester \"u $V\" & curl loadtester\n\
                loadtester p || { code=$?; [ $code -eq 4 ] || exit $code; }\n\
                docker run -v a:b loadtester:0.1.0 --plan /plan.yaml\nif loadtester b.yaml; then\n";
    let found = of_program(text);
    let expected: [&[&str]; 5] =
        [&["a.yaml", "-H", "A: b c", "--quiet"], &["u $V"], &["p"], &["--plan", "/plan.yaml"], &["b.yaml"]];
    assert_eq!(found, expected);
}
