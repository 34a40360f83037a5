//! Interrupts, or all exceptions that can be, masked for as long as something lives.
//!
//! The count of a core ([`MaskDepth`]) stands behind every [`Masked`], those of the locks among
//! them: in whatever order they end, interrupts come back with the last.
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use super::cpu;
use super::held::note_let_in;
use crate::arch::mask_depth::{Interrupts, MaskDepth};

/// Cores of a Cortex-A53 cluster at most (DDI 0500 2.1).
const CORES: usize = 4;

/// One core's depth, written by that core alone, in a cache line of its own.
#[repr(align(64))]
struct PaddedDepth(MaskDepth);

static DEPTHS: [PaddedDepth; CORES] = [const { PaddedDepth(MaskDepth::new()) }; CORES];

/// Keeps this core's IRQs masked until it is dropped, and as long as another one is there. It
/// cannot be sent to another core.
#[derive(Debug)]
#[must_use]
pub struct Masked {
    /// It is this core that is masked.
    not_send: PhantomData<*const ()>,
}

/// Masks this core's IRQs, at any depth. SError, FIQ and debug exceptions are left as they are
/// ([`ExceptionsMasked`]).
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

/// Keeps debug exceptions, SError and FIQ masked on this core besides, until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct ExceptionsMasked {
    /// DAIF as it was, but for the interrupts.
    others: u64,
    /// Dropped behind what `drop` below does.
    _interrupts: Masked,
}

impl ExceptionsMasked {
    /// Masks IRQ, FIQ, SError and debug exceptions on this core. At the end FIQ, SError and debug
    /// exceptions are masked as they were before; IRQs come back with the last [`Masked`].
    #[inline(always)]
    pub fn begin() -> Self {
        let others = cpu::masks_but_for_interrupts();
        let interrupts = mask();
        cpu::mask_exceptions();
        Self {
            others,
            _interrupts: interrupts,
        }
    }
}

impl Drop for ExceptionsMasked {
    #[inline(always)]
    fn drop(&mut self) {
        cpu::restore_masks(self.others);
    }
}

#[inline(always)]
fn depth() -> &'static MaskDepth {
    let PaddedDepth(depth) = &DEPTHS[cpu::number() % CORES];
    depth
}
