//! Device registers, and the protocols that are spoken through them.
//!
//! Pure: every file compiles and is tested on the host, on register blocks that are arrays. What
//! needs the CPU (a barrier, a delay, cache maintenance, the time) is handed in by the caller, and
//! no driver knows where its device is: the board room has the addresses, [`mmio`] has the one
//! place that turns an address into registers.
//!
//! ```text
//! mmio ring                        an address as a block of registers; a queue of bytes
//! pl011 mini_uart gpio system_timer
//! watchdog mailbox                 one device each
//! local_interrupts gpu_interrupts  the two interrupt controllers
//! interrupts                       both in one: what a core is interrupted by
//! facts device_tree atags          what a loader hands over; the two ways in which it says so
//! range ram                        physical ranges; which of them are this kernel's RAM
//! ```

pub mod atags;
pub mod device_tree;
pub mod facts;
pub mod gpio;
pub mod gpu_interrupts;
pub mod irq_sources;
pub mod local_interrupts;
pub mod mailbox;
pub mod mini_uart;
pub mod mmio;
pub mod pl011;
pub mod ram;
pub mod range;
pub mod ring;
pub mod system_timer;
pub mod watchdog;
