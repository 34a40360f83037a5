//! The console: the PL011 as a terminal, and as a stream of bytes.
//!
//! Pure: [`stream`], the console for crates that talk through `embedded_io`, and [`kept`], the end
//! of what a command printed. The UART and what was typed ahead need the machine.

pub mod kept;
pub mod stream;

#[cfg(target_os = "none")]
mod ahead;
#[cfg(target_os = "none")]
mod uart;

#[cfg(target_os = "none")]
pub(crate) use ahead::CTRL_C;
#[cfg(target_os = "none")]
pub(crate) use uart::{
    ConsoleTurn, LAST_OUTPUT, counts, cut_off, has_received, interrupt, interrupts_come,
    is_interrupted, start_interrupts, take_interrupt, try_read, wait_for_input, wait_idle,
    wants_a_look,
};
#[cfg(target_os = "none")]
pub use uart::{Out, Raw, Stream, Uart, flush, init, print};
