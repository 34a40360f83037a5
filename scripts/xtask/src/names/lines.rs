//! The source lines of each instruction, from the image's DWARF.
//!
//! # Decisions
//! - Of a chain of inlined calls the lines of this checkout are kept: a line in `core` that adds
//!   two numbers explains nothing. If they are more than the table can hold, the middle ones are
//!   left out: the innermost lines tell the cause, the outermost are in the function that the
//!   report names. In a chain without a line of this checkout, the innermost line is kept.
//! - No path of the build machine goes into the image. Paths of the kernel's sources are relative
//!   to the checkout; of all others the crate and its path are left: `core/src/fmt/mod.rs`,
//!   `spin-0.12.3/src/once.rs`.

use std::path::Path;

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, LittleEndian, SectionId};
use object::{File, Object, ObjectSection};
use stilt::exception::names::{CHAIN_MAX, INSTRUCTION};

use super::error::NamesError;
use super::model::{Function, SourceLine};

type Lines<'data> = Context<EndianSlice<'data, LittleEndian>>;

/// Fills in the source lines of all instructions.
pub(super) fn read(
    file: &File<'_>,
    root: &Path,
    functions: &mut [Function],
) -> Result<(), NamesError> {
    let section = |id: SectionId| -> Result<_, NamesError> {
        let section = file.section_by_name(id.name());
        let data = section.map(|section| section.data()).transpose()?;
        Ok(EndianSlice::new(data.unwrap_or_default(), LittleEndian))
    };
    let context = Context::from_dwarf(Dwarf::load(section)?)?;
    let mut any_own = false;
    for function in functions {
        for (index, instruction) in function.instructions.iter_mut().enumerate() {
            let address = function.start + index as u64 * INSTRUCTION;
            instruction.chain = chain(&context, address, root)?;
            any_own |= instruction.chain.iter().any(SourceLine::is_own);
        }
    }
    if any_own {
        Ok(())
    } else {
        Err(NamesError::NoLines)
    }
}

/// The source lines of one instruction, one for each inlined call, the outermost first.
fn chain(context: &Lines<'_>, address: u64, root: &Path) -> Result<Vec<SourceLine>, NamesError> {
    let mut frames = context.find_frames(address).skip_all_loads()?;
    let mut all = Vec::new();
    while let Some(frame) = frames.next()? {
        let Some(location) = frame.location else {
            continue;
        };
        // Line 0 is the compiler's number for code that belongs to no line.
        if let (Some(file), Some(line @ 1..)) = (location.file, location.line) {
            let file = relative(file, root);
            all.push(SourceLine { file, line });
        }
    }
    Ok(select(all))
}

/// The lines of a chain that are kept, the outermost first; `all` has the innermost first.
fn select(all: Vec<SourceLine>) -> Vec<SourceLine> {
    let own: Vec<&SourceLine> = all.iter().filter(|line| line.is_own()).collect();
    let middle = CHAIN_MAX / 2..own.len().saturating_sub(CHAIN_MAX / 2);
    let own = own.into_iter().enumerate();
    let own = own.filter(|(index, _)| !middle.contains(index));
    let mut kept: Vec<SourceLine> = own.map(|(_, line)| line.clone()).collect();
    if kept.is_empty() {
        kept.extend(all.into_iter().next());
    }
    kept.reverse();
    kept
}

impl SourceLine {
    /// Whether the line is in the kernel's sources, not in a dependency's.
    pub(super) fn is_own(&self) -> bool {
        self.file.starts_with(SOURCES)
    }
}

/// The folder of the kernel's sources in the checkout.
const SOURCES: &str = "src/";

/// The path of a source file, as fault reports show it.
fn relative(path: &str, root: &Path) -> String {
    if let Ok(own) = Path::new(path).strip_prefix(root)
        && own.starts_with(SOURCES)
    {
        return own.to_string_lossy().into_owned();
    }
    // A dependency's path is its folder, then `src`, then its modules.
    let (before, within) = path.rsplit_once("/src/").unwrap_or(("", path));
    let parent = before.rsplit('/').next().unwrap_or_default();
    if parent.is_empty() {
        within.rsplit('/').next().unwrap_or_default().to_owned()
    } else {
        format!("{parent}/src/{within}")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{SourceLine, relative, select};

    #[test]
    fn no_path_of_the_building_machine_is_left() {
        let short = |path| relative(path, Path::new("/home/me/stilt"));
        assert_eq!(short("/home/me/stilt/src/mm/frames.rs"), "src/mm/frames.rs");
        assert_eq!(
            short("/usr/lib/rustlib/src/rust/library/core/src/fmt/mod.rs"),
            "core/src/fmt/mod.rs"
        );
        assert_eq!(
            short("/home/me/stilt/registry/index-1/spin-0.12.3/src/once.rs"),
            "spin-0.12.3/src/once.rs"
        );
        assert_eq!(short("/home/me/generated/table.rs"), "table.rs");
        assert_eq!(short("/src/table.rs"), "table.rs");
        assert_eq!(short("odd.rs"), "odd.rs");
    }

    fn line(file: &str, line: u32) -> SourceLine {
        let file = file.to_owned();
        SourceLine { file, line }
    }

    #[test]
    fn of_a_chain_our_own_lines_are_kept_without_the_middle() {
        let chain = |count| {
            let both = |n| [line("core/src/ptr/mod.rs", n), line("src/a.rs", n)];
            select((1..=count).flat_map(both).collect())
        };
        let own =
            |numbers: &[u32]| -> Vec<_> { numbers.iter().map(|n| line("src/a.rs", *n)).collect() };
        assert_eq!(chain(8), own(&[8, 7, 2, 1]), "outermost first");
        assert_eq!(chain(5), own(&[5, 4, 2, 1]));
        assert_eq!(chain(4), own(&[4, 3, 2, 1]));
        assert_eq!(chain(3), own(&[3, 2, 1]));
    }

    #[test]
    fn of_a_chain_without_ours_the_innermost_line_is_kept() {
        let chain = vec![line("core/src/a.rs", 1), line("core/src/b.rs", 2)];
        assert_eq!(select(chain), [line("core/src/a.rs", 1)]);
        assert_eq!(select(Vec::new()), []);
    }
}
