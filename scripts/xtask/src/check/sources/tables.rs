//! The crates that are checked, and their rooms: the one place where the allowed edges stand as
//! data.
//!
//! The front pages show them to readers; `front_page` compares them with this table.

#![forbid(unsafe_code)]

/// A crate whose sources are checked.
#[derive(Debug)]
pub(super) struct Crate {
    /// The folder of its sources, from the top of the checkout.
    pub(super) folder: &'static str,
    /// The name by which its own binaries call it, besides `crate`.
    pub(super) name: &'static str,
    /// The place where it runs.
    pub(super) environment: Environment,
    /// The rooms of the crate, and of modules in it.
    pub(super) houses: &'static [House],
}

/// The place where a crate runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Environment {
    /// On the machine, and parts of it in tests on a host: modules that need the machine are gated.
    Machine,
    /// On a host. Also a crate that runs anywhere and has at most one gate for each architecture.
    Host,
}

/// A module that is made of rooms: the modules right below it.
#[derive(Debug)]
pub(super) struct House {
    /// The module, as the names from the crate's root.
    pub(super) module: &'static [&'static str],
    /// The rooms, and the edges that are allowed between them.
    pub(super) edges: Edges,
    /// The file whose documentation shows the edges, from the crate's folder, and how.
    pub(super) front_page: Option<(&'static str, Shown)>,
}

/// The allowed edges between rooms. Neither form has a circle.
#[derive(Debug)]
pub(super) enum Edges {
    /// Each room and those that it may import, which stand before it.
    Listed(&'static [(&'static str, &'static [&'static str])]),
    /// Each room may import those before it.
    Line(&'static [&'static str]),
}

/// The form in which a front page shows the edges of a house.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown {
    /// A block of text below `# Edges`: `a b <- c, d` says that `c` and `d` may import `a` and `b`.
    Arrows,
    /// The first column of its first table has the rooms in their order, each in backticks.
    FirstColumn,
}

/// The kernel's library and binary, `src/`.
const SRC: Edges = Edges::Listed(&[
    ("addr", &[]),
    ("board", &["addr"]),
    ("paging", &["addr"]),
    ("exception", &[]),
    ("drivers", &["addr"]),
    ("text", &[]),
    ("arch", &["addr", "paging"]),
    ("mm", &["addr", "board", "paging", "arch"]),
    (
        "kernel",
        &[
            "addr",
            "board",
            "paging",
            "mm",
            "arch",
            "drivers",
            "exception",
            "text",
        ],
    ),
    ("boot", &["addr", "board", "paging", "mm", "arch", "kernel"]),
]);

/// The rooms of `src/kernel`.
const KERNEL: Edges = Edges::Line(&[
    "record", "exit", "devices", "protocol", "clock", "log", "time", "irq", "cores", "console",
    "machine", "report", "user", "shell", "boot",
]);

/// The page tables, `paging/src`.
const PAGING: Edges = Edges::Line(&[
    "addr", "flags", "error", "asid", "entry", "frame", "metadata", "node", "flush", "read",
    "change", "table", "format", "backend",
]);

/// The host's tools.
const XTASK: Edges = Edges::Line(&[
    "failure", "program", "checkout", "noise", "flat", "names", "image", "qemu", "console", "stub",
    "debug", "ptmap", "strict", "lab", "book", "bench", "mmu", "peers", "planted", "card",
    "firmware", "sdcard", "flash", "check",
]);

/// The decoder.
const A64: Edges = Edges::Line(&[
    "operand",
    "data",
    "flow",
    "system",
    "names",
    "memory",
    "vector",
    "instruction",
    "decode",
    "display",
]);

/// The model of the board.
const STRICT: Edges = Edges::Line(&[
    "chance",
    "board",
    "liberty",
    "stop",
    "registers",
    "memory",
    "order",
    "watch",
    "translate",
    "bus",
    "cpu",
    "execute",
    "image",
    "entry",
    "machine",
    "unknown",
    "symbols",
    "cli",
    "planted",
]);

/// The map of the live page tables.
const PTMAP: Edges = Edges::Line(&[
    "gdb",
    "memory_type",
    "registers",
    "descriptor",
    "memory",
    "finding",
    "walk",
    "places",
    "piece",
    "audit",
    "map",
    "difference",
    "listing",
    "words",
    "rows",
    "colours",
    "escape",
    "page",
    "picture",
]);

/// The crates. One without houses is checked for circles of files alone.
pub(super) const CRATES: [Crate; 6] = [
    Crate {
        folder: "src",
        name: "stilt",
        environment: Environment::Machine,
        houses: &[
            House {
                module: &[],
                edges: SRC,
                front_page: Some(("lib.rs", Shown::Arrows)),
            },
            House {
                module: &["kernel"],
                edges: KERNEL,
                front_page: Some(("kernel/mod.rs", Shown::FirstColumn)),
            },
        ],
    },
    Crate {
        folder: "paging/src",
        name: "stilt_paging",
        environment: Environment::Host,
        houses: &[House {
            module: &[],
            edges: PAGING,
            front_page: Some(("lib.rs", Shown::FirstColumn)),
        }],
    },
    Crate {
        folder: "scripts/xtask/src",
        name: "xtask",
        environment: Environment::Host,
        houses: &[House {
            module: &[],
            edges: XTASK,
            front_page: None,
        }],
    },
    Crate {
        folder: "scripts/a64/src",
        name: "a64",
        environment: Environment::Host,
        houses: &[House {
            module: &[],
            edges: A64,
            front_page: Some(("lib.rs", Shown::FirstColumn)),
        }],
    },
    Crate {
        folder: "scripts/ptmap/src",
        name: "ptmap",
        environment: Environment::Host,
        houses: &[House {
            module: &[],
            edges: PTMAP,
            front_page: Some(("lib.rs", Shown::FirstColumn)),
        }],
    },
    Crate {
        folder: "scripts/strict/src",
        name: "strict",
        environment: Environment::Host,
        houses: &[House {
            module: &[],
            edges: STRICT,
            front_page: Some(("lib.rs", Shown::FirstColumn)),
        }],
    },
];

impl Edges {
    /// The rooms, in their order.
    pub(super) fn rooms(&self) -> Vec<&'static str> {
        match self {
            Self::Listed(rooms) => rooms.iter().map(|&(name, _)| name).collect(),
            Self::Line(rooms) => rooms.to_vec(),
        }
    }

    /// The rooms that `room` may import; none if there is no such room.
    pub(super) fn imports_of(&self, room: &str) -> Option<&'static [&'static str]> {
        match self {
            Self::Listed(rooms) => rooms
                .iter()
                .find(|(name, _)| *name == room)
                .map(|&(_, imports)| imports),
            Self::Line(rooms) => {
                let rooms: &'static [&'static str] = rooms;
                let place = rooms.iter().position(|name| *name == room)?;
                Some(&rooms[..place])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CRATES, Edges};

    #[test]
    fn every_edge_leads_to_a_room_that_stands_before() {
        for house in CRATES.iter().flat_map(|checked| checked.houses) {
            let rooms = house.edges.rooms();
            for (index, room) in rooms.iter().enumerate() {
                let imports = house.edges.imports_of(room).expect("it is a room");
                let before = |import| rooms[..index].contains(import);
                assert!(imports.iter().all(before), "{room} <- {imports:?}");
            }
        }
    }

    #[test]
    fn only_rooms_have_imports() {
        let line = Edges::Line(&["a", "b", "c"]);
        assert_eq!(line.imports_of("b"), Some(&["a"][..]));
        assert_eq!(line.imports_of("d"), None);
        let listed = Edges::Listed(&[("a", &[]), ("b", &[]), ("c", &["a"])]);
        assert_eq!(listed.imports_of("c"), Some(&["a"][..]));
        assert_eq!(listed.imports_of("d"), None);
    }
}
