//! Raspberry Pi 3 (BCM2837): where things are.
//!
//! Sources: BCM2835 ARM Peripherals (its 0x7Exx_xxxx bus addresses appear at 0x3Fxx_xxxx here),
//! the BCM2836 "QA7" local-peripherals document, and the arm64 boot protocol for the image.
//!
//! ```text
//! 0x0000_0000  spin table, firmware stub, ATAGs         (page 0)
//! 0x0008_0000  the image
//!      ...     RAM up to what the device tree or the mailbox say
//!      ...     VideoCore's share
//! 0x3F00_0000  peripherals, 16 MiB
//! 0x4000_0000  local peripherals: per-core timers, mailboxes, interrupts
//! ```
//!
//! # Decisions
//! The kernel's offset stands here, beside the physical map: both are inputs of the linker script
//! (which asserts that it agrees) and of the boot tables.
#![forbid(unsafe_code)]

use crate::addr::PhysAddr;

/// Offset of the kernel's linear map: physical 0x8_0000 is at 0xffff_0000_0008_0000.
pub const KERNEL_VA_OFFSET: usize = 0xffff_0000_0000_0000;

/// Where the image is loaded and where it begins to run (the arm64 Image header's `text_offset`).
pub const LOAD_ADDRESS: PhysAddr = PhysAddr::new(0x8_0000);

/// The four cores of the BCM2837.
pub const CORES: usize = 4;

/// Page 0 holds the spin table, the firmware's stub in which cores 1 to 3 wait, and ATAGs.
pub const FIRMWARE_PAGE: PhysAddr = PhysAddr::new(0);

/// Where loaders leave a list of ATAGs if they have no device tree to hand over (QEMU names the
/// place in x0, older firmware does not).
pub const ATAGS: PhysAddr = PhysAddr::new(FIRMWARE_PAGE.as_usize() + 0x100);

/// Where core `core` waits for an address to jump to (the firmware's armstub8.S; QEMU's the same).
#[must_use]
pub const fn spin_table(core: usize) -> PhysAddr {
    PhysAddr::new(FIRMWARE_PAGE.as_usize() + 0xd8 + 8 * core)
}

/// The end of what can be RAM: the peripherals begin here.
pub const RAM_LIMIT: usize = PERIPHERALS.as_usize();

/// Bytes of the board's RAM chip: no claim about RAM can pass this.
pub const RAM_CHIP_SIZE: usize = 1 << 30;

/// The first address of the BCM2835's peripherals.
pub const PERIPHERALS: PhysAddr = PhysAddr::new(0x3f00_0000);
/// The size of [`PERIPHERALS`] in bytes.
pub const PERIPHERALS_SIZE: usize = 0x0100_0000;

/// The first address of the BCM2836's local peripherals.
pub const LOCAL_PERIPHERALS: PhysAddr = PhysAddr::new(0x4000_0000);
/// Bytes of [`LOCAL_PERIPHERALS`] that hold registers, in whole pages (QA7 chapter 4: to 0xff).
pub const LOCAL_PERIPHERALS_SIZE: usize = 0x1000;
/// Bytes of the window that the boot map gives to [`LOCAL_PERIPHERALS`]: one level-1 block.
pub const LOCAL_WINDOW_SIZE: usize = 0x4000_0000;

/// Power management: reset and watchdog.
pub const POWER_MANAGEMENT: PhysAddr = PhysAddr::new(0x3f10_0000);
/// The BCM2835's interrupt controller: its first register, IRQ basic pending. (The local controller
/// is in [`LOCAL_PERIPHERALS`].)
pub const INTERRUPT_CONTROLLER: PhysAddr = PhysAddr::new(0x3f00_b200);
/// The system timer: microseconds.
pub const SYSTEM_TIMER: PhysAddr = PhysAddr::new(0x3f00_3000);
/// VideoCore mailbox 0 and 1.
pub const MAILBOX: PhysAddr = PhysAddr::new(0x3f00_b880);
/// General-purpose input and output.
pub const GPIO: PhysAddr = PhysAddr::new(0x3f20_0000);
/// PL011, the first UART.
pub const UART0: PhysAddr = PhysAddr::new(0x3f20_1000);
/// The auxiliary peripherals: mini-UART, and two SPI masters that are not used.
pub const AUX: PhysAddr = PhysAddr::new(0x3f21_5000);

/// The console's speed in bits a second.
pub const CONSOLE_BAUD: u32 = 115_200;
/// The UART clock that `config.txt` asks for, in Hz: what to assume when the mailbox is silent.
pub const UART_CLOCK_HZ: u32 = 48_000_000;

/// LOCAL_CONTROL, from [`LOCAL_PERIPHERALS`] (QA7 4.2): 0 counts the crystal in steps of 1.
pub const LOCAL_CONTROL: usize = 0x00;
/// LOCAL_PRESCALER (QA7 4.3): 0x8000_0000 divides by 1.
pub const LOCAL_PRESCALER: usize = 0x08;
/// Core 0's mailbox 0, write-set, from [`LOCAL_PERIPHERALS`] (QA7 4.8); each core's are 16 bytes
/// on.
pub const LOCAL_MAILBOXES: usize = 0x80;

/// Frequency of the generic timer's counter in Hz: the crystal's.
pub const COUNTER_HZ: u32 = 19_200_000;
/// CNTFRQ_EL0 below this is not believed.
pub const COUNTER_MIN_HZ: u32 = 1_000_000;
/// CNTFRQ_EL0 above this is not believed.
pub const COUNTER_MAX_HZ: u32 = 1_000_000_000;

/// A device tree larger than this is not believed; the board's own are some 30 KiB.
pub const DEVICE_TREE_MAX_SIZE: usize = 2 << 20;
