//! The paths that Rust code names (`use` trees written out) and the modules that it declares.

use super::code::Token;

/// A path such as `crate::a::B`, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathUse {
    /// Its segments; the last one is `*` for a glob import.
    pub segments: Vec<String>,
    /// The name that a `use` declaration gives it; `None` outside of `use`.
    pub import: Option<String>,
    /// The inline modules around it, outermost first.
    pub inside: Vec<String>,
    /// Line, counted from 1.
    pub line: usize,
}

/// What the code of one file names and declares.
#[derive(Default)]
pub struct Names {
    /// Every path, in the order of the text.
    pub paths: Vec<PathUse>,
    /// The modules declared at the file's top level (`mod a;` or `mod a { .. }`), in the order of the text.
    pub modules: Vec<String>,
}

/// Reads the paths and the modules of a file's code.
pub fn names(tokens: &[Token<'_>]) -> Names {
    let mut reader = Reader { tokens, at: 0, inside: Vec::new(), names: Names::default() };
    let mut depth = 0_usize;
    let mut blocks: Vec<usize> = Vec::new();
    while let Some(token) = tokens.get(reader.at) {
        match token.text {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if blocks.last() == Some(&depth) {
                    blocks.pop();
                    reader.inside.pop();
                }
            }
            "mod" if reader.declares_module() => {
                let name = tokens[reader.at + 1].text.to_owned();
                if depth == 0 {
                    reader.names.modules.push(name.clone());
                }
                if tokens[reader.at + 2].text == "{" {
                    reader.inside.push(name);
                    blocks.push(depth);
                    depth += 1;
                }
                reader.at += 2;
            }
            "use" => {
                reader.at += 1;
                reader.skip("::");
                reader.tree(&[], true);
                continue;
            }
            _ if token.is_word() => {
                reader.tree(&[], false);
                continue;
            }
            _ => {}
        }
        reader.at += 1;
    }
    reader.names
}

/// A place in the tokens and what was read so far.
struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    inside: Vec<String>,
    names: Names,
}

impl Reader<'_> {
    /// The text of the token `ahead` places on; empty at the end.
    fn peek(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text)
    }

    /// Whether the token `ahead` places on is a word.
    fn word(&self, ahead: usize) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(Token::is_word)
    }

    /// Steps over the token if it is `text`.
    fn skip(&mut self, text: &str) {
        self.at += usize::from(self.peek(0) == text);
    }

    /// Whether `mod name;` or `mod name {` stands here.
    fn declares_module(&self) -> bool {
        self.word(1) && matches!(self.peek(2), ";" | "{")
    }

    /// Reads a path or a `use` tree below `prefix`, and steps past it.
    fn tree(&mut self, prefix: &[String], in_use: bool) {
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        let mut segments = prefix.to_vec();
        loop {
            match self.peek(0) {
                "{" if in_use => return self.group(&segments),
                "*" if in_use => {
                    segments.push("*".to_owned());
                    self.at += 1;
                    break;
                }
                _ if self.word(0) => {
                    segments.push(self.peek(0).to_owned());
                    self.at += 1;
                }
                _ => break,
            }
            if self.peek(0) != "::" {
                break;
            }
            self.at += 1;
        }
        self.finish(segments, in_use, line);
    }

    /// Reads `{ tree, tree, .. }` below `prefix`, and steps past it.
    fn group(&mut self, prefix: &[String]) {
        self.at += 1;
        while self.at < self.tokens.len() && self.peek(0) != "}" {
            let before = self.at;
            self.tree(prefix, true);
            self.skip(",");
            self.at += usize::from(self.at == before);
        }
        self.at += 1;
    }

    /// Notes the path with its import name (`as` included).
    fn finish(&mut self, mut segments: Vec<String>, in_use: bool, line: usize) {
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        let mut import = in_use.then(|| segments.last().cloned()).flatten();
        if in_use && self.peek(0) == "as" {
            import = Some(self.peek(1).to_owned());
            self.at += 2;
        }
        if !segments.is_empty() {
            let inside = self.inside.clone();
            self.names.paths.push(PathUse { segments, import, inside, line });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::code::tokens;
    use super::names;

    /// The paths of more than one segment, written out.
    fn paths(code: &str) -> Vec<String> {
        let paths = names(&tokens(code)).paths;
        paths.iter().filter(|path| path.segments.len() > 1).map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn use_trees_are_written_out() {
        let code = "use crate::{a, b::{self, C, d::*}, e as f};\nuse ::std::{fs, io};\nlet x = super::g::h::<f64>(1);";
        let wanted = [
            "crate::a",
            "crate::b",
            "crate::b::C",
            "crate::b::d::*",
            "crate::e",
            "std::fs",
            "std::io",
            "super::g::h",
        ];
        assert_eq!(paths(code), wanted);
    }

    #[test]
    fn imports_carry_the_name_they_are_known_by() {
        let found = names(&tokens("pub use a::{B as C, D};\nfn f() -> a::E {}")).paths;
        let imports: Vec<Option<&str>> =
            found.iter().filter(|path| path.segments.len() > 1).map(|path| path.import.as_deref()).collect();
        assert_eq!(imports, [Some("C"), Some("D"), None]);
    }

    #[test]
    fn modules_are_listed_in_order_and_inline_ones_surround_their_paths() {
        let found =
            names(&tokens("pub mod a;\nmod b { use super::x::Y; mod c; }\npub(crate) mod d;\nuse e::F;"));
        assert_eq!(found.modules, ["a", "b", "d"]);
        let inside = |name: &str| found.paths.iter().find(|path| path.segments.ends_with(&[name.to_owned()]));
        assert_eq!(inside("Y").map(|path| path.inside.clone()), Some(vec!["b".to_owned()]));
        assert_eq!(inside("F").map(|path| path.inside.clone()), Some(vec![]));
    }
}
