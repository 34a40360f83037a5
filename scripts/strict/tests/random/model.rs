//! A run of an image on the model.

use strict::{Entry, Image, Limits, Machine, Options, Outcome};

/// What the image printed until it ended; a last line if it did not.
pub(crate) fn run(image: &[u8]) -> Vec<u8> {
    let image = Image::read(image).expect("an image");
    let mut machine = Machine::new(&image, &Options::new(Entry::Qemu));
    let outcome = machine.run(&Limits::default());
    let mut output = machine.console().to_vec();
    if !matches!(outcome, Outcome::Ended(_)) {
        output.extend(format!("{outcome:?} at {:x?}\n", machine.places()).into_bytes());
    }
    output
}
