//! Which file of a crate uses which, by the names in it.
//!
//! A path is followed to the file that defines what it names: through imports and through names
//! that are passed on (`pub use`). A module that is only imported, or only passes something on, is
//! no end of an edge; neither is a `mod` line. What only tests use is an edge of its own kind.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Path, Purpose, Role};
use super::source::Source;

/// How often a name may be passed on before it is taken for one that names itself.
const REEXPORT_LIMIT: u32 = 16;

/// The names from the crate's root to a module.
type Module = Vec<String>;

/// What a path leads to.
enum Resolved {
    /// Something that a file defines.
    Item(usize),
    /// A module as such.
    Module(Module),
}

/// A use of something in another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    /// The files, by their place in the list.
    pub(super) from: usize,
    pub(super) to: usize,
    /// Where in the first, from 1.
    pub(super) line: usize,
    pub(super) purpose: Purpose,
}

/// The names of a crate.
pub(super) struct Graph<'a> {
    files: &'a [Source],
    /// The crate's own name.
    name: &'a str,
    /// Modules, and in which file each is.
    modules: BTreeMap<Module, usize>,
    /// What imports name, by module and name.
    imports: BTreeMap<(Module, &'a str), &'a [String]>,
    /// Exported macros.
    macros: BTreeMap<&'a str, usize>,
    /// Modules that are compiled for tests alone.
    tests: BTreeSet<Module>,
}

impl<'a> Graph<'a> {
    /// Looks through all files of the crate called `name`.
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
            // The library and the image share the root: what is not the one's is the other's.
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

    /// Every use of another file, in the order of files and lines.
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

    /// The file that defines what a path of `file` names; none for what is passed on, for a module
    /// as such, and for what is not of this crate.
    fn target(&self, file: &Source, path: &Path) -> Option<usize> {
        match (&path.role, self.resolve(file, path)?) {
            (Role::Import(_) | Role::Use, Resolved::Item(to)) => Some(to),
            (Role::PassedOn(_), _) | (_, Resolved::Module(_)) => None,
        }
    }

    /// The module that a path of `file` names, or that has what it names. A name at the crate's
    /// root that is another crate's is taken for a module.
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

    /// What `names` mean in `module`.
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

    /// What `names` mean that stand in `module` itself.
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

/// The sets of files that use each other all round, each in the order of files.
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
