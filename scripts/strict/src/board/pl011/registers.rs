//! The PL011's registers and their bits, by DDI 0183's sections.

pub(super) const DR: u32 = 0x00;
pub(super) const RSR_ECR: u32 = 0x04;
pub(super) const FR: u32 = 0x18;
pub(super) const ILPR: u32 = 0x20;
pub(super) const IBRD: u32 = 0x24;
pub(super) const FBRD: u32 = 0x28;
pub(super) const LCR_H: u32 = 0x2c;
pub(super) const CR: u32 = 0x30;
pub(super) const IFLS: u32 = 0x34;
pub(super) const IMSC: u32 = 0x38;
pub(super) const RIS: u32 = 0x3c;
pub(super) const MIS: u32 = 0x40;
pub(super) const ICR: u32 = 0x44;
pub(super) const DMACR: u32 = 0x48;
pub(super) const TEST_FIRST: u32 = 0x80;
pub(super) const TEST_LAST: u32 = 0x8c;
pub(super) const ID_FIRST: u32 = 0xfe0;

/// UARTFR (3.3.3).
pub(super) const FR_BUSY: u32 = 1 << 3;
pub(super) const FR_RXFE: u32 = 1 << 4;
pub(super) const FR_TXFF: u32 = 1 << 5;
pub(super) const FR_RXFF: u32 = 1 << 6;
pub(super) const FR_TXFE: u32 = 1 << 7;

/// UARTLCR_H (3.3.7): all of it but the queues' enable, and its value for 8N1.
pub(super) const LCR_FEN: u32 = 1 << 4;
pub(super) const LCR_FORMAT: u32 = 0xef;
pub(super) const LCR_8N1: u32 = 0x60;

/// UARTCR (3.3.8).
pub(super) const CR_UARTEN: u32 = 1 << 0;
pub(super) const CR_SENDS: u32 = CR_UARTEN | 1 << 8;
pub(super) const CR_RECEIVES: u32 = CR_UARTEN | 1 << 9;
/// IrDA, loopback, and a transmitter that waits for CTS.
pub(super) const CR_NOT_MODELLED: u32 = 0b110 | 1 << 7 | 1 << 15;

/// Interrupts (3.3.11).
pub(super) const INT_RX: u32 = 1 << 4;
pub(super) const INT_TX: u32 = 1 << 5;
pub(super) const INT_RT: u32 = 1 << 6;
pub(super) const INT_FE: u32 = 1 << 7;
pub(super) const INT_OE: u32 = 1 << 10;

/// Errors of a byte in UARTDR (3.3.1).
pub(super) const DR_FE: u16 = 1 << 8;
pub(super) const DR_OE: u16 = 1 << 11;

/// Bit times of silence after which the receive timeout comes (2.8.3).
pub(super) const TIMEOUT_BITS: u64 = 32;
/// Bytes by the values of UARTIFLS's fields (3.3.9): an eighth to seven eighths of 16.
pub(super) const LEVELS: [usize; 8] = [2, 4, 8, 12, 14, 14, 14, 14];
