//! Runs of an image on the model.

use strict::{Entry, Image, Liberties, Liberty, Limits, Machine, Options, Outcome};

/// What the image prints on the model as it is compared with QEMU.
pub(crate) fn emulator(image: &[u8]) -> Vec<u8> {
    run(image, &Options::new(Entry::Qemu))
}

/// What the image prints on the model of a board that takes all liberties but one: the images count
/// on a store-exclusive that succeeds.
pub(crate) fn board(image: &[u8], seed: u64) -> Vec<u8> {
    let liberties = Liberties::ALL.without(Liberty::Exclusive);
    let options = Options {
        seed,
        liberties,
        ..Options::new(Entry::Firmware)
    };
    run(image, &options)
}

/// What the image prints until it ends; a last line if it did not, or if something was found.
fn run(image: &[u8], options: &Options) -> Vec<u8> {
    let image = Image::read(image).expect("an image");
    let mut machine = Machine::new(&image, options);
    let outcome = machine.run(&Limits::default());
    let mut output = machine.console().to_vec();
    if !matches!(outcome, Outcome::Ended(_)) || !machine.findings().is_empty() {
        let (places, findings) = (machine.places(), machine.findings());
        let line = format!("{outcome:?} at {places:x?}; found {findings:x?}\n");
        output.extend(line.into_bytes());
    }
    output
}
