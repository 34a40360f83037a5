//! The mailboxes, with a request of the property interface in memory.

use std::collections::BTreeMap;

use super::{CONFIG, Mailbox, PEEK, READ_FIRST, STATUS, STATUS_1, WRITE_FIRST};
use crate::board::options::{GpuMemory, Kind, Notice, Notices, Options};
use crate::board::peripheral::Refused;

const BUFFER: u32 = 0x8_0040;

impl GpuMemory for BTreeMap<u32, u32> {
    fn read(&mut self, address: u32) -> u32 {
        self.get(&address).copied().unwrap_or(0)
    }

    fn write(&mut self, address: u32, value: u32) {
        self.insert(address, value);
    }
}

fn request(tags: &[u32]) -> BTreeMap<u32, u32> {
    let size = (tags.len() as u32 + 3) * 4;
    let words = [size, 0].into_iter().chain(tags.iter().copied());
    (BUFFER..).step_by(4).zip(words).collect()
}

fn words(memory: &BTreeMap<u32, u32>, from: u32, count: u32) -> Vec<u32> {
    (0..count)
        .map(|index| memory[&(BUFFER + (from + index) * 4)])
        .collect()
}

struct Bench {
    mailbox: Mailbox,
    notices: Notices,
    memory: BTreeMap<u32, u32>,
}

impl Bench {
    fn new(options: &Options, tags: &[u32]) -> Self {
        Self {
            mailbox: Mailbox::new(options),
            notices: Notices::default(),
            memory: request(tags),
        }
    }

    fn write(&mut self, offset: u32, value: u32, now: u64) {
        self.mailbox
            .write(offset, value, now, &mut self.memory, &mut self.notices)
            .expect("a register");
    }

    fn read(&mut self, offset: u32) -> u32 {
        self.mailbox
            .read(offset, &mut self.notices)
            .expect("a register")
    }
}

#[test]
fn an_answer_is_in_memory_after_its_latency_and_then_its_word_comes_back() {
    let mut bench = Bench::new(&Options::BOARD, &[0x1_0005, 8, 0, 0xdd, 0xdd]);
    let word = BUFFER | 0xc000_0008;
    bench.write(CONFIG, 1, 0);
    bench.write(WRITE_FIRST, word, 1_000);
    assert_eq!((bench.read(STATUS), bench.read(STATUS_1)), (1 << 30, 1));
    assert_eq!(bench.mailbox.next_event(), Some(41_000));
    bench.mailbox.advance(40_999, &mut bench.memory);
    assert_eq!(words(&bench.memory, 1, 1), [0]);
    assert!(!bench.mailbox.interrupts());
    bench.mailbox.advance(41_000, &mut bench.memory);
    let answer = [0x8000_0000, 0x1_0005, 8, 0x8000_0008, 0, 0x3c00_0000];
    assert_eq!(words(&bench.memory, 1, 6), answer);
    assert!(bench.mailbox.interrupts());
    assert_eq!((bench.read(STATUS), bench.read(CONFIG)), (1, 0x11));
    assert_eq!((bench.read(PEEK), bench.read(READ_FIRST)), (word, word));
    assert_eq!(bench.read(STATUS), 1 << 30);
    assert_eq!(bench.notices.take(), []);
    bench.read(READ_FIRST);
    assert_eq!(bench.notices.take(), [Notice::MailboxEmpty]);
}

#[test]
fn the_request_is_read_when_its_address_is_written() {
    let mut bench = Bench::new(&Options::BOARD, &[0x3_0002, 8, 0, 2, 0]);
    bench.write(WRITE_FIRST, BUFFER | 0xc000_0008, 0);
    bench.memory.write(BUFFER + 20, 3);
    bench.mailbox.advance(100_000, &mut bench.memory);
    assert_eq!(words(&bench.memory, 5, 2), [2, 48_000_000]);
}

#[test]
fn an_unknown_tag_is_left_unanswered_and_the_others_are_answered() {
    let tags = [0x9_9999, 4, 0, 7, 0x1_0002, 4, 0, 0];
    let mut bench = Bench::new(&Options::BOARD, &tags);
    bench.write(WRITE_FIRST, BUFFER | 0xc000_0008, 0);
    bench.mailbox.advance(100_000, &mut bench.memory);
    assert_eq!(words(&bench.memory, 1, 5), [0x8000_0001, 0x9_9999, 4, 0, 7]);
    assert_eq!(words(&bench.memory, 8, 2), [0x8000_0004, 0xa0_2082]);
    assert_eq!(bench.notices.take(), [Notice::UnknownTag { tag: 0x9_9999 }]);
}

#[test]
fn a_board_stays_within_the_value_and_tells_the_whole_length() {
    for (options, expected) in [
        (Options::BOARD, [0x8000_0008, 0, 0xdd]),
        (Options::QEMU, [0x8000_0008, 0, 0x3c00_0000]),
    ] {
        let mut bench = Bench::new(&options, &[0x1_0005, 4, 0, 0xdd, 0xdd]);
        bench.write(WRITE_FIRST, BUFFER | 0xc000_0008, 0);
        bench.mailbox.advance(100_000, &mut bench.memory);
        assert_eq!(words(&bench.memory, 4, 3), expected);
    }
}

#[test]
fn eight_words_fill_a_mailbox_and_stop_the_videocore() {
    let mut bench = Bench::new(&Options::BOARD, &[]);
    for count in 0..8 {
        bench.write(WRITE_FIRST, BUFFER | 0xc000_0008, count);
    }
    assert_eq!(bench.read(STATUS_1), 0x8000_0008);
    bench.write(WRITE_FIRST, 8, 0);
    assert_eq!(bench.notices.take(), [Notice::MailboxFull { word: 8 }]);
    bench.mailbox.advance(1_000_000, &mut bench.memory);
    assert_eq!(
        (bench.read(STATUS), bench.read(STATUS_1)),
        (0x8000_0008, 1 << 30)
    );
    bench.write(WRITE_FIRST, BUFFER | 8, 1_000_000);
    let word = BUFFER | 8;
    assert_eq!(bench.notices.take(), [Notice::MailboxAlias { word }]);
    assert_eq!(bench.mailbox.next_event(), None, "there is no room");
    bench.read(READ_FIRST);
    assert_eq!(bench.mailbox.next_event(), Some(1_040_000));
}

#[test]
fn other_channels_are_refused_by_name() {
    let mut bench = Bench::new(&Options::BOARD, &[]);
    let refused = Err(Refused::NotModelled("channel other than 8"));
    let write = bench
        .mailbox
        .write(WRITE_FIRST, 1, 0, &mut bench.memory, &mut bench.notices);
    assert_eq!(write, refused);
}

/// As QEMU 7.2's raspi3b does: seen there.
#[test]
fn qemu_answers_at_once_and_what_it_does_not_know_with_no_bytes() {
    let mut bench = Bench::new(&Options::QEMU, &[0x3_0047, 8, 0, 2, 0xdd]);
    assert_eq!((bench.read(READ_FIRST), bench.read(PEEK)), (0xf, 0xf));
    bench.write(WRITE_FIRST, BUFFER | 8, 0);
    assert_eq!(words(&bench.memory, 4, 3), [0x8000_0000, 2, 0xdd]);
    assert_eq!((bench.read(STATUS), bench.read(STATUS_1)), (0, 1 << 30));
    assert_eq!(bench.read(READ_FIRST), BUFFER | 8);
    assert_eq!(bench.mailbox.kind, Kind::Qemu);
}
