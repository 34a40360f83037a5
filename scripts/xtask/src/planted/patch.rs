//! A planted fault as a file: a sentence about the mistake, the tests that must find it, and the
//! diff.

#![forbid(unsafe_code)]

/// One planted fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    /// The file's name without `.patch`.
    pub(super) name: String,
    /// The mistake in the patched code, in a sentence.
    pub(super) fault: String,
    /// The tests that must fail, as a filter for `cargo test`.
    pub(super) test: String,
    /// The whole text of the file: `git apply` skips the header.
    pub(super) text: String,
}

impl Patch {
    /// Reads the header: lines `Fault: sentence` and `Test: filter` before the first line `--- `.
    ///
    /// # Errors
    /// The name of the missing field.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, &'static str> {
        let field = |field: &'static str| {
            let header = text.lines().take_while(|line| !line.starts_with("--- "));
            let mut values = header.filter_map(|line| line.strip_prefix(field));
            let value = values.find_map(|rest| rest.strip_prefix(": "));
            value
                .filter(|value| !value.trim().is_empty())
                .map(|value| value.trim().to_owned())
                .ok_or(field)
        };
        Ok(Self {
            name: name.to_owned(),
            fault: field("Fault")?,
            test: field("Test")?,
            text: text.to_owned(),
        })
    }

    /// The files that the patch changes, relative to the top of the checkout.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        let changed = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("+++ b/"));
        changed.map(|path| path.split('\t').next().unwrap_or(path))
    }
}

#[cfg(test)]
mod tests {
    use super::Patch;

    const TEXT: &str = "Fault: It forgets.\nTest: remembers\n\n--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1 +1 @@\n-a\n+b\n";

    #[test]
    fn a_header_says_what_is_wrong_and_what_finds_it() {
        let patch = Patch::parse("forgets", TEXT).expect("all is there");
        assert_eq!(
            (patch.fault.as_str(), patch.test.as_str()),
            ("It forgets.", "remembers")
        );
        assert_eq!(patch.files().collect::<Vec<_>>(), ["src/lib.rs"]);
    }

    #[test]
    fn a_field_that_is_not_in_the_header_is_missing() {
        let without = TEXT.replace("Test: remembers\n", "");
        assert_eq!(Patch::parse("x", &without), Err("Test"));
        let empty = TEXT.replace("It forgets.", " ");
        assert_eq!(Patch::parse("x", &empty), Err("Fault"));
        let below = format!("{without}+Test: x\nTest: x\n");
        assert_eq!(Patch::parse("x", &below), Err("Test"));
    }
}
