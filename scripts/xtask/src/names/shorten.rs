//! Names as short as they can be without two functions having the same one.
//!
//! # Decisions
//! - Hashes and `stilt::` are left out, since the image is the kernel's own; `stilt_paging::`
//!   becomes `paging::`, as the kernel calls it. Another crate's name in front means a dependency.
//! - The path of a function is kept, and that of the type whose method it is:
//!   `paging::table::PageTable64::prune` tells the file. The brackets around such a type are left
//!   out; `<&u8 as Debug>::fmt` keeps its own.
//! - Of a trait, the last word of its path is kept.
//! - Arguments of generic parameters are left out: nearly always there is one instance. If two
//!   names become equal, both keep their arguments, as last words of their paths; if they are still
//!   equal, as whole paths.
//! - Names that are equal even so stay equal: the address is in the report as well.

use std::collections::HashMap;

use rustc_demangle::demangle;
use stilt::exception::names::TEXT_MAX;

/// The crate whose name is left out.
const OWN_CRATE: &str = "stilt::";
/// The page tables' crate, and the name by which the kernel imports it.
const PAGING_CRATE: (&str, &str) = ("stilt_paging", "paging");
/// The end of a name that is cut off.
const CUT: &str = "...";

/// The part of a name's generic arguments that is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Detail {
    NoParameters,
    LastWords,
    Whole,
}

/// The short names of symbols, in the order of `mangled`.
pub(super) fn shorten(mangled: &[&str]) -> Vec<String> {
    let whole: Vec<String> = mangled
        .iter()
        .map(|name| format!("{:#}", demangle(name)))
        .collect();
    let mut names = at(&whole, Detail::NoParameters);
    for detail in [Detail::LastWords, Detail::Whole] {
        let longer = at(&whole, detail);
        let mut counts: HashMap<String, usize> = HashMap::new();
        for name in &names {
            *counts.entry(name.clone()).or_default() += 1;
        }
        for (name, longer) in names.iter_mut().zip(longer) {
            if counts[name] > 1 {
                *name = longer;
            }
        }
    }
    names.into_iter().map(cut).collect()
}

fn at(whole: &[String], detail: Detail) -> Vec<String> {
    let one = |name: &String| match detail {
        Detail::Whole => name.replace(OWN_CRATE, ""),
        _ => Reader { rest: name, detail }.text(true),
    };
    whole.iter().map(one).collect()
}

/// A name that the table can hold: ASCII, and cut off at its longest.
fn cut(name: String) -> String {
    let mut name: String = name
        .chars()
        .map(|c| {
            if c == ' ' || c.is_ascii_graphic() {
                c
            } else {
                '?'
            }
        })
        .collect();
    if name.len() > TEXT_MAX {
        name.truncate(TEXT_MAX - CUT.len());
        name.push_str(CUT);
    }
    name
}

/// A reader of a demangled name, path by path, that writes the short one.
struct Reader<'a> {
    rest: &'a str,
    detail: Detail,
}

impl<'a> Reader<'a> {
    /// The text up to the end or to a `>` that was not opened. `outer` is false inside of brackets,
    /// where the last words of paths are enough.
    fn text(&mut self, outer: bool) -> String {
        let mut out = String::new();
        while let Some(c) = self.rest.chars().next() {
            if self.rest.starts_with("->") {
                out.push_str(self.skip(2));
            } else if c == '>' {
                break;
            } else if c == '<' || c == '{' || is_word(c) {
                let path = self.path(outer);
                out.push_str(&path);
            } else {
                out.push_str(self.skip(c.len_utf8()));
            }
        }
        out
    }

    /// Words with `::` between them, the first of which may be a type in brackets.
    fn path(&mut self, outer: bool) -> String {
        let mut words = vec![if self.rest.starts_with('<') {
            self.qualified(outer)
        } else {
            self.word()
        }];
        loop {
            if self.rest.starts_with('<') || self.rest.starts_with("::<") {
                let parameters = self.parameters();
                if let Some(word) = words.last_mut() {
                    word.push_str(&parameters);
                }
            } else if self.rest.starts_with("::") {
                self.skip(2);
                words.push(self.word());
            } else {
                break;
            }
        }
        if let Some(word) = words.first_mut().filter(|word| *word == PAGING_CRATE.0) {
            *word = PAGING_CRATE.1.to_owned();
        }
        let is_own = words
            .first()
            .is_some_and(|word| word == OWN_CRATE.trim_end_matches(':'));
        let skipped = if outer {
            usize::from(is_own && words.len() > 1)
        } else {
            words.len() - 1
        };
        words[skipped..].join("::")
    }

    /// `<T as Trait>` or `<T>`, the type of a method.
    fn qualified(&mut self, outer: bool) -> String {
        self.skip(1);
        let (inside, is_path) = self.text_until_trait(outer);
        let of_trait = self.rest.starts_with(" as ").then(|| {
            self.skip(" as ".len());
            self.text(false)
        });
        self.skip(1);
        match of_trait {
            Some(name) => format!("<{inside} as {name}>"),
            None if is_path => inside,
            None => format!("<{inside}>"),
        }
    }

    /// The type before ` as `, and whether it is a single path.
    fn text_until_trait(&mut self, outer: bool) -> (String, bool) {
        let mut out = String::new();
        let mut pieces = 0;
        let mut paths = 0;
        while !self.rest.is_empty() && !self.rest.starts_with('>') && !self.rest.starts_with(" as ")
        {
            if self
                .rest
                .starts_with(|c| c == '<' || c == '{' || is_word(c))
            {
                paths += 1;
                let path = self.path(outer);
                out.push_str(&path);
            } else {
                let length = if self.rest.starts_with("->") { 2 } else { 1 };
                out.push_str(self.skip(length));
            }
            pieces += 1;
        }
        (out, (pieces, paths) == (1, 1))
    }

    /// The arguments of generic parameters, as far as they are kept.
    fn parameters(&mut self) -> String {
        let opening = self.rest.find('<').unwrap_or_default() + 1;
        self.skip(opening);
        let inside = self.text(false);
        self.skip(1);
        if self.detail == Detail::NoParameters {
            String::new()
        } else {
            format!("<{inside}>")
        }
    }

    /// An identifier, or a name that the compiler writes in braces (`{closure#0}`).
    fn word(&mut self) -> String {
        let length = if self.rest.starts_with('{') {
            self.rest.find('}').map(|at| at + 1)
        } else {
            self.rest.find(|c| !is_word(c))
        };
        self.skip(length.unwrap_or(self.rest.len())).to_owned()
    }

    /// Takes `bytes` bytes, or the rest if that is shorter.
    fn skip(&mut self, bytes: usize) -> &'a str {
        let mut length = bytes.min(self.rest.len());
        while !self.rest.is_char_boundary(length) {
            length += 1;
        }
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '.')
}

#[cfg(test)]
mod tests {
    use super::{Detail, Reader, cut, shorten};

    fn short(rest: &str) -> String {
        let detail = Detail::NoParameters;
        Reader { rest, detail }.text(true)
    }

    fn last_words(rest: &str) -> String {
        let detail = Detail::LastWords;
        Reader { rest, detail }.text(true)
    }

    #[test]
    fn paths_stay_and_our_own_crate_goes() {
        assert_eq!(short("stilt::mm::heap::init"), "mm::heap::init");
        assert_eq!(short("core::fmt::write"), "core::fmt::write");
        assert_eq!(short("kernel_main"), "kernel_main");
        assert_eq!(short("stilt"), "stilt");
    }

    #[test]
    fn types_of_methods_stay_without_parameters() {
        let method =
            "<stilt_paging::table::PageTable64<stilt::a::B<stilt::c::D, 40>, core::e::F>>::prune";
        assert_eq!(short(method), "paging::table::PageTable64::prune");
        assert_eq!(
            last_words(method),
            "paging::table::PageTable64<B<D, 40>, F>::prune"
        );
        let closure = "stilt::a::split::<stilt::b::C, fn(u8) -> core::d::E>::{closure#0}";
        assert_eq!(short(closure), "a::split::{closure#0}");
        assert_eq!(last_words(closure), "a::split<C, fn(u8) -> E>::{closure#0}");
    }

    #[test]
    fn of_traits_the_last_word_stays() {
        let next = "<stilt_paging::cursor::Runs<stilt::a::B> as core::iter::Iterator>::next";
        assert_eq!(short(next), "<paging::cursor::Runs as Iterator>::next");
        assert_eq!(
            short("<&u8 as core::fmt::Debug>::fmt"),
            "<&u8 as Debug>::fmt"
        );
        assert_eq!(
            short("<&mut stilt::k::Raw as core::fmt::Write::write_fmt::Spec>::f"),
            "<&mut k::Raw as Spec>::f"
        );
        assert_eq!(short("<[stilt::a::Run]>::sort"), "<[a::Run]>::sort");
        assert_eq!(
            short("<dyn core::fmt::Write>::x"),
            "<dyn core::fmt::Write>::x"
        );
    }

    #[test]
    fn names_that_would_be_the_same_keep_what_tells_them_apart() {
        let names = ["_RINvC1a1fhE", "_RINvC1a1fmE", "_RNvC1a1g"];
        assert_eq!(shorten(&names), ["a::f<u8>", "a::f<u32>", "a::g"]);
        assert_eq!(shorten(&["memcpy", "memcpy"]), ["memcpy", "memcpy"]);
    }

    #[test]
    fn old_names_lose_their_hash() {
        let name = "_ZN5stilt2mm4heap4init17h0123456789abcdefE";
        assert_eq!(shorten(&[name]), ["mm::heap::init"]);
    }

    #[test]
    fn names_are_cut_to_what_a_table_can_hold() {
        let name = cut("\u{e9}".to_owned() + &"x".repeat(300));
        assert_eq!(name.len(), 255);
        assert!(name.starts_with("?x") && name.ends_with("x..."));
    }

    #[test]
    fn what_is_no_name_is_read_to_its_end() {
        for odd in [
            "<",
            "<<",
            "a::<",
            "<a as ",
            "{",
            "::",
            "a<b",
            ">",
            "<->",
            "\u{e9}<\u{e9}",
        ] {
            short(odd);
            last_words(odd);
        }
    }
}
