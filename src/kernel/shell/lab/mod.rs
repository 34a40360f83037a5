//! The lab: address spaces at the prompt ([`spaces`]), how they are changed ([`changes`]) and
//! looked at ([`views`]), what maintenance that took ([`maintenance`]), and what an access in them
//! does ([`touch`]).
#![forbid(unsafe_code)]

mod changes;
mod elsewhere;
pub(super) mod maintenance;
pub(super) mod spaces;
pub(super) mod touch;
mod views;

use core::error::Error;
use core::fmt::{self, Write};

use super::arguments::{core_number, no_choice};
use super::error::CommandError;
use maintenance::record;

/// A verb of `as`, and the words behind it as a refusal shows them.
struct Verb {
    name: &'static str,
    arguments: &'static str,
}

const fn verb(name: &'static str, arguments: &'static str) -> Verb {
    Verb { name, arguments }
}

static VERBS: [Verb; 14] = [
    verb("new", " NAME"),
    verb("list", ""),
    verb("use", " NAME [core N]"),
    verb("drop", " NAME"),
    verb("clone", " NAME NEW"),
    verb(
        "map",
        " ADDRESS SIZE RIGHTS [PA|fresh] [4k|2m|1g|auto] [contig]",
    ),
    verb("unmap", " ADDRESS SIZE"),
    verb("protect", " ADDRESS SIZE RIGHTS"),
    verb("remap", " ADDRESS SIZE NEW"),
    verb("compact", ""),
    verb("query", " ADDRESS"),
    verb("show", ""),
    verb("tables", ""),
    verb("cost", ""),
];

/// `as VERB ...`. A refusal is one line, which says what the verb takes: the usage of `as` would
/// not.
pub(super) fn run(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let Some(word) = arguments.first() else {
        return Err(CommandError::wrong_count());
    };
    let verb = VERBS.iter().find(|verb| verb.name == *word);
    let Some(verb) = verb else {
        return Err(no_choice(word, &VerbNames).without_usage());
    };
    run_verb(arguments, out).map_err(|error| {
        if error.is_wrong_count() {
            WrongWords(verb).into()
        } else {
            error.without_usage()
        }
    })
}

/// The number of words behind the verb does not fit.
struct WrongWords(&'static Verb);

impl fmt::Display for WrongWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Verb { name, arguments }) = self;
        write!(f, "`as {name}{arguments}` was expected")
    }
}

/// As [`Display`](fmt::Display) has it.
impl fmt::Debug for WrongWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for WrongWords {}

/// The names of all verbs: `new, list, use`.
struct VerbNames;

impl fmt::Display for VerbNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        VERBS.iter().try_for_each(|verb| {
            write!(f, "{separator}{}", verb.name)?;
            separator = ", ";
            Ok(())
        })
    }
}

fn run_verb(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        ["list"] => views::list(out),
        ["query", va] => views::query(va, out),
        ["show"] => views::show(out),
        ["tables"] => views::tables(out),
        ["cost"] => maintenance::cost(out),
        ["use", name] => spaces::choose(name),
        ["use", name, "core", core] => spaces::choose_on(core_number(core)?, name, out),
        ["new", name] => record("as new", out, &mut |_| spaces::create(name)),
        ["drop", name] => record("as drop", out, &mut |_| spaces::remove(name)),
        ["clone", name, new] => record("as clone", out, &mut |out| spaces::clone(name, new, out)),
        ["map", va, bytes, rights, options @ ..] => {
            let request = changes::request(va, bytes, rights, options)?;
            record("as map", out, &mut |out| changes::map(&request, out))
        }
        ["unmap", va, bytes] => record("as unmap", out, &mut |out| changes::unmap(va, bytes, out)),
        ["protect", va, bytes, rights] => record("as protect", out, &mut |_| {
            changes::protect(va, bytes, rights)
        }),
        ["remap", va, bytes, to] => record("as remap", out, &mut |out| {
            changes::remap(va, bytes, to, out)
        }),
        ["compact"] => record("as compact", out, &mut |out| changes::compact(out)),
        _ => Err(CommandError::wrong_count()),
    }
}

/// The words behind `as`.
pub(super) fn words(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    match before {
        [] => VERBS.iter().for_each(|verb| each(verb.name)),
        ["use"] => each(spaces::NONE),
        ["use", _] => each("core"),
        ["use", _, "core"] => ["1", "2", "3"].into_iter().for_each(each),
        ["map" | "protect", _, _] => changes::RIGHTS.split(", ").for_each(each),
        ["map", _, _, _, ..] => changes::OPTIONS.split(", ").for_each(each),
        _ => {}
    }
}

/// The lines that `help as` adds.
pub(super) fn details(out: &mut dyn Write) -> fmt::Result {
    const LINES: [&str; 27] = [
        "  new NAME, list, drop NAME     spaces below 2^48, each with an ASID of its own",
        "  use NAME, use none            enters it; the rest is for that one",
        "      core N                    lets core N enter it, and stay until it leaves",
        "                                by `use none core N`; it is not dropped before",
        "  clone NAME NEW                NEW shares NAME's frames, read-only in both",
        "  map ADDRESS SIZE RIGHTS       fresh pages of zeros; behind that:",
        "      PA                        the frames from there on instead: free ones,",
        "                                or a space's, which is then shared",
        "      4k, 2m, 1g, auto          the leaves; auto: the largest that fit; 1g needs",
        "                                1 GiB in a row, more RAM than this board has",
        "      contig                    with the contiguous hint, in groups of 16",
        "  unmap ADDRESS SIZE            and give their frames back",
        "  protect ADDRESS SIZE RIGHTS   other rights",
        "  remap ADDRESS SIZE NEW        moves the pages there, frames and rights stay",
        "  compact                       512 equal pages in a row become a block",
        "  query ADDRESS                 where it leads, with which rights",
        "  show                          all that is mapped, equal pages as one line",
        "  tables                        each table: level, range, used entries of 512",
        "  cost                          what the last change stored, issued and took",
        "  ADDRESS and SIZE are multiples of 4K; a size may end in K, M or G.",
        "  RIGHTS are those of EL0: r, rw, rx, or none.",
        "  Every space has two pages at its top: code for `touch`, and a stack.",
        "  A part of a block is unmapped, protected or moved as well: the block is",
        "  split. A frame that is shared is free when the last space gives it up.",
        "  A change that is refused has changed nothing.",
        "  `cost` counts this core's: a store for each entry, barriers, TLBIs, tables;",
        "  `tlb` shows the TLBIs of the last changes, and can leave them out.",
    ];
    LINES.iter().try_for_each(|line| writeln!(out, "{line}"))
}
