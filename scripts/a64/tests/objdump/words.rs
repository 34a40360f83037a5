//! Words of every class that the decoder models, with random operands, and an object file of them.

use a64::system::{Operation, SystemRegister};
use object::write::{Object, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

/// The number of words of each class.
const EACH: usize = 200;

/// The classes of DDI 0487 C4.1: a mask of the bits that tell the class, and their value.
const CLASSES: [(u32, u32); 40] = [
    (0x1f00_0000, 0x1000_0000), // PC-relative
    (0x1f80_0000, 0x1100_0000), // add, immediate
    (0x1f80_0000, 0x1200_0000), // logical, immediate
    (0x1f80_0000, 0x1280_0000), // move wide
    (0x1f80_0000, 0x1300_0000), // bitfield
    (0xffe0_0000, 0x9340_0000), // bitfield, 64 bits
    (0x7fa0_0000, 0x1380_0000), // extract
    (0x1f00_0000, 0x0a00_0000), // logical, shifted
    (0x1f20_0000, 0x0b00_0000), // add, shifted
    (0x1fe0_0000, 0x0b20_0000), // add, extended
    (0x1fe0_fc00, 0x1a00_0000), // with carry
    (0x3fe0_0410, 0x3a40_0000), // conditional compare
    (0x3fe0_0800, 0x1a80_0000), // conditional select
    (0x7fff_f800, 0x5ac0_0000), // one source
    (0x7fff_f800, 0x5ac0_1000), // one source: clz, cls
    (0x7fe0_f800, 0x1ac0_0800), // two sources: division
    (0x7fe0_f000, 0x1ac0_2000), // two sources: shifts
    (0xffe0_f000, 0x1ac0_4000), // two sources: crc of w
    (0xffe0_fc00, 0x9ac0_4c00), // two sources: crc of x
    (0x7fe0_0000, 0x1b00_0000), // three sources
    (0xff60_0000, 0x9b20_0000), // three sources, long
    (0xff60_fc00, 0x9b40_7c00), // three sources, upper half
    (0x7c00_0000, 0x1400_0000), // b, bl
    (0xff00_0010, 0x5400_0000), // b.cond
    (0x7e00_0000, 0x3400_0000), // cbz
    (0x7e00_0000, 0x3600_0000), // tbz
    (0xffff_fc1f, 0xd61f_0000), // br
    (0xffff_fc1f, 0xd63f_0000), // blr
    (0xffff_fc1f, 0xd65f_0000), // ret
    (0xffe0_001f, 0xd400_0001), // svc; hvc and smc differ in two bits
    (0xffe0_001f, 0xd420_0000), // brk
    (0xffff_f01f, 0xd503_301f), // barriers
    (0x3fa0_0000, 0x0800_0000), // exclusives
    (0xbfa0_0000, 0x8820_0000), // exclusive pairs
    (0x3fa0_8000, 0x0880_8000), // ordered
    (0x3b00_0000, 0x1800_0000), // literals
    (0x3a00_0000, 0x2800_0000), // pairs
    (0x3b00_0000, 0x3900_0000), // unsigned offset
    (0x3b20_0000, 0x3800_0000), // nine-bit offsets
    (0x3b20_0c00, 0x3820_0800), // register offset
];

/// [`EACH`] words of each of [`CLASSES`], and one word for each named system register and
/// operation.
pub(crate) fn words() -> Vec<u32> {
    let mut seed = 0x853c_49e6_748f_ea9b_u64;
    let mut random = || {
        // xorshift64: the same words at every run.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as u32
    };
    let mut words = Vec::new();
    for (mask, value) in CLASSES {
        let vector = if value & 0x0a00_0000 == 0x0800_0000 {
            1 << 26
        } else {
            0
        };
        words.extend((0..EACH).map(|_| (random() & !mask | value) & !vector));
    }
    for register in SystemRegister::all() {
        let [op0, op1, crn, crm, op2] = register.fields().map(u32::from);
        let fields = op0 << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5;
        words.extend([0xd500_0003 | fields, 0xd520_0004 | fields]);
    }
    for operation in Operation::all() {
        let [op1, crn, crm, op2] = operation.fields().map(u32::from);
        let all = operation.name().is_some_and(|name| name.contains("all"));
        let rt = if all { 31 } else { 7 };
        words.push(0xd508_0000 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5 | rt);
    }
    words
}

/// An object file whose code is these words.
pub(crate) fn object_of(words: &[u32]) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::Aarch64, Endianness::Little);
    let text = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    object.append_section_data(text, &bytes, 4);
    object.add_symbol(Symbol {
        name: b"words".to_vec(),
        value: 0,
        size: bytes.len() as u64,
        kind: SymbolKind::Text,
        scope: SymbolScope::Linkage,
        weak: false,
        section: SymbolSection::Section(text),
        flags: SymbolFlags::None,
    });
    object.write().expect("an object that can be written")
}
