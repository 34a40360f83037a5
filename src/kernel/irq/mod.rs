//! Interrupts: whom they are for, which are let in, and what comes too often.
//!
//! A driver takes an interrupt at any time, and gives it up at any time:
//!
//! 1. `register(owner, number, handler, argument)`: from here on the handler is called, on the
//!    core that takes the interrupt, with its interrupts masked.
//! 2. `unmask(number)`: the controller lets it in.
//! 3. `unregister(owner, number)`: when that returns, the handler runs on no core and is not
//!    called any more, so what its argument stands for may go.
//!
//! Pure: the owner of each number ([`owners`]), its handler ([`handlers`]), how many came
//! ([`counts`]) and which come too often ([`storm`]). The controllers of this machine are behind
//! `dispatch`, which a host does not compile.

pub mod counts;
pub mod handlers;
pub mod owners;
pub mod storm;

#[cfg(target_os = "none")]
mod dispatch;

#[cfg(target_os = "none")]
pub use dispatch::{Handler, mask, register, unmask, unregister};
#[cfg(target_os = "none")]
pub(crate) use dispatch::{
    IPI_MAILBOX, SECOND_TIMER, gpu_interrupts_work, handle, init, init_core, is_let_in,
    release_here, reports, second_timer_interrupt, send, serves_gpu, spurious, take, total,
    unhandled, was_masked,
};
