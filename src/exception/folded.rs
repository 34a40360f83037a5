//! A trace as lines for people: recursion is shown once, and how often it goes on.
//!
//! A function that calls itself leaves equal return addresses behind each other; two that call each
//! other leave them in turn. Such a period of up to [`PERIOD_MAX`] steps is shown once, and the
//! steps that repeat it are counted, so that what is outside the recursion is shown too.
#![forbid(unsafe_code)]

use core::fmt;

use super::backtrace::{Backtrace, Step, TraceEnd};

/// The longest period in steps: four functions that call each other in turn. A recursion over five
/// or more is not noticed, and shown step by step.
pub const PERIOD_MAX: usize = 4;

/// A line of a trace as a report prints it: an address, or how often the lines above it repeat.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TraceLine {
    /// A step, as it is.
    Step(Step),
    /// Steps that are like those before.
    Again(Again),
}

/// Steps, at least two, that repeat the last ones in turn. Shown as `... 37 times more` for a
/// function that calls itself, and for a longer period as `... 37 steps more, the last 2 in turn`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Again {
    /// Steps that are repeated.
    pub period: usize,
    /// Steps that repeat them.
    pub steps: usize,
}

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { period, steps } = self;
        match period {
            1 => write!(f, "... {steps} times more"),
            _ => write!(f, "... {steps} steps more, the last {period} in turn"),
        }
    }
}

/// An iterator over the lines of a backtrace. It allocates nothing: a report must not need the
/// heap. Where it must know how many lines there are, it clones this and walks the stack twice.
#[derive(Clone, Debug)]
pub struct Folded<R> {
    steps: Backtrace<R>,
    /// A step that was looked at and not shown yet.
    held: Option<Step>,
    /// The addresses of the last steps; step `n` is at `n % PERIOD_MAX`.
    recent: [u64; PERIOD_MAX],
    /// Steps in `recent`, or that were.
    seen: usize,
}

impl<R: FnMut(u64) -> Option<u64>> Folded<R> {
    /// Folds the steps that `steps` has not given yet, from the interrupted instruction on if it is
    /// new.
    pub fn new(steps: Backtrace<R>) -> Self {
        Self {
            steps,
            held: None,
            recent: [0; PERIOD_MAX],
            seen: 0,
        }
    }

    /// Why there are no more lines, once the iterator has given `None`; `None` while there may be
    /// another ([`Backtrace::end`]).
    #[must_use]
    pub fn end(&self) -> Option<TraceEnd> {
        self.steps.end()
    }

    fn note(&mut self, step: Step) {
        self.recent[self.seen % PERIOD_MAX] = step.address();
        self.seen += 1;
    }

    /// Whether `step` is where the step `period` before it was.
    fn repeats(&self, step: Step, period: usize) -> bool {
        let earlier = self.seen.checked_sub(period);
        earlier.is_some_and(|index| self.recent[index % PERIOD_MAX] == step.address())
    }
}

impl<R: FnMut(u64) -> Option<u64>> Iterator for Folded<R> {
    type Item = TraceLine;

    fn next(&mut self) -> Option<TraceLine> {
        let first = match self.held.take() {
            Some(step) => step,
            None => self.steps.next()?,
        };
        let mut periods = 1..=PERIOD_MAX;
        let period = periods.find(|period| self.repeats(first, *period));
        self.note(first);
        let Some(period) = period else {
            return Some(TraceLine::Step(first));
        };
        let mut steps = 1;
        while let Some(step) = self.steps.next() {
            if !self.repeats(step, period) {
                self.held = Some(step);
                break;
            }
            self.note(step);
            steps += 1;
        }
        Some(match steps {
            1 => TraceLine::Step(first),
            _ => TraceLine::Again(Again { period, steps }),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec::Vec;

    use super::{Again, Folded, TraceLine};
    use crate::exception::backtrace::{Backtrace, Step, TraceEnd};

    const STACK: u64 = 0xffff_8000_0000_1000;
    const PC: u64 = 0x9000;

    /// The lines of a stack with these return addresses, from the innermost on.
    fn lines(returns: &[u64]) -> (Vec<TraceLine>, Option<TraceEnd>) {
        let words: Vec<u64> = returns
            .iter()
            .enumerate()
            .flat_map(|(index, address)| [STACK + 16 * (index as u64 + 1), *address])
            .chain([0, 0])
            .collect();
        let read = |address: u64| {
            let index = usize::try_from((address - STACK) / 8).expect("a small stack");
            words.get(index).copied()
        };
        let mut folded = Folded::new(Backtrace::new(PC, None, STACK, read));
        let lines = folded.by_ref().skip(1).collect();
        (lines, folded.end())
    }

    fn step(address: u64) -> TraceLine {
        TraceLine::Step(Step::Return(address))
    }

    #[test]
    fn what_does_not_repeat_is_shown_as_it_is() {
        let returns = [0x10, 0x20, 0x30, 0x40, 0x50, 0x60];
        let (shown, end) = lines(&returns);
        assert_eq!(shown, returns.map(step));
        assert_eq!(end, Some(TraceEnd::Outermost));
    }

    #[test]
    fn recursion_is_shown_once_and_the_outermost_frames_behind_it() {
        let mut returns = [0x10; 813].to_vec();
        returns.extend([0x20, 0x30]);
        let (shown, end) = lines(&returns);
        let again = TraceLine::Again(Again {
            period: 1,
            steps: 812,
        });
        assert_eq!(shown, [step(0x10), again, step(0x20), step(0x30)]);
        assert_eq!(end, Some(TraceEnd::Outermost));
    }

    #[test]
    fn functions_that_call_each_other_in_turn_are_folded_too() {
        for period in 2..=4 {
            let turn: Vec<u64> = (1..=period).map(|n| 0x10 * n).collect();
            let mut returns = turn.repeat(100);
            returns.push(0x90);
            let (shown, _) = lines(&returns);
            let period = usize::try_from(period).expect("a small number");
            let steps = 99 * period;
            let mut expected: Vec<TraceLine> = turn.into_iter().map(step).collect();
            expected.extend([TraceLine::Again(Again { period, steps }), step(0x90)]);
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn a_single_repetition_is_shown_as_it_is() {
        for returns in [[0x10, 0x10, 0x20, 0x30], [0x10, 0x20, 0x10, 0x30]] {
            assert_eq!(lines(&returns).0, returns.map(step));
        }
    }

    #[test]
    fn two_recursions_behind_each_other_are_two() {
        let returns = [0x10, 0x10, 0x10, 0x20, 0x20, 0x20, 0x30];
        let again = TraceLine::Again(Again {
            period: 1,
            steps: 2,
        });
        let expected = [step(0x10), again, step(0x20), again, step(0x30)];
        assert_eq!(lines(&returns).0, expected);
    }

    #[test]
    fn the_words_say_how_often() {
        let words = |period, steps| Again { period, steps }.to_string();
        assert_eq!(words(1, 811), "... 811 times more");
        assert_eq!(words(2, 30), "... 30 steps more, the last 2 in turn");
    }
}
