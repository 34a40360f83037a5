//! Reserved places: behind long names, in odd words, in many, and where nothing says where.

use super::{
    Booted, CELLS, Case, FRAME, PLACE, PLACE_FRAMES, TREE, UNMAPPED, UNRESERVED, Way, frames_of,
    reserved,
};
use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::tree;

#[test]
fn names_of_more_than_31_characters_take_no_reservation_with_them() {
    for odd in [
        "sound { simple-audio-card,bitclock-master; };",
        "__symbols__ { a_label_that_is_just_thirty_eight_long = \"/sound\"; };",
        "a-node-with-a-name-of-more-than-thirty-one-letters { };",
    ] {
        let case = Case {
            nodes: &format!("{} {odd}", reserved(&format!("{CELLS} {PLACE}"))),
            reservations: "/memreserve/ 0x0 0x1000;",
            frames: PLACE_FRAMES,
            unmapped: Some(UNMAPPED),
            tree: &["device tree at 0x"],
        };
        case.holds();
    }
}

#[test]
fn places_without_numbers_of_cells_are_left_alone() {
    let case = Case {
        nodes: &reserved(&format!("ranges; {PLACE}")),
        reservations: "/memreserve/ 0x0 0x1000; /memreserve/ 0x20000000 0x2000;",
        frames: PLACE_FRAMES + 2,
        unmapped: Some(UNMAPPED),
        tree: &["warning: /reserved-memory: no cells, the root's are taken"],
    };
    case.holds();
}

#[test]
fn a_tree_of_version_16_is_read() {
    let case = Case {
        nodes: "",
        reservations: "",
        frames: PLACE_FRAMES,
        unmapped: Some(UNMAPPED),
        tree: &["device tree at 0x"],
    };
    let nodes = reserved(&format!("{CELLS} {PLACE}"));
    let nodes = format!("{} {nodes}", tree::BOARD_MEMORY);
    let source = tree::Source {
        nodes: &nodes,
        chosen: "",
        reservations: "",
        version: 16,
    };
    case.holds_for(Way::X0, &source.compile());
}

#[test]
fn many_places_are_all_left_alone() {
    for (count, tree) in [
        (18, "device tree at 0x"),
        (70, "warning: over 64 reservations"),
    ] {
        let place = |number: u64| {
            let base = 0x1000_0000 + number * 0x2000;
            format!("p@{base:x} {{ reg = <{base:#x} 0x2000>; no-map; }};")
        };
        let places: String = (0..count).map(place).collect();
        let case = Case {
            nodes: &reserved(&format!("{CELLS} {places}")),
            reservations: "",
            frames: 2 * count,
            unmapped: Some((0x1000_0000, 0x1000_0000 + count * 0x2000)),
            tree: &[tree],
        };
        case.holds();
    }
}

#[test]
fn a_place_over_what_follows_the_image_leaves_room_elsewhere() {
    let image_end = Symbols::read().address("__image_end") - HIGH_HALF;
    let case = Case {
        nodes: &reserved(&format!(
            "{CELLS} r@b0000 {{ reg = <0xb0000 0x200000>; no-map; }};"
        )),
        reservations: "",
        frames: (0x2b_0000 - image_end) / FRAME,
        unmapped: Some((image_end, 0x2b_0000)),
        tree: &["device tree at 0x"],
    };
    case.holds();
}

#[test]
fn a_place_that_is_switched_off_says_why_it_is_left_alone() {
    let place = "off@10000000 { reg = <0x10000000 0x1000>; status = \"disabled\"; };";
    let case = Case {
        nodes: &reserved(&format!("{CELLS} {place}")),
        reservations: "",
        frames: 1,
        unmapped: None,
        tree: &["device tree at 0x"],
    };
    let tree = tree::compile(&format!("{} {}", tree::BOARD_MEMORY, case.nodes), "");
    let booted = case.holds_for(Way::X0, &tree);
    let said = "0x10000000..0x10001000 left alone; disabled, but perhaps in use";
    booted.must_say("reserve", &[said]);
}

/// Wherever reservations may be missing, only what nobody reserves is used, and what was read is
/// kept.
#[track_caller]
fn in_doubt(tree: &[u8], why: &str) {
    let mut booted = Booted::new(Way::X0.setup(tree));
    booted.must_say(
        "ram",
        &[
            "warning: reservations may be missing",
            why,
            "only 0x0..0x2000000 is used",
        ],
    );
    booted.must_say("reserve", &["0x1800000..0x1900000 left alone"]);
    let least = frames_of(&[(0, UNRESERVED)]) - 0x100 - 0x200;
    let most = frames_of(&[(0, UNRESERVED)]) - 0x100;
    assert!((least..most).contains(&booted.usable), "{}", booted.usable);
    for pa in [UNRESERVED, UNMAPPED.0, TREE, 0x3b00_0000] {
        assert!(!booted.maps(pa), "{pa:#x}");
    }
    // It is enough to work with.
    booted.machine.command("soak 1");
    booted.machine.command("mem");
}

#[test]
fn a_tree_that_was_cut_off_is_used_with_caution() {
    let nodes = reserved(&format!("{CELLS} {PLACE}"));
    let nodes = format!("{} {nodes}", tree::BOARD_MEMORY);
    let tree = tree::compile(&nodes, "/memreserve/ 0x1800000 0x100000;");
    for part in [1, 2, 3] {
        in_doubt(&tree[..tree.len() * part / 4], "");
    }
}

#[test]
fn places_of_which_nothing_says_where_are_met_with_caution() {
    for (place, why) in [
        (
            "fb@10000000 { no-map; };",
            "fb@10000000: reserved, and nothing says where",
        ),
        (
            "fb { reg = <0x10000000>; };",
            "fb: reg of 4 bytes, no whole pairs",
        ),
    ] {
        let nodes = format!(
            "{} {}",
            tree::BOARD_MEMORY,
            reserved(&format!("{CELLS} {place}"))
        );
        in_doubt(
            &tree::compile(&nodes, "/memreserve/ 0x1800000 0x100000;"),
            why,
        );
    }
}
