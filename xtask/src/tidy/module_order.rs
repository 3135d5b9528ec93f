//! A module uses only modules listed below it.
//!
//! Every file that lists modules (`lib.rs`, `main.rs`, `mod.rs`, `a.rs` beside `a/`) lists them in reading order.
//! For a path from module `m` to module `p`, take the list where their places in the tree part: `m`'s side must be
//! listed above `p`'s side. Names that a listing file imports (`pub use a::B;`) count as the module they come from;
//! a glob import of a parent or of a child would hide that, so it is a finding too. Test modules are not looked at.

use std::collections::BTreeMap;

use super::code;
use super::finding::Finding;
use super::paths::{self, PathUse};
use super::tree::Tree;

/// A module's place in its crate: the names from the root on.
type Place = Vec<String>;

/// The modules of one crate root.
type Modules = BTreeMap<Place, Module>;

/// One module that has a file, or an inline one.
#[derive(Default)]
struct Module {
    /// Modules in the order of its list.
    children: Vec<String>,
    /// Where the names that it imports come from.
    imports: BTreeMap<String, Place>,
    /// The paths in its code.
    paths: Vec<PathUse>,
    /// Path of its file.
    file: String,
}

/// More steps than this through imports of imports are not followed.
const MOST_IMPORTS: usize = 8;

/// Uses of modules listed above, and glob imports that would hide them.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let is_root = |path: &str| path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs");
    let roots = tree.rust().filter(|file| is_root(&file.path));
    roots.flat_map(|root| check_root(tree, &root.path)).collect()
}

/// The findings of one crate root.
fn check_root(tree: &Tree, root: &str) -> Vec<Finding> {
    let mut modules = Modules::new();
    load(tree, root, Place::new(), &mut modules);
    resolve_imports(&mut modules);
    let mut findings = Vec::new();
    for (place, module) in &modules {
        for path in &module.paths {
            let from = [place.as_slice(), &path.inside].concat();
            let Some(to) = absolute(&modules, &from, &path.segments) else {
                continue;
            };
            let at = (module.file.as_str(), path.line);
            findings.extend(glob(&modules, &from, &to, at));
            findings.extend(upward(&modules, &from, to, at));
        }
    }
    findings
}

/// Reads the module in `file` and those that it declares.
fn load(tree: &Tree, file: &str, place: Place, modules: &mut Modules) {
    let Some(source) = tree.get(file) else { return };
    let code = source.product_code();
    let names = paths::names(&code::tokens(&code));
    let folder = folder_of_children(file);
    for child in &names.modules {
        let candidates = [format!("{folder}/{child}.rs"), format!("{folder}/{child}/mod.rs")];
        for candidate in candidates.iter().filter(|path| tree.get(path).is_some()) {
            load(tree, candidate, below(&place, child), modules);
        }
    }
    for child in &names.modules {
        modules.entry(below(&place, child)).or_default();
    }
    let module =
        Module { children: names.modules, paths: names.paths, file: file.to_owned(), ..Module::default() };
    modules.insert(place, module);
}

/// The place of a child.
fn below(place: &[String], child: &str) -> Place {
    [place, &[child.to_owned()]].concat()
}

/// The folder where the modules declared in `file` lie.
fn folder_of_children(file: &str) -> String {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    match name {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => file.trim_end_matches(".rs").to_owned(),
    }
}

/// Notes for every module where the names that it imports come from.
fn resolve_imports(modules: &mut Modules) {
    let mut found: Vec<(Place, String, Place)> = Vec::new();
    for (place, module) in &*modules {
        for path in module.paths.iter().filter(|path| path.inside.is_empty()) {
            let origin = absolute(modules, place, &path.segments);
            if let (Some(name), Some(origin)) = (&path.import, origin) {
                found.push((place.clone(), name.clone(), origin));
            }
        }
    }
    for (place, name, origin) in found {
        if let Some(module) = modules.get_mut(&place) {
            module.imports.insert(name, origin);
        }
    }
}

/// The place that a path written in module `from` leads to; `None` if it leads out of the crate.
fn absolute(modules: &Modules, from: &[String], segments: &[String]) -> Option<Place> {
    let (first, rest) = segments.split_first()?;
    let mut place = match first.as_str() {
        "crate" => Place::new(),
        "self" => from.to_vec(),
        "super" => from[..from.len().checked_sub(1)?].to_vec(),
        name => {
            let is_child =
                modules.get(from).is_some_and(|module| module.children.iter().any(|child| child == name));
            is_child.then(|| below(from, name))?
        }
    };
    for segment in rest {
        match segment.as_str() {
            "super" => drop(place.pop()),
            _ => place.push(segment.clone()),
        }
    }
    Some(place)
}

/// A finding if `to` takes everything from a module above or below `from` in the tree.
fn glob(modules: &Modules, from: &[String], to: &[String], at: (&str, usize)) -> Option<Finding> {
    let (last, target) = to.split_last()?;
    let is_relative = from.starts_with(target) || target.starts_with(from);
    let hides = last == "*" && is_relative && modules.contains_key(target);
    let problem = || format!("glob import of `{}` hides which modules are used", name(target));
    hides.then(|| Finding::error(at.0, at.1, problem(), "import the names that are used"))
}

/// A finding if the way from `from` to `to` goes up a list of modules.
fn upward(modules: &Modules, from: &[String], mut to: Place, at: (&str, usize)) -> Option<Finding> {
    for _ in 0..MOST_IMPORTS {
        let common = from.iter().zip(&to).take_while(|(mine, theirs)| mine == theirs).count();
        if common == from.len() || common == to.len() {
            return None;
        }
        let list = modules.get(&from[..common])?;
        let index = |child: &String| list.children.iter().position(|listed| listed == child);
        let (mine, theirs) = (index(&from[common])?, index(&to[common]));
        match theirs {
            Some(theirs) if theirs < mine => {
                let problem =
                    format!("`{}` uses `{}`, which {} lists above it", name(from), name(&to), list.file);
                let remedy = format!(
                    "list `{}` above `{}`, or move the shared part to a module below both",
                    from[common], to[common]
                );
                return Some(Finding::error(at.0, at.1, problem, remedy));
            }
            Some(_) => return None,
            None => to = [list.imports.get(&to[common])?.as_slice(), &to[common + 1..]].concat(),
        }
    }
    None
}

/// The place as it would be written in code.
fn name(place: &[String]) -> String {
    std::iter::once("crate").chain(place.iter().map(String::as_str)).collect::<Vec<_>>().join("::")
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    /// Places of the findings in a crate of these files below `src/`.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<(String, &str)> =
            files.iter().map(|&(path, text)| (format!("k/src/{path}"), text)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        check(&Tree::made_up(&files))
            .iter()
            .map(|finding| format!("{}:{}", finding.path, finding.line))
            .collect()
    }

    const LIST: &str = "pub mod high;\nmod low;\n";

    #[test]
    fn downward_uses_are_fine() {
        let high = "use crate::low::f;\nuse super::low;\nfn g() { crate::low::f() }";
        assert_eq!(found(&[("lib.rs", LIST), ("high.rs", high), ("low.rs", "use std::fs;")]), [""; 0]);
    }

    #[test]
    fn upward_uses_are_found_in_every_spelling() {
        for low in [
            "use crate::high::f;",
            "use super::high;",
            "use crate::{high::f};",
            "fn g() { crate::high::f() }",
        ] {
            assert_eq!(
                found(&[("lib.rs", LIST), ("high.rs", ""), ("low.rs", low)]),
                ["k/src/low.rs:1"],
                "{low}"
            );
        }
        let inline = "mod inner {\n    use super::super::high::f;\n}";
        assert_eq!(found(&[("lib.rs", LIST), ("high.rs", ""), ("low.rs", inline)]), ["k/src/low.rs:2"]);
    }

    #[test]
    fn comments_strings_and_tests_do_not_count() {
        let low = "// crate::high::f\nconst A: &str = \"crate::high\";\n#[cfg(test)]\nmod tests { use crate::high::f; }";
        assert_eq!(found(&[("lib.rs", LIST), ("high.rs", ""), ("low.rs", low)]), [""; 0]);
    }

    #[test]
    fn imported_names_count_as_their_module() {
        let list = "pub mod high;\nmod low;\npub use high::F;\npub use low::G as H;\npub struct Own;";
        let low = "use crate::F;\nuse crate::{H, Own};";
        assert_eq!(
            found(&[("lib.rs", list), ("high.rs", "use crate::H;"), ("low.rs", low)]),
            ["k/src/low.rs:1"]
        );
    }

    #[test]
    fn lists_inside_folders_are_held_too() {
        let files = |c: &'static str, low: &'static str| {
            found(&[
                ("lib.rs", LIST),
                ("high/mod.rs", "mod b;\nmod c;"),
                ("high/b.rs", "use super::c::f;"),
                ("high/c.rs", c),
                ("low.rs", "mod d;"),
                ("low/d.rs", low),
            ])
        };
        assert_eq!(files("use crate::low::d;", ""), [""; 0]);
        assert_eq!(files("use super::b;", ""), ["k/src/high/c.rs:1"]);
        assert_eq!(files("use crate::high::b;", ""), ["k/src/high/c.rs:1"]);
        assert_eq!(files("", "use crate::high::c::f;"), ["k/src/low/d.rs:1"]);
    }

    #[test]
    fn globs_of_relatives_are_found_and_others_not() {
        let with_low = |low| found(&[("lib.rs", LIST), ("high.rs", ""), ("low.rs", low)]);
        assert_eq!(with_low("use crate::*;"), ["k/src/low.rs:1"]);
        assert_eq!(with_low("use super::*;"), ["k/src/low.rs:1"]);
        assert_eq!(with_low("use faer::prelude::*;\nenum E { A }\nuse self::E::*;"), [""; 0]);
        let list = "mod high;\nmod low;\npub use high::*;";
        assert_eq!(
            found(&[("lib.rs", list), ("high.rs", "use crate::low::*;"), ("low.rs", "")]),
            ["k/src/lib.rs:3"]
        );
    }
}
