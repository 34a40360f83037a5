//! Reservations that are in each other's way, in the kernel's, and past everything.
#![forbid(unsafe_code)]

use super::IMAGE;
use crate::drivers::facts::{Mapping, Origin, Reservation};
use crate::drivers::ram::{Judged, Needed, ROOM_BYTES, Ram, ReservationVerdict, Reserved};
use crate::drivers::range::{PhysRange, range};

fn needed() -> Needed {
    Needed {
        image: IMAGE,
        firmware_page: range(0, 0x1000),
        tree: None,
    }
}

const fn asked(base: u64, size: u64) -> Reservation {
    let mapping = Mapping::Allowed;
    Reservation {
        base,
        size,
        mapping,
        origin: Origin::Block,
    }
}

const fn no_map(base: u64, size: u64) -> Reservation {
    let mapping = Mapping::Forbidden;
    Reservation {
        base,
        size,
        mapping,
        origin: Origin::Place,
    }
}

fn judged<'a>(asked: &'a [Reservation], ram: &Ram, needed: Needed) -> Reserved<'a> {
    let mut reserved = Reserved::new(asked, ram, needed);
    reserved.judge(ram);
    reserved
}

/// Judges reservations in 256 MiB of RAM.
fn judge(asked: &[Reservation]) -> (Reserved<'static>, std::vec::Vec<ReservationVerdict>) {
    let (reserved, _, verdicts) = judge_and_map(asked);
    (reserved, verdicts)
}

/// The judged reservations of `asked`, the RAM that may be mapped, and the verdicts.
fn judge_and_map(
    asked: &[Reservation],
) -> (Reserved<'static>, Ram, std::vec::Vec<ReservationVerdict>) {
    let ram = Ram::of(range(0, 0x1000_0000));
    // The kernel, too, keeps what is asked for ever.
    let reserved = judged(asked.to_vec().leak(), &ram, needed());
    let verdicts = reserved.judged().map(|judged| judged.verdict).collect();
    let mapped = reserved.mapped;
    (reserved, mapped, verdicts)
}

#[test]
fn what_is_reserved_in_ram_is_kept_in_whole_frames() {
    let (reserved, verdicts) = judge(&[asked(0x0800_0000, 0x2000), asked(0x0900_0fff, 2)]);
    assert_eq!(
        verdicts,
        [ReservationVerdict::Kept, ReservationVerdict::Kept]
    );
    assert_eq!(
        *reserved.kept,
        [range(0x0800_0000, 0x2000), range(0x0900_0000, 0x2000)]
    );
}

#[test]
fn reservations_that_are_none_are_ignored_and_the_others_are_kept() {
    let (reserved, verdicts) = judge(&[
        asked(0x0800_0000, 0),
        asked(0xffff_ffff_ffff_f000, 0x1000),
        asked(u64::MAX, u64::MAX),
        asked(0x2000_0000, 0x1000),
        asked(0x0900_0000, 0x1000),
    ]);
    assert_eq!(
        verdicts,
        [
            ReservationVerdict::Empty,
            ReservationVerdict::Wraps,
            ReservationVerdict::Wraps,
            ReservationVerdict::OutsideRam,
            ReservationVerdict::Kept
        ]
    );
    assert_eq!(*reserved.kept, [range(0x0900_0000, 0x1000)]);
}

#[test]
fn a_reservation_past_the_end_of_ram_is_kept_up_to_there() {
    for size in [0x1001, 0x1000_0000, u64::MAX - 0x0fff_f000] {
        let (reserved, verdicts) = judge(&[asked(0x0fff_f000, size)]);
        let kept = range(0x0fff_f000, 0x1000);
        assert_eq!(
            verdicts,
            [ReservationVerdict::PastRam { kept }],
            "{size:#x}"
        );
        assert_eq!(*reserved.kept, [kept]);
    }
    let (_, verdicts) = judge(&[asked(0x0fff_f000, 0x1000)]);
    assert_eq!(verdicts, [ReservationVerdict::Kept]);
}

#[test]
fn a_reservation_over_the_image_leaves_the_image_to_the_kernel() {
    let image = IMAGE;
    for (asked, kept) in [
        (
            asked(0x4_0000, 0x20_0000),
            &[range(0x4_0000, 0x4_0000), range(0x1c_0000, 0x8_0000)][..],
        ),
        (asked(0x10_0000, 0x1000), &[]),
        (asked(0, 0x8_0001), &[range(0, 0x8_0000)]),
        (asked(0x1b_ffff, 2), &[range(0x1c_0000, 0x1000)]),
    ] {
        let (reserved, verdicts) = judge(&[asked]);
        assert_eq!(verdicts, [ReservationVerdict::Image { image }], "{asked}");
        assert_eq!(*reserved.kept, *kept, "{asked}");
    }
    // Beside it is not over it.
    let (_, verdicts) = judge(&[asked(0, 0x8_0000), asked(0x1c_0000, 0x1000)]);
    assert_eq!(
        verdicts,
        [ReservationVerdict::Kept, ReservationVerdict::Kept]
    );
}

#[test]
fn reservations_that_overlap_in_part_are_both_kept_and_told() {
    let first = asked(0x0800_0000, 0x3000);
    let (reserved, verdicts) = judge(&[
        first,
        // A duplicate, a part, and a superset: loaders list reservations twice.
        first,
        asked(0x0800_1000, 0x1000),
        asked(0x0800_0000, 0x4000),
        asked(0x0800_2000, 0x4000),
    ]);
    let kept = ReservationVerdict::Kept;
    let other = range(0x0800_0000, 0x3000);
    assert_eq!(
        verdicts,
        [
            kept,
            kept,
            kept,
            kept,
            ReservationVerdict::Overlaps { other }
        ]
    );
    assert_eq!(*reserved.kept, [range(0x0800_0000, 0x6000)]);
}

#[test]
fn what_takes_all_of_ram_is_kept_and_nothing_is_free() {
    let ram = range(0, 0x1000_0000);
    let [below, above] = ram.without(IMAGE);
    let parts = [below, above].map(|part| part.expect("RAM on both sides of the image"));
    for size in [0x1000_0000, u64::MAX] {
        let small = asked(0x0800_0000, 0x1000);
        let (reserved, verdicts) = judge(&[small, asked(0, size)]);
        let image = IMAGE;
        assert_eq!(
            verdicts,
            [
                ReservationVerdict::Kept,
                ReservationVerdict::Image { image }
            ]
        );
        assert_eq!(*reserved.kept, parts);
        assert_eq!(
            (reserved.largest_piece(), reserved.free_place(1)),
            (0, None)
        );
    }
}

#[test]
fn the_last_bytes_that_the_kernel_needs_can_be_reserved() {
    let room = ROOM_BYTES as u64;
    let most = asked(0x20_0000 + room, 0x1000_0000 - 0x20_0000 - room);
    let below = [asked(0x1c_0000, 0x4_0000), asked(0x1000, 0x7_f000)];
    for (more, piece) in [
        (&[][..], ROOM_BYTES),
        (&[asked(most.base - 0x1000, 0x1000)], ROOM_BYTES - 0x1000),
        // One that cuts what is left in two.
        (&[asked(0x20_0000 + room / 2, 0x1000)], ROOM_BYTES / 2),
        (&[asked(0x20_0000, room)], 0),
    ] {
        let all = [&below[..], &[most], more].concat();
        let (reserved, verdicts) = judge(&all);
        assert_eq!(verdicts, std::vec![ReservationVerdict::Kept; all.len()]);
        assert_eq!(reserved.largest_piece(), piece);
        assert_eq!(reserved.free_place(piece + 1), None);
    }
}

#[test]
fn a_reservation_that_wraps_is_kept_from_its_first_byte_on() {
    let (reserved, verdicts) = judge(&[asked(0x0fff_e000, u64::MAX), asked(0x4000_0000, u64::MAX)]);
    let kept = range(0x0fff_e000, 0x2000);
    assert_eq!(
        verdicts,
        [
            ReservationVerdict::PastRam { kept },
            ReservationVerdict::Wraps
        ]
    );
    assert_eq!(*reserved.kept, [kept]);
    let said: std::vec::Vec<_> = reserved
        .judged()
        .map(|judged| std::format!("{judged}"))
        .collect();
    assert_eq!(
        said,
        [
            "warning: 0xffffffffffffffff bytes at 0xfffe000 reaches past RAM: \
             0xfffe000..0x10000000 is left alone",
            "warning: 0xffffffffffffffff bytes at 0x40000000 reaches past the last address: \
             ignored",
        ]
    );
}

#[test]
fn what_may_not_be_mapped_is_no_ram() {
    let (_, ram, verdicts) = judge_and_map(&[
        no_map(0x0800_0800, 0x1000),
        asked(0x0900_0000, 0x1000),
        no_map(0x0fff_f000, 0x2000),
    ]);
    let kept = range(0x0fff_f000, 0x1000);
    assert_eq!(
        verdicts,
        [
            ReservationVerdict::Kept,
            ReservationVerdict::Kept,
            ReservationVerdict::PastRam { kept }
        ]
    );
    assert_eq!(
        *ram,
        [range(0, 0x0800_0000), range(0x0800_2000, 0x07ff_d000)]
    );
}

#[test]
fn image_and_firmware_page_stay_mapped_whatever_is_forbidden() {
    let (_, ram, verdicts) = judge_and_map(&[no_map(0, 0x20_0000)]);
    assert_eq!(verdicts, [ReservationVerdict::Image { image: IMAGE }]);
    assert_eq!(
        *ram,
        [range(0, 0x1000), IMAGE, range(0x20_0000, 0x0fe0_0000)]
    );
    let (reserved, ram, verdicts) = judge_and_map(&[no_map(0, 0x2000)]);
    let page = range(0, 0x1000);
    assert_eq!(verdicts, [ReservationVerdict::FirmwarePage { page }]);
    assert_eq!(*reserved.kept, [range(0, 0x2000)]);
    assert_eq!(*ram, [range(0, 0x1000), range(0x2000, 0x0fff_e000)]);
}

#[test]
fn room_is_wherever_it_is() {
    let room = ROOM_BYTES;
    // Nothing behind the image in its own range; all in another one.
    let mut ram = Ram::of(range(0, 0x1c_0000));
    ram.push(range(0x100_0000, 2 * room)).expect("room");
    let judge = |asked: Reservation| judged(std::vec![asked].leak(), &ram, needed());
    let reserved = judge(asked(0x100_0000, room as u64));
    assert_eq!(
        reserved.judged().next().map(|judged| judged.verdict),
        Some(ReservationVerdict::Kept)
    );
    assert_eq!(
        reserved.free_place(room),
        Some(range(0x100_0000 + room, room))
    );
    assert_eq!(reserved.free_place(room + 1), None);
    // Over the image's end and far beyond it.
    let reserved = judge(no_map(0x1b_0000, 0x100_0000));
    let image = IMAGE;
    assert_eq!(
        reserved.judged().next().map(|judged| judged.verdict),
        Some(ReservationVerdict::Image { image })
    );
    assert_eq!(reserved.free_place(room), Some(range(0x11b_0000, room)));
    // A little fits below the image, too.
    let reserved = judged(&[], &Ram::of(range(0x1000, 0x1b_f000)), needed());
    assert_eq!(reserved.free_place(0x2001), Some(range(0x1000, 0x3000)));
    assert_eq!(reserved.free_place(0x8_0000), None);
}

#[test]
fn no_room_is_found_where_the_tree_lies() {
    let tree = Some(range(0x20_0800, 0x2000));
    let needed = Needed { tree, ..needed() };
    let reserved = judged(&[], &Ram::of(range(0, 0x1000_0000)), needed);
    assert_eq!(
        reserved.free_place(0x4_0000),
        Some(range(0x1c_0000, 0x4_0000))
    );
    assert_eq!(
        reserved.free_place(0x4_1000),
        Some(range(0x20_3000, 0x4_1000))
    );
    let in_use: std::vec::Vec<_> = reserved.in_use().collect();
    assert_eq!(in_use, [IMAGE, range(0, 0x1000), range(0x20_0800, 0x2000)]);
}

#[test]
fn what_is_switched_off_is_kept_and_says_why() {
    let disabled = |base, size| Reservation {
        origin: Origin::DisabledPlace,
        ..asked(base, size)
    };
    let (reserved, verdicts) = judge(&[disabled(0x0800_0000, 0x1000), disabled(0x2000_0000, 1)]);
    assert_eq!(
        verdicts,
        [ReservationVerdict::Kept, ReservationVerdict::OutsideRam]
    );
    assert_eq!(*reserved.kept, [range(0x0800_0000, 0x1000)]);
    let said: std::vec::Vec<_> = reserved
        .judged()
        .map(|judged| std::format!("{judged}"))
        .collect();
    assert_eq!(
        said,
        [
            "0x8000000..0x8001000 left alone; disabled, but perhaps in use",
            "0x20000000..0x20000001 not in RAM"
        ]
    );
}

/// Numbers that look random, and are the same in every run (Marsaglia, "Xorshift RNGs").
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Every frame of a reservation is kept, and no frame of the image is; none of `no-map` is RAM.
#[test]
fn whatever_is_asked_no_frame_is_both_reserved_and_given_away() {
    const FRAME: usize = 0x1000;
    let ram = {
        let mut ram = Ram::of(range(0, 0x80_0000));
        ram.push(range(0xc0_0000, 0x100_0000)).expect("room");
        ram
    };
    let mut random = Xorshift(0x5717_1157_2026_0002);
    for _ in 0..150 {
        let asked: std::vec::Vec<Reservation> = (0..random.below(16))
            .map(|_| {
                let base = random.below(0x1e0_0000);
                let bits = random.below(25);
                let size = random.below(1 << bits);
                let forbidden = random.below(2) == 0;
                if forbidden {
                    no_map(base, size)
                } else {
                    asked(base, size)
                }
            })
            .collect();
        let reserved = judged(&asked, &ram, needed());
        let mappable = reserved.mapped;
        let is_in = |list: &[PhysRange], frame: PhysRange| {
            list.iter().any(|range| range.intersection(frame).is_some())
        };
        for frame in (0..0x1c0_0000).step_by(FRAME) {
            let frame = range(frame, FRAME);
            let asks = |judged: &Judged| {
                let range = judged.reservation.range();
                range.is_some_and(|range| range.intersection(frame).is_some())
            };
            let in_image = IMAGE.contains(frame);
            let wanted = is_in(&ram, frame) && !in_image;
            let kept = is_in(&reserved.kept, frame);
            if wanted {
                assert_eq!(
                    kept,
                    reserved.judged().any(|j| asks(&j)),
                    "{frame} {asked:?}"
                );
            }
            assert!(!(kept && in_image), "{frame} {asked:?}");
            let unmapped = reserved
                .judged()
                .filter(asks)
                .any(|judged| judged.reservation.mapping == Mapping::Forbidden);
            let expected =
                is_in(&ram, frame) && (in_image || frame.base().as_usize() == 0 || !unmapped);
            assert_eq!(is_in(&mappable, frame), expected, "{frame} {asked:?}");
        }
    }
}
