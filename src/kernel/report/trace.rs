//! Who called whom.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use crate::arch::aarch64::exception::TrapFrame;

/// The name of what is at `address`.
pub(super) fn name(_out: &mut impl Write, _address: u64) -> fmt::Result {
    Ok(())
}

/// The calls that led to an exception.
pub(super) fn from_frame(_out: &mut impl Write, _frame: &TrapFrame) -> fmt::Result {
    Ok(())
}

/// The calls that led here.
pub(in crate::kernel) fn from_here(_out: &mut impl Write) -> fmt::Result {
    Ok(())
}
