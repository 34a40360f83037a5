//! Loads and stores of devices.
//!
//! A page of devices is kept ready as a page of RAM is: a core that waits for one polls it.

use super::access::Manner;
use super::code_page::DevicePage;
use super::core::{Core, Interruption};
use crate::board::{BoardError, Peripheral};
use crate::bus::Bus;
use crate::registers::sctlr;
use crate::stop::Stop;
use crate::translate::{Leaf, Purpose};
use crate::watch::{self, Event};

impl Core {
    pub(super) fn load_device(
        &mut self,
        bus: &mut Bus,
        physical: u64,
        size: usize,
    ) -> Result<u64, Interruption> {
        if let Some(peripheral) = watch::peripheral(physical) {
            if peripheral == Peripheral::Local {
                self.tell_timers(bus);
            }
            let event = Event::DeviceRead(peripheral);
            bus.watch.event(self.number, self.at, event);
        }
        let now = bus.now();
        bus.board
            .read(physical, size as u32, now, &mut bus.memory)
            .map_err(|source| self.device(source))
    }

    /// The physical address of an aligned access to the page of devices that the last one went to.
    pub(super) fn last_device(
        &self,
        address: u64,
        size: usize,
        purpose: Purpose,
        manner: Manner,
    ) -> Option<u64> {
        let last = self.devices[usize::from(purpose == Purpose::Store)]?;
        let plain = manner == Manner::Plain && address & (size as u64 - 1) == 0;
        (plain && last.page == address & !0xfff).then_some(last.physical | address & 0xfff)
    }

    pub(super) fn note_device(
        &mut self,
        address: u64,
        physical: u64,
        purpose: Purpose,
        manner: Manner,
    ) {
        if manner == Manner::Plain {
            self.devices[usize::from(purpose == Purpose::Store)] = Some(DevicePage {
                page: address & !0xfff,
                physical: physical & !0xfff,
            });
        }
    }

    pub(super) fn store_device(
        &mut self,
        bus: &mut Bus,
        physical: u64,
        size: usize,
        value: u64,
    ) -> Result<(), Interruption> {
        // With the MMU off both are Device-nGnRnE. The architecture keeps the order of one peripheral
        // alone (DDI 0487 B2.7.2); whether the core lets go of RAM's is not known, so it is kept.
        if self.control() & sctlr::M == 0 {
            self.drain_all(bus);
        }
        if let Some(peripheral) = watch::peripheral(physical) {
            let event = Event::DeviceWrite(peripheral);
            bus.watch.event(self.number, self.at, event);
            match peripheral {
                Peripheral::Mailbox => bus.mailbox_writer = (self.number, self.at),
                Peripheral::Pl011 | Peripheral::Aux => {
                    bus.serial_writer = (self.number, self.at);
                }
                _ => {}
            }
        }
        let now = bus.now();
        let written = bus
            .board
            .write(physical, size as u32, value, now, &mut bus.memory);
        bus.judge_notes(self.number, self.at);
        written.map_err(|source| self.device(source))
    }

    fn device(&self, source: BoardError) -> Interruption {
        Stop::Device {
            core: self.number,
            at: self.at,
            source,
        }
        .into()
    }

    /// A device is accessed by a mapping; while the MMU is off there is none.
    pub(super) fn tell_device(&self, bus: &mut Bus, leaf: &Leaf, address: u64) {
        if leaf.level == 0 {
            return;
        }
        if !leaf.memory.is_device() {
            let event = Event::DeviceAsNormal(address);
            bus.watch.event(self.number, self.at, event);
        }
        if leaf.executable || leaf.user_executable {
            let event = Event::DeviceExecutable(address);
            bus.watch.event(self.number, self.at, event);
        }
    }

    /// An abort by the type of the memory is a broken rule while the MMU is off; with it on the type
    /// is the kernel's own choice, and the abort is told to the kernel alone.
    pub(crate) fn tell_device_abort(&self, bus: &mut Bus) {
        if self.control() & sctlr::M == 0 {
            bus.watch.event(self.number, self.at, Event::DeviceAbort);
        }
    }
}
