//! Rust source without what only looks like code.
//!
//! `bare` blanks comments and literals, `without_tests` blanks items under `#[cfg(test)]`, `tokens` cuts the rest.
//! Blanks keep every line break, so line numbers stay those of the source.

/// An identifier (or number), `::`, or one other character, and its line counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The token itself.
    pub text: &'a str,
    /// Line of the source.
    pub line: usize,
}

impl Token<'_> {
    /// Whether the token is an identifier, a keyword or a number.
    pub fn is_word(&self) -> bool {
        self.text.starts_with(is_word_character)
    }
}

/// The source with comments, strings and character literals replaced by blanks.
pub fn bare(source: &str) -> String {
    let source: Vec<char> = source.chars().collect();
    let mut bare = String::with_capacity(source.len());
    let mut at = 0;
    while at < source.len() {
        let after = literal_word(&source, at).unwrap_or_else(|| comment_or_literal(&source, at));
        if after == at {
            bare.push(source[at]);
            at += 1;
        } else {
            bare.extend(source[at..after].iter().map(|&c| if c == '\n' { c } else { ' ' }));
            at = after;
        }
    }
    bare
}

/// End of a prefixed literal (`r"`, `b'`, `br#"` ...) that begins at `at`; `None` where no word begins.
///
/// A word that is no prefix ends where it begins: it is code.
fn literal_word(source: &[char], at: usize) -> Option<usize> {
    let begins = is_word_character(source[at]) && (at == 0 || !is_word_character(source[at - 1]));
    if !begins {
        return None;
    }
    let letters = source[at..].iter().take_while(|&&c| is_word_character(c)).count();
    let word: String = source[at..at + letters].iter().collect();
    let quote = at + letters;
    Some(match word.as_str() {
        "r" | "br" | "cr" => raw_string_end(source, quote).unwrap_or(at),
        "b" | "c" if source.get(quote) == Some(&'"') => comment_or_literal(source, quote),
        "b" if source.get(quote) == Some(&'\'') => comment_or_literal(source, quote),
        _ => at,
    })
}

/// End of the comment, string or character literal that begins at `at`, or `at` itself.
fn comment_or_literal(source: &[char], at: usize) -> usize {
    let rest = &source[at..];
    match rest {
        ['/', '/', ..] => at + rest.iter().take_while(|&&c| c != '\n').count(),
        ['/', '*', ..] => block_comment_end(source, at),
        ['"', ..] => quoted_end(source, at),
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => quoted_end(source, at),
        _ => at,
    }
}

/// End of the (nested) block comment that begins at `at`.
fn block_comment_end(source: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < source.len() {
        match source[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// End of the literal whose opening quote is at `at`.
fn quoted_end(source: &[char], at: usize) -> usize {
    let quote = source[at];
    let mut end = at + 1;
    while end < source.len() && source[end] != quote {
        end += if source[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(source.len())
}

/// End of the raw string whose hashes or quote begin at `at`, if there is one.
fn raw_string_end(source: &[char], at: usize) -> Option<usize> {
    let n_hashes = source[at..].iter().take_while(|&&c| c == '#').count();
    if source.get(at + n_hashes) != Some(&'"') {
        return None;
    }
    let closes = |&end: &usize| {
        let hashes = source[end + 1..].iter().take_while(|&&c| c == '#').count();
        source[end] == '"' && hashes >= n_hashes
    };
    let end = (at + n_hashes + 1..source.len()).find(closes);
    Some(end.map_or(source.len(), |end| end + 1 + n_hashes))
}

/// The bare code with every item under `#[cfg(test)]` replaced by blanks; nothing is left under `#![cfg(test)]`.
pub fn without_tests(bare: &str) -> String {
    let squeezed: Vec<(usize, char)> = bare.char_indices().filter(|(_, c)| !c.is_whitespace()).collect();
    let mut blanked: Vec<u8> = bare.as_bytes().to_vec();
    for at in 0..squeezed.len() {
        let end = if begins_with(&squeezed[at..], "#![cfg(test)]") {
            squeezed.len()
        } else if begins_with(&squeezed[at..], "#[cfg(test)]") {
            item_end(&squeezed, at + "#[cfg(test)]".len())
        } else {
            continue;
        };
        let past = squeezed.get(end).map_or(bare.len(), |&(byte, _)| byte);
        for byte in &mut blanked[squeezed[at].0..past] {
            *byte = if *byte == b'\n' { b'\n' } else { b' ' };
        }
    }
    String::from_utf8(blanked).expect("whole characters were replaced by blanks")
}

/// Whether the characters begin with `word`.
fn begins_with(characters: &[(usize, char)], word: &str) -> bool {
    characters.len() >= word.len() && characters.iter().zip(word.chars()).all(|(&(_, c), wanted)| c == wanted)
}

/// Index after the item that begins at `at`: after its `;` or its block.
fn item_end(characters: &[(usize, char)], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, &(_, c)) in characters.iter().enumerate().skip(at) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '}') {
            return index + 1;
        }
    }
    characters.len()
}

/// Cuts bare code into tokens.
pub fn tokens(bare: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for (index, line) in bare.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word_character(first) {
                rest.find(|c| !is_word_character(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            tokens.push(Token { text: &rest[..length], line: index + 1 });
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// Whether a character may stand in an identifier.
pub fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::{bare, tokens, without_tests};

    /// The words that are left of the source.
    fn words(code: &str) -> Vec<&str> {
        tokens(code).into_iter().filter(super::Token::is_word).map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_literals_go_code_and_lines_stay() {
        let source =
            "a // no\n/* no /* no */ no */ b \"no \\\" no\" c r#\"no \" no\"# d 'n' '\\'' e b\"no\" b'n' f\n";
        let code = bare(source);
        assert_eq!(words(&code), ["a", "b", "c", "d", "e", "f"]);
        assert_eq!(code.lines().count(), source.lines().count());
        assert_eq!(code.chars().count(), source.chars().count());
    }

    #[test]
    fn lifetimes_and_raw_names_are_code() {
        assert_eq!(
            words(&bare("fn f<'a>(x: &'a str, r#in: bar) {}")),
            ["fn", "f", "a", "x", "a", "str", "r", "in", "bar"]
        );
    }

    #[test]
    fn a_multi_line_string_keeps_its_line_breaks() {
        let code = bare("let x = \"one\ntwo\";\nafter");
        assert_eq!(tokens(&code).last().map(|token| (token.text, token.line)), Some(("after", 3)));
    }

    #[test]
    fn test_items_go_and_the_rest_stays() {
        let source = "a;\n#[cfg(test)]\nmod tests { fn f(x: [u8; 2]) { g() } }\nb;\n#[cfg(test)] mod t;\nc;\n\
                      #[cfg(test)]\n#[rustfmt::skip]\nfn h(x: [u8; 2]) { y }\nd";
        assert_eq!(words(&without_tests(source)), ["a", "b", "c", "d"]);
        assert_eq!(words(&without_tests("a;\n#![cfg(test)]\nb")), ["a"]);
        assert_eq!(words(&without_tests("#[cfg(unix)] a")), ["cfg", "unix", "a"]);
    }
}
