//! Rules about peripherals: reads of two of them have a DMB between them.

use super::event::{Barrier, Event};
use super::rule::Rule;
use crate::board::{Notice, Peripheral};
use crate::memory::LINE;

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
                let line = address & !(LINE as u64 - 1);
                let detail = format!("the line at {line:#x} is dirty in the cache");
                broken.push((Rule::MailboxRequest, detail));
            }
            Event::DeviceAsNormal(address) => {
                broken.push((Rule::DeviceAsNormal, format!("by {address:#x}")));
            }
            Event::DeviceExecutable(address) => {
                broken.push((Rule::DeviceExecutable, format!("by {address:#x}")));
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

/// The rule that a device's notice breaks. A read of an empty queue breaks none: who drains it by a
/// number of reads loses nothing.
pub(super) fn notice(notice: Notice) -> Option<(Rule, String)> {
    Some(match notice {
        Notice::MailboxAlias { word } => (Rule::MailboxAlias, format!("the word {word:#010x}")),
        Notice::ChangedWhileOn { offset } => (
            Rule::SerialLine,
            format!("the register {offset:#x} is written while it is on"),
        ),
        Notice::NotTakenOver => (
            Rule::SerialLine,
            "no write of LCRH behind the divisors".to_owned(),
        ),
        Notice::NotHeard { .. } => (Rule::SerialLine, "a byte is sent to no pin".to_owned()),
        Notice::Garbled { baud, .. } => (
            Rule::SerialLine,
            format!("a byte is sent or received at {baud} baud, or not as 8N1"),
        ),
        Notice::MailboxFull { word } => (
            Rule::DeviceMisuse,
            format!("the mailbox is full: {word:#010x} is lost"),
        ),
        Notice::NoPassword { offset } => (
            Rule::DeviceMisuse,
            format!("the register {offset:#x} of power management, without its password"),
        ),
        Notice::TransmitFull { byte } => (
            Rule::DeviceMisuse,
            format!("a serial port's queue is full: {byte:#04x} is lost"),
        ),
        Notice::PullTooShort { stood } => (
            Rule::DeviceMisuse,
            format!("a pull resistor's control stood for {stood} ns"),
        ),
        Notice::VideoCoreTimer { channel } => (
            Rule::DeviceMisuse,
            format!("the system timer's channel {channel} is the VideoCore's"),
        ),
        Notice::MailboxEmpty | Notice::ReceiveEmpty | Notice::UnknownTag { .. } => return None,
    })
}
