//! The registers, and [`Port`]: those that the driver uses, as accesses.
//!
//! Arm PrimeCell UART (PL011), DDI 0183, chapter 3: in this order and with these names.
#![forbid(unsafe_code)]

use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::registers::{ReadOnly, ReadWrite, WriteOnly};
use tock_registers::{register_bitfields, register_structs};

use crate::drivers::mmio::Mmio;

register_bitfields! { u32,
    /// Data register.
    pub(super) DR [
        DATA OFFSET(0) NUMBITS(8) [],
        FE OFFSET(8) NUMBITS(1) [],
        PE OFFSET(9) NUMBITS(1) [],
        BE OFFSET(10) NUMBITS(1) [],
        OE OFFSET(11) NUMBITS(1) [],
    ],
    /// Flag register.
    pub(super) FR [
        BUSY OFFSET(3) NUMBITS(1) [],
        RXFE OFFSET(4) NUMBITS(1) [],
        TXFF OFFSET(5) NUMBITS(1) [],
    ],
    /// Integer baud rate register.
    pub(super) IBRD [
        BAUD_DIVINT OFFSET(0) NUMBITS(16) [],
    ],
    /// Fractional baud rate register.
    pub(super) FBRD [
        BAUD_DIVFRAC OFFSET(0) NUMBITS(6) [],
    ],
    /// Line control register.
    pub(super) LCR_H [
        FEN OFFSET(4) NUMBITS(1) [],
        WLEN OFFSET(5) NUMBITS(2) [
            EightBits = 0b11,
        ],
    ],
    /// Control register.
    pub(super) CR [
        UARTEN OFFSET(0) NUMBITS(1) [],
        TXE OFFSET(8) NUMBITS(1) [],
        RXE OFFSET(9) NUMBITS(1) [],
    ],
    /// Interrupt FIFO level select register.
    pub(super) IFLS [
        TXIFLSEL OFFSET(0) NUMBITS(3) [],
        RXIFLSEL OFFSET(3) NUMBITS(3) [],
    ],
    /// Interrupt mask set and clear register, masked interrupt status register, interrupt clear
    /// register: one layout.
    pub(super) INTERRUPTS [
        ALL OFFSET(0) NUMBITS(11) [],
    ],
}

register_structs! {
    /// The PL011's registers up to DMACR; the identification registers at 0xFE0 are not needed.
    pub Registers {
        (0x00 => pub(super) dr: ReadWrite<u32, DR::Register>),
        (0x04 => rsr_ecr: ReadWrite<u32>),
        (0x08 => _reserved0),
        (0x18 => pub(super) fr: ReadOnly<u32, FR::Register>),
        (0x1c => _reserved1),
        (0x20 => ilpr: ReadWrite<u32>),
        (0x24 => pub(super) ibrd: ReadWrite<u32, IBRD::Register>),
        (0x28 => pub(super) fbrd: ReadWrite<u32, FBRD::Register>),
        (0x2c => pub(super) lcr_h: ReadWrite<u32, LCR_H::Register>),
        (0x30 => pub(super) cr: ReadWrite<u32, CR::Register>),
        (0x34 => pub(super) ifls: ReadWrite<u32, IFLS::Register>),
        (0x38 => pub(super) imsc: ReadWrite<u32, INTERRUPTS::Register>),
        (0x3c => pub(super) ris: ReadOnly<u32, INTERRUPTS::Register>),
        (0x40 => pub(super) mis: ReadOnly<u32, INTERRUPTS::Register>),
        (0x44 => pub(super) icr: WriteOnly<u32, INTERRUPTS::Register>),
        (0x48 => dmacr: ReadWrite<u32>),
        (0x4c => @END),
    }
}

/// The registers that the UART is set up and served through, one access a method.
///
/// Reading DR takes a byte out of a queue, which no array of registers does. So the service is
/// written against this trait: the device is one implementation, a model of its queues another.
pub trait Port {
    /// Reads DR, and takes out what it shows.
    fn read_dr(&self) -> u32;
    /// Writes DR.
    fn write_dr(&self, value: u32);
    /// Reads FR.
    fn read_fr(&self) -> u32;
    /// Writes IBRD.
    fn write_ibrd(&self, value: u32);
    /// Writes FBRD.
    fn write_fbrd(&self, value: u32);
    /// Reads LCR_H.
    fn read_lcr_h(&self) -> u32;
    /// Writes LCR_H.
    fn write_lcr_h(&self, value: u32);
    /// Writes CR.
    fn write_cr(&self, value: u32);
    /// Writes IFLS.
    fn write_ifls(&self, value: u32);
    /// Writes IMSC.
    fn write_imsc(&self, value: u32);
    /// Reads RIS.
    fn read_ris(&self) -> u32;
    /// Reads MIS.
    fn read_mis(&self) -> u32;
    /// Writes ICR.
    fn write_icr(&self, value: u32);
}

impl Port for Mmio<Registers> {
    fn read_dr(&self) -> u32 {
        self.dr.get()
    }

    fn write_dr(&self, value: u32) {
        self.dr.set(value);
    }

    fn read_fr(&self) -> u32 {
        self.fr.get()
    }

    fn write_ibrd(&self, value: u32) {
        self.ibrd.set(value);
    }

    fn write_fbrd(&self, value: u32) {
        self.fbrd.set(value);
    }

    fn read_lcr_h(&self) -> u32 {
        self.lcr_h.get()
    }

    fn write_lcr_h(&self, value: u32) {
        self.lcr_h.set(value);
    }

    fn write_cr(&self, value: u32) {
        self.cr.set(value);
    }

    fn write_ifls(&self, value: u32) {
        self.ifls.set(value);
    }

    fn write_imsc(&self, value: u32) {
        self.imsc.set(value);
    }

    fn read_ris(&self) -> u32 {
        self.ris.get()
    }

    fn read_mis(&self) -> u32 {
        self.mis.get()
    }

    fn write_icr(&self, value: u32) {
        self.icr.set(value);
    }
}
