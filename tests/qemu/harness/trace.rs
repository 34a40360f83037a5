//! What a device was told, in order: QEMU's trace of its registers.

use std::fs;
use std::path::{Path, PathBuf};

use super::Setup;

/// The machine with a trace of writes to the PL011, and where [`read`] finds it afterwards.
pub(crate) fn pl011_writes(setup: Setup) -> (Setup, PathBuf) {
    // Not in the machine's folder: that goes with the machine.
    let file = tempfile::NamedTempFile::new().expect("a file for the trace");
    let (_, path) = file.keep().expect("a file that stays");
    let setup = setup.arg("-trace").arg("pl011_write").arg("-D").arg(&path);
    (setup, path)
}

/// Offset and value of each write, and the end of the file.
#[track_caller]
pub(crate) fn read(trace: &Path) -> Vec<(u64, u64)> {
    let text = fs::read_to_string(trace).expect("QEMU wrote its trace");
    fs::remove_file(trace).expect("the trace is ours");
    let writes = text.lines().filter(|line| line.contains("pl011_write"));
    let writes: Vec<_> = writes
        .map(|line| (after(line, "addr "), after(line, "value ")))
        .collect();
    assert!(!writes.is_empty(), "QEMU traces nothing: {text:?}");
    writes
}

/// The number behind a word.
fn after(line: &str, word: &str) -> u64 {
    let number = line
        .split(word)
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let digits = number.map(|number| number.trim_start_matches("0x"));
    match digits.map(|digits| u64::from_str_radix(digits, 16)) {
        Some(Ok(number)) => number,
        _ => panic!("no number behind {word:?} in {line:?}"),
    }
}
