//! The audit at boot: what the hardware walks now, read back from its registers.

use alloc::vec::Vec;

use super::core_audit;
use super::exit::ExitCode;
use super::report::Report;
use crate::arch::aarch64::mmu;
use crate::log;
use crate::mm::audit::{Violation, check};
use crate::mm::kernel_space::{LowView, live_view};
use crate::mm::layout;
use crate::paging::Run;

/// Audits both halves. Logs what was counted, or stops and names the address.
///
/// A symbol of its own, so that a debugger can plant a fault before it runs.
#[unsafe(no_mangle)]
pub(super) extern "C" fn audit_live_tables() {
    if let Some(va) = low_half_mapping() {
        refuse(&Violation::LowHalfMapped { va });
    }
    if let Err(violation) = core_audit::check() {
        refuse(&violation);
    }
    let Some(mut runs) = live_runs() else {
        panic!("no heap left to audit the live tables");
    };
    match check(&mut runs, &layout::guards()) {
        Ok(counts) => {
            // As long as a line of a terminal is, each.
            let (leaves, runs) = (counts.leaves, counts.runs);
            let executable = counts.executable_pages;
            log!(
                "audit",
                "{leaves} leaves in {runs} runs, {executable} pages executable"
            );
            let (aliases, guards) = (counts.aliases, counts.guards);
            log!(
                "audit",
                "{aliases} aliases, {guards} guards unmapped, low half empty"
            );
        }
        Err(violation) => refuse(&violation),
    }
}

/// The first address that the low half maps, if walks from TTBR0 are on.
fn low_half_mapping() -> Option<crate::addr::VirtAddr> {
    let root = mmu::low_root()?;
    // SAFETY: TTBR0 points to a tree while walks from it are on; the linear map has its tables.
    let view = unsafe { LowView::new(root) };
    view.iter(..).next().map(|run| run.va)
}

/// All runs of the live high half, or `None` if the heap has no room for them.
fn live_runs() -> Option<Vec<Run>> {
    let view = live_view();
    let mut runs = Vec::new();
    runs.try_reserve_exact(view.iter(..).count()).ok()?;
    runs.extend(view.iter(..));
    Some(runs)
}

fn refuse(violation: &dyn core::error::Error) -> ! {
    let title = "unsound live page tables";
    Report::begin(ExitCode::Audit, title, violation).end()
}
