//! A run of llvm-objdump, and the lines that it prints.

use std::path::Path;
use std::process::Command;

/// A line of the output: an instruction, or constants.
pub(crate) struct Line {
    /// The linked address.
    pub(crate) address: u64,
    /// The instruction word; 0 for constants.
    pub(crate) word: u32,
    /// The length in bytes: 4, for constants any.
    pub(crate) length: usize,
    /// The instruction's text; none for a word that llvm-objdump does not know, and for constants.
    pub(crate) text: Option<String>,
    /// Whether the file's mapping symbols (`$d`) say that here is data.
    pub(crate) is_data: bool,
}

/// Every word in the code of an ELF file, without aliases where the words without them are
/// unambiguous.
pub(crate) fn disassemble(elf: &Path) -> Vec<Line> {
    let script = super::root().join("scripts/find-tool.sh");
    let found = Command::new(script).arg("objdump").output();
    let found = found.expect("the script runs");
    assert!(
        found.status.success(),
        "no llvm-objdump: `make setup` installs it"
    );
    let program = String::from_utf8(found.stdout).expect("a path of plain text");
    let plain = run(program.trim_end(), &["-M", "no-aliases"], elf);
    let mut lines: Vec<Line> = plain.lines().filter_map(line).collect();
    // With `no-aliases` a shifted index prints as an unshifted one. Loads and stores have no alias
    // but that, so their lines are taken from the run with aliases.
    let shown = run(program.trim_end(), &[], elf);
    let shown = shown.lines().filter_map(line);
    for (line, shown) in lines.iter_mut().zip(shown) {
        assert_eq!(line.address, shown.address);
        let is_access = |text: &String| {
            ["ld", "st", "prf"]
                .iter()
                .any(|verb| text.starts_with(verb))
        };
        if shown.text.as_ref().is_some_and(is_access) {
            line.text = shown.text;
        }
    }
    lines
}

fn run(program: &str, options: &[&str], elf: &Path) -> String {
    let mut command = Command::new(program);
    command
        .args(["-d", "-z", "--mattr=+crc"])
        .args(options)
        .arg(elf);
    let output = command.output().expect("llvm-objdump runs");
    assert!(output.status.success(), "llvm-objdump takes the file");
    String::from_utf8(output.stdout).expect("plain text")
}

/// `address: bytes <tab> mnemonic <tab> operands`. Bytes are four in the order of memory, or a
/// word. Constants are `.word`, `.short`, `.byte`, or rows of up to sixteen bytes with their
/// letters behind.
fn line(line: &str) -> Option<Line> {
    let (address, rest) = line.split_once(':')?;
    let address = u64::from_str_radix(address.trim(), 16).ok()?;
    let rest = rest.trim_start();
    let end = [rest.find('\t'), rest.find("  ")]
        .into_iter()
        .flatten()
        .min()?;
    let (bytes, text) = rest.split_at(end);
    let mut digits: Vec<&str> = bytes.split_whitespace().collect();
    digits.reverse();
    let length = digits.concat().len() / 2;
    let text = text.trim();
    let is_instruction = text.starts_with(".inst") || !text.starts_with('.');
    let is_data = length > 4 || !is_instruction;
    let word = match is_data {
        true => 0,
        false => u32::from_str_radix(&digits.concat(), 16).ok()?,
    };
    let known = !is_data && !text.starts_with("<unknown>") && !text.starts_with(".inst");
    let text = known.then(|| text.to_owned());
    Some(Line {
        address,
        word,
        length,
        text,
        is_data,
    })
}
