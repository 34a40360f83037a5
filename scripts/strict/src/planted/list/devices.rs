//! Barriers between devices, and before readings of the counter.

use super::super::code::Cut;
use super::super::plant::Plant;
use super::ways::{EL2, fault};

pub(super) const PLANTS: &[Plant] = &[
    fault!("dmb between devices dropped, all sites", "*": "[dmb sy]" => "nop"),
    fault!("dmb between devices -> dmb st, all sites", "*": "[dmb sy]" => "dmb st"),
    fault!("dmb at an exception's entry dropped", "save_frame": "[dmb sy]" => "nop"),
    fault!("dmb of the serial port's use dropped",
        "stilt::kernel::console::uart::serial": "[dmb sy]" => "nop"),
    fault!("dmb of the serial port's interrupts' start dropped",
        "stilt::kernel::console::uart::start_interrupts": "[dmb sy]" => "nop"),
    fault!("dmb of the serial port's interrupts' check dropped",
        "stilt::kernel::console::uart::interrupts_come": "[dmb sy]" => "nop")
    .harmless("another DMB or DSB stands between the two devices (BCM2835 ARM Peripherals 1.3)"),
    fault!("dmb of the frequency's check dropped",
        "stilt::kernel::time::rate_check::read": "[dmb sy]" => "nop"),
    fault!("dmb of an interrupt's answer dropped",
        "kernel_exception": "[dmb sy]" => "nop")
    .typed(&["help"]),
    fault!("dmb of the machine's discovery dropped",
        "stilt::kernel::machine::discover": "[dmb sy]" => "nop")
    .harmless("another DMB or DSB stands between the two devices (BCM2835 ARM Peripherals 1.3)"),
    fault!("dmb around the interrupt controllers dropped",
        "stilt::kernel::irq::dispatch::*": "[dmb sy]" => "nop"),
    fault!("dmb of the UART's interrupt dropped",
        "stilt::kernel::console::uart::interrupt": "[dmb sy]" => "nop")
    .typed(&["help"])
    .harmless("another DMB or DSB stands between the two devices (BCM2835 ARM Peripherals 1.3)"),
    fault!("isb before a counter's reading dropped, all sites",
        "*": "[isb sy]; mrs *, cntvct_el0" => "nop")
    .typed(&["shootdown 3", "cpus call 1"]),
    fault!("isb before the first reading of the counter dropped",
        "entry": "[isb sy]; mrs *, cntvct_el0" => "nop")
    .by(EL2),
    fault!("GPIO: TXD not connected",
        "stilt::kernel::machine::discover": "ldr w8, [x20*; *; orr *; [str w8, [x20*]; ldr *" => "nop"),
    fault!("GPIO: RXD not connected",
        "stilt::kernel::machine::discover": "ldr w8, [x20*; *; orr *; [str w8, [x20*]; bl *" => "nop")
    .typed(&["help"]),
    fault!("GPIO: no wait between the pull's control and its clock",
        "stilt::kernel::machine::discover": "1: str wzr, [x20, #144]; [bl *]" => "nop"),
    fault!("GPIO: no wait behind the pull's clock",
        "stilt::kernel::machine::discover": "1: str w8, [x20, #148]; [bl *]" => "nop"),
    fault!("UART: seven bits",
        "stilt::kernel::machine::discover": "[movz w*, #112]; str w*, [x*, #44]" => "^0x400"),
    fault!("UART: its transmitter off",
        "stilt::kernel::machine::discover": "[movz w*, #769]" => "^0x2000"),
    fault!("UART: IBRD and FBRD exchanged",
        "stilt::kernel::machine::discover": "[str w9, [x8, #36]]; [str w10, [x8, #40]]" => "^0xc00"),
    fault!("UART: line control not written behind the divisors",
        "*": "movz w*, #112; [str w*, [x*, #44]]" => "nop"),
];
