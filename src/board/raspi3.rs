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

/// Distance from a physical address to its address in the kernel's linear map: physical 0x8_0000 is
/// at 0xffff_0000_0008_0000. Bits 63:48 are ones, so that TTBR1_EL1 translates all of the map, and
/// the bits below are zeros, so that an AND makes an address physical again.
pub const KERNEL_VA_OFFSET: usize = 0xffff_0000_0000_0000;

/// Where the image is loaded and where it begins to run (the arm64 Image header's `text_offset`).
pub const LOAD_ADDRESS: PhysAddr = PhysAddr::new(0x8_0000);

/// Cores of the BCM2837, numbered 0 to 3 by MPIDR_EL1.Aff0: the length of every table with a row a
/// core, whatever the device tree says.
pub const CORES: usize = 4;

/// Page 0 holds the spin table, the firmware's stub in which cores 1 to 3 wait, and ATAGs.
pub const FIRMWARE_PAGE: PhysAddr = PhysAddr::new(0);

/// Where loaders leave a list of ATAGs if they have no device tree to hand over (QEMU names the
/// place in x0, older firmware does not).
pub const ATAGS: PhysAddr = PhysAddr::new(FIRMWARE_PAGE.as_usize() + 0x100);

/// Physical address of the 8 bytes in which core `core` finds an address to jump to, and waits as
/// long as they are 0: 0xe0 for core 1 (the firmware's armstub8.S, and QEMU; arm64 boot protocol,
/// "spin-table").
#[must_use]
pub const fn spin_table(core: usize) -> PhysAddr {
    PhysAddr::new(FIRMWARE_PAGE.as_usize() + 0xd8 + 8 * core)
}

/// The end of what the ARM can reach of RAM, exclusive: 0x3f00_0000, where the peripherals begin.
/// The loader's ranges that end above it are not used; the real end, below the VideoCore's share,
/// is lower and comes from the device tree or the mailbox.
pub const RAM_LIMIT: usize = PERIPHERALS.as_usize();

/// Bytes of the board's RAM chip. The VideoCore reaches all of it, so that its share may end above
/// [`RAM_LIMIT`], but not above this.
pub const RAM_CHIP_SIZE: usize = 1 << 30;

/// Physical address at which the ARM sees the BCM2835's peripherals. The manual's bus addresses
/// begin at 0x7e00_0000: its UART0 at 0x7e20_1000 is at 0x3f20_1000 here.
pub const PERIPHERALS: PhysAddr = PhysAddr::new(0x3f00_0000);
/// Bytes of the window at [`PERIPHERALS`]: 16 MiB, up to [`LOCAL_PERIPHERALS`]. The kernel maps it
/// as a whole, and as device memory, gaps between the devices included.
pub const PERIPHERALS_SIZE: usize = 0x0100_0000;

/// Physical address of the BCM2836's local peripherals: timers' interrupts, mailboxes and the
/// routing of interrupts of each core (QA7 chapter 4, whose offsets count from here).
pub const LOCAL_PERIPHERALS: PhysAddr = PhysAddr::new(0x4000_0000);
/// Bytes of [`LOCAL_PERIPHERALS`] that hold registers, in whole pages (QA7 chapter 4: to 0xff).
pub const LOCAL_PERIPHERALS_SIZE: usize = 0x1000;
/// Bytes that the boot map gives to [`LOCAL_PERIPHERALS`]: one block of level 1, which costs no
/// table. The kernel's own map gives them [`LOCAL_PERIPHERALS_SIZE`].
pub const LOCAL_WINDOW_SIZE: usize = 0x4000_0000;

/// Physical address of the power management block, which resets the board and has the watchdog. The
/// BCM2835 manual leaves it out.
pub const POWER_MANAGEMENT: PhysAddr = PhysAddr::new(0x3f10_0000);
/// The BCM2835's interrupt controller: its first register, IRQ basic pending. (The local controller
/// is in [`LOCAL_PERIPHERALS`].)
pub const INTERRUPT_CONTROLLER: PhysAddr = PhysAddr::new(0x3f00_b200);
/// Physical address of the system timer: one counter of microseconds and four compare registers
/// (BCM2835 ARM Peripherals, chapter 12).
pub const SYSTEM_TIMER: PhysAddr = PhysAddr::new(0x3f00_3000);
/// Physical address of mailbox 0, which the VideoCore writes to; mailbox 1, which it reads, is 0x20
/// bytes on. The BCM2835 manual leaves both out.
pub const MAILBOX: PhysAddr = PhysAddr::new(0x3f00_b880);
/// Physical address of the pins' registers: functions, levels and pull resistors (BCM2835 ARM
/// Peripherals, chapter 6).
pub const GPIO: PhysAddr = PhysAddr::new(0x3f20_0000);
/// Physical address of the PL011, which is the console (BCM2835 ARM Peripherals, chapter 13;
/// registers as in DDI 0183).
pub const UART0: PhysAddr = PhysAddr::new(0x3f20_1000);
/// Physical address of the auxiliary peripherals: the mini-UART, and two SPI masters that are not
/// used (BCM2835 ARM Peripherals, chapter 2).
pub const AUX: PhysAddr = PhysAddr::new(0x3f21_5000);

/// The console's speed in bits a second, 8 data bits between a start and a stop bit: 86.8 us a
/// byte. What is at the other end of the line must be set to it by hand.
pub const CONSOLE_BAUD: u32 = 115_200;
/// The UART clock that `config.txt` asks for, in Hz: what to assume when the mailbox is silent.
pub const UART_CLOCK_HZ: u32 = 48_000_000;

/// Offset of LOCAL_CONTROL from [`LOCAL_PERIPHERALS`] (QA7 4.2): 0 counts the crystal in steps of
/// 1. Boot writes it if it begins at EL3; otherwise the firmware's stub has.
pub const LOCAL_CONTROL: usize = 0x00;
/// Offset of the core timers' prescaler from [`LOCAL_PERIPHERALS`] (QA7 4.3): 0x8000_0000 divides
/// by 1, and the counter runs at [`COUNTER_HZ`].
pub const LOCAL_PRESCALER: usize = 0x08;
/// Core 0's mailbox 0, write-set, from [`LOCAL_PERIPHERALS`] (QA7 4.8); each core's are 16 bytes
/// on.
pub const LOCAL_MAILBOXES: usize = 0x80;

/// Frequency of the generic timer's counter in Hz: the crystal's, undivided. It stands in for a
/// CNTFRQ_EL0 that is not believed; QEMU's counter has 62_500_000 Hz, and says so.
pub const COUNTER_HZ: u32 = 19_200_000;
/// The lowest CNTFRQ_EL0 in Hz that boot leaves as it is: firmware that sets none leaves 0, or what
/// the register had after reset. A lower one is set to [`COUNTER_HZ`], which only EL3 may do.
pub const COUNTER_MIN_HZ: u32 = 1_000_000;
/// The highest CNTFRQ_EL0 in Hz that boot leaves as it is: 1 GHz, as newer processors have by
/// architecture (DDI 0487 D12). A higher one is set to [`COUNTER_HZ`].
pub const COUNTER_MAX_HZ: u32 = 1_000_000_000;

/// The largest device tree in bytes that boot writes back to memory, from the caches that a loader
/// left on; the board's own are some 30 KiB. One that claims more is not written back.
pub const DEVICE_TREE_MAX_SIZE: usize = 2 << 20;
