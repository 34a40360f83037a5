//! The table's bytes, in the layout that `stilt::exception::names` describes.
//!
//! # Decisions
//! Lines are kept as far as they fit, in this order:
//!
//! 1. of calls in our own functions: return addresses, which make up a backtrace;
//! 2. of calls in functions of dependencies;
//! 3. of instructions that can fault in our own functions: the top of a backtrace. Small functions
//!    before large ones, because that completes the most;
//! 4. of such instructions in functions of dependencies;
//! 5. of the other instructions, at which only an interrupt can arrive: own functions, then
//!    dependencies.
//!
//! A function has its lines of a kind all or not at all. An instruction whose line is left out has
//! none: a row never extends over instructions with another line.

use std::cmp::Reverse;
use std::collections::HashMap;

use stilt::exception::names::{
    ChainChange, FILE_FIRST, GAP_ESCAPE, HEADER_LENGTH, HIGH_BITS, INSTRUCTION, LENGTH_ESCAPE,
    MAGIC, RECENT, RECENT_FIRST, SAME_FILE, VERSION,
};

use super::error::NamesError;
use super::model::{Function, Instruction, Share, SourceLine, Summary, Use};
use super::pairs::{self, Packed};

/// An encoded table that fits, and the lines that it has.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) bytes: Vec<u8>,
    pub(super) kept: Kept,
    pub(super) summary: Summary,
}

/// For each function, the kinds of instructions whose lines are in the table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Kept(Vec<Vec<Use>>);

impl Kept {
    /// Whether the function with this index keeps its lines of a kind.
    pub(super) fn has(&self, function: usize, kind: Use) -> bool {
        self.0
            .get(function)
            .is_some_and(|kinds| kinds.contains(&kind))
    }
}

/// Encodes `functions`, which are in the order of addresses, in `available` bytes at most.
///
/// # Errors
/// [`NamesError::TooLarge`] if their names alone do not fit, [`NamesError::Range`].
pub(super) fn encode(functions: &[Function], available: usize) -> Result<Table, NamesError> {
    let encoder = Encoder::new(functions);
    let names = encoder.table(&Kept::default())?;
    if names.len() > available {
        return Err(NamesError::TooLarge {
            needed: names.len(),
            available,
        });
    }
    let order = order(functions);
    let kept = |count: usize| {
        let mut kept = Kept(vec![Vec::new(); functions.len()]);
        for (function, kind) in &order[..count] {
            kept.0[*function].push(*kind);
        }
        kept
    };
    // Binary search: `fits` entries of `order` fit, `fails` do not or are more than there are.
    let (mut fits, mut fails) = (0, order.len() + 1);
    let mut bytes = names.clone();
    while fails - fits > 1 {
        let middle = usize::midpoint(fits, fails);
        let table = encoder.table(&kept(middle))?;
        if table.len() <= available {
            (fits, bytes) = (middle, table);
        } else {
            fails = middle;
        }
    }
    let kept = kept(fits);
    let summary = Summary {
        functions: functions.len(),
        names: names.len(),
        calls: share(functions, &kept, Use::Call),
        faults: share(functions, &kept, Use::Fault),
        lines: bytes.len() - names.len(),
        hole: available,
    };
    Ok(Table {
        bytes,
        kept,
        summary,
    })
}

/// Functions with a kind of instructions, in the order in which their lines are kept.
fn order(functions: &[Function]) -> Vec<(usize, Use)> {
    let of = |own: bool, kind: Use| {
        let mut found: Vec<usize> = (0..functions.len())
            .filter(|index| functions[*index].is_own() == own)
            .collect();
        if kind != Use::Call {
            found.sort_by_key(|index| functions[*index].size);
        }
        found.into_iter().map(move |index| (index, kind))
    };
    [Use::Call, Use::Fault, Use::Other]
        .into_iter()
        .flat_map(|kind| of(true, kind).chain(of(false, kind)))
        .collect()
}

fn share(functions: &[Function], kept: &Kept, kind: Use) -> Share {
    let mut share = Share::default();
    for (index, function) in functions.iter().enumerate() {
        let known = function.instructions.iter();
        let known = known.filter(|one| one.use_ == kind && !one.chain.is_empty());
        let count = known.count();
        share.known += count;
        if kept.has(index, kind) {
            share.kept += count;
        }
    }
    share
}

impl Function {
    fn is_own(&self) -> bool {
        let mut lines = self.instructions.iter().flat_map(|one| &one.chain);
        lines.any(SourceLine::is_own)
    }
}

/// The parts of the table that do not depend on the lines that are kept.
struct Encoder<'a> {
    functions: &'a [Function],
    packed: Packed,
    /// For each file, the index of its name in `packed`, behind those of the functions.
    files: HashMap<&'a str, usize>,
}

/// Neighbouring instructions with equal source lines.
#[derive(Debug)]
struct Row<'a> {
    first: usize,
    end: usize,
    chain: &'a [SourceLine],
}

impl<'a> Encoder<'a> {
    fn new(functions: &'a [Function]) -> Self {
        let mut texts: Vec<&str> = functions
            .iter()
            .map(|function| function.name.as_str())
            .collect();
        let mut files = HashMap::new();
        let instructions = functions.iter().flat_map(|function| &function.instructions);
        for line in instructions.flat_map(|one| &one.chain) {
            files.entry(line.file.as_str()).or_insert_with(|| {
                texts.push(&line.file);
                texts.len() - 1
            });
        }
        let packed = pairs::pack(&texts);
        Self {
            functions,
            packed,
            files,
        }
    }

    /// The whole table with the lines in `kept`.
    fn table(&self, kept: &Kept) -> Result<Vec<u8>, NamesError> {
        let rows = self.functions.iter().enumerate();
        let rows: Vec<Vec<Row<'_>>> = rows.map(|(index, one)| rows_of(one, index, kept)).collect();
        let files = most_used(&rows);
        let numbers = files
            .iter()
            .enumerate()
            .map(|(number, file)| (*file, number as u32));
        let numbers: HashMap<&str, u32> = numbers.collect();

        let first = self.functions.first().map_or(0, |function| function.start) & !HIGH_BITS;
        let mut records = Vec::new();
        let mut end = first;
        for (index, function) in self.functions.iter().enumerate() {
            let start = function.start & !HIGH_BITS;
            let gap = instructions("a gap", start - end)?;
            let size = instructions("the size of a function", function.size)?;
            number(&mut records, size << 1 | u32::from(gap > 0));
            if gap > 0 {
                number(&mut records, gap);
            }
            counted(&mut records, &self.packed.texts[index]);
            counted(&mut records, &encode_rows(&rows[index], &numbers));
            end = start + function.size;
        }
        let mut table = self.header(instructions("the first address", first)?, files.len())?;
        table[12..16].copy_from_slice(&(records.len() as u32).to_le_bytes());
        table.extend(records);
        for file in files {
            counted(&mut table, &self.packed.texts[self.files[file]]);
        }
        let length = table.len() as u32;
        table[8..12].copy_from_slice(&length.to_le_bytes());
        Ok(table)
    }

    /// The header and the dictionary; the header's two lengths are still zero.
    fn header(&self, first: u32, files: usize) -> Result<Vec<u8>, NamesError> {
        let half = |what, value: usize| {
            let range = NamesError::Range {
                what,
                value: value as u64,
            };
            u16::try_from(value).map_err(|_| range)
        };
        let mut table = MAGIC.to_vec();
        table.extend(VERSION.to_le_bytes());
        table.extend(half("the number of files", files)?.to_le_bytes());
        table.extend([0; 8]);
        table.extend(half("the number of characters", self.packed.characters.len())?.to_le_bytes());
        table.extend(half("the number of pairs", self.packed.pairs.len())?.to_le_bytes());
        table.extend(first.to_le_bytes());
        debug_assert_eq!(table.len(), HEADER_LENGTH);
        table.extend(&self.packed.characters);
        table.extend(
            self.packed
                .pairs
                .iter()
                .flat_map(|(first, second)| [first, second]),
        );
        Ok(table)
    }
}

/// The rows of a function. An instruction that is not kept may lie inside a row, if it has equal
/// lines.
fn rows_of<'a>(function: &'a Function, index: usize, kept: &Kept) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    // Whether all instructions since the last row's end have that row's lines.
    let mut alike = false;
    for (at, Instruction { use_, chain }) in function.instructions.iter().enumerate() {
        let same = rows.last().is_some_and(|row| row.chain == chain);
        alike &= same;
        if chain.is_empty() || !kept.has(index, *use_) {
            continue;
        }
        match rows.last_mut() {
            Some(row) if alike => row.end = at + 1,
            _ => rows.push(Row {
                first: at,
                end: at + 1,
                chain,
            }),
        }
        alike = true;
    }
    rows
}

/// The files of all rows, the most frequent first: small numbers take fewer bytes.
fn most_used<'a>(rows: &[Vec<Row<'a>>]) -> Vec<&'a str> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for line in rows.iter().flatten().flat_map(|row| row.chain) {
        *counts.entry(line.file.as_str()).or_default() += 1;
    }
    let mut files: Vec<(&str, usize)> = counts.into_iter().collect();
    files.sort_by_key(|(file, count)| (Reverse(*count), *file));
    files.into_iter().map(|(file, _)| file).collect()
}

fn encode_rows(rows: &[Row<'_>], files: &HashMap<&str, u32>) -> Vec<u8> {
    let mut lines = Lines {
        files,
        chain: &[],
        recent: Vec::new(),
    };
    let mut out = Vec::new();
    let mut end = 0;
    for row in rows {
        let gap = (row.first - end) as u32;
        let length = (row.end - row.first - 1) as u32;
        let (change, rest) = lines.change(row.chain);
        let fields = gap.min(GAP_ESCAPE) | length.min(LENGTH_ESCAPE) << 3;
        out.push(fields as u8 | (change as u8) << 5);
        for (value, escape) in [(gap, GAP_ESCAPE), (length, LENGTH_ESCAPE)] {
            if value >= escape {
                number(&mut out, value - escape);
            }
        }
        out.extend(rest);
        end = row.end;
    }
    out
}

/// The state of the table's reader between two rows.
struct Lines<'a> {
    files: &'a HashMap<&'a str, u32>,
    chain: &'a [SourceLine],
    /// The latest lines, the last one first.
    recent: Vec<&'a SourceLine>,
}

impl<'a> Lines<'a> {
    /// Encodes the step to the next chain: its kind, and the bytes behind the row's first byte.
    fn change(&mut self, new: &'a [SourceLine]) -> (ChainChange, Vec<u8>) {
        let old = std::mem::replace(&mut self.chain, new);
        let common = old
            .iter()
            .zip(new)
            .take_while(|(old, new)| old == new)
            .count();
        let (gone, come) = (&old[common..], &new[common..]);
        let mut out = Vec::new();
        let change = match (gone, come) {
            ([], []) => ChainChange::Same,
            ([from], [to]) if from.file == to.file => {
                difference(&mut out, from.line, to.line);
                self.came(to);
                return (ChainChange::Line, out);
            }
            ([_], [_]) => ChainChange::Replace,
            ([], [_]) => ChainChange::Push,
            ([_], []) => ChainChange::Pop,
            ([_, _], [_]) => ChainChange::TwoForOne,
            ([_], [_, _]) => ChainChange::OneForTwo,
            _ => {
                out.push((gone.len() << 4 | come.len()) as u8);
                ChainChange::Many
            }
        };
        for (index, to) in come.iter().enumerate() {
            let outside = (common + index).checked_sub(1).map(|depth| &new[depth]);
            self.line(&mut out, gone.get(index).or(outside), to);
            self.came(to);
        }
        (change, out)
    }

    /// Encodes the line `to` in its shortest form: as a recent line, by a distance in the file of
    /// `known`, or by its file and number.
    fn line(&self, out: &mut Vec<u8>, known: Option<&SourceLine>, to: &SourceLine) {
        let recent = self.recent.iter().position(|line| *line == to);
        match (recent, known) {
            (Some(index), _) => number(out, RECENT_FIRST + index as u32),
            (None, Some(from)) if from.file == to.file => {
                number(out, SAME_FILE);
                difference(out, from.line, to.line);
            }
            _ => {
                number(out, FILE_FIRST + self.files[to.file.as_str()]);
                number(out, to.line);
            }
        }
    }

    fn came(&mut self, line: &'a SourceLine) {
        self.recent.retain(|recent| *recent != line);
        self.recent.insert(0, line);
        self.recent.truncate(RECENT);
    }
}

/// A size in bytes as a number of instructions, if a record can hold it.
fn instructions(what: &'static str, bytes: u64) -> Result<u32, NamesError> {
    let count = bytes / INSTRUCTION;
    match u32::try_from(count) {
        Ok(count) if count < 1 << 31 => Ok(count),
        _ => Err(NamesError::Range { what, value: bytes }),
    }
}

fn number(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn difference(out: &mut Vec<u8>, from: u32, to: u32) {
    let difference = to.wrapping_sub(from).cast_signed();
    number(out, (difference << 1 ^ difference >> 31).cast_unsigned());
}

fn counted(out: &mut Vec<u8>, bytes: &[u8]) {
    number(out, bytes.len() as u32);
    out.extend(bytes);
}
