//! The build script: adds the source lines of assembly files to the debugging information.
//!
//! rustc passes assembly to LLVM without an option like `-g`, and `.file` and `.loc` would add rows
//! to the line table of a Rust unit whose ranges do not include this code, so that no debugger
//! looks there. So each file gets a compilation unit of its own, written with data directives
//! behind its code (DWARF 4: 2.17 ranges, 3.1.1 units, 6.2 line numbers, 7.5 abbreviations). The
//! library includes the result from `OUT_DIR`; the code is the file's, unchanged.
//!
//! # Decisions
//! - Units go into subsection 1 of the debugging sections: the compiler's own tables must stand at
//!   the start of theirs.
//! - The lines of a macro's body and of a `.rept` have no rows of their own, since a label can
//!   stand there only once: their code has the line of the call or of the `.rept`.
//! - The compilation folder is the checkout, as in the units that rustc writes; debugging sections
//!   are not loaded.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

const FILES: [&str; 4] = [
    "boot/start.S",
    "boot/early.S",
    "boot/park.S",
    "src/arch/exception.S",
];

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    println!("cargo::rerun-if-changed=scripts/assembly_lines.rs");
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
        let source = fs::read_to_string(Path::new(&root).join(file))?;
        let name = Path::new(file).file_name().unwrap_or_default();
        fs::write(Path::new(&out).join(name), with_lines(&source, file, &root))?;
    }
    Ok(())
}

/// A stretch of code without a change of section: the numbers of its lines, in the order of
/// addresses.
type Sequence = Vec<usize>;

/// `source` with a label in front of each line of code, and the unit that maps labels to lines.
fn with_lines(source: &str, file: &str, root: &str) -> String {
    let tag: String = file
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let mut text = String::new();
    let mut sequences: Vec<Sequence> = Vec::new();
    let mut open = false;
    // The depth of nested macros and repetitions.
    let mut depth = 0_usize;
    for (index, line) in source.lines().enumerate() {
        let number = index + 1;
        let word = line.split_whitespace().next().unwrap_or_default();
        let is_section = matches!(
            word,
            ".section" | ".text" | ".data" | ".previous" | ".pushsection" | ".popsection"
        );
        if is_section && open {
            let last = sequences.len() - 1;
            let _ = writeln!(text, ".L{tag}_end_{last}:");
            open = false;
        }
        if matches!(word, ".endm" | ".endr") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && (is_code(word) || word == ".rept") {
            if !open {
                sequences.push(Sequence::new());
                open = true;
            }
            if let Some(sequence) = sequences.last_mut() {
                sequence.push(number);
            }
            let _ = writeln!(text, ".L{tag}_line_{number}:");
        }
        if matches!(word, ".macro" | ".rept") {
            depth += 1;
        }
        text.push_str(line);
        text.push('\n');
    }
    if open {
        let _ = writeln!(text, ".L{tag}_end_{}:", sequences.len() - 1);
    }
    text.push_str(&unit(&tag, file, root, &sequences));
    text
}

/// Whether a line that begins with `word` has an instruction or the call of a macro. In these files
/// a label stands on a line of its own.
fn is_code(word: &str) -> bool {
    let begins = word.chars().next().unwrap_or(' ');
    begins.is_ascii_alphabetic() && !word.ends_with(':')
}

/// The debugging sections of one file.
fn unit(tag: &str, file: &str, root: &str, sequences: &[Sequence]) -> String {
    // In the assembly template braces are operands; backslashes and quotes end the assembler's
    // strings.
    let quoted = |text: &str| {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        text.replace('{', "{{").replace('}', "}}")
    };
    let mut rows = String::new();
    let mut ranges = String::new();
    for (index, sequence) in sequences.iter().enumerate() {
        let mut line = 1;
        for &number in sequence {
            // DW_LNE_set_address, DW_LNS_advance_line, DW_LNS_copy.
            let delta = number as i64 - line;
            let _ = writeln!(
                rows,
                "    .byte 0, 9, 2\n    .8byte .L{tag}_line_{number}\n    .byte 3\n    .sleb128 {delta}\n    .byte 1"
            );
            line = number as i64;
        }
        // DW_LNE_set_address, DW_LNE_end_sequence.
        let _ = writeln!(
            rows,
            "    .byte 0, 9, 2\n    .8byte .L{tag}_end_{index}\n    .byte 0, 1, 1"
        );
        let first = sequence.first().copied().unwrap_or_default();
        let _ = writeln!(
            ranges,
            "    .8byte .L{tag}_line_{first}, .L{tag}_end_{index}"
        );
    }
    let (file, root) = (quoted(file), quoted(root));
    format!(
        r#"
.pushsection .debug_abbrev, "", @progbits
.subsection 1
.L{tag}_abbrev:
    // DW_TAG_compile_unit without children: name, comp_dir (string), stmt_list, ranges
    // (sec_offset), language (data2), low_pc (addr).
    .byte 1, 0x11, 0, 0x03, 0x08, 0x1b, 0x08, 0x10, 0x17, 0x55, 0x17, 0x13, 0x05, 0x11, 0x01, 0, 0, 0
.popsection
.pushsection .debug_ranges, "", @progbits
.subsection 1
.L{tag}_ranges:
{ranges}    .8byte 0, 0
.popsection
.pushsection .debug_line, "", @progbits
.subsection 1
.L{tag}_table:
    .4byte .L{tag}_table_end - .L{tag}_table_begin
.L{tag}_table_begin:
    .2byte 4
    .4byte .L{tag}_program - .L{tag}_header_begin
.L{tag}_header_begin:
    // minimum_instruction_length, maximum_operations_per_instruction, default_is_stmt, line_base,
    // line_range, opcode_base and standard_opcode_lengths.
    .byte 1, 1, 1, -5, 14, 10, 0, 1, 1, 1, 1, 0, 0, 0, 1
    .byte 0
    .asciz "{file}"
    .byte 0, 0, 0, 0
.L{tag}_program:
{rows}.L{tag}_table_end:
.popsection
.pushsection .debug_info, "", @progbits
.subsection 1
    .4byte .L{tag}_unit_end - .L{tag}_unit_begin
.L{tag}_unit_begin:
    .2byte 4
    .4byte .L{tag}_abbrev
    .byte 8, 1
    .asciz "{file}"
    .asciz "{root}"
    .4byte .L{tag}_table, .L{tag}_ranges
    // DW_LANG_Mips_Assembler, the common code for assembly of any architecture.
    .2byte 0x8001
    .8byte 0
.L{tag}_unit_end:
.popsection
"#
    )
}
