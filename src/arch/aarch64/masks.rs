//! Interrupts masked for as long as something lives.
//!
//! The count of a core ([`MaskDepth`]) stands behind every [`Masked`], those of the locks among them: in
//! whatever order they end, interrupts come back with the last.

use core::marker::PhantomData;

use super::cpu;
use super::lock::note_let_in;
use crate::arch::mask_depth::{Interrupts, MaskDepth};

/// Cores of a Cortex-A53 cluster at most (DDI 0500 2.1).
const CORES: usize = 4;

/// Each core's, written by that core alone, in a line of its own.
#[repr(align(64))]
struct Line(MaskDepth);

static DEPTHS: [Line; CORES] = [const { Line(MaskDepth::new()) }; CORES];

/// Keeps this core's interrupts masked until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Masked {
    /// It is this core that is masked.
    not_send: PhantomData<*const ()>,
}

/// Masks this core's interrupts.
#[inline(always)]
pub fn mask() -> Masked {
    let before = cpu::mask_interrupts();
    depth().enter(before);
    Masked {
        not_send: PhantomData,
    }
}

impl Drop for Masked {
    #[inline(always)]
    fn drop(&mut self) {
        if depth().leave() == Interrupts::LetIn {
            if cfg!(debug_assertions) {
                note_let_in();
            }
            cpu::unmask_interrupts();
        }
    }
}

#[inline(always)]
fn depth() -> &'static MaskDepth {
    let Line(depth) = &DEPTHS[cpu::number() % CORES];
    depth
}
