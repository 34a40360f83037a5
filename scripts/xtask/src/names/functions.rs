//! The functions of a linked image: the symbols in sections of code that have a length.

use a64::Instruction as Word;
use a64::flow::Branch;
use object::{File, Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

use super::error::NamesError;
use super::model::{Function, Instruction, Use};
use super::shorten::shorten;
use stilt::exception::names::INSTRUCTION;

/// Every function, sorted by address, without overlaps, and without source lines yet. Objects in
/// sections of code count, too: the assembler calls a table of vectors an object.
pub(super) fn read(file: &File<'_>) -> Result<Vec<Function>, NamesError> {
    let mut found = Vec::new();
    for symbol in file.symbols() {
        if !matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data) || symbol.size() == 0 {
            continue;
        }
        let Some(section) = symbol.section_index() else {
            continue;
        };
        if file.section_by_index(section)?.kind() != SectionKind::Text {
            continue;
        }
        let start = symbol.address();
        let mangled = String::from_utf8_lossy(symbol.name_bytes()?).into_owned();
        found.push((start, symbol.size().next_multiple_of(INSTRUCTION), mangled));
    }
    // Of several symbols at one address the longest counts, then the first by name.
    found.sort_by(|a, b| (a.0, b.1, &a.2).cmp(&(b.0, a.1, &b.2)));
    found.dedup_by_key(|(start, ..)| *start);
    let ends: Vec<u64> = found
        .iter()
        .skip(1)
        .map(|(start, ..)| *start)
        .chain([u64::MAX])
        .collect();
    let names: Vec<&str> = found.iter().map(|(.., name)| name.as_str()).collect();
    let names = shorten(&names);
    let words = code(file)?;
    let functions = found
        .iter()
        .zip(ends)
        .zip(names)
        .map(|(((start, size, _), end), name)| {
            let size = (*size).min(end - start);
            Function {
                start: *start,
                size,
                name,
                instructions: (0..size / INSTRUCTION)
                    .map(|index| Instruction {
                        use_: classify(words(start + index * INSTRUCTION)),
                        chain: Vec::new(),
                    })
                    .collect(),
            }
        });
    Ok(functions.collect())
}

/// A function that returns the instruction word at an address of the image.
fn code<'data>(file: &File<'data>) -> Result<impl Fn(u64) -> u32 + 'data, NamesError> {
    let mut sections = Vec::new();
    for section in file
        .sections()
        .filter(|section| section.kind() == SectionKind::Text)
    {
        sections.push((section.address(), section.data()?));
    }
    Ok(move |address: u64| {
        let word = sections.iter().find_map(|(start, bytes)| {
            let at = usize::try_from(address.checked_sub(*start)?).ok()?;
            bytes.get(at..)?.first_chunk()
        });
        word.map_or(0, |word| u32::from_le_bytes(*word))
    })
}

/// The kind of an instruction, as far as fault reports depend on it.
fn classify(word: u32) -> Use {
    match a64::decode(word) {
        Word::Branch(Branch::Call { .. } | Branch::CallTo { .. }) => Use::Call,
        Word::Exception(_) | Word::Undefined(_) => Use::Fault,
        // An access to a system register may be trapped, and maintenance by address can abort.
        Word::System(system) if system.rt().is_some() => Use::Fault,
        instruction if instruction.is_load_store() => Use::Fault,
        _ => Use::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Use, classify};

    #[test]
    fn calls_are_told_from_jumps() {
        assert_eq!(classify(0x9400_0001), Use::Call); // bl .+4
        assert_eq!(classify(0x97ff_ffff), Use::Call); // bl .-4
        assert_eq!(classify(0xd63f_0100), Use::Call); // blr x8
        assert_eq!(classify(0x1400_0001), Use::Other); // b .+4
        assert_eq!(classify(0xd61f_0100), Use::Other); // br x8
        assert_eq!(classify(0xd65f_03c0), Use::Other); // ret
    }

    #[test]
    fn what_can_fault_is_told_from_what_cannot() {
        let can = [
            0xf940_0108, // ldr x8, [x8]
            0xb900_0009, // str w9, [x0]
            0xa9bf_7bfd, // stp x29, x30, [sp, #-16]!
            0xc85f_7c08, // ldxr x8, [x0]
            0x5800_0040, // ldr x0, .+8
            0xd420_0020, // brk #1
            0xd400_0001, // svc #0
            0x0000_0000, // udf #0
            0xd538_1000, // mrs x0, sctlr_el1
            0xd50b_7420, // dc zva, x0
        ];
        for word in can {
            assert_eq!(classify(word), Use::Fault, "{word:#010x}");
        }
        let cannot = [
            0x9100_0400, // add x0, x0, #1
            0xaa01_03e0, // mov x0, x1
            0xd503_201f, // nop
            0xd503_3fdf, // isb
            0xd503_4fdf, // msr daifset, #15
            0x3500_0040, // cbnz w0, .+8
        ];
        for word in cannot {
            assert_eq!(classify(word), Use::Other, "{word:#010x}");
        }
    }
}
