//! A reference in a document, and its words in a report.

use std::fmt;

/// A reference in a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// `[text](docs/architecture.md#heading)`: the file and the heading; nothing for this file, or
    /// for no heading.
    Link(String, String),
    /// `` `src/lib.rs` ``: a path, if its first name is that of a folder that exists, or its last
    /// ends as files of the checkout do.
    Path(String),
    /// `` `lib.rs` ``: the name of a file, in whichever folder.
    File(String),
    /// `` `make check` ``
    Verb(String),
    /// `cargo xtask check`
    Tool(String),
    /// `make flash DEV=x`
    Name(String),
    /// `make ptmap ARGS=--list`
    Option(String),
    /// Lines of a file, of which the first names it.
    Excerpt(String, Vec<String>),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(path, heading) if heading.is_empty() => f.write_str(path),
            Self::Link(path, heading) => write!(f, "{path}#{heading}"),
            Self::Path(path) | Self::File(path) => f.write_str(path),
            Self::Verb(verb) => write!(f, "`make {verb}`"),
            Self::Tool(verb) => write!(f, "`cargo xtask {verb}`"),
            Self::Name(name) => write!(f, "`{name}=...` for `make`"),
            Self::Option(option) => write!(f, "option `{option}`"),
            Self::Excerpt(file, _) => write!(f, "such code in {file}"),
        }
    }
}
