//! The graph of a crate's files: an edge is a use of one file's items in another, found by names.
//!
//! A path is followed to the file that defines the item, through imports and re-exports (`pub
//! use`). A module that is only imported or only re-exports is no end of an edge; neither is a
//! `mod` line. A use in tests alone is an edge of its own kind.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Path, Purpose, Role};
use super::source::Source;

/// The number of re-exports after which a name counts as one that is defined by itself.
const REEXPORT_LIMIT: u32 = 16;

/// The names from the crate's root to a module.
type Module = Vec<String>;

/// The end of a path.
enum Resolved {
    /// An item, by the index of the file that defines it.
    Item(usize),
    /// A module as such.
    Module(Module),
}

/// A use of another file's item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    /// The indices of the files: the one with the use, and the one that defines the item.
    pub(super) from: usize,
    pub(super) to: usize,
    /// The line of the use, from 1.
    pub(super) line: usize,
    pub(super) purpose: Purpose,
}

/// The names of a crate.
pub(super) struct Graph<'a> {
    files: &'a [Source],
    /// The crate's own name.
    name: &'a str,
    /// The modules, and the index of each one's file.
    modules: BTreeMap<Module, usize>,
    /// The paths that imports give a name to, by module and name.
    imports: BTreeMap<(Module, &'a str), &'a [String]>,
    /// The exported macros, and the index of each one's file.
    macros: BTreeMap<&'a str, usize>,
    /// The modules that are compiled for tests alone.
    tests: BTreeSet<Module>,
}

impl<'a> Graph<'a> {
    /// The graph of `files`, the sources of the crate `name`.
    pub(super) fn new(files: &'a [Source], name: &'a str) -> Self {
        let mut graph = Self {
            files,
            name,
            modules: BTreeMap::new(),
            imports: BTreeMap::new(),
            macros: BTreeMap::new(),
            tests: BTreeSet::new(),
        };
        for (index, file) in files.iter().enumerate() {
            // The library and the binary share the root module: a name that is not the library's is
            // the binary's.
            graph.modules.entry(file.module.clone()).or_insert(index);
            for inner in &file.found.modules {
                let module = below(&file.module, inner);
                graph.modules.entry(module).or_insert(index);
            }
            for inner in &file.found.test_files {
                graph.tests.insert(below(&file.module, inner));
            }
            for name in &file.found.macros {
                graph.macros.insert(name, index);
            }
            for path in &file.found.paths {
                if let Role::Import(alias) | Role::PassedOn(alias) = &path.role {
                    let module = below(&file.module, &path.inside);
                    graph.imports.insert((module, alias), &path.names);
                }
            }
        }
        graph
    }

    /// The edges, in the order of files and lines.
    pub(super) fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (from, file) in self.files.iter().enumerate() {
            for path in &file.found.paths {
                let to = self.target(file, path);
                if let Some(to) = to.filter(|&to| to != from) {
                    edges.push(Edge {
                        from,
                        to,
                        line: path.line,
                        purpose: self.purpose(file, path),
                    });
                }
            }
        }
        edges
    }

    /// The index of the file that defines the item of a path in `file`; none for a re-export, for a
    /// module as such, and for items of other crates.
    fn target(&self, file: &Source, path: &Path) -> Option<usize> {
        match (&path.role, self.resolve(file, path)?) {
            (Role::Import(_) | Role::Use, Resolved::Item(to)) => Some(to),
            (Role::PassedOn(_), _) | (_, Resolved::Module(_)) => None,
        }
    }

    /// The module that a path in `file` names, or that contains its item. A name at the crate's
    /// root that is another crate's counts as a module.
    pub(super) fn module_of(&self, file: &Source, path: &Path) -> Option<Module> {
        match self.resolve(file, path) {
            Some(Resolved::Item(to)) => Some(self.files[to].module.clone()),
            Some(Resolved::Module(module)) => Some(module),
            None => self.name_at_root(file, path).map(|name| vec![name]),
        }
    }

    fn name_at_root(&self, file: &Source, path: &Path) -> Option<String> {
        let supers = path.names.iter().skip_while(|name| *name == "self");
        let supers = supers.take_while(|name| *name == "super").count();
        let first = path.names.first()?;
        let depth = file.module.len() + path.inside.len();
        let names = match first.as_str() {
            "crate" => &path.names[1..],
            name if name == self.name => &path.names[1..],
            "super" if supers == depth => &path.names[supers..],
            _ => return None,
        };
        names.first().cloned()
    }

    fn resolve(&self, file: &Source, path: &Path) -> Option<Resolved> {
        let module = below(&file.module, &path.inside);
        self.defined(&module, &path.names, REEXPORT_LIMIT)
    }

    /// Whether a module is compiled for tests alone.
    pub(super) fn is_for_tests(&self, module: &[String]) -> bool {
        (1..=module.len()).any(|length| self.tests.contains(&module[..length]))
    }

    fn purpose(&self, file: &Source, path: &Path) -> Purpose {
        if self.is_for_tests(&file.module) {
            Purpose::Test
        } else {
            path.purpose
        }
    }

    /// The item or module that the path `names` leads to, seen from `module`.
    fn defined(&self, module: &[String], names: &[String], depth: u32) -> Option<Resolved> {
        let (first, rest) = names.split_first()?;
        let depth = depth.checked_sub(1)?;
        match first.as_str() {
            "crate" => self.inside(Vec::new(), rest, depth),
            name if name == self.name => self.inside(Vec::new(), rest, depth),
            "self" => self.inside(module.to_vec(), rest, depth),
            "super" => {
                let mut above = module.to_vec();
                above.pop();
                match rest.first().map(String::as_str) {
                    Some("super") => self.defined(&above, rest, depth),
                    _ => self.inside(above, rest, depth),
                }
            }
            name => {
                let inner = below(module, std::slice::from_ref(first));
                if self.modules.contains_key(&inner) {
                    return self.inside(inner, rest, depth);
                }
                let imported = *self.imports.get(&(module.to_vec(), name))?;
                // `use x::y as x` names another crate's x.
                let is_itself = imported.first() == Some(first);
                let whole: Vec<String> = imported.iter().chain(rest).cloned().collect();
                (!is_itself).then(|| self.defined(module, &whole, depth))?
            }
        }
    }

    /// The item or module that the path `names` leads to, from `module` downwards.
    fn inside(&self, module: Module, names: &[String], depth: u32) -> Option<Resolved> {
        let Some((first, rest)) = names.split_first() else {
            return Some(Resolved::Module(module));
        };
        let inner = below(&module, std::slice::from_ref(first));
        if self.modules.contains_key(&inner) {
            return self.inside(inner, rest, depth);
        }
        if self.imports.contains_key(&(module.clone(), first.as_str())) {
            return self.defined(&module, names, depth);
        }
        let exported = self
            .macros
            .get(first.as_str())
            .filter(|_| module.is_empty());
        let file = exported.or_else(|| self.modules.get(&module))?;
        Some(Resolved::Item(*file))
    }
}

fn below(module: &[String], names: &[String]) -> Module {
    module.iter().chain(names).cloned().collect()
}

/// The circles: sets of files that use each other in a cycle, each in the order of files.
pub(super) fn circles(files: usize, edges: &[Edge]) -> Vec<Vec<usize>> {
    let mut reached = vec![BTreeSet::new(); files];
    for edge in edges.iter().filter(|edge| edge.purpose == Purpose::All) {
        reached[edge.from].insert(edge.to);
    }
    let next = reached.clone();
    for (file, all) in reached.iter_mut().enumerate() {
        let mut pending: Vec<usize> = next[file].iter().copied().collect();
        while let Some(at) = pending.pop() {
            for &to in &next[at] {
                if all.insert(to) {
                    pending.push(to);
                }
            }
        }
    }
    let mut found: Vec<Vec<usize>> = Vec::new();
    for file in 0..files {
        let circle: Vec<usize> = (0..files)
            .filter(|other| reached[file].contains(other) && reached[*other].contains(&file))
            .collect();
        if circle.first() == Some(&file) {
            found.push(circle);
        }
    }
    found
}
