//! Code in a document is code of a file: a block `rust` whose first line is `// FILE` has lines of
//! that file, in one piece or in several with `// ...` in between.

/// A comment that stands for lines that are left out.
const LEFT_OUT: &str = "// ...";

/// The file that a block of these lines is of, if it names one.
pub(super) fn file<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let file = lines.first()?.strip_prefix("// ")?;
    file.ends_with(".rs").then_some(file)
}

/// Whether the lines behind the first are in `source`, in their order. Indentation and empty lines
/// do not count.
pub(super) fn is_in(lines: &[&str], source: &str) -> bool {
    let of = |text: &&str| !text.is_empty();
    let source: Vec<&str> = source.lines().map(str::trim).filter(of).collect();
    let lines = lines.iter().skip(1).map(|line| line.trim());
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let mut rest = &source[..];
    for part in lines.split(|line| *line == LEFT_OUT) {
        let found = (0..=rest.len()).find(|at| rest[*at..].starts_with(part));
        match found {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{file, is_in};

    #[test]
    fn lines_of_the_file_are_an_excerpt_and_others_are_not() {
        let source = "fn a() {\n    one();\n    two();\n}\n\nfn b() {}\n";
        let block = |text: &'static str| -> Vec<&'static str> { text.lines().collect() };
        for (text, expected) in [
            ("// a.rs\none();\ntwo();", true),
            ("// a.rs\n    one();\n\n    two();\n}", true),
            ("// a.rs\nfn a() {\n// ...\nfn b() {}", true),
            ("// a.rs\nfn b() {}\n// ...\nfn a() {", false),
            ("// a.rs\none();\nthree();", false),
        ] {
            assert_eq!(is_in(&block(text), source), expected, "{text}");
        }
        assert_eq!(file(&block("// src/a.rs\nx")), Some("src/a.rs"));
        assert_eq!(file(&block("// a remark\nx")), None);
        assert_eq!(file(&[]), None);
    }
}
