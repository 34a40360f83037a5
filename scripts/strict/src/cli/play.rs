//! A run with a console script.

use std::io::{self, Write};

use super::script::{Action, Script};
use crate::machine::{Limits, Machine, Outcome};

/// The end of a script.
#[derive(Debug)]
pub(super) enum End {
    /// All was typed and seen.
    Done,
    /// The same, and the console did not fall silent.
    Printing,
    /// The console did not print a text in time.
    Missing { text: String, outcome: Outcome },
    /// All was typed and seen, and then the image halted.
    Halted,
    /// The machine ended before the script did.
    Early(Outcome),
}

impl End {
    /// Whether the script was played to its end.
    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done | Self::Printing | Self::Halted)
    }

    /// Whether the machine lacks what the image asks for.
    pub(super) fn is_not_modelled(&self) -> bool {
        matches!(self, Self::Early(Outcome::Stopped(stop)) if stop.is_not_modelled())
    }
}

/// A machine, and how much of its console was printed.
pub(super) struct Run<W> {
    pub(super) machine: Machine,
    pub(super) instructions: u64,
    printed: usize,
    out: W,
    progress: Progress,
}

/// Whether a line on standard error tells how far a silent run is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Progress {
    Silent,
    Told,
}

/// The console counts as quiet after 20 ms of virtual time.
const QUIET: u64 = 20_000_000;
/// A text is waited for as long as the console was not quiet for 10 s of virtual time.
const PATIENCE: u64 = 10_000_000_000;
/// A kernel that goes on printing has shown enough after 3 s of virtual time behind the script.
const ENOUGH: u64 = 3_000_000_000;
/// The console is printed after so many instructions.
const CHUNK: u64 = 5_000_000;
/// Progress is told after so many instructions without output.
const TOLD: u64 = 200_000_000;

impl<W: Write> Run<W> {
    pub(super) fn new(machine: Machine, instructions: u64, out: W, progress: Progress) -> Self {
        Self {
            machine,
            instructions,
            printed: 0,
            out,
            progress,
        }
    }

    /// Types and waits as the script says, then waits for `until`.
    pub(super) fn play(&mut self, script: &Script, until: Option<&str>) -> io::Result<End> {
        for action in &script.actions {
            match action {
                Action::Type(line) => {
                    let outcome = self.advance(None, QUIET, u64::MAX)?;
                    if !matches!(outcome, Outcome::Quiet | Outcome::Asleep) {
                        return Ok(End::Early(outcome));
                    }
                    self.machine.type_bytes(line);
                }
                Action::Wait(text) => {
                    if let Some(end) = self.wait(text)? {
                        return Ok(end);
                    }
                }
            }
        }
        if let Some(text) = until {
            return Ok(self.wait(text)?.unwrap_or(End::Done));
        }
        let outcome = self.advance(None, PATIENCE / 10, ENOUGH)?;
        if self.machine.is_halted(&outcome) {
            return Ok(End::Halted);
        }
        Ok(match outcome {
            Outcome::Quiet | Outcome::Ended(_) => End::Done,
            Outcome::Exhausted if self.machine.executed() < self.instructions => End::Printing,
            Outcome::Asleep if self.a_key_wakes() => End::Done,
            outcome => End::Early(outcome),
        })
    }

    /// Whether a kernel whose cores all wait goes on when a key is pressed.
    fn a_key_wakes(&mut self) -> bool {
        let before = self.machine.executed();
        self.machine.type_bytes(b"\r");
        let limits = Limits {
            quiet: QUIET,
            instructions: CHUNK,
            ..Limits::default()
        };
        self.machine.run(&limits);
        self.machine.executed() > before
    }

    fn wait(&mut self, text: &str) -> io::Result<Option<End>> {
        let outcome = self.advance(Some(text.as_bytes().to_vec()), PATIENCE, u64::MAX)?;
        Ok(match outcome {
            Outcome::Matched => None,
            Outcome::Stopped(_) => Some(End::Early(outcome)),
            _ => Some(End::Missing {
                text: text.to_owned(),
                outcome,
            }),
        })
    }

    /// Runs on, for no longer than `most` of virtual time, and prints the console as it comes.
    fn advance(&mut self, until: Option<Vec<u8>>, quiet: u64, most: u64) -> io::Result<Outcome> {
        let last = self.machine.now().saturating_add(most);
        let mut told = self.machine.executed();
        let mut begun = false;
        loop {
            let executed = self.machine.executed();
            let left = self.instructions.saturating_sub(executed);
            let limits = Limits {
                until: until.clone(),
                quiet,
                instructions: left.min(CHUNK),
            };
            let outcome = match std::mem::replace(&mut begun, true) {
                false => self.machine.run(&limits),
                true => self.machine.go_on(&limits),
            };
            let console = self.machine.console();
            if console.len() > self.printed {
                self.out.write_all(&console[self.printed..])?;
                self.out.flush()?;
                self.printed = console.len();
                told = executed;
            } else if self.progress == Progress::Told && executed - told >= TOLD {
                eprintln!("strict: {} million instructions", executed / 1_000_000);
                told = executed;
            }
            match outcome {
                Outcome::Exhausted if left > CHUNK && self.machine.now() < last => {}
                outcome => return Ok(outcome),
            }
        }
    }
}
