//! Target descriptions: the numbers of a stub's registers ("Debugging with GDB", appendix G).
//!
//! # Decisions
//! - The text is searched for two kinds of tags, `reg` and `xi:include`, without a parser of XML: a
//!   malformed tag is passed over, and its register is missing.

use std::collections::BTreeMap;

/// The number of a register in `p` packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RegisterNumber(pub u32);

/// The registers that a stub describes: their numbers by name.
#[derive(Debug, Default)]
pub struct Description {
    numbers: BTreeMap<String, RegisterNumber>,
    /// The number of the next register that is described without one: one more than the last.
    next: u32,
}

impl Description {
    /// The number of the register `name`, if it is described.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<RegisterNumber> {
        self.numbers.get(name).copied()
    }

    /// Adds the registers of a document; returns the names of the documents that it includes.
    pub(super) fn take(&mut self, document: &str) -> Vec<String> {
        let mut included = Vec::new();
        for tag in document.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap_or_default();
            if tag.starts_with("reg ") {
                self.add(tag);
            } else if tag.starts_with("xi:include ") {
                included.extend(attribute(tag, "href").map(str::to_owned));
            }
        }
        included
    }

    fn add(&mut self, tag: &str) {
        let own = attribute(tag, "regnum").and_then(|number| number.parse().ok());
        let number = own.unwrap_or(self.next);
        self.next = number.saturating_add(1);
        if let Some(name) = attribute(tag, "name") {
            let number = RegisterNumber(number);
            self.numbers.entry(name.to_owned()).or_insert(number);
        }
    }
}

/// The value of an attribute in a tag.
fn attribute<'tag>(tag: &'tag str, name: &str) -> Option<&'tag str> {
    let mut rest = tag;
    while let Some(at) = rest.find(name) {
        let begins = rest[..at].ends_with(char::is_whitespace);
        rest = &rest[at + name.len()..];
        if let Some(value) = rest.strip_prefix("=\"").filter(|_| begins) {
            return value.split('"').next();
        }
    }
    None
}
