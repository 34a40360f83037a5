//! Tables of made-up functions, and made-up files with the section `.names`.

use std::path::Path;

use object::write::{Object, StandardSegment};
use object::{
    Architecture, BinaryFormat, Endianness, File, Object as _, ObjectSection, SectionKind,
};
use stilt::exception::names::Names;

use super::error::{NamesError, SECTION};
use super::model::{Function, Instruction, SourceLine, Use};
use super::table::{Kept, encode};
use super::verify::verify;
use super::{fill, hole, put};

/// Random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn word(&mut self) -> String {
        let length = 1 + self.below(12);
        (0..length)
            .map(|_| char::from(b' ' + self.below(95) as u8))
            .collect()
    }
}

/// Functions with random names and lines; every third one lies behind a gap.
fn made_up(random: &mut Random, count: usize) -> Vec<Function> {
    let mut start = 0xffff_0000_0008_0000;
    let files: Vec<String> = (0..30)
        .map(|number| format!("src/{}/{number}.rs", random.word()))
        .collect();
    let mut functions = Vec::new();
    for index in 0..count {
        if index % 3 == 2 {
            start += 4 * random.below(5000) as u64;
        }
        let instructions = instructions(random, &files);
        let words = random.below(20);
        let name: String = (0..words).map(|_| random.word()).collect();
        let name = name.chars().take(255).collect();
        let size = 4 * instructions.len() as u64;
        functions.push(Function {
            start,
            size,
            name,
            instructions,
        });
        start += size;
    }
    functions
}

fn instructions(random: &mut Random, files: &[String]) -> Vec<Instruction> {
    let mut chain: Vec<SourceLine> = Vec::new();
    let mut instructions = Vec::new();
    for _ in 0..1 + random.below(60) {
        if random.below(3) == 0 {
            chain.truncate(random.below(5));
            while chain.len() < random.below(5) {
                let file = files[random.below(files.len())].clone();
                let bits = 1 + random.below(31);
                let line = 1 + random.below(1 << bits) as u32;
                chain.push(SourceLine { file, line });
            }
        }
        let use_ = [Use::Call, Use::Fault, Use::Other][random.below(3)];
        instructions.push(Instruction {
            use_,
            chain: chain.clone(),
        });
    }
    instructions
}

#[test]
fn whatever_is_encoded_reads_back() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for count in [0, 1, 2, 5, 40] {
        let functions = made_up(&mut random, count);
        let names = match encode(&functions, 0) {
            Err(NamesError::TooLarge {
                needed,
                available: 0,
            }) => needed,
            other => panic!("{other:?}"),
        };
        for available in [names, names + 300, names + 5000, 1 << 20] {
            let table = encode(&functions, available).expect("the names fit");
            assert!(table.bytes.len() <= available);
            verify(&table.bytes, &functions, &table.kept).expect("what was put in");
        }
    }
}

#[test]
fn a_table_with_a_wrong_byte_is_noticed_or_means_the_same() {
    let functions = made_up(&mut Random(77), 5);
    let table = encode(&functions, 1 << 20).expect("there is room");
    let mut noticed = 0;
    for at in 0..table.bytes.len() {
        let mut bytes = table.bytes.clone();
        bytes[at] ^= 1;
        noticed += usize::from(verify(&bytes, &functions, &table.kept).is_err());
    }
    assert!(
        noticed * 10 > table.bytes.len() * 9,
        "{noticed} of {}",
        table.bytes.len()
    );
}

fn function(start: u64, name: &str, uses: &[Use], file: &str) -> Function {
    let chain = vec![SourceLine {
        file: file.to_owned(),
        line: start as u32,
    }];
    let instructions = uses.iter().map(|use_| Instruction {
        use_: *use_,
        chain: chain.clone(),
    });
    Function {
        start,
        size: 4 * uses.len() as u64,
        name: name.to_owned(),
        instructions: instructions.collect(),
    }
}

#[test]
fn what_has_no_room_goes_in_the_stated_order() {
    let (call, fault, other) = (Use::Call, Use::Fault, Use::Other);
    let functions = [
        function(0x1000, "dependency", &[call, other, fault], "core/src/a.rs"),
        function(
            0x1010,
            "large",
            &[call, fault, other, fault, fault],
            "src/large.rs",
        ),
        function(
            0x1030,
            "small",
            &[other, fault, call, other],
            "src/small.rs",
        ),
    ];
    let order = [
        (1, call),
        (2, call),
        (0, call),
        (2, fault),
        (1, fault),
        (0, fault),
        (2, other),
        (1, other),
        (0, other),
    ];
    let count = |kept: &Kept| {
        order
            .iter()
            .filter(|(index, kind)| kept.has(*index, *kind))
            .count()
    };
    let Err(NamesError::TooLarge { needed, .. }) = encode(&functions, 0) else {
        panic!("names need some bytes");
    };
    let mut counts = Vec::new();
    for available in needed..needed + 200 {
        let kept = encode(&functions, available).expect("the names fit").kept;
        let number = count(&kept);
        for (index, kind) in &order[..number] {
            assert!(
                kept.has(*index, *kind),
                "{available}: {index} {kind:?} before what follows it"
            );
        }
        counts.push(number);
    }
    assert!(counts.is_sorted(), "more room, more lines");
    assert_eq!((counts[0], counts.last()), (0, Some(&order.len())));
}

/// An ELF file with a section `.names` of `hole` bytes, a function, and no lines.
fn elf(hole: usize) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::Aarch64, Endianness::Little);
    let segment = object.segment_name(StandardSegment::Data).to_vec();
    let names = object.add_section(segment, SECTION.into(), SectionKind::ReadOnlyData);
    object.append_section_data(names, &vec![0; hole], 8);
    object.write().expect("a valid object")
}

#[test]
fn a_file_without_a_hole_or_functions_is_refused_and_left_alone() {
    let root = Path::new("/nowhere");
    let mut file = elf(64);
    let before = file.clone();
    assert!(matches!(
        fill(&mut file, root),
        Err(NamesError::NoFunctions)
    ));
    assert_eq!(file, before);
    let object = Object::new(BinaryFormat::Elf, Architecture::Aarch64, Endianness::Little);
    let mut file = object.write().expect("a valid object");
    assert!(matches!(fill(&mut file, root), Err(NamesError::NoHole)));
    assert!(matches!(
        fill(&mut [1, 2, 3], root),
        Err(NamesError::Elf(_))
    ));
}

#[test]
fn a_table_fills_the_hole_and_nothing_else() {
    let mut file = elf(64);
    let before = file.clone();
    let range = hole(&File::parse(&*before).expect("an object")).expect("a hole");
    assert_eq!(range.len(), 64);
    put(&mut file, range.clone(), b"a table").expect("room");
    put(&mut file, range.clone(), b"table").expect("room");
    let parsed = File::parse(&*file).expect("still an object");
    let section = parsed.section_by_name(SECTION).expect("its section");
    let data = section.data().expect("its bytes");
    assert_eq!(
        data[..8],
        *b"table\0\0\0",
        "and nothing of what was there before"
    );
    assert_eq!(file[..range.start], before[..range.start]);
    assert_eq!(file[range.end..], before[range.end..]);
}

#[test]
fn names_that_do_not_fit_are_an_error_that_says_how_much_is_missing() {
    let functions = made_up(&mut Random(5), 40);
    let Err(NamesError::TooLarge {
        needed,
        available: 100,
    }) = encode(&functions, 100)
    else {
        panic!("forty names fit in no 100 bytes");
    };
    assert!(
        encode(&functions, needed).is_ok(),
        "exactly as many are enough"
    );
    assert!(encode(&functions, needed - 1).is_err());
    let message = NamesError::TooLarge {
        needed,
        available: 100,
    }
    .to_string();
    assert!(
        message.contains(&needed.to_string()) && message.contains("100"),
        "{message}"
    );
}

#[test]
fn a_table_of_no_functions_can_be_read() {
    let table = encode(&[], 1000).expect("there is room");
    let names = Names::new(&table.bytes).expect("a table");
    assert!(names.function(0x8_0000).is_none());
}
