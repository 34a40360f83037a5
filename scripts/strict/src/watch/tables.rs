//! Rules about tables that walkers use.

use super::event::Event;
use super::rule::Rule;

pub(super) fn see(event: Event, broken: &mut Vec<(Rule, String)>) {
    let (rule, detail) = match event {
        Event::MadeOverOld { address, store_at } => (
            Rule::MakeBeforeBreak,
            format!("for {address:#x}; the old descriptor was replaced at {store_at:#x}"),
        ),
        Event::ReusedTable { frame, store_at } => (
            Rule::ReusedTable,
            format!("the frame {frame:#x} was unlinked at {store_at:#x}"),
        ),
        Event::TlbiBeforeDsb(address) => (Rule::TlbiBeforeDsb, format!("for {address:#x}")),
        Event::TlbiLocal(address) => (Rule::TlbiLocal, format!("for {address:#x}")),
        Event::TwoTranslations(address) => (Rule::TwoTranslations, format!("of {address:#x}")),
        _ => return,
    };
    broken.push((rule, detail));
}
