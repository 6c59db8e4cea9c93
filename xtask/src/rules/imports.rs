//! The imports between the source files of one crate: which file uses names of which other.
//!
//! Follows `crate::`, `super::` and `self::` paths, paths to a child, and names imported by them. A path that goes through a
//! re-export leads to the file that the name comes from. A parent that declares or re-exports its child does not use it.
//! Test modules do not count.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::tokens;

/// A module's path below the crate root.
type Module = Vec<String>;

/// A `use` of one name.
struct Import {
    path: Vec<String>,
    name: String,
    /// Whether this is a re-export.
    public: bool,
}

struct File {
    name: String,
    imports: Vec<Import>,
    /// Further paths in the text, from their first segment on.
    paths: Vec<Vec<String>>,
    /// The names of items that the file defines.
    defined: BTreeSet<String>,
}

/// Which file imports which, by file name.
pub(super) type Edges = BTreeMap<String, BTreeSet<String>>;

/// The imports between the files of one crate, given as path below `src` and text.
pub(super) fn edges(files: &[(String, String)]) -> Edges {
    let files: BTreeMap<Module, File> = files
        .iter()
        .filter(|(name, _)| !is_test(name))
        .map(|(name, text)| (module(name), parse(name, &without_tests(&tokens(text)))))
        .collect();
    let mut edges = Edges::new();
    for (module, file) in &files {
        let names: BTreeMap<&str, &Import> = file.imports.iter().map(|import| (import.name.as_str(), import)).collect();
        let mut used: BTreeSet<&Module> = BTreeSet::new();
        for import in file.imports.iter().filter(|import| !is_module(&files, module, &import.path)) {
            let target = resolve(&files, module, &import.path, 0);
            used.extend(target.filter(|target| !(import.public && target.starts_with(module))));
        }
        for path in &file.paths {
            let whole = match names.get(path[0].as_str()) {
                Some(import) => import.path.iter().chain(&path[1..]).cloned().collect(),
                None => path.clone(),
            };
            used.extend(resolve(&files, module, &whole, 0));
        }
        let used = used.into_iter().filter(|target| *target != module).map(|target| files[target].name.clone());
        edges.insert(file.name.clone(), used.collect());
    }
    edges
}

/// The groups of files that import each other, directly or through others.
pub(super) fn cycles(edges: &Edges) -> Vec<BTreeSet<&str>> {
    let reach = |from: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(next) = open.pop() {
            for target in edges.get(&next).into_iter().flatten() {
                if seen.insert(target.clone()) {
                    open.push(target.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<String>> = edges.keys().map(|name| (name.as_str(), reach(name))).collect();
    let mut groups = BTreeSet::new();
    for (name, targets) in &reached {
        if targets.contains(*name) {
            let mutual = |other: &&str| targets.contains(*other) && reached[other].contains(*name);
            groups.insert(reached.keys().copied().filter(mutual).collect::<BTreeSet<&str>>());
        }
    }
    groups.into_iter().collect()
}

fn is_test(name: &str) -> bool {
    name.split('/').any(|part| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs"))
}

fn module(name: &str) -> Module {
    let mut parts: Module = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    let root = parts.len() == 1 && matches!(parts[0].as_str(), "lib" | "main");
    if root || parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// The tokens without items under `#[cfg(test)]`.
fn without_tests<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if !tokens[at..].starts_with(&MARK) {
            kept.push(tokens[at]);
            at += 1;
            continue;
        }
        at += MARK.len();
        let mut depth = 0_usize;
        while at < tokens.len() {
            match tokens[at] {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
            if depth == 0 && matches!(tokens[at - 1], ";" | "}") {
                break;
            }
        }
    }
    kept
}

fn is_local(first: &str) -> bool {
    matches!(first, "crate" | "super" | "self")
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn parse(name: &str, tokens: &[&str]) -> File {
    let mut file = File { name: name.to_owned(), imports: Vec::new(), paths: Vec::new(), defined: BTreeSet::new() };
    let mut at = 0;
    while at < tokens.len() {
        let token = tokens[at];
        at += 1;
        match token {
            "use" => {
                let end = tokens[at..].iter().position(|token| *token == ";").map_or(tokens.len(), |end| at + end);
                let first = file.imports.len();
                tree(&tokens[at..end], &mut Vec::new(), &mut file.imports);
                let public = at >= 2 && matches!(tokens[at - 2], "pub" | ")");
                file.imports[first..].iter_mut().for_each(|import| import.public = public);
                at = end;
            }
            "struct" | "enum" | "trait" | "type" | "fn" | "const" | "static" | "union" => {
                file.defined.extend(tokens.get(at).map(|name| (*name).to_owned()));
            }
            _ if is_word(token) && tokens.get(at) == Some(&"::") && (at < 2 || tokens[at - 2] != "::") => {
                let mut path = vec![token.to_owned()];
                while tokens.get(at) == Some(&"::") && tokens.get(at + 1).is_some_and(|next| is_word(next)) {
                    path.push(tokens[at + 1].to_owned());
                    at += 2;
                }
                file.paths.push(path);
            }
            _ => {}
        }
    }
    file
}

/// Reads one tree of a `use` declaration. Returns how many tokens it has.
fn tree(tokens: &[&str], prefix: &mut Vec<String>, imports: &mut Vec<Import>) -> usize {
    let (depth, mut at) = (prefix.len(), 0);
    while let Some(token) = tokens.get(at) {
        match *token {
            "," | "}" => break,
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    at += tree(&tokens[at..], prefix, imports);
                    at += usize::from(tokens.get(at) == Some(&","));
                }
                prefix.truncate(depth);
                return at + 1;
            }
            "as" => {
                let name = tokens.get(at + 1).map_or("_", |name| name).to_owned();
                imports.push(Import { path: std::mem::take(prefix), name, public: false });
                prefix.extend(imports[imports.len() - 1].path[..depth].iter().cloned());
                return at + 2;
            }
            "self" if !prefix.is_empty() => at += 1,
            word => {
                prefix.push(word.to_owned());
                at += 1;
            }
        }
    }
    let name = prefix.last().cloned().unwrap_or_default();
    imports.push(Import { path: prefix.clone(), name, public: false });
    prefix.truncate(depth);
    at
}

/// The module that a path starts in, and the number of segments that name it.
fn start(files: &BTreeMap<Module, File>, module: &Module, path: &[String]) -> Option<(Module, usize)> {
    let supers = path.iter().take_while(|segment| *segment == "super").count();
    match path.first()?.as_str() {
        "crate" => Some((Vec::new(), 1)),
        "self" => Some((module.clone(), 1)),
        "super" => Some((module[..module.len().checked_sub(supers)?].to_vec(), supers)),
        first => {
            let child = [module.as_slice(), &[first.to_owned()]].concat();
            files.contains_key(&child).then(|| (module.clone(), 0))
        }
    }
}

/// The deepest module of a path, and the segments behind it.
fn walk<'a>(files: &BTreeMap<Module, File>, module: &Module, path: &'a [String]) -> Option<(Module, &'a [String])> {
    let (mut at, mut next) = start(files, module, path)?;
    while let Some(segment) = path.get(next) {
        at.push(segment.clone());
        if !files.contains_key(&at) {
            at.pop();
            break;
        }
        next += 1;
    }
    Some((at, &path[next..]))
}

fn is_module(files: &BTreeMap<Module, File>, module: &Module, path: &[String]) -> bool {
    walk(files, module, path).is_some_and(|(_, rest)| rest.is_empty())
}

/// The file that a path leads to, through up to eight re-exports.
fn resolve<'a>(
    files: &'a BTreeMap<Module, File>,
    module: &Module,
    path: &[String],
    depth: usize,
) -> Option<&'a Module> {
    let (at, rest) = walk(files, module, path)?;
    let (found, file) = files.get_key_value(&at)?;
    let Some(name) = rest.first().filter(|name| depth < 8 && !file.defined.contains(*name)) else {
        return Some(found);
    };
    let from = |import: &Import, name: Option<&String>| {
        let stem = &import.path[..import.path.len() - usize::from(name.is_some())];
        let path: Vec<String> = if import.path.first().is_some_and(|first| is_local(first)) {
            stem.iter().chain(name).cloned().collect()
        } else {
            ["self".to_owned()].iter().chain(stem).chain(name).cloned().collect()
        };
        (path, at.clone())
    };
    if let Some(import) = file.imports.iter().find(|import| import.name == *name) {
        let (path, at) = from(import, None);
        let local = walk(files, &at, &path).is_some_and(|(target, _)| target != at);
        return if local { resolve(files, &at, &path, depth + 1) } else { Some(found) };
    }
    for import in file.imports.iter().filter(|import| import.name == "*") {
        let (path, at) = from(import, Some(name));
        if let Some(target) =
            resolve(files, &at, &path, depth + 1).filter(|target| files[*target].defined.contains(name))
        {
            return Some(target);
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Edges {
        edges(&files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<Vec<_>>())
    }

    fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let edges = of(files);
        cycles(&edges).into_iter().map(|group| group.into_iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn files_that_import_each_other_are_a_cycle() {
        let files =
            [("lib.rs", "mod a; mod b;"), ("a.rs", "use super::b::{B, C as D};"), ("b.rs", "fn f() { crate::a::g() }")];
        assert_eq!(found(&files), [["a.rs", "b.rs"]]);
    }

    #[test]
    fn a_name_that_the_parent_re_exports_leads_to_the_sibling() {
        let files = [
            ("x/mod.rs", "mod a; mod b; pub use a::A; use b::B;"),
            ("x/a.rs", "use super::B;"),
            ("x/b.rs", "fn f(_: super::A) {}"),
        ];
        assert_eq!(found(&files), [["x/a.rs", "x/b.rs"]]);
    }

    #[test]
    fn a_parent_that_calls_a_child_which_imports_it_is_a_cycle() {
        let files =
            [("x/mod.rs", "mod a; struct Desk; fn f() { a::g() }"), ("x/a.rs", "use super::Desk; pub fn g() {}")];
        assert_eq!(found(&files), [["x/a.rs", "x/mod.rs"]]);
        let imported = [("x/mod.rs", "mod a; use a::g; struct Desk;"), ("x/a.rs", "use super::Desk; pub fn g() {}")];
        assert_eq!(found(&imported), [["x/a.rs", "x/mod.rs"]]);
    }

    #[test]
    fn an_imported_module_is_followed_to_the_names_used_of_it() {
        let files = [
            ("x/mod.rs", "mod a; pub use a::*;"),
            ("x/a.rs", "use crate::y; pub struct A; fn f() { y::g() }"),
            ("y.rs", "use crate::x; fn g(_: x::A) {}"),
        ];
        assert_eq!(found(&files), [["x/a.rs", "y.rs"]]);
    }

    #[test]
    fn declarations_re_exports_tests_and_one_way_imports_are_no_cycle() {
        let files = [
            ("x/mod.rs", "mod a; mod b; pub use self::a::A; struct Here;"),
            ("x/a.rs", "use super::b::B; pub struct A; #[cfg(test)] mod tests { use super::super::b::B; }"),
            ("x/b.rs", "use super::Here; pub struct B; #[cfg(test)] mod tests { use crate::x::A; }"),
            ("x/tests.rs", "use super::a::A;"),
        ];
        let edges = of(&files);
        assert!(edges["x/a.rs"].contains("x/b.rs") && edges["x/b.rs"].contains("x/mod.rs"));
        assert!(cycles(&edges).is_empty(), "{edges:?}");
    }
}
