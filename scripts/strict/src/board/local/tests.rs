//! The local block against QA7, chapter 4.

use super::Local;
use crate::board::options::{Kind, Lines, TimerLines};
use crate::board::peripheral::Refused;

const NONE: Lines = Lines {
    irq: false,
    fiq: false,
};
const IRQ: Lines = Lines {
    irq: true,
    fiq: false,
};
const FIQ: Lines = Lines {
    irq: false,
    fiq: true,
};

fn board() -> Local {
    Local::new(Kind::Board, 0x8000_0000)
}

#[test]
fn a_timer_reaches_its_own_core_as_its_control_says() {
    let mut local = board();
    // CNTVIRQ of core 2: bit 3 of 0x48; its FIQ enable is bit 7, and overrides.
    local.set_timers(2, TimerLines(0b1000));
    assert_eq!(local.lines(2, NONE), NONE);
    local.write(0x48, 0x08, 0).expect("control");
    assert_eq!(local.lines(2, NONE), IRQ);
    assert_eq!(local.read(0x68, 0, NONE), Ok(0x08));
    assert_eq!([0, 1, 3].map(|core| local.lines(core, NONE)), [NONE; 3]);
    local.write(0x48, 0x88, 0).expect("control");
    assert_eq!(local.lines(2, NONE), FIQ);
    assert_eq!(
        (local.read(0x68, 0, NONE), local.read(0x78, 0, NONE)),
        (Ok(0), Ok(8))
    );
    local.set_timers(2, TimerLines(0b0111));
    assert_eq!(local.lines(2, NONE), NONE);
}

#[test]
fn a_mailbox_interrupts_its_core_until_each_bit_is_cleared() {
    let mut local = board();
    // Mailbox 1 of core 3: set at 0xb4, read and cleared at 0xf4, control at 0x5c, source bit 5.
    local.write(0x5c, 0b10, 0).expect("control");
    local.write(0xb4, 0x11, 0).expect("set");
    local.write(0xb4, 0x22, 0).expect("set");
    assert_eq!(local.read(0xf4, 0, NONE), Ok(0x33));
    assert_eq!(local.read(0x6c, 0, NONE), Ok(1 << 5));
    local.write(0xf4, 0x31, 0).expect("clear");
    assert_eq!(local.lines(3, NONE), IRQ, "bit 1 is left");
    local.write(0xf4, 0x02, 0).expect("clear");
    assert_eq!(local.lines(3, NONE), NONE);
}

#[test]
fn the_gpus_lines_go_to_the_cores_that_the_routing_names() {
    let mut local = board();
    let both = Lines {
        irq: true,
        fiq: true,
    };
    assert_eq!(local.lines(0, both), both);
    local.write(0x0c, 0b11_01, 0).expect("routing");
    assert_eq!(
        [0, 1, 2, 3].map(|core| local.lines(core, both)),
        [NONE, IRQ, NONE, FIQ]
    );
    assert_eq!(local.read(0x64, 0, both), Ok(1 << 8));
}

#[test]
fn the_local_timer_raises_its_flag_each_period_of_38_4_mhz() {
    let mut local = board();
    // 38 400 counts are a millisecond; enable and interrupt; to core 1's FIQ.
    local.write(0x24, 0b101, 0).expect("routing");
    local.write(0x34, 0x3000_9600, 0).expect("timer");
    assert_eq!(local.next_event(), Some(1_000_000));
    local.advance(999_999);
    assert_eq!(local.lines(1, NONE), NONE);
    local.advance(1_000_000);
    assert_eq!((local.lines(1, NONE), local.next_event()), (FIQ, None));
    assert_eq!(local.read(0x34, 0, NONE), Ok(0xb000_9600));
    local.write(0x38, 1 << 31, 1_500_000).expect("flags");
    assert_eq!(
        (local.lines(1, NONE), local.next_event()),
        (NONE, Some(2_000_000))
    );
    local.write(0x38, 1 << 30, 1_500_000).expect("flags");
    assert_eq!(local.next_event(), Some(2_500_000));
    local.write(0x34, 0, 0).expect("timer");
    assert_eq!(local.next_event(), None);
}

#[test]
fn the_counter_is_read_low_word_first() {
    let mut local = board();
    let now = local.time_of_counter(0x1_ffff_ffff).expect("a time");
    assert_eq!(local.read(0x1c, now, NONE), Ok(0xffff_ffff));
    assert_eq!(local.read(0x20, now + 1_000, NONE), Ok(1), "as it was then");
}

#[test]
fn what_is_not_modelled_is_refused_by_name() {
    let mut local = board();
    for (offset, value, what) in [
        (0x00, 0x100, "control by the APB's clock"),
        (0x1c, 0, "write to the core timer"),
        (0x30, 1 << 20, "AXI interrupt"),
        (0x34, 1 << 28, "local timer that reloads 0"),
    ] {
        let refused = Err(Refused::NotModelled(what));
        assert_eq!(local.write(offset, value, 0), refused, "{offset:#x}");
    }
    for gap in [0x04, 0x18, 0x28, 0x3c] {
        assert_eq!(local.read(gap, 0, NONE), Err(Refused::NoRegister));
    }
}

/// As QEMU 7.2's raspi3b does: seen there, register by register.
#[test]
fn qemu_keeps_no_clock_registers() {
    let mut local = Local::new(Kind::Qemu, 0);
    for (offset, kept) in [
        (0, 0),
        (8, 0),
        (0x0c, 0xf),
        (0x24, 7),
        (0x34, u32::MAX),
        (0x40, 0xff),
    ] {
        local.write(offset, u32::MAX, 0).expect("a register");
        assert_eq!(local.read(offset, 0, NONE), Ok(kept), "{offset:#x}");
    }
}
