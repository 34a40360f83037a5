//! The model against QEMU.

use super::compare::Pair;
use super::{emulator, model, recipes};

#[test]
fn random_instructions_do_on_the_model_what_they_do_on_qemu() {
    let pair = Pair {
        reference: &emulator::run,
        tested: &model::emulator,
    };
    for recipe in recipes() {
        if let Some(difference) = pair.difference(recipe) {
            panic!("{difference}");
        }
    }
}
