//! The changes of each call in the registers, by the manual's bits.
#![forbid(unsafe_code)]

use std::vec::Vec;

use super::{Core, CoreMailbox, CoreTimer, LocalInterrupts, LocalPending, LocalSource};
use crate::drivers::mmio::fake::FakeRegisters;

const VIRTUAL_TIMER: LocalSource = LocalSource::Timer(CoreTimer::Virtual);

fn controller() -> (&'static FakeRegisters<64>, LocalInterrupts) {
    let memory = FakeRegisters::leak();
    (memory, LocalInterrupts::new(memory.view()))
}

fn core(number: u8) -> Core {
    Core::new(number).expect("a core")
}

fn mailbox(number: u8) -> CoreMailbox {
    CoreMailbox::new(number).expect("a mailbox")
}

/// The registers that differ from `before`, with their values.
fn changes(memory: &FakeRegisters<64>, before: u32) -> Vec<(usize, u32)> {
    (0..0x100)
        .step_by(4)
        .map(|offset| (offset, memory.get(offset)))
        .filter(|(_, value)| *value != before)
        .collect()
}

#[test]
fn there_are_four_cores_and_four_mailboxes() {
    assert!(Core::new(3).is_some() && CoreMailbox::new(3).is_some());
    assert_eq!((Core::new(4), CoreMailbox::new(4)), (None, None));
}

#[test]
fn the_shared_state_sends_all_to_one_core_and_leaves_the_clock() {
    let (memory, controller) = controller();
    for offset in (0..0x100).step_by(4) {
        memory.set(offset, 0x5555_5555);
    }
    controller.init_shared(core(2));
    // QA7 4.4: bits 1:0 the IRQ's core, bits 3:2 the FIQ's.
    assert_eq!(
        changes(memory, 0x5555_5555),
        [(0x0c, 0b1010), (0x30, 0), (0x34, 0), (0x38, 1 << 31)]
    );
}

#[test]
fn a_core_begins_deaf_and_with_empty_mailboxes_whatever_was_left() {
    let (memory, controller) = controller();
    for offset in (0..0x100).step_by(4) {
        memory.set(offset, 0x5555_5555);
    }
    controller.init_core(core(1));
    let clear = 0xffff_ffff;
    assert_eq!(
        changes(memory, 0x5555_5555),
        [
            (0x14, 0x22),
            (0x44, 0),
            (0x54, 0),
            (0xd0, clear),
            (0xd4, clear),
            (0xd8, clear),
            (0xdc, clear),
        ]
    );
}

#[test]
fn unmasking_a_timer_sets_its_bit_of_its_core_only() {
    let (memory, controller) = controller();
    memory.set(0x4c, 0b0010);
    controller.unmask(core(3), VIRTUAL_TIMER);
    assert_eq!(changes(memory, 0), [(0x4c, 0b1010)]);
    controller.mask(core(3), VIRTUAL_TIMER);
    assert_eq!(changes(memory, 0), [(0x4c, 0b0010)]);
    controller.unmask(core(0), LocalSource::Timer(CoreTimer::Hypervisor));
    assert_eq!(memory.get(0x40), 0b0100);
}

#[test]
fn unmasking_a_mailbox_sets_its_bit_of_its_core_only() {
    let (memory, controller) = controller();
    memory.set(0x58, 0b0001);
    controller.unmask(core(2), LocalSource::Mailbox(mailbox(3)));
    assert_eq!(changes(memory, 0), [(0x58, 0b1001)]);
    controller.mask(core(2), LocalSource::Mailbox(mailbox(0)));
    assert_eq!(changes(memory, 0), [(0x58, 0b1000)]);
}

#[test]
fn the_pmu_has_registers_to_set_and_to_clear() {
    let (memory, controller) = controller();
    controller.unmask(core(3), LocalSource::Pmu);
    assert_eq!(changes(memory, 0), [(0x10, 0b1000)]);
    controller.mask(core(1), LocalSource::Pmu);
    assert_eq!(changes(memory, 0), [(0x10, 0b1000), (0x14, 0b0010)]);
}

#[test]
fn a_device_without_a_mask_is_stopped_in_its_own_register() {
    for (bit, expected) in [(10, &[(0x30, 0)][..]), (11, &[(0x34, 0), (0x38, 1 << 31)])] {
        let (memory, controller) = controller();
        for offset in (0..0x100).step_by(4) {
            memory.set(offset, 0x7555_5555);
        }
        let source = LocalSource::at_bit(bit).expect("a source");
        controller.unmask(core(1), source);
        assert_eq!(changes(memory, 0x7555_5555), []);
        controller.mask(core(1), source);
        assert_eq!(changes(memory, 0x7555_5555), expected);
    }
}

#[test]
fn each_core_and_mailbox_has_its_own_words() {
    for (to, number, send_at, take_at) in [
        (0, 0, 0x80, 0xc0),
        (0, 3, 0x8c, 0xcc),
        (1, 0, 0x90, 0xd0),
        (2, 1, 0xa4, 0xe4),
        (3, 3, 0xbc, 0xfc),
    ] {
        let (memory, controller) = controller();
        controller.send(core(to), mailbox(number), 0x8000_0001);
        assert_eq!(changes(memory, 0), [(send_at, 0x8000_0001)]);
        memory.set(send_at, 0);
        memory.set(take_at, 0x0000_00f0);
        assert_eq!(controller.take(core(to), mailbox(number)), 0xf0);
        assert_eq!(
            memory.get(take_at),
            0xf0,
            "writes what it read, and no more"
        );
    }
}

#[test]
fn a_core_sees_its_own_source_register() {
    let (memory, controller) = controller();
    for (number, offset) in [(0, 0x60), (1, 0x64), (2, 0x68), (3, 0x6c)] {
        memory.set(offset, 1 << number);
        let bits: Vec<u8> = controller.pending(core(number)).collect();
        assert_eq!(bits, [number]);
    }
}

#[test]
fn pending_bits_come_once_and_in_order_without_the_cascade() {
    let mut pending = LocalPending::from_bits(0x8000_0b98);
    assert!(pending.has_gpu());
    let bits: Vec<u8> = pending.by_ref().collect();
    assert_eq!(bits, [3, 4, 7, 9, 11, 31]);
    assert!(pending.has_gpu(), "the cascade is left for who asks");
    assert!(!LocalPending::from_bits(0xffff_feff).has_gpu());
}

#[test]
fn source_bits_mean_what_the_manual_says() {
    let maskable = |bit| LocalSource::at_bit(bit);
    assert_eq!(
        maskable(1),
        Some(LocalSource::Timer(CoreTimer::PhysicalNonSecure))
    );
    assert_eq!(maskable(3), Some(VIRTUAL_TIMER));
    assert_eq!(maskable(4), Some(LocalSource::Mailbox(mailbox(0))));
    assert_eq!(maskable(7), Some(LocalSource::Mailbox(mailbox(3))));
    assert_eq!(maskable(9), Some(LocalSource::Pmu));
    for bit in [8, 12, 31, 255] {
        assert_eq!(maskable(bit), None);
    }
    for bit in 0..4 {
        let (memory, controller) = controller();
        controller.unmask(core(0), maskable(bit).expect("a timer"));
        assert_eq!(memory.get(0x40), 1 << bit);
    }
}
