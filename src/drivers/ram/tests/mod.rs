//! Claims that agree, differ and lie.
#![forbid(unsafe_code)]

mod reserved;

use super::{
    Certain, Decision, Differ, MailboxClaims, Overlap, ROOM_BYTES, RamSource, Refused, UNRESERVED,
    Voice, ram_from,
};
use crate::addr::PhysAddr;
use crate::drivers::facts::{Facts, MEMORY_RANGES, Oddity};
use crate::drivers::range::{PhysRange, range};

const LIMIT: usize = 0x3f00_0000;

fn certain() -> Certain {
    Certain {
        ram_limit: PhysAddr::new(LIMIT),
        chip_end: PhysAddr::new(0x4000_0000),
        kernel: range(0, 2 << 20),
    }
}

fn tree(memory: &[PhysRange]) -> Facts {
    let mut facts = Facts {
        memory_places: 1,
        ..Facts::default()
    };
    for &range in memory {
        facts.memory.push(range).expect("room");
    }
    facts
}

const TREE: Voice = Voice::DeviceTree;

fn from_facts(facts: &Facts, mailbox: Option<(u64, u64)>) -> Decision {
    ram_from(Some((TREE, facts)), arm(mailbox), &certain())
}

fn decide(memory: &[PhysRange], mailbox: Option<(u64, u64)>) -> Decision {
    from_facts(&tree(memory), mailbox)
}

fn arm(arm: Option<(u64, u64)>) -> MailboxClaims {
    MailboxClaims {
        arm,
        videocore: None,
    }
}

#[test]
fn where_both_agree_there_is_nothing_to_warn_about() {
    let decision = decide(&[range(0, 0x3b40_0000)], Some((0, 0x3b40_0000)));
    assert_eq!(*decision.ram, [range(0, 0x3b40_0000)]);
    assert_eq!(decision.source, RamSource::Both(TREE));
    assert_eq!(decision.differ, None);
    assert_eq!(decision.loader_refused, None);
    assert_eq!(decision.mailbox_refused, None);
}

#[test]
fn where_they_differ_only_what_both_grant_is_ram() {
    let decision = decide(
        &[range(0, 0x1000_0000), range(0x2000_0000, 0x1f00_0000)],
        Some((0, 0x3c00_0000)),
    );
    assert_eq!(
        *decision.ram,
        [range(0, 0x1000_0000), range(0x2000_0000, 0x1c00_0000)]
    );
    assert_eq!(decision.source, RamSource::Both(TREE));
    let differ = Differ {
        voice: TREE,
        loader_bytes: 0x2f00_0000,
        mailbox_bytes: 0x3c00_0000,
    };
    assert_eq!(decision.differ, Some(differ));
}

#[test]
fn the_only_voice_is_believed() {
    let decision = decide(&[range(0, 0x1000_0000)], None);
    assert_eq!(*decision.ram, [range(0, 0x1000_0000)]);
    assert_eq!(decision.source, RamSource::Loader(TREE));
    let decision = ram_from(None, arm(Some((0, 0x3c00_0000))), &certain());
    assert_eq!(*decision.ram, [range(0, 0x3c00_0000)]);
    assert_eq!(decision.source, RamSource::Mailbox);
}

#[test]
fn with_no_voice_at_all_64_mib_are_ram() {
    let decision = ram_from(None, arm(None), &certain());
    assert_eq!(*decision.ram, [range(0, 0x0400_0000)]);
    assert_eq!(decision.source, RamSource::Assumed);
}

#[test]
fn a_false_mailbox_counts_as_absent_and_says_why() {
    let kernel = range(0, 2 << 20);
    for (answer, refused) in [
        ((0, 0), Refused::NoRange { base: 0, size: 0 }),
        (
            (0x1000, u64::MAX),
            Refused::NoRange {
                base: 0x1000,
                size: u64::MAX,
            },
        ),
        (
            (0, 0x3f00_0001),
            Refused::PastLimit {
                claimed: range(0, 0x3f00_0001),
                limit: PhysAddr::new(LIMIT),
            },
        ),
        ((0x1000, 0x1000_0000), Refused::KernelOutside { kernel }),
        ((0, 0x10_0000), Refused::KernelOutside { kernel }),
    ] {
        let decision = ram_from(None, arm(Some(answer)), &certain());
        assert_eq!(decision.mailbox_refused, Some(refused));
        assert_eq!(decision.source, RamSource::Assumed);
        let decision = decide(&[range(0, 0x1000_0000)], Some(answer));
        assert_eq!(decision.mailbox_refused, Some(refused));
        assert_eq!(decision.source, RamSource::Loader(TREE));
    }
}

#[test]
fn a_tree_that_was_not_made_for_this_board_counts_as_absent() {
    let decision = decide(&[range(0, 0x4000_0000)], Some((0, 0x3c00_0000)));
    assert_eq!(decision.source, RamSource::Mailbox);
    assert_eq!(*decision.ram, [range(0, 0x3c00_0000)]);
    assert!(matches!(
        decision.loader_refused,
        Some(Refused::PastLimit { .. })
    ));
    let decision = decide(&[range(0x1000_0000, 0x1000_0000)], None);
    assert_eq!(decision.source, RamSource::Assumed);
    assert!(matches!(
        decision.loader_refused,
        Some(Refused::KernelOutside { .. })
    ));
}

#[test]
fn ram_is_whole_frames_sorted_and_without_overlap() {
    let decision = decide(
        &[
            range(0x1000_0800, 0x2000),
            range(0x0800_0000, 0x1000),
            range(0x0000_1000, 0x0800_0000),
            range(0, 0x1000),
            range(0x2000_0001, 0xffe),
        ],
        None,
    );
    assert_eq!(
        *decision.ram,
        [range(0, 0x0800_1000), range(0x1000_1000, 0x1000)]
    );
}

/// The mailbox's answers alone.
fn shares(arm: (u64, u64), videocore: (u64, u64)) -> Decision {
    let claims = MailboxClaims {
        arm: Some(arm),
        videocore: Some(videocore),
    };
    ram_from(None, claims, &certain())
}

#[test]
fn shares_that_touch_are_no_conflict() {
    let decision = shares((0, 0x3c00_0000), (0x3c00_0000, 0x0400_0000));
    assert_eq!(*decision.ram, [range(0, 0x3c00_0000)]);
    assert_eq!(decision.videocore, Some(range(0x3c00_0000, 0x0400_0000)));
    assert_eq!(decision.overlap, None);
    assert_eq!(decision.videocore_refused, None);
}

#[test]
fn what_the_videocore_has_is_not_ram_whoever_says_so() {
    // 0x3b40_0000 is the VideoCore's: 0xc0_0000 bytes of what the mailbox itself calls the ARM's.
    let videocore = range(0x3b40_0000, 0x04c0_0000);
    let decision = shares((0, 0x3c00_0000), (0x3b40_0000, 0x04c0_0000));
    assert_eq!(*decision.ram, [range(0, 0x3b40_0000)]);
    let bytes = 0xc0_0000;
    assert_eq!(decision.overlap, Some(Overlap { videocore, bytes }));

    // In the middle of what the tree calls RAM, and in parts of frames.
    let claims = MailboxClaims {
        arm: None,
        videocore: Some((0x1000_0800, 0x1000)),
    };
    let tree = tree(&[range(0, 0x2000_0000)]);
    let decision = ram_from(Some((TREE, &tree)), claims, &certain());
    assert_eq!(
        *decision.ram,
        [range(0, 0x1000_0000), range(0x1000_2000, 0x0fff_e000)]
    );
    assert_eq!(decision.overlap.map(|overlap| overlap.bytes), Some(0x2000));
}

#[test]
fn a_share_of_the_videocore_that_cannot_be_takes_what_is_not_the_arms_for_certain() {
    let assumed = range(0, 0x0400_0000);
    let all = &[range(0, 0x3c00_0000)][..];
    for (share, refused, left) in [
        ((0, 0), Refused::NoRange { base: 0, size: 0 }, all),
        (
            (0x3c00_0000, 0x0400_0001),
            Refused::PastLimit {
                claimed: range(0x3c00_0000, 0x0400_0001),
                limit: PhysAddr::new(0x4000_0000),
            },
            all,
        ),
        (
            (0x03ff_f000, 0x3000_0000),
            Refused::TakesAll {
                claimed: range(0x03ff_f000, 0x3000_0000),
                arm: assumed,
            },
            &[assumed, range(0x33ff_f000, 0x0800_1000)],
        ),
    ] {
        let decision = shares((0, 0x3c00_0000), share);
        assert_eq!(decision.videocore_refused, Some(refused));
        assert_eq!(decision.videocore, None);
        assert_eq!(*decision.ram, *left);
    }
}

#[test]
fn a_range_past_the_end_of_ram_is_left_out_and_the_others_are_used() {
    let past = range(0x4000_0000, 0x4000_0000);
    for more in [past, range(0x3000_0000, 0x2000_0000)] {
        let decision = decide(&[range(0, 0x1000_0000), more], Some((0, 0x3c00_0000)));
        assert_eq!(*decision.ram, [range(0, 0x1000_0000)]);
        assert_eq!(decision.source, RamSource::Both(TREE));
        assert_eq!(*decision.past_limit, [more]);
        assert_eq!(decision.loader_refused, None);
    }
}

#[test]
fn ram_need_not_begin_at_0_nor_go_on_behind_the_image() {
    let certain = Certain {
        kernel: IMAGE,
        ..certain()
    };
    let image_alone = [range(0x8_0000, 0x14_0000), range(0x1000_0000, 0x1000_0000)];
    for memory in [
        &[range(0x1000, 0x3b00_0000)][..],
        &[range(0x8_0000, 0x3000_0000)],
        &[range(0, 0x20_0000), range(0x100_0000, 0x3a00_0000)],
        &image_alone,
    ] {
        let facts = tree(memory);
        let decision = ram_from(Some((TREE, &facts)), MailboxClaims::default(), &certain);
        assert_eq!(decision.source, RamSource::Loader(TREE));
        assert_eq!(*decision.ram, *memory);
    }
    // Parts of frames are none.
    let facts = tree(&[range(0x123, 0x3b3f_fff1)]);
    let decision = ram_from(Some((TREE, &facts)), MailboxClaims::default(), &certain);
    assert_eq!(*decision.ram, [range(0x1000, 0x3b3f_f000)]);
}

#[test]
fn memory_that_leaves_out_the_kernel_is_used_as_long_as_it_has_room_low() {
    let certain = Certain {
        kernel: IMAGE,
        ..certain()
    };
    let mailbox = arm(Some((0, 0x3c00_0000)));
    for memory in [
        &[range(0x20_0000, 0x3b20_0000)][..],
        &[range(0x9_0000, 0x3000_0000)],
        &[range(0, 0x9_0000), range(0x100_0000, 0x1000_0000)],
    ] {
        let facts = tree(memory);
        let decision = ram_from(Some((TREE, &facts)), mailbox, &certain);
        assert_eq!(decision.source, RamSource::Both(TREE));
        assert_eq!(*decision.ram, *memory);
        assert!(decision.kernel_left_out);
    }
    for memory in [
        range(0x1000_0000, 0x1000_0000),
        range(0x100_0000, ROOM_BYTES - 1),
    ] {
        let facts = tree(&[memory]);
        let decision = ram_from(Some((TREE, &facts)), mailbox, &certain);
        assert_eq!(decision.source, RamSource::Mailbox);
        let kernel = IMAGE;
        assert_eq!(
            decision.loader_refused,
            Some(Refused::KernelOutside { kernel })
        );
    }
}

#[test]
fn no_list_leaves_the_kernel_without_room() {
    let certain = Certain {
        kernel: IMAGE,
        ..certain()
    };
    let low = range(0, 0x20_0000);
    let high = range(0x2000_0000, 0x1000_0000);
    let assumed = [range(0, 0x0400_0000)];
    for (memory, mailbox) in [
        (&[low][..], None),
        (&[low], Some((0, 0x3c00_0000))),
        (&[], Some((0, 0x20_0000))),
        // Each has room, and both together have none.
        (&[low, high], Some((0, 0x1000_0000))),
    ] {
        let facts = tree(memory);
        let decision = ram_from(Some((TREE, &facts)), arm(mailbox), &certain);
        assert_eq!(decision.too_little, Some(0x8_0000));
        assert_eq!(decision.source, RamSource::Assumed);
        assert_eq!(*decision.ram, assumed);
    }
    // High RAM alone is room, but not where reservations may be missing.
    let mut facts = tree(&[low, high]);
    let decision = ram_from(Some((TREE, &facts)), arm(None), &certain);
    assert_eq!(
        (decision.too_little, &*decision.ram),
        (None, &[low, high][..])
    );
    facts.oddities.note_doubt(Oddity::InitrdHalf);
    let decision = ram_from(Some((TREE, &facts)), arm(None), &certain);
    assert_eq!(*decision.ram, [UNRESERVED]);
    assert!(decision.too_little.is_some());
}

#[test]
fn a_tree_without_memory_says_why_it_is_not_believed_and_atags_need_none() {
    let mut facts = tree(&[]);
    let mailbox = Some((0, 0x3c00_0000));
    let decision = from_facts(&facts, mailbox);
    assert_eq!(decision.loader_refused, Some(Refused::Empty));
    assert_eq!(decision.source, RamSource::Mailbox);
    facts.memory_places = 0;
    assert_eq!(
        from_facts(&facts, mailbox).loader_refused,
        Some(Refused::Unsaid)
    );
    let decision = ram_from(Some((Voice::Atags, &facts)), arm(mailbox), &certain());
    assert_eq!(decision.loader_refused, None);
    assert_eq!(decision.source, RamSource::Mailbox);
}

#[test]
fn in_doubt_of_reservations_only_what_nobody_reserves_is_used() {
    for memory in [&[range(0, 0x3c00_0000)][..], &[]] {
        for mailbox in [Some((0, 0x3b00_0000)), None] {
            let mut facts = tree(memory);
            facts.oddities.note_doubt(Oddity::InitrdHalf);
            let decision = from_facts(&facts, mailbox);
            assert_eq!(decision.doubt, Some(Oddity::InitrdHalf));
            assert_eq!(*decision.ram, [UNRESERVED]);
        }
    }
}

const IMAGE: PhysRange = match PhysRange::new(PhysAddr::new(0x8_0000), 0x14_0000) {
    Some(image) => image,
    None => panic!("a range"),
};

#[test]
fn memory_that_is_not_usable_is_no_ram_whoever_names_it() {
    let usable = |ranges: &[PhysRange]| {
        let mut facts = tree(&[range(0, 0x1000_0000), range(0x2000_0000, 0x1000_0000)]);
        for range in ranges {
            facts.add_usable(range.base().as_usize() as u64, range.size() as u64);
        }
        facts
    };
    let of = |ranges: &[PhysRange]| {
        let decision = from_facts(&usable(ranges), Some((0, 0x3c00_0000)));
        assert_eq!(decision.doubt, None);
        decision.ram
    };
    // Several, in any order, overlapping, past all RAM, and over a hole in it.
    for (ranges, ram) in [
        (
            &[range(0x0400_0000, 0x0400_0000)][..],
            &[range(0x0400_0000, 0x0400_0000)][..],
        ),
        (
            &[
                range(0x2800_0000, 0x4000_0000),
                range(0, 0x0100_0000),
                range(0x80_0000, 0x0100_0000),
            ],
            &[range(0, 0x0180_0000), range(0x2800_0000, 0x0800_0000)],
        ),
        (
            &[range(0x0f00_0000, 0x1200_0000)],
            &[
                range(0x0f00_0000, 0x0100_0000),
                range(0x2000_0000, 0x0100_0000),
            ],
        ),
        // Whole frames.
        (&[range(0x0400_0001, 0x2ffe)], &[range(0x0400_1000, 0x1000)]),
        (&[range(0x1000_0000, 0x1000_0000)], &[]),
        (&[range(0x5000_0000, 0x1000)], &[]),
        (
            &[range(0, usize::MAX)],
            &[range(0, 0x1000_0000), range(0x2000_0000, 0x1000_0000)],
        ),
    ] {
        assert_eq!(*of(ranges), *ram, "{ranges:?}");
    }
    // What is assumed in need is restricted, too.
    let mut facts = usable(&[range(0x0300_0000, 0x0800_0000)]);
    facts.memory = crate::drivers::range::RangeList::of(range(0, 0x20_0000));
    let decision = from_facts(&facts, None);
    assert_eq!(decision.source, RamSource::Assumed);
    assert_eq!(*decision.ram, [range(0x0300_0000, 0x0100_0000)]);
}

#[test]
fn every_range_of_memory_may_be_cut_by_every_usable_one() {
    let memory: std::vec::Vec<_> = (0..MEMORY_RANGES)
        .map(|index| range(index << 24, 0x80_0000))
        .collect();
    let mut facts = tree(&memory);
    for index in 0..MEMORY_RANGES {
        facts.add_usable((index << 24) as u64 + 0x60_0000, 0xc0_0000);
    }
    let decision = from_facts(&facts, None);
    // The upper quarter of each, and the lower one of all but the first.
    let parts = decision.ram.len();
    assert_eq!(parts, 2 * MEMORY_RANGES - 1);
    assert_eq!(decision.ram.total_size(), parts * 0x20_0000);
}
