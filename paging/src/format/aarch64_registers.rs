//! The register values for VMSAv8-64 tables with a 4 KiB granule and 48-bit halves.
//!
//! Arm DDI 0487 D24.2: MAIR_EL1, TCR_EL1, SCTLR_EL1. The indices into MAIR_EL1 stand in the
//! descriptors of [`aarch64`](super::aarch64).
#![forbid(unsafe_code)]

/// MAIR_EL1: index 0 Device-nGnRnE, 1 Device-nGnRE, 3 Normal non-cacheable, 4 Normal write-back
/// with read and write allocation, inner and outer.
pub const MAIR_EL1: u64 = 0x0000_00ff_4400_0400;

/// TCR_EL1 without IPS: T0SZ = T1SZ = 16; both walks inner shareable, write-back write-allocate;
/// TG0 = 4 KiB (0b00), TG1 = 4 KiB (0b10); A1 = 0; AS = 1, 16-bit ASIDs; TBI = 0.
pub const TCR_EL1_BASE: u64 = 16
    | 0b01 << 8 // IRGN0
    | 0b01 << 10 // ORGN0
    | 0b11 << 12 // SH0
    | 16 << 16 // T1SZ
    | 0b01 << 24 // IRGN1
    | 0b01 << 26 // ORGN1
    | 0b11 << 28 // SH1
    | 0b10 << 30 // TG1
    | 1 << 36; // AS

/// TCR_EL1.EPD0: a TLB miss in the low half is a translation fault, and no walk from TTBR0_EL1.
pub const TCR_EL1_EPD0: u64 = 1 << 7;

/// SCTLR_EL1 with the MMU on: the RES1 bits of Armv8.0 (11, 20, 22, 23, 28, 29), M, A, C, SA,
/// SA0, I and WXN.
pub const SCTLR_EL1_MMU_ON: u64 = 0x30d8_181f;

/// SCTLR_EL1.WXN: what is writable is not executable, whatever PXN and UXN say.
pub const SCTLR_EL1_WXN: u64 = 1 << 19;

/// SCTLR_EL1 with the MMU and the caches off: the bits that are RES1 in Armv8.0, and no other.
pub const SCTLR_EL1_MMU_OFF: u64 = 0x30d0_0800;

/// TCR_EL1 for a CPU with this ID_AA64MMFR0_EL1.
///
/// PARange is bits 3:0 and has IPS's encoding; values above 5 (48 bits) need a larger granule.
#[must_use]
pub const fn tcr_el1(id_aa64mmfr0: u64) -> u64 {
    let pa_range = id_aa64mmfr0 & 0xf;
    let ips = if pa_range > 5 { 5 } else { pa_range };
    TCR_EL1_BASE | ips << 32
}
