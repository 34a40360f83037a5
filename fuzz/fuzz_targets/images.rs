//! Bytes as an image on the model of the board: `make fuzz TARGET=images`. Whatever they are, the
//! run ends with an error or an outcome.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strict::{Entry, Image, Limits, Machine, Options, Symbols};

/// The instructions of a run.
const MOST: u64 = 20_000;

fuzz_target!(|bytes: &[u8]| {
    let Some((&seed, bytes)) = bytes.split_first() else {
        return;
    };
    if let Ok(symbols) = Symbols::read(bytes.to_vec()) {
        let address = u64::from(seed);
        drop((symbols.place(address), symbols.line(address)));
    }
    let Ok(image) = Image::read(bytes) else {
        return;
    };
    let entry = Entry::ALL[usize::from(seed) % Entry::ALL.len()];
    let mut machine = Machine::new(&image, &Options::seeded(entry, seed.into()));
    let limits = Limits {
        instructions: MOST,
        ..Limits::default()
    };
    machine.run(&limits);
});
