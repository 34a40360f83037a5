//! Rules about peripherals: reads of two of them have a DMB between them.

use super::event::{Barrier, Event};
use super::rule::Rule;
use crate::board::Peripheral;

/// A core's reads that a barrier has not ended.
#[derive(Default)]
pub(super) struct Devices {
    read: Option<Peripheral>,
}

impl Devices {
    pub(super) fn see(&mut self, event: Event, broken: &mut Vec<(Rule, String)>) {
        match event {
            Event::DeviceRead(peripheral) => {
                self.follow(peripheral, broken);
                self.read = Some(peripheral);
            }
            Event::DeviceWrite(peripheral) => self.follow(peripheral, broken),
            // A store barrier does not wait for loads.
            Event::Barrier(Barrier::Memory(option) | Barrier::Synchronization(option))
                if option & 0b11 != 0b10 =>
            {
                self.read = None;
            }
            Event::UncleanRequest(address) => {
                let detail = format!("the line at {address:#x} is dirty in the cache");
                broken.push((Rule::MailboxRequest, detail));
            }
            _ => {}
        }
    }

    fn follow(&mut self, peripheral: Peripheral, broken: &mut Vec<(Rule, String)>) {
        if let Some(before) = self.read
            && before != peripheral
        {
            let detail = format!("a read of the {before}, then the {peripheral}");
            broken.push((Rule::PeripheralOrder, detail));
        }
    }
}
