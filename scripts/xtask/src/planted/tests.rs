//! `cargo xtask planted` on a package of one function, in a repository of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::error::PlantedError;
use super::scratch::{Outcome, Scratch};
use super::{FOLDER, patches, plant_all};
use crate::checkout;

const MANIFEST: &str = "[package]\nname = \"sample\"\nedition = \"2024\"\n\n[workspace]\n\n\
                        [profile.mutants]\ninherits = \"dev\"\n";
const SOURCE: &str = "/// A sum.\npub fn sum(a: u32, b: u32) -> u32 {\n    a + b\n}\n\n#[test]\n\
                      fn adds() {\n    assert_eq!(sum(2, 3), 5);\n}\n\n#[test]\nfn is_even() {\n    \
                      assert_eq!(sum(2, 2) % 2, 0);\n}\n";

/// A patch of the line `a + b`.
fn patch(test: &str, line: &str) -> String {
    format!(
        "Fault: The sum is another.\nTest: {test}\n\n--- a/src/lib.rs\n+++ b/src/lib.rs\n\
         @@ -2,2 +2,2 @@\n pub fn sum(a: u32, b: u32) -> u32 {{\n-    a + b\n+    {line}\n"
    )
}

struct Sample {
    folder: TempDir,
}

impl Sample {
    fn new(patches: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let sample = Self { folder };
        sample.write("Cargo.toml", MANIFEST);
        sample.write(".gitignore", "work/\nCargo.lock\n");
        sample.write("src/lib.rs", SOURCE);
        for (name, text) in patches {
            sample.write(&format!("tests/planted/{name}.patch"), text);
        }
        let mut git = Command::new("git");
        git.arg("init").arg("--quiet").arg(sample.root());
        assert!(git.status().expect("git runs").success());
        sample
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("its own folder");
        fs::write(path, text).expect("its own file");
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn planted(&self) -> PathBuf {
        self.root().join("tests/planted")
    }

    fn scratch(&self) -> Scratch {
        Scratch::new(self.root(), &self.root().join("work"), &self.planted()).expect("a copy")
    }

    /// The outcome for each patch.
    fn outcomes(&self) -> Vec<(String, Outcome)> {
        let scratch = self.scratch();
        let patches = patches(&self.planted(), None).expect("patches");
        let outcome = |patch| scratch.try_out(patch).expect("it can be tried");
        patches
            .iter()
            .map(|patch| (patch.name.clone(), outcome(patch)))
            .collect()
    }
}

#[test]
fn a_fault_is_found_or_not_or_is_none() {
    let stale = patch("adds", "a").replace("-    a + b", "-    b + a");
    let sample = Sample::new(&[
        ("a-found", patch("adds", "a - b.min(a)")),
        ("b-lost", patch("is_even", "a * b")),
        ("c-broken", patch("adds", "a + c")),
        ("d-stale", stale),
        ("e-nothing", patch("no_such_test", "a")),
    ]);
    let outcomes = sample.outcomes();
    let of = |index: usize| outcomes[index].1.clone();
    assert_eq!(of(0), Outcome::Failed(vec!["adds".into()]));
    assert_eq!(of(1), Outcome::Passed);
    assert!(matches!(of(2), Outcome::NotBuilt(said) if said.contains("E0425")));
    assert!(matches!(of(3), Outcome::Stale(said) if said.contains("src/lib.rs")));
    assert_eq!(of(4), Outcome::None);
    let copy = fs::read_to_string(sample.root().join("work/checkout/src/lib.rs"));
    assert_eq!(
        copy.expect("the copy"),
        SOURCE,
        "each fault is taken away again"
    );
}

#[test]
fn the_number_of_faults_that_are_not_found_is_told() {
    let sample = Sample::new(&[
        ("found", patch("adds", "a")),
        ("lost", patch("is_even", "a * b")),
    ]);
    let work = sample.root().join("work");
    let lost = |only| plant_all(sample.root(), &work, &sample.planted(), only);
    assert_eq!(lost(None).expect("a table"), 1);
    assert_eq!(lost(Some("found")).expect("a table"), 0);
    let unknown = lost(Some("nope")).expect_err("there is none");
    assert!(matches!(unknown, PlantedError::NoSuchPatch { .. }));
}

#[test]
fn tests_that_fail_without_a_fault_find_nothing() {
    let sample = Sample::new(&[("x", patch("adds", "a"))]);
    sample.write("src/lib.rs", &SOURCE.replace("a + b", "a * b"));
    let work = sample.root().join("work");
    let error = plant_all(sample.root(), &work, &sample.planted(), None);
    let error = error.expect_err("they fail");
    assert!(matches!(error, PlantedError::Baseline { .. }), "{error}");
}

#[test]
fn the_copy_is_the_working_tree_and_forgets_what_went() {
    let sample = Sample::new(&[("x", patch("adds", "a"))]);
    sample.write("src/gone.rs", "");
    let copy = |path| sample.root().join("work/checkout").join(path);
    drop(sample.scratch());
    assert!(copy("src/gone.rs").exists());
    fs::remove_file(sample.root().join("src/gone.rs")).expect("its own file");
    let time = fs::metadata(copy("src/lib.rs")).expect("a copy").modified();
    drop(sample.scratch());
    assert!(!copy("src/gone.rs").exists());
    let again = fs::metadata(copy("src/lib.rs")).expect("a copy").modified();
    assert_eq!(time.expect("a time"), again.expect("a time"));
}

#[test]
fn a_header_without_a_field_names_the_file() {
    let sample = Sample::new(&[("x", patch("adds", "a").replace("Fault", "Blunder"))]);
    let error = patches(&sample.planted(), None).expect_err("there is no fault");
    assert!(error.to_string().contains("x.patch"), "{error}");
    assert!(error.to_string().contains("`Fault: ...`"), "{error}");
}

/// A patch that no longer applies is found by this test, not only by the next long run.
#[test]
fn every_fault_of_the_page_tables_can_be_planted() {
    let folder = checkout::root().join(FOLDER);
    let patches = patches(&folder, None).expect("the patches");
    assert!(!patches.is_empty());
    for patch in patches {
        let file = folder.join(format!("{}.patch", patch.name));
        let mut command = Command::new("git");
        command.arg("-C").arg(checkout::root());
        command.args(["apply", "--check", "--unidiff-zero"]);
        let output = command.arg(file).output().expect("git runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} is stale: {said}", patch.name);
    }
}
