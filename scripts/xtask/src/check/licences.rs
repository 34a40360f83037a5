//! Licences of all packages of which the kernel, its library and its tools are built.
//!
//! Each must offer a choice of licences that allow, as this project's own MIT and Apache-2.0 do,
//! use, change and distribution, closed or open, with notices kept. `cargo tree` lists the
//! packages, and needs no connection for packages that were built before.
//!
//! # Decisions
//! - Not cargo-deny: it takes longer to build than the whole project, and every user of `make
//!   check` would need it. Known vulnerabilities are not looked for here: their list is behind a
//!   connection, and changes without a commit.
//! - Packages for other hosts (Windows, macOS) and the libraries that only `make bench-host`
//!   compares with are not checked: nothing downloads them here.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use spdx::{Expression, Licensee, ParseMode};
use thiserror::Error;

use super::report::{Report, Violation};
use crate::checkout;
use crate::program::{RunError, cannot_run};

/// The licences that a package may have, by their identifiers in the SPDX list.
const ALLOWED: [&str; 7] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "NCSA",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// The workspaces, and the features whose dependencies are checked.
const WORKSPACES: [(&str, &[&str]); 3] = [
    ("Cargo.toml", &["--workspace", "--all-features"]),
    ("benches/peers/Cargo.toml", &["--features", "machine"]),
    ("fuzz/Cargo.toml", &[]),
];

/// The kernel's target; the host is the other one.
const TARGET: &str = "aarch64-unknown-none-softfloat";

/// Errors of listing the packages.
#[derive(Debug, Error)]
pub(super) enum LicenceError {
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("cargo cannot list the packages of {}: {said}", manifest.display())]
    Tree { manifest: PathBuf, said: String },
}

/// Checks every package of the checkout at `root`.
///
/// # Errors
/// The error of running cargo, or of its output.
pub(super) fn check(root: &Path) -> Result<Report, LicenceError> {
    let mut packages = BTreeMap::new();
    for (manifest, options) in WORKSPACES {
        let manifest = root.join(manifest);
        list(&manifest, options, &mut packages)?;
        let more = [options, &["--target", TARGET]].concat();
        list(&manifest, &more, &mut packages)?;
    }
    Ok(judge(&packages))
}

/// Adds the packages of a workspace, each with its licence.
fn list(
    manifest: &Path,
    options: &[&str],
    packages: &mut BTreeMap<String, String>,
) -> Result<(), LicenceError> {
    let script = checkout::root().join("scripts/cargo.sh");
    let mut command = Command::new(&script);
    command.args([
        "tree", "--locked", "--prefix", "none", "--format", "{p}\t{l}",
    ]);
    command.arg("--manifest-path").arg(manifest).args(options);
    let output = command.output().map_err(cannot_run(script))?;
    if !output.status.success() {
        return Err(LicenceError::Tree {
            manifest: manifest.to_owned(),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        // A package that was listed before ends with a mark.
        let line = line.strip_suffix(" (*)").unwrap_or(line);
        if let Some((package, licence)) = line.split_once('\t') {
            // Name and version; then comes the package's folder.
            let name: Vec<&str> = package.split(' ').take(2).collect();
            packages.insert(name.join(" "), licence.to_owned());
        }
    }
    Ok(())
}

fn judge(packages: &BTreeMap<String, String>) -> Report {
    let refused = packages.iter().filter_map(|(package, licence)| {
        let rule = refusal(licence)?;
        let place = package.clone();
        Some(Violation { place, rule })
    });
    Report {
        name: "licences",
        counted: format!("{} packages", packages.len()),
        violations: refused.collect(),
    }
}

/// The reason why a licence is not allowed, if it is not.
fn refusal(licence: &str) -> Option<String> {
    if licence.is_empty() {
        return Some("it names no licence".to_owned());
    }
    // Lax mode: packages older than SPDX expressions write `MIT/Apache-2.0` for a choice.
    let expression = match Expression::parse_mode(licence, ParseMode::LAX) {
        Ok(expression) => expression,
        Err(error) => {
            return Some(format!(
                "its licence is no SPDX expression: {}",
                error.reason
            ));
        }
    };
    let allowed: Vec<Licensee> = ALLOWED
        .iter()
        .filter_map(|name| Licensee::parse(name).ok())
        .collect();
    let is_allowed =
        expression.evaluate(|wanted| allowed.iter().any(|ours| ours.satisfies(wanted)));
    (!is_allowed).then(|| format!("{licence} offers none of: {}", ALLOWED.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::{ALLOWED, LicenceError, Licensee, judge, list, refusal};

    #[test]
    fn every_allowed_licence_has_a_name_of_the_list() {
        for name in ALLOWED {
            assert!(Licensee::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn one_allowed_choice_is_enough_and_all_parts_must_be() {
        for licence in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0-or-later OR Apache-2.0 OR MulanPSL-2.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
        ] {
            assert_eq!(refusal(licence), None, "{licence}");
        }
        for licence in [
            "",
            "GPL-3.0-only",
            "MIT AND GPL-2.0-only",
            "MPL-2.0",
            "Anything goes",
        ] {
            assert!(refusal(licence).is_some(), "{licence}");
        }
    }

    #[test]
    fn a_package_that_is_depended_on_is_listed_and_judged() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("its own folder");
            fs::write(path, text).expect("its own file");
        };
        write(
            "Cargo.toml",
            "[package]\nname = \"ours\"\nversion = \"1.0.0\"\nedition = \"2024\"\nlicense = \"MIT\"\n\
             [workspace]\n[build-dependencies]\ntheirs = { path = \"theirs\" }\n",
        );
        write("src/lib.rs", "");
        write(
            "theirs/Cargo.toml",
            "[package]\nname = \"theirs\"\nversion = \"2.1.0\"\nedition = \"2024\"\nlicense = \"GPL-3.0-only\"\n",
        );
        write("theirs/src/lib.rs", "");
        write(
            "Cargo.lock",
            "version = 4\n[[package]]\nname = \"ours\"\nversion = \"1.0.0\"\ndependencies = [\"theirs\"]\n\
             [[package]]\nname = \"theirs\"\nversion = \"2.1.0\"\n",
        );
        let mut packages = BTreeMap::new();
        let manifest = folder.path().join("Cargo.toml");
        list(&manifest, &["--offline"], &mut packages).expect("cargo lists them");
        let report = judge(&packages);
        assert_eq!(report.counted, "2 packages");
        assert_eq!(report.violations.len(), 1);
        assert_eq!(report.violations[0].place, "theirs v2.1.0");
        assert!(
            report.violations[0]
                .rule
                .starts_with("GPL-3.0-only offers none of: ")
        );
        let nothing = list(&folder.path().join("nope"), &[], &mut packages);
        assert!(matches!(nothing, Err(LicenceError::Tree { .. })));
    }
}
