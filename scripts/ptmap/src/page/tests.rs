//! The page as text: it loads nothing, and no name breaks out of it.

use super::page;
use crate::map::Map;
use crate::places::{Area, Places, Symbol};
use crate::synthetic::{HIGH, Memory, NORMAL_PAGE, Noise, PXN, REGISTERS};

const NAME: &str = "evil</script><script>alert(1)</script>\"'&";

fn example() -> String {
    let mut memory = Memory::with_roots();
    memory.page(HIGH | 0x1000, 0x1000 | NORMAL_PAGE & !PXN);
    let boot = memory.map();
    memory.page(HIGH | 0x2000, 0x2000 | NORMAL_PAGE);
    let area = Area {
        first: HIGH,
        last: HIGH | 0xffff,
        name: NAME.to_owned(),
        identity: false,
    };
    let symbol = Symbol {
        va: HIGH | 0x1000,
        bytes: 16,
        name: NAME.to_owned(),
    };
    let places = Places::new(vec![area], vec![symbol]);
    let Ok(last) = Map::read(NAME, "<i>", REGISTERS, &mut memory, &places);
    page("kernel <8>.img", &[boot, last], &places)
}

#[test]
fn equal_input_makes_an_equal_page() {
    assert_eq!(example(), example());
}

#[test]
fn names_stay_text() {
    let page = example();
    assert!(!page.contains("<script>alert"), "{page}");
    // The page has its data and its script, and no other `script` element.
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    assert!(page.contains("evil&lt;/script&gt;&lt;script&gt;"));
    assert!(page.contains("kernel &lt;8&gt;.img") && page.contains("&lt;i&gt;"));
}

#[test]
fn nothing_is_loaded() {
    let page = example();
    for way in [
        "http:", "https:", "//cdn", "src=", "url(", "@import", "<link", "import(", "fetch(",
    ] {
        assert!(!page.contains(way), "{way}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn what_is_known_stands_in_the_html_itself() {
    let page = example();
    for words in [
        "writable and executable",
        "What the",
        "<caption>Tables of the test map</caption>",
        "0xffff000000002000 to 0xffff000000002fff, Normal write-back",
        "+</span><span class=\"sr\">new: rw- Normal write-back",
        "0x00000012b5103510",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn a_page_of_noise_is_bounded() {
    let symbol = |va| Symbol {
        va,
        bytes: 4,
        name: "n".repeat(100),
    };
    let places = Places::new(Vec::new(), (0..100_000).map(symbol).collect());
    let maps = [1, 2].map(|seed| {
        let Ok(map) = Map::read("noise", "", REGISTERS, &mut Noise(seed), &places);
        map
    });
    let bytes = page("kernel", &maps, &places).len();
    assert!(bytes < 1 << 20, "{bytes} bytes");
}
