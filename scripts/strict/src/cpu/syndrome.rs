//! Exceptions as values, and their classes.

/// An exception that is taken instead of, or after, an instruction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Exception {
    /// ESR_ELx.
    pub(crate) syndrome: u64,
    /// FAR_ELx, for the classes that have one.
    pub(crate) address: Option<u64>,
    /// The preferred return address.
    pub(crate) return_to: u64,
    /// The exception level that takes it.
    pub(crate) target: u8,
}

/// Exception classes (ESR_ELx.EC, DDI 0487 D24.2.40).
pub(crate) mod class {
    pub(crate) const UNKNOWN: u64 = 0x00;
    pub(crate) const WAIT: u64 = 0x01;
    pub(crate) const FLOATING_POINT: u64 = 0x07;
    pub(crate) const ILLEGAL_STATE: u64 = 0x0e;
    pub(crate) const SUPERVISOR: u64 = 0x15;
    pub(crate) const HYPERVISOR: u64 = 0x16;
    pub(crate) const SECURE_MONITOR: u64 = 0x17;
    pub(crate) const SYSTEM: u64 = 0x18;
    pub(crate) const INSTRUCTION_ABORT: u64 = 0x20;
    pub(crate) const PC_ALIGNMENT: u64 = 0x22;
    pub(crate) const DATA_ABORT: u64 = 0x24;
    pub(crate) const SP_ALIGNMENT: u64 = 0x26;
    pub(crate) const BREAKPOINT: u64 = 0x3c;
}
