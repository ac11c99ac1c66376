//! The files of src/ as a graph, and the circles in it.
//!
//! A file uses another where it names something that the other defines: by `use`, or by a path in its code; through
//! `crate::`, `super::`, `self::` or a module that it has declared. Who re-exports a name and does nothing with it
//! does not use it but hands it on: what takes the name from there uses the file that defines it. `mod child;`
//! alone is no use, neither is a method that another file adds to a type. Tests may use what they like.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::source::{Token, tokens, without_tests};

/// Who uses whom, and the names of what.
pub(crate) type Graph = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// A file, as a place in the tree of modules.
struct Module {
    file: String,
    path: Vec<String>,
    /// Names after `mod`.
    children: BTreeSet<String>,
    uses: Vec<Use>,
    /// Paths in the code, from the module in which they stand.
    paths: Vec<(Vec<String>, Vec<String>)>,
    /// Names in the code, imports left out.
    named: BTreeSet<String>,
}

/// One name that a `use` brings in.
struct Use {
    inside: Vec<String>,
    path: Vec<String>,
    name: String,
    public: bool,
}

/// Draws the arrows between `files`, each a path below src/ and its text.
pub(crate) fn graph(files: &[(String, String)]) -> Graph {
    let mut modules = Vec::new();
    let mut tests = BTreeSet::new();
    for (file, text) in files {
        let path = module_path(file);
        let (tokens, of_tests) = without_tests(tokens(text));
        tests.extend(of_tests.iter().map(|name| joined(&path, name)));
        modules.push(Module::read(file, path, &tokens));
    }
    let is_test = |path: &[String]| (1..=path.len()).any(|end| tests.contains(&path[..end]));
    modules.retain(|module| !is_test(&module.path));
    let tree = modules
        .iter()
        .map(|module| (module.path.as_slice(), module));
    let tree = Tree(tree.collect());
    let mut graph = Graph::new();
    for module in &modules {
        for (name, to) in tree.used_by(module) {
            if to != module.file {
                let arrows = graph.entry(module.file.clone()).or_default();
                arrows.entry(to).or_default().insert(name);
            }
        }
    }
    graph
}

/// Every set of files that reach each other, each with the arrows inside it, one a line.
pub(crate) fn circles(graph: &Graph) -> Vec<(String, String)> {
    let reach: BTreeMap<&str, BTreeSet<&str>> = graph
        .keys()
        .map(|file| (file.as_str(), reached(graph, file)))
        .collect();
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    for (file, there) in &reach {
        if !there.contains(file) || told.contains(file) {
            continue;
        }
        let back = |other: &&str| reach.get(*other).is_some_and(|all| all.contains(file));
        let members: BTreeSet<&str> = there.iter().copied().filter(back).collect();
        let arrow = |from: &&str| {
            let inside = graph[*from]
                .iter()
                .filter(|(to, _)| members.contains(to.as_str()));
            let lines = inside.map(|(to, names)| {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                format!("\n  {from} uses {to}: {}", names.join(", "))
            });
            lines.collect::<String>()
        };
        let names: Vec<_> = members.iter().copied().collect();
        let arrows: String = names.iter().map(arrow).collect();
        found.push((names.join(" and "), arrows));
        told.extend(members);
    }
    found
}

/// All files that `from` uses, and those that they use.
fn reached<'g>(graph: &'g Graph, from: &str) -> BTreeSet<&'g str> {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        for to in graph.get(file).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(to.as_str()) {
                next.push(to);
            }
        }
    }
    seen
}

/// `app/mod.rs` is `app`, `app/show.rs` is `app::show`, `lib.rs` the root.
fn module_path(file: &str) -> Vec<String> {
    let path = Path::new(file).with_extension("");
    let mut names: Vec<String> = path
        .iter()
        .filter_map(|name| name.to_str())
        .map(str::to_owned)
        .collect();
    if names.last().is_some_and(|last| last == "mod") || names == ["lib"] {
        names.pop();
    }
    names
}

fn joined(path: &[String], name: &str) -> Vec<String> {
    path.iter().cloned().chain([name.to_owned()]).collect()
}

impl Module {
    fn read(file: &str, path: Vec<String>, tokens: &[Token]) -> Self {
        let mut module = Self {
            file: file.to_owned(),
            path,
            children: BTreeSet::new(),
            uses: Vec::new(),
            paths: Vec::new(),
            named: BTreeSet::new(),
        };
        // Modules in braces, each with the depth at which it ends.
        let mut inside: Vec<(String, usize)> = Vec::new();
        let (mut depth, mut at) = (0, 0);
        while at < tokens.len() {
            let here: Vec<String> = inside.iter().map(|(name, _)| name.clone()).collect();
            let next = |ahead: usize| tokens.get(at + ahead);
            match &tokens[at] {
                Token::Mark('{') => depth += 1,
                Token::Mark('}') => {
                    depth -= 1;
                    inside.retain(|(_, end)| *end <= depth);
                }
                Token::Name(word) if word == "mod" => {
                    let name = next(1).and_then(Token::name).unwrap_or_default().to_owned();
                    if next(2).is_some_and(|end| end.is("{")) {
                        inside.push((name, depth + 1));
                    } else {
                        module.children.insert(name);
                    }
                    at += 1;
                }
                Token::Name(word) if word == "use" => {
                    let length = tokens[at..].iter().position(|token| token.is(";"));
                    let end = at + length.unwrap_or(tokens.len() - at);
                    let public = at > 0 && (tokens[at - 1].is("pub") || tokens[at - 1].is(")"));
                    let mut found = Vec::new();
                    flatten(&mut &tokens[at + 1..end], &[], &mut found);
                    module
                        .uses
                        .extend(found.into_iter().map(|(path, name)| Use {
                            inside: here.clone(),
                            path,
                            name,
                            public,
                        }));
                    at = end;
                }
                // Who may see an item is no use of him: `pub(in crate::health)`.
                Token::Name(word) if word == "in" && at > 1 && tokens[at - 2].is("pub") => {
                    at += tokens[at..]
                        .iter()
                        .position(|token| token.is(")"))
                        .unwrap_or(0);
                }
                Token::Name(_) => {
                    let path = path_at(&tokens[at..]);
                    at += (path.len() - 1) * 3;
                    module.named.extend(path.first().cloned());
                    if path.len() > 1 {
                        module.paths.push((here, path));
                    }
                }
                Token::Mark(_) => {}
            }
            at += 1;
        }
        module
    }
}

/// The longest `a::b::c` at the beginning.
fn path_at(tokens: &[Token]) -> Vec<String> {
    let mut path = Vec::new();
    let mut rest = tokens;
    while let Some(name) = rest.first().and_then(Token::name) {
        path.push(name.to_owned());
        match rest {
            [_, one, two, more @ ..] if one.is(":") && two.is(":") => rest = more,
            _ => break,
        }
    }
    path
}

/// The names of a tree of imports, each with its whole path.
fn flatten(rest: &mut &[Token], before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let mut path = before.to_vec();
    while let Some((first, more)) = rest.split_first() {
        match first {
            Token::Name(word) if word == "as" => {
                let name = more.first().and_then(Token::name).unwrap_or("_").to_owned();
                *rest = more.get(1..).unwrap_or_default();
                return found.push((path, name));
            }
            Token::Name(name) => path.push(name.clone()),
            Token::Mark('{') => {
                *rest = more;
                while rest.first().is_some_and(|token| !token.is("}")) {
                    flatten(rest, &path, found);
                    if rest.first().is_some_and(|token| token.is(",")) {
                        *rest = &rest[1..];
                    }
                }
                *rest = rest.get(1..).unwrap_or_default();
                return;
            }
            Token::Mark('*') => path.push("*".to_owned()),
            Token::Mark(',' | '}') => break,
            Token::Mark(_) => {}
        }
        *rest = more;
    }
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = path.last().cloned().unwrap_or_default();
    found.push((path, name));
}

/// Modules by their path.
struct Tree<'m>(BTreeMap<&'m [String], &'m Module>);

impl Tree<'_> {
    /// What a file names, and the file that defines it.
    fn used_by(&self, module: &Module) -> Vec<(String, String)> {
        let imports = module
            .uses
            .iter()
            .filter(|import| !import.public || module.named.contains(&import.name));
        let imports = imports.map(|import| (&import.inside, &import.path));
        let paths = module.paths.iter().map(|(inside, path)| (inside, path));
        let mut used = Vec::new();
        for (inside, path) in imports.chain(paths) {
            let from: Vec<String> = module.path.iter().chain(inside).cloned().collect();
            if let Some((name, file)) = self.resolve(module, from, path, 0) {
                used.push((name, file));
            }
        }
        used
    }

    /// Follows `path` from module `from` to the file that defines the name at which it leaves the modules.
    fn resolve(
        &self,
        module: &Module,
        from: Vec<String>,
        path: &[String],
        depth: u8,
    ) -> Option<(String, String)> {
        let mut here = from;
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                here.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {}
            child if module.children.contains(child) => {}
            _ => return None,
        }
        while let Some((name, more)) = rest.split_first() {
            if name == "super" {
                here.pop();
            } else if self.0.contains_key(joined(&here, name).as_slice()) {
                here.push(name.clone());
            } else {
                return self.definition(&here, rest, depth);
            }
            rest = more;
        }
        let name = here.last().cloned().unwrap_or_default();
        Some((name, self.file(&here)?.file.clone()))
    }

    /// The file of `here`, or the one from which it has the name itself.
    fn definition(&self, here: &[String], rest: &[String], depth: u8) -> Option<(String, String)> {
        let module = self.file(here)?;
        let name = &rest[0];
        let import = module.uses.iter().find(|import| import.name == *name);
        let behind = import.filter(|_| depth < 8).and_then(|import| {
            let path: Vec<String> = import.path.iter().chain(&rest[1..]).cloned().collect();
            self.resolve(module, module.path.clone(), &path, depth + 1)
        });
        behind.or_else(|| Some((name.clone(), module.file.clone())))
    }

    /// The file in which a module stands: its own, or the one of the module around it.
    fn file(&self, path: &[String]) -> Option<&Module> {
        (0..=path.len())
            .rev()
            .find_map(|end| self.0.get(&path[..end]).copied())
    }
}

#[test]
fn a_circle_is_named() {
    let files = [
        ("lib.rs", "pub mod road;"),
        (
            "road/mod.rs",
            "mod cart;\npub mod horse;\npub use self::cart::Cart;\npub struct Way;",
        ),
        (
            "road/cart.rs",
            "use super::{Way, horse::Horse};\n/// `super::nothing::Here`\npub struct Cart(Way, Horse);",
        ),
        (
            "road/horse.rs",
            "fn pulls(cart: &crate::road::Cart, text: &str) -> bool { text == \"super::Way\" }",
        ),
    ];
    assert_eq!(
        told(&files),
        [(
            "road/cart.rs and road/horse.rs".to_owned(),
            "\n  road/cart.rs uses road/horse.rs: Horse\n  road/horse.rs uses road/cart.rs: Cart"
                .to_owned()
        )]
    );
}

#[test]
fn a_parent_that_uses_what_it_hands_on_and_its_child_are_a_circle() {
    let child = ("road/cart.rs", "pub struct Cart(super::Way);");
    let hands_on = (
        "road/mod.rs",
        "mod cart;\npub use self::cart::Cart;\npub struct Way;",
    );
    let uses = (
        "road/mod.rs",
        "mod cart;\npub use self::cart::Cart;\npub struct Way;\nfn f(_: Cart) {}",
    );
    let calls = (
        "road/mod.rs",
        "mod cart;\npub struct Way;\nfn f() { cart::Cart::new() }",
    );
    assert_eq!(told(&[child, hands_on]), []);
    assert_eq!(told(&[child, uses])[0].0, "road/cart.rs and road/mod.rs");
    assert_eq!(told(&[child, calls])[0].0, "road/cart.rs and road/mod.rs");
}

#[test]
fn what_tests_use_and_who_may_see_is_no_arrow() {
    let parent = (
        "road/mod.rs",
        "mod cart;\n#[cfg(test)]\nmod tests;\nfn f() { cart::Cart; }\npub struct Way;",
    );
    let tests = ("road/tests.rs", "use super::cart::Cart;");
    let child = (
        "road/cart.rs",
        "pub(in crate::road) struct Cart;\n#[cfg(test)]\nmod tests {\n    use super::super::Way;\n}",
    );
    assert_eq!(told(&[parent, tests, child]), []);
}

fn told(files: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(file, text): &(&str, &str)| ((*file).to_owned(), (*text).to_owned());
    circles(&graph(&files.iter().map(owned).collect::<Vec<_>>()))
}
