//! The mailboxes between ARM and VideoCore, and the property channel, 8.
//!
//! Raspberry Pi firmware wiki, "Mailboxes" and "Mailbox property interface". The VideoCore reads the
//! request from memory when its address is written: what a cache still holds it does not see. It
//! writes the answer to memory after [`Options::mailbox_latency`], and then the address into mailbox
//! 0; a full one stops it.
//!
//! [`Options::mailbox_latency`]: super::Options::mailbox_latency

mod answer;
mod framebuffer;
mod tags;

use std::collections::VecDeque;

use self::tags::Tags;
use super::options::{GpuMemory, Kind, Nanoseconds, Notice, Notices, Options};
use super::peripheral::Refused;

/// Mailbox 0, to the ARM: each word in a range of four registers.
const READ_FIRST: u32 = 0x00;
const READ_LAST: u32 = 0x0c;
const PEEK: u32 = 0x10;
const SENDER: u32 = 0x14;
const STATUS: u32 = 0x18;
const CONFIG: u32 = 0x1c;
/// Mailbox 1, to the VideoCore.
const WRITE_FIRST: u32 = 0x20;
const WRITE_LAST: u32 = 0x2c;
const PEEK_1: u32 = 0x30;
const SENDER_1: u32 = 0x34;
const STATUS_1: u32 = 0x38;
const CONFIG_1: u32 = 0x3c;

const STATUS_FULL: u32 = 1 << 31;
const STATUS_EMPTY: u32 = 1 << 30;
/// Interrupt while mailbox 0 is not empty: enable, and pending.
const CONFIG_DATA: u32 = 1 << 0;
const CONFIG_DATA_PENDING: u32 = 1 << 4;
/// Words that each mailbox holds.
const DEPTH: usize = 8;
/// QEMU's word of an empty mailbox.
const QEMU_NOTHING: u32 = 0xf;

const PROPERTY: u32 = 8;
const CHANNEL: u32 = 0xf;
/// The VideoCore's view of RAM past its caches; the views are of one GiB.
const ALIAS: u32 = 0xc000_0000;
const ALIAS_OFFSET: u32 = 0x3fff_ffff;

/// The buffer's code, and the bit of a tag that is answered.
const SUCCESS: u32 = 0x8000_0000;
const PARTIAL: u32 = 0x8000_0001;
const ANSWERED: u32 = 1 << 31;
/// Bytes of a buffer, and of a tag before its value.
const BUFFER_HEADER: u32 = 8;
const TAG_HEADER: u32 = 12;
/// More is no request: the largest is a palette of 256 words.
const BUFFER_MAX: u32 = 0x1_0000;

/// A request that is being answered: what the VideoCore will write, and when.
#[derive(Clone, Debug)]
struct Pending {
    word: u32,
    due: Nanoseconds,
    writes: Vec<(u32, u32)>,
}

#[derive(Clone, Debug)]
pub(super) struct Mailbox {
    kind: Kind,
    latency: Nanoseconds,
    config: u32,
    received: VecDeque<u32>,
    pending: VecDeque<Pending>,
    tags: Tags,
}

impl Mailbox {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            kind: options.kind,
            latency: match options.kind {
                Kind::Qemu => 0,
                Kind::Board => options.mailbox_latency,
            },
            config: 0,
            received: VecDeque::new(),
            pending: VecDeque::new(),
            tags: Tags::new(options),
        }
    }

    /// The PL011's clock, which the firmware sets.
    pub(super) fn uart_clock_hz(&self) -> u32 {
        self.tags.uart_clock_hz()
    }

    /// The interrupt line: bit 1 of the basic pending register.
    pub(super) fn interrupts(&self) -> bool {
        self.config & CONFIG_DATA != 0 && !self.received.is_empty()
    }

    /// When the next answer comes.
    pub(super) fn next_event(&self) -> Option<Nanoseconds> {
        let next = self.pending.front()?;
        (self.received.len() < DEPTH).then_some(next.due)
    }

    /// Lets the VideoCore write the answers that are due by `now`.
    pub(super) fn advance(&mut self, now: Nanoseconds, memory: &mut dyn GpuMemory) {
        while self.next_event().is_some_and(|due| due <= now)
            && let Some(answered) = self.pending.pop_front()
        {
            for (address, value) in answered.writes {
                memory.write(address, value);
            }
            self.received.push_back(answered.word);
        }
    }

    pub(super) fn read(&mut self, offset: u32, notices: &mut Notices) -> Result<u32, Refused> {
        let nothing = match self.kind {
            Kind::Qemu => QEMU_NOTHING,
            Kind::Board => 0,
        };
        Ok(match offset {
            READ_FIRST..=READ_LAST => {
                let word = self.received.pop_front();
                if word.is_none() && self.kind == Kind::Board {
                    notices.add(Notice::MailboxEmpty);
                }
                word.unwrap_or(nothing)
            }
            PEEK => self.received.front().copied().unwrap_or(nothing),
            STATUS => self.status(self.received.len()),
            CONFIG if self.received.is_empty() => self.config,
            CONFIG => self.config | CONFIG_DATA_PENDING,
            STATUS_1 => self.status(self.pending.len()),
            SENDER | WRITE_FIRST..=WRITE_LAST | PEEK_1 | SENDER_1 | CONFIG_1 => 0,
            _ => return Err(Refused::NoRegister),
        })
    }

    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Nanoseconds,
        memory: &mut dyn GpuMemory,
        notices: &mut Notices,
    ) -> Result<(), Refused> {
        match offset {
            WRITE_FIRST..=WRITE_LAST if value & CHANNEL != PROPERTY => {
                return Err(Refused::NotModelled("channel other than 8"));
            }
            WRITE_FIRST..=WRITE_LAST => {
                self.send(value, now, memory, notices);
                self.advance(now, memory);
            }
            CONFIG => self.config = value & CONFIG_DATA,
            CONFIG_1 if value & CONFIG_DATA != 0 && self.kind == Kind::Board => {
                return Err(Refused::NotModelled("interrupt of mailbox 1"));
            }
            // Read-only, or the VideoCore's.
            READ_FIRST..=STATUS | PEEK_1 | SENDER_1 | STATUS_1 | CONFIG_1 => {}
            _ => return Err(Refused::NoRegister),
        }
        Ok(())
    }

    fn status(&self, words: usize) -> u32 {
        let level = match self.kind {
            Kind::Qemu => 0,
            Kind::Board => words as u32,
        };
        match words {
            0 => STATUS_EMPTY,
            DEPTH.. => STATUS_FULL | level,
            _ => level,
        }
    }

    /// The VideoCore reads the request whose address is in `word`.
    fn send(
        &mut self,
        word: u32,
        now: Nanoseconds,
        memory: &mut dyn GpuMemory,
        notices: &mut Notices,
    ) {
        if self.pending.len() >= DEPTH {
            return notices.add(Notice::MailboxFull { word });
        }
        if self.kind == Kind::Board && word & ALIAS != ALIAS {
            notices.add(Notice::MailboxAlias { word });
        }
        let writes = self.answer(word & ALIAS_OFFSET & !CHANNEL, memory, notices);
        let last_due = self.pending.back().map_or(now, |last| last.due.max(now));
        self.pending.push_back(Pending {
            word,
            due: last_due.saturating_add(self.latency),
            writes,
        });
    }

    /// What is written for the request at `buffer`: its size, 0, then tags (number, bytes of the
    /// value, 0, value) up to a tag of number 0.
    fn answer(
        &mut self,
        buffer: u32,
        memory: &mut dyn GpuMemory,
        notices: &mut Notices,
    ) -> Vec<(u32, u32)> {
        let size = memory.read(buffer).min(BUFFER_MAX);
        let mut writes = Vec::new();
        let mut code = SUCCESS;
        let mut at = BUFFER_HEADER;
        while at + 8 <= size {
            let tag_at = buffer + at;
            let tag = memory.read(tag_at);
            if tag == 0 {
                break;
            }
            let room = memory.read(tag_at + 4);
            let value = [12, 16, 20, 24, 28].map(|offset| memory.read(tag_at + offset));
            match self.tags.answer(tag, value) {
                Some(answer) => {
                    writes.push((tag_at + 8, ANSWERED | answer.bytes));
                    // A board's firmware stays within the value; QEMU writes all of its answer.
                    let limit = match self.kind {
                        Kind::Qemu => u32::MAX,
                        Kind::Board => room,
                    };
                    let offsets = (0..limit).step_by(4);
                    let words = offsets.zip(answer.words);
                    writes.extend(words.map(|(offset, word)| (tag_at + TAG_HEADER + offset, word)));
                }
                None if self.kind == Kind::Qemu => writes.push((tag_at + 8, ANSWERED)),
                None => {
                    notices.add(Notice::UnknownTag { tag });
                    code = PARTIAL;
                }
            }
            at = at.saturating_add(room & !3).saturating_add(TAG_HEADER);
        }
        writes.push((buffer + 4, code));
        writes
    }
}

#[cfg(test)]
mod tests;
