//! The calls on a stack, by the chain of frame records (AAPCS64, "The Frame Pointer").
//!
//! x29 points to a pair of words: the x29 of the caller, and the address to which the function
//! returns. All of the kernel's Rust is compiled to keep such pairs. Nothing here trusts them: a
//! stack may be what is broken.
//!
//! # Decisions
//!
//! - The first step is the interrupted instruction. A function that has no frame record yet, or
//!   never makes one, has its return address in x30 only, and x29 is its caller's. So x30 comes
//!   second if the owner of the names says that it may be a return address
//!   ([`Names::return_address`]) and the first record does not hold the same one. After a jump to
//!   nowhere that is what finds the caller.
//! - A frame pointer must grow: stacks grow down, and a circle ends here. The one place at which it
//!   does not is an exception, whose handler runs on another stack than the code it interrupted.
//!   This ends there; to go on, begin again with the registers of the trap frame.
//!
//! [`Names::return_address`]: super::names::Names::return_address
#![forbid(unsafe_code)]

use core::fmt;

/// How many steps are made at most: as many frame records as fit on all stacks of a core, and more.
/// A frame pointer that is wrong may lead through all of memory, one record behind the other.
pub const STEPS_MAX: usize = 8192;

/// Alignment of a frame record in bytes: the stack pointer's.
const ALIGNMENT: u64 = 16;
/// Bytes of each of the two words of a frame record.
const WORD: u64 = 8;
/// Bytes of an instruction.
const INSTRUCTION: u64 = 4;

/// An address on the way from the interrupted instruction outwards. The variant says how far it can
/// be believed: an address in x30 may be an old one, one in a frame record is on the stack.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// The address of the interrupted instruction.
    Interrupted(u64),
    /// A return address from x30, not from a frame record.
    Link(u64),
    /// A return address from a frame record.
    Return(u64),
}

impl Step {
    /// The address as it was found. A return address is that of the instruction behind the call;
    /// [`Step::instruction`] is the call's.
    #[must_use]
    pub const fn address(self) -> u64 {
        match self {
            Self::Interrupted(address) | Self::Link(address) | Self::Return(address) => address,
        }
    }

    /// The address of the instruction that was under way: for a return address, the call before it.
    /// Names and lines are asked for with this one.
    #[must_use]
    pub const fn instruction(self) -> u64 {
        match self {
            Self::Interrupted(address) => address,
            Self::Link(address) | Self::Return(address) => address.wrapping_sub(INSTRUCTION),
        }
    }
}

/// Why there are no more steps. Any reason but [`TraceEnd::Outermost`] means that the stack is
/// damaged, or that it is not the kernel's, and that callers may be missing. The numbers are frame
/// pointers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TraceEnd {
    /// A frame pointer or a return address is zero: the outermost function.
    Outermost,
    /// A frame pointer is not aligned to 16 bytes.
    Misaligned(u64),
    /// A frame pointer is not above the one before it: another stack, or a circle.
    NotAbove(u64),
    /// A word of the frame record at this address cannot be read.
    Unreadable(u64),
    /// [`STEPS_MAX`] steps were made.
    TooMany,
}

impl fmt::Display for TraceEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outermost => write!(f, "the outermost function"),
            Self::Misaligned(fp) => write!(f, "the frame pointer {fp:#018x} is not aligned"),
            Self::NotAbove(fp) => write!(f, "the frame pointer {fp:#018x} is not above the last"),
            Self::Unreadable(fp) => write!(f, "the frame at {fp:#018x} cannot be read"),
            Self::TooMany => write!(f, "more than {STEPS_MAX} steps"),
        }
    }
}

/// An iterator over the steps from an instruction to its caller, and on to the outermost. It reads
/// two words of a frame record a step, by `R` alone, and ends: each record lies above the one
/// before, and there are [`STEPS_MAX`] steps at most.
#[derive(Clone, Debug)]
pub struct Backtrace<R> {
    pc: Option<u64>,
    link: Option<u64>,
    /// A return address that was read, but comes after `link`.
    pending: Option<u64>,
    /// The frame pointer of the next record.
    fp: u64,
    /// That of the last record; records lie above it.
    last: Option<u64>,
    left: usize,
    end: Option<TraceEnd>,
    read: R,
}

impl<R: FnMut(u64) -> Option<u64>> Backtrace<R> {
    /// Steps from the instruction at `pc` outwards.
    ///
    /// `link` is x30 if it may be a return address, `fp` is x29, and `read` gives the word at an
    /// address, a multiple of 8, or nothing if it cannot be read.
    pub fn new(pc: u64, link: Option<u64>, fp: u64, read: R) -> Self {
        Self {
            pc: Some(pc),
            link,
            pending: None,
            fp,
            last: None,
            left: STEPS_MAX,
            end: None,
            read,
        }
    }

    /// Why the trace ended; `None` until the iterator has given `None`, since the reason is found
    /// where the next step is looked for.
    #[must_use]
    pub fn end(&self) -> Option<TraceEnd> {
        self.end
    }

    fn step(&mut self) -> Result<Step, TraceEnd> {
        if let Some(pc) = self.pc.take() {
            return Ok(Step::Interrupted(pc));
        }
        if let Some(address) = self.pending.take() {
            return Ok(Step::Return(address));
        }
        let Some(link) = self.link.take() else {
            return self.record().map(Step::Return);
        };
        match self.record() {
            Ok(address) if address == link => Ok(Step::Return(address)),
            Ok(address) => {
                self.pending = Some(address);
                Ok(Step::Link(link))
            }
            // The error that ends the chain comes again at the next step: nothing has moved.
            Err(_) => Ok(Step::Link(link)),
        }
    }

    /// The return address of the next frame record.
    fn record(&mut self) -> Result<u64, TraceEnd> {
        let fp = self.fp;
        if fp == 0 {
            return Err(TraceEnd::Outermost);
        }
        if !fp.is_multiple_of(ALIGNMENT) {
            return Err(TraceEnd::Misaligned(fp));
        }
        if self.last.is_some_and(|last| fp <= last) {
            return Err(TraceEnd::NotAbove(fp));
        }
        let caller = (self.read)(fp).ok_or(TraceEnd::Unreadable(fp))?;
        // Aligned, so that this cannot overflow.
        let address = (self.read)(fp + WORD).ok_or(TraceEnd::Unreadable(fp))?;
        if address == 0 {
            return Err(TraceEnd::Outermost);
        }
        self.last = Some(fp);
        self.fp = caller;
        Ok(address)
    }
}

impl<R: FnMut(u64) -> Option<u64>> Iterator for Backtrace<R> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.end.is_some() {
            return None;
        }
        let step = match self.left.checked_sub(1) {
            None => Err(TraceEnd::TooMany),
            Some(left) => {
                self.left = left;
                self.step()
            }
        };
        step.map_err(|end| self.end = Some(end)).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{Backtrace, STEPS_MAX, Step, TraceEnd};

    const STACK: u64 = 0xffff_8000_0000_1000;
    const PC: u64 = 0xffff_0000_0008_4000;

    /// The word at `address` of a stack that begins at [`STACK`].
    fn reader(stack: &[u64]) -> impl FnMut(u64) -> Option<u64> + '_ {
        |address| {
            assert_eq!(address % 8, 0, "only whole words are asked for");
            let index = address.checked_sub(STACK)? / 8;
            stack.get(usize::try_from(index).ok()?).copied()
        }
    }

    fn walk(link: Option<u64>, fp: u64, stack: &[u64]) -> (Vec<Step>, Option<TraceEnd>) {
        let mut backtrace = Backtrace::new(PC, link, fp, reader(stack));
        let steps = backtrace.by_ref().collect();
        assert_eq!(backtrace.next(), None, "what ended stays at its end");
        (steps, backtrace.end())
    }

    const TWO_CALLS: [u64; 8] = [STACK + 32, 0x1004, 0, 0, 0, 0x2004, 0, 0];

    #[test]
    fn records_are_followed_to_the_outermost_frame() {
        let (steps, end) = walk(None, STACK, &TWO_CALLS);
        let expected = [
            Step::Interrupted(PC),
            Step::Return(0x1004),
            Step::Return(0x2004),
        ];
        assert_eq!(steps, expected);
        assert_eq!(end, Some(TraceEnd::Outermost));
    }

    #[test]
    fn the_call_is_the_instruction_before_a_return_address() {
        assert_eq!(Step::Interrupted(PC).instruction(), PC);
        assert_eq!(Step::Return(0x1004).instruction(), 0x1000);
        assert_eq!(Step::Link(0x1004).instruction(), 0x1000);
        assert_eq!(Step::Link(0x1004).address(), 0x1004);
        assert_eq!(Step::Return(0).instruction(), u64::MAX - 3);
    }

    #[test]
    fn a_link_that_no_record_holds_comes_before_the_records() {
        let (steps, end) = walk(Some(0x3004), STACK, &TWO_CALLS);
        let expected = [
            Step::Interrupted(PC),
            Step::Link(0x3004),
            Step::Return(0x1004),
            Step::Return(0x2004),
        ];
        assert_eq!(steps, expected);
        assert_eq!(end, Some(TraceEnd::Outermost));
    }

    #[test]
    fn a_link_that_the_first_record_holds_comes_once() {
        let (steps, _) = walk(Some(0x1004), STACK, &TWO_CALLS);
        assert_eq!(steps, walk(None, STACK, &TWO_CALLS).0);
    }

    #[test]
    fn a_link_is_given_even_if_there_is_no_record() {
        for (fp, end) in [
            (0, TraceEnd::Outermost),
            (STACK + 8, TraceEnd::Misaligned(STACK + 8)),
            (0x10, TraceEnd::Unreadable(0x10)),
        ] {
            let (steps, found) = walk(Some(0x3004), fp, &TWO_CALLS);
            assert_eq!(steps, [Step::Interrupted(PC), Step::Link(0x3004)]);
            assert_eq!(found, Some(end));
        }
    }

    #[test]
    fn a_frame_pointer_that_does_not_grow_ends_the_walk() {
        let to_itself = [STACK, 0x1004];
        let (steps, end) = walk(None, STACK, &to_itself);
        assert_eq!(steps, [Step::Interrupted(PC), Step::Return(0x1004)]);
        assert_eq!(end, Some(TraceEnd::NotAbove(STACK)));
        let back = [STACK + 16, 0x1004, STACK, 0x2004];
        let (steps, end) = walk(None, STACK, &back);
        assert_eq!(steps.len(), 3);
        assert_eq!(end, Some(TraceEnd::NotAbove(STACK)));
    }

    #[test]
    fn half_a_record_is_no_record() {
        let (steps, end) = walk(None, STACK, &[STACK + 16]);
        assert_eq!(steps, [Step::Interrupted(PC)]);
        assert_eq!(end, Some(TraceEnd::Unreadable(STACK)));
    }

    #[test]
    fn the_uppermost_frame_pointer_of_all_is_read_without_overflow() {
        let fp = u64::MAX - 15;
        let mut asked = Vec::new();
        let backtrace = Backtrace::new(PC, None, fp, |address| {
            asked.push(address);
            Some(fp)
        });
        assert_eq!(backtrace.count(), 2);
        assert_eq!(asked, [fp, fp + 8]);
    }

    #[test]
    fn a_chain_without_end_is_cut() {
        let mut backtrace = Backtrace::new(PC, None, STACK, |address| Some(address / 16 * 16 + 16));
        assert_eq!(backtrace.by_ref().count(), STEPS_MAX);
        assert_eq!(backtrace.end(), Some(TraceEnd::TooMany));
    }
}
