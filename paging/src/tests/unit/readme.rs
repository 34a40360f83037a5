//! README.md is true where it points: each test that it names is there.
#![forbid(unsafe_code)]

use std::format;
use std::path::Path;
use std::string::{String, ToString};
use std::vec::Vec;

const README: &str = include_str!("../../../README.md");

/// The last column of the table of claims, without its head: `` `unit::{a, b}`, `make c` ``.
fn named_tests() -> Vec<&'static str> {
    let (_, section) = README
        .split_once("## What is shown by which test")
        .expect("the section");
    let table = section.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = table.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

/// `unit::{a, b}` names `unit::a` and `unit::b`.
fn modules(name: &str) -> Vec<String> {
    let Some((room, list)) = name.split_once('{') else {
        return Vec::from([name.to_string()]);
    };
    let list = list.trim_end_matches('}').split(", ");
    list.map(|module| format!("{room}{module}")).collect()
}

#[test]
fn each_claim_names_tests_that_are_there() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests");
    let named = named_tests();
    let verbs = |name: &&str| name.starts_with("make ") || name.starts_with("cargo ");
    let modules: Vec<String> = named
        .iter()
        .filter(|name| !verbs(name))
        .flat_map(|name| modules(name))
        .collect();
    assert!(modules.len() > named.len() / 2, "most claims name a module");
    for module in modules {
        let path = tests.join(module.replace("::", "/"));
        assert!(
            path.is_dir() || path.with_extension("rs").is_file(),
            "README.md names tests::{module}"
        );
    }
}
