//! A random map: what AT instructions find for every leaf is what `query` says.
//!
//! Leaves of every size with every set of flags that the format accepts, at random addresses of a
//! half, and regions with every kind of options; then the same after random changes. Frames are
//! random, too: an AT instruction walks the tables, and nobody uses what it finds.

mod change;
mod map;
mod number;
mod translate;

use stilt_paging::addr::VirtAddr;
use stilt_paging::{PagingMetaData, Summary};

use crate::program::say;
use crate::side::{MetaData, Side};
use crate::wrong::{Wrong, same};

use map::Map;
use translate::Checked;

pub(crate) use translate::Found;

/// Random changes between the two looks at all leaves.
const CHANGES: usize = 1000;

/// Everything in half `S`, with a line of output for each look; the number of AT instructions.
pub(crate) fn run<S: Side>() -> Result<u64, Wrong> {
    let mut map = Map::<S>::new()?;
    let tables = map.table.view().count_tables();
    map.fill()?;
    let first = look(&map, "a random map")?;
    for number in 0..CHANGES {
        change::any(&mut map, number)?;
    }
    let second = look(&map, "after 1000 random changes")?;
    map.clear()?;
    same("tables are left", tables, map.table.view().count_tables())?;
    let last = translate::check_all(&map.table, &mut map.numbers.clone())?;
    Ok(first + second + last.translations)
}

/// Looks at every leaf, and shows what there is.
fn look<S: Side>(map: &Map<S>, what: &str) -> Result<u64, Wrong> {
    let tree = map.table.view().check(0..0).map_err(Wrong::Tree)?;
    let checked = translate::check_all(&map.table, &mut map.numbers.clone())?;
    let Summary {
        tables,
        present,
        inaccessible,
        contiguous,
        swapped,
    } = tree;
    let Checked {
        leaves,
        pages,
        neighbours,
        translations,
    } = checked;
    same("leaves were seen", present + inaccessible, leaves)?;
    same("pages are mapped", map.pages, pages)?;
    same("pages are swapped out", 0, swapped)?;
    say(format_args!(
        "{}: {what}: {leaves} leaves ({inaccessible} inaccessible, {contiguous} contiguous) in {tables} \
         tables, {neighbours} unmapped neighbours, {translations} translations\n",
        S::NAME
    ));
    Ok(translations)
}

/// The start of the half, for what concerns all of it.
fn start<S: Side>() -> VirtAddr {
    MetaData::<S>::vaddr_at(0)
}
