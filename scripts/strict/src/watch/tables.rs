//! Rules about tables that walkers use.

use super::event::Event;
use super::rule::Rule;

pub(super) fn see(event: Event, broken: &mut Vec<(Rule, String)>) {
    let (rule, detail) = match event {
        Event::MadeOverOld { address, .. } => (Rule::MakeBeforeBreak, format!("for {address:#x}")),
        Event::ReusedTable { frame, .. } => (Rule::ReusedTable, format!("the frame {frame:#x}")),
        Event::TlbiBeforeDsb(address) => (Rule::TlbiBeforeDsb, format!("for {address:#x}")),
        Event::TlbiLocal(address) => (Rule::TlbiLocal, format!("for {address:#x}")),
        Event::TwoTranslations(address) => (Rule::TwoTranslations, format!("of {address:#x}")),
        _ => return,
    };
    broken.push((rule, detail));
}
