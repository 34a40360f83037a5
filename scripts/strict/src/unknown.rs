//! Registers of unknown value that are read, changed and written: found by two runs.
//!
//! The bits that power-on left are noise of a seed. Two runs with one seed of chance and two seeds of
//! noise execute one program: what a register gets in one of them and not in the other comes from
//! the noise.

use crate::image::Image;
use crate::liberty::Liberty;
use crate::machine::{Limits, Machine, Options};
use crate::watch::{Finding, Rule};

/// Longer than a kernel needs to EL1: with its caches on it cleans its image, line by line.
const INSTRUCTIONS: u64 = 100_000;

/// The registers that steer a level and got bits that nobody wrote, in the way in and with the seed
/// of `options`. `machine` has run with them: it is one of the two.
#[must_use]
pub fn unknown_kept(image: &Image, options: &Options, machine: &Machine) -> Vec<Finding> {
    if !options.liberties.has(Liberty::Unknown) {
        return Vec::new();
    }
    let options = Options {
        noise_seed: !options.noise_seed,
        ..options.clone()
    };
    let mut other = Machine::new(image, &options);
    other.run(&Limits {
        until: None,
        quiet: u64::MAX,
        instructions: INSTRUCTIONS,
    });
    let pairs = machine.steering().iter().zip(other.steering());
    pairs
        .take_while(|(one, other)| {
            (one.core, one.at, one.register) == (other.core, other.at, other.register)
        })
        .filter(|(one, other)| one.value != other.value)
        .map(|(one, other)| Finding {
            rule: Rule::UnknownKept,
            core: one.core,
            at: one.at,
            detail: format!(
                "{} = {:#x}, or {:#x} with other noise",
                one.register.row().name,
                one.value,
                other.value
            ),
            because: None,
        })
        .collect()
}
