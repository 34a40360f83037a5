//! A copy of the checkout in which faults are planted and tests run.
//!
//! The files of the copy are those that git tracks or would add, as they are in the working tree.
//! The copy is kept between runs, with its build: only files that differ are written, so that each
//! fault costs one incremental build.

#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::error::PlantedError;
use super::patch::Patch;
use crate::checkout::{self, FileError};
use crate::program::{cannot_run, output_within};

/// The longest build or run of tests. A fault can make a test run for ever.
const LIMIT: Duration = Duration::from_secs(1800);
/// The profile of `make mutants`: here building takes longer than running.
const PROFILE: &str = "mutants";

/// A copy of the checkout, and the folder in which it is built.
pub(super) struct Scratch {
    /// The top of the checkout that is copied.
    root: PathBuf,
    /// The folder of the copy.
    copy: PathBuf,
    /// The folder of its build.
    target: PathBuf,
    /// The manifest of the package whose tests run, relative to the top.
    manifest: PathBuf,
}

/// The outcome of the tests on a planted fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// These tests failed.
    Failed(Vec<String>),
    /// All tests passed.
    Passed,
    /// The filter selects no test.
    None,
    /// The build failed, with the compiler's message.
    NotBuilt(String),
    /// The tests did not end within [`LIMIT`].
    Late,
    /// The patch does not apply, with git's message.
    Stale(String),
}

impl Scratch {
    /// Copies the checkout at `root` into `folder`. The tests are those of the package in which the
    /// folder `patches` lies.
    pub(super) fn new(root: &Path, folder: &Path, patches: &Path) -> Result<Self, PlantedError> {
        let scratch = Self {
            root: root.to_owned(),
            copy: folder.join("checkout"),
            target: folder.join("target"),
            manifest: manifest_above(root, patches)?,
        };
        scratch.synchronize()?;
        Ok(scratch)
    }

    /// Makes the copy equal to the checkout.
    fn synchronize(&self) -> Result<(), PlantedError> {
        let files = self.listed()?;
        for file in &files {
            self.restore(file)?;
        }
        self.remove_others(&self.copy, &files)
    }

    /// The files that git tracks or would add, and that exist.
    fn listed(&self) -> Result<Vec<PathBuf>, PlantedError> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.root);
        command.args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]);
        let output = command.output().map_err(cannot_run("git"))?;
        let names = String::from_utf8_lossy(&output.stdout);
        let names = names.split('\0').filter(|name| !name.is_empty());
        let files: Vec<PathBuf> = names
            .map(PathBuf::from)
            .filter(|file| self.root.join(file).is_file())
            .collect();
        if files.is_empty() {
            return Err(PlantedError::NoFiles {
                root: self.root.clone(),
                said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        Ok(files)
    }

    /// Makes one file equal to the checkout's, with its permissions; a file that is equal keeps its
    /// time.
    fn restore(&self, file: &Path) -> Result<(), PlantedError> {
        let (from, to) = (self.root.join(file), self.copy.join(file));
        let bytes = checkout::read(&from)?;
        if fs::read(&to).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        let unwritable = |source| FileError::Write {
            path: to.clone(),
            source,
        };
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(unwritable)?;
        }
        fs::copy(&from, &to).map_err(unwritable)?;
        // `copy` keeps the original's time, which may be before the last build, so cargo would not
        // rebuild.
        let now =
            fs::File::open(&to).and_then(|file| file.set_modified(std::time::SystemTime::now()));
        Ok(now.map_err(unwritable)?)
    }

    /// Removes files that are in the copy alone: cargo would still find a module that was deleted.
    fn remove_others(&self, folder: &Path, files: &[PathBuf]) -> Result<(), PlantedError> {
        let unreadable = |source| FileError::Read {
            path: folder.to_owned(),
            source,
        };
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() {
                self.remove_others(&path, files)?;
            } else if !path
                .strip_prefix(&self.copy)
                .is_ok_and(|file| files.iter().any(|known| known == file))
            {
                let source = fs::remove_file(&path).err();
                if let Some(source) = source {
                    return Err(FileError::Write { path, source }.into());
                }
            }
        }
        Ok(())
    }

    /// Plants a fault, builds, runs its tests, and removes the fault again.
    pub(super) fn try_out(&self, patch: &Patch) -> Result<Outcome, PlantedError> {
        let outcome = match self.apply(patch)? {
            None => self.test(&patch.test)?,
            Some(said) => Outcome::Stale(said),
        };
        for file in patch.files() {
            self.restore(Path::new(file))?;
        }
        Ok(outcome)
    }

    /// Applies a patch; returns git's message if it does not apply.
    fn apply(&self, patch: &Patch) -> Result<Option<String>, PlantedError> {
        let file = self.target.with_file_name("planted.patch");
        checkout::write(&file, patch.text.as_bytes())?;
        let mut command = Command::new("git");
        // The copy is no repository, and lies in one: git must not look for it.
        let above = self.copy.parent().unwrap_or(&self.copy);
        command
            .env("GIT_CEILING_DIRECTORIES", above)
            .env_remove("GIT_DIR");
        command.current_dir(&self.copy);
        command
            .args(["apply", "--unidiff-zero", "--whitespace=nowarn"])
            .arg(&file);
        let output = command.output().map_err(cannot_run("git"))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let is_changed = patch.files().next().is_some();
        Ok((!output.status.success() || !is_changed).then_some(said))
    }

    /// Builds the tests, and runs those that `filter` selects.
    pub(super) fn test(&self, filter: &str) -> Result<Outcome, PlantedError> {
        let mut build = self.build();
        let output = build.output().map_err(cannot_run(build.get_program()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let program = said.lines().filter_map(executable).next_back();
        let (true, Some(program)) = (output.status.success(), program) else {
            let said = String::from_utf8_lossy(&output.stderr);
            let errors = said.lines().filter(|line| line.starts_with("error"));
            return Ok(Outcome::NotBuilt(
                errors.take(3).collect::<Vec<_>>().join("; "),
            ));
        };
        let mut run = Command::new(program);
        run.arg(filter)
            .env("RUST_BACKTRACE", "0")
            .stderr(Stdio::null());
        run.current_dir(self.copy.join(&self.manifest).with_file_name(""));
        let (status, text) = output_within(&mut run, LIMIT)?;
        Ok(match status {
            None => Outcome::Late,
            Some(_) if !text.lines().any(is_result) => Outcome::None,
            Some(status) if status.success() => Outcome::Passed,
            Some(_) => Outcome::Failed(failed(&text)),
        })
    }

    /// The command that builds the tests and prints the path of their program. It is run directly:
    /// as a child of cargo it would survive when cargo is killed.
    fn build(&self) -> Command {
        let mut command = Command::new(checkout::root().join("scripts/cargo.sh"));
        command.args(["test", "--lib", "--no-run", "--profile", PROFILE]);
        command.arg("--message-format=json-render-diagnostics");
        command
            .arg("--manifest-path")
            .arg(self.copy.join(&self.manifest));
        command.env("CARGO_TARGET_DIR", &self.target);
        command
    }
}

/// The path of the program in one of cargo's messages.
fn executable(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("\"executable\":\"")?;
    rest.split_once('"').map(|(path, _)| path)
}

/// The manifest of the package that contains `folder`, relative to `root`.
fn manifest_above(root: &Path, folder: &Path) -> Result<PathBuf, PlantedError> {
    let manifests = folder.ancestors().map(|above| above.join("Cargo.toml"));
    let mut inside = manifests.take_while(|path| path.starts_with(root));
    let found = inside.find(|path| path.exists());
    let found = found.and_then(|path| path.strip_prefix(root).ok().map(Path::to_owned));
    found.ok_or_else(|| PlantedError::NoPackage {
        folder: folder.to_owned(),
    })
}

/// Whether a line of the test harness is a test's result.
fn is_result(line: &str) -> bool {
    line.starts_with("test ") && (line.ends_with(" ... ok") || line.ends_with(" ... FAILED"))
}

/// The tests that failed, by the lines of the test harness.
fn failed(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("test "));
    let failed = lines.filter_map(|line| line.strip_suffix(" ... FAILED"));
    failed.map(str::to_owned).collect()
}
