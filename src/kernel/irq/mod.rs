//! Interrupts: whom they are for, which are let in, and what comes too often.
//!
//! Pure: who has which number ([`table`]), which comes too often ([`storm`]). The controllers of this
//! machine are behind `dispatch`.

pub mod storm;
pub mod table;

#[cfg(target_os = "none")]
mod dispatch;

#[cfg(target_os = "none")]
pub(crate) use dispatch::{
    gpu_interrupts_work, handle, init, init_core, is_let_in, release, reports, send, take, total,
    unmask, vain,
};
