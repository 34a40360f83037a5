//! Reading back of a table with the kernel's reader.

use stilt::exception::names::{INSTRUCTION, Names};

use super::error::NamesError;
use super::model::{Function, SourceLine};
use super::table::Kept;

/// Checks that every function is found by name at its first and at its last instruction and not
/// behind it, that every instruction whose line is kept has it, and that no other has a wrong one.
///
/// # Errors
/// [`NamesError::Differs`] with the first difference.
pub(super) fn verify(table: &[u8], functions: &[Function], kept: &Kept) -> Result<(), NamesError> {
    let names = Names::new(table).map_err(|error| NamesError::Differs {
        what: "the header",
        address: 0,
        found: error.to_string(),
        expected: "one that can be read".to_owned(),
    })?;
    for (index, function) in functions.iter().enumerate() {
        let end = function.start + function.size;
        for address in [function.start, end - 1] {
            name_is(&names, address, &describe(function, address))?;
        }
        if functions.get(index + 1).is_none_or(|next| next.start > end) {
            name_is(&names, end, "")?;
        }
        lines_are(&names, index, function, kept)?;
    }
    if let Some(first) = functions.first() {
        name_is(&names, first.start - 1, "")?;
    }
    Ok(())
}

fn describe(function: &Function, address: u64) -> String {
    format!(
        "{} {:#x} {:#x}",
        function.name,
        address - function.start,
        function.size
    )
}

fn name_is(names: &Names<'_>, address: u64, expected: &str) -> Result<(), NamesError> {
    let found = names.function(address);
    let found = found.map(|one| format!("{one} {:#x} {:#x}", one.offset, one.size));
    same("the function", address, found.unwrap_or_default(), expected)
}

fn lines_are(
    names: &Names<'_>,
    index: usize,
    function: &Function,
    kept: &Kept,
) -> Result<(), NamesError> {
    let mut address = function.start;
    for instruction in &function.instructions {
        let found = names.line(address).map(|place| place.to_string());
        if found.is_some() || kept.has(index, instruction.use_) {
            let expected = text(&instruction.chain);
            same("the line", address, found.unwrap_or_default(), &expected)?;
        }
        address += INSTRUCTION;
    }
    Ok(())
}

fn text(chain: &[SourceLine]) -> String {
    let lines = chain.iter().rev();
    let lines: Vec<String> = lines
        .map(|line| format!("{}:{}", line.file, line.line))
        .collect();
    lines.join(" via ")
}

fn same(what: &'static str, address: u64, found: String, expected: &str) -> Result<(), NamesError> {
    if found == expected {
        return Ok(());
    }
    let expected = expected.to_owned();
    Err(NamesError::Differs {
        what,
        address,
        found,
        expected,
    })
}
