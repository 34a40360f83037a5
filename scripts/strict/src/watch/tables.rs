//! Rules about tables that walkers use.

use super::event::{Event, Missing};
use super::rule::Rule;

pub(super) fn see(event: Event, broken: &mut Vec<(Rule, String)>) {
    let (rule, detail) = match event {
        Event::MadeOverOld { address, .. } => (Rule::MakeBeforeBreak, format!("for {address:#x}")),
        Event::ReusedTable { frame, .. } => (Rule::ReusedTable, format!("the frame {frame:#x}")),
        Event::TlbiBeforeDsb(address) => (Rule::TlbiBeforeDsb, format!("for {address:#x}")),
        Event::TlbiLocal(address) => (Rule::TlbiLocal, format!("for {address:#x}")),
        Event::LinkedEarly(frame) => (Rule::LinkedEarly, format!("the frame {frame:#x}")),
        Event::Overdue {
            address,
            root: true,
            ..
        } => (Rule::RootKept, format!("for {address:#x}")),
        Event::Overdue { address, .. } => (Rule::LateInvalidation, format!("for {address:#x}")),
        Event::Unfinished {
            address, missing, ..
        } => {
            let detail = match missing {
                Missing::Dsb => format!("for {address:#x}: no DSB behind the store"),
                Missing::Isb => format!("for {address:#x}: no ISB behind the DSB"),
                Missing::DsbOfTlbi => "no DSB behind the TLBI".to_owned(),
            };
            (Rule::UnfinishedChange, detail)
        }
        Event::CleanOverFresh(address) => (
            Rule::InvalidateDirty,
            format!("the line at {address:#x} is cleaned by the core that wrote it uncached"),
        ),
        Event::FetchedUnclean { line, unclean } => {
            let missing = if unclean { "DC CVAU" } else { "IC" };
            let detail = format!("the line at {line:#x} was stored to, and no {missing} followed");
            (Rule::StaleInstructions, detail)
        }
        Event::CounterEarly => (
            Rule::CounterEarly,
            "more than 16 instructions since the last one".to_owned(),
        ),
        Event::TwoTranslations(address) => (Rule::TwoTranslations, format!("of {address:#x}")),
        _ => return,
    };
    broken.push((rule, detail));
}
