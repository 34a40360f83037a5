//! The instructions that a core executed last.
//!
//! A load may be performed before instructions that stand in front of it, as long as its address is
//! known and no barrier lies between (DDI 0487 B2.3). Told backwards from
//!
//! ```text
//! 1:  ldr  w1, [x0]       // a flag
//!     cbz  w1, 1b
//!     ldr  w2, [x3, #8]   // the data: x3 was known long ago, and a branch orders no loads
//! ```
//!
//! the load of the data may have been performed before the last load of the flag. With DMB ISHLD
//! between them, or LDAR for the flag, or x3 made from w1, it may not.

use ::a64::Instruction;

use super::effect::{Effect, address};

/// The most instructions that a load may have been performed ahead of.
const MOST: usize = 64;

/// An executed instruction, and the number of stores that were performed before it.
#[derive(Clone, Copy)]
struct Step {
    instruction: Instruction,
    stores: u64,
}

/// The last instructions of a core.
pub(crate) struct Path {
    steps: [Step; MOST],
    /// The number of instructions since the path begins.
    count: usize,
}

impl Path {
    pub(crate) fn new() -> Self {
        let step = Step {
            instruction: Instruction::Undefined(0),
            stores: 0,
        };
        Self {
            steps: [step; MOST],
            count: 0,
        }
    }

    /// Nothing later is performed before this point.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    /// Adds the instruction that is executed now; `stores` were performed before it.
    #[inline]
    pub(crate) fn add(&mut self, instruction: Instruction, stores: u64) {
        self.steps[self.count % MOST] = Step {
            instruction,
            stores,
        };
        self.count += 1;
    }

    /// The number of stores that were performed at the earliest point at which the load that is
    /// executed now may have been performed. `latest` is a number of stores behind which nobody
    /// cares.
    pub(crate) fn earliest(&self, latest: u64) -> u64 {
        let kept = self.count.min(MOST);
        let mut steps = (1..=kept).map(|back| &self.steps[(self.count - back) % MOST]);
        let Some(load) = steps.next() else {
            return u64::MAX;
        };
        let Some(mut needed) = address(load.instruction) else {
            return u64::MAX;
        };
        let mut earliest = load.stores;
        for step in steps {
            earliest = step.stores;
            let effect = Effect::of(step.instruction);
            if effect.orders || effect.loaded & needed != 0 || earliest <= latest {
                break;
            }
            if effect.computed & needed != 0 {
                needed = needed & !effect.computed | effect.sources;
            }
        }
        earliest
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Path};

    const LOAD_FLAG: u32 = 0xb940_0001; // ldr w1, [x0]
    const BRANCH: u32 = 0x34ff_ffe1; // cbz w1, .-4
    const LOAD_DATA: u32 = 0xb940_0862; // ldr w2, [x3, #8]

    /// The number of stores at the earliest point of the last word, each word one store after the
    /// one before it.
    fn earliest(words: &[u32]) -> u64 {
        let mut path = Path::new();
        for (stores, word) in (1..).zip(words) {
            path.add(::a64::decode(*word), stores);
        }
        path.earliest(0)
    }

    #[test]
    fn a_branch_orders_no_loads() {
        assert_eq!(earliest(&[LOAD_FLAG, BRANCH, LOAD_DATA]), 1);
    }

    #[test]
    fn a_barrier_and_an_acquire_do() {
        let barrier = 0xd503_39bf; // dmb ishld
        assert_eq!(earliest(&[LOAD_FLAG, BRANCH, barrier, LOAD_DATA]), 3);
        let acquire = 0x88df_fc01; // ldar w1, [x0]
        assert_eq!(earliest(&[LOAD_FLAG, acquire, BRANCH, LOAD_DATA]), 2);
        let stores = 0xd503_3abf; // dmb ishst
        assert_eq!(earliest(&[LOAD_FLAG, BRANCH, stores, LOAD_DATA]), 1);
    }

    #[test]
    fn an_address_that_was_loaded_waits_for_it() {
        let pointer = 0xf940_0004; // ldr x4, [x0]
        let moved = 0x9100_0083; // add x3, x4, #0
        assert_eq!(earliest(&[LOAD_FLAG, pointer, moved, LOAD_DATA]), 2);
        let constant = 0x9000_0003; // adrp x3, .
        assert_eq!(earliest(&[LOAD_FLAG, pointer, constant, LOAD_DATA]), 1);
    }

    #[test]
    fn the_path_ends() {
        let nop = 0xd503_201f;
        let mut words = vec![nop; 2 * MOST];
        words.push(LOAD_DATA);
        assert_eq!(earliest(&words), (MOST + 2) as u64);
        let mut path = Path::new();
        path.clear();
        assert_eq!(path.earliest(0), u64::MAX);
    }
}
