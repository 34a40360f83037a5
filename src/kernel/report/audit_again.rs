//! The audit of everything, long after boot.
#![forbid(unsafe_code)]

use super::core_audit;
use super::live_audit::{self, AuditError};
use super::space_audit::{self, SpaceCounts};
use crate::mm::audit::AuditCounts;
use crate::mm::{heap, live_checks};

/// [`audit`](live_audit::audit), and the audit of all address spaces. What was written over since
/// boot may be the heap, in which they make their lists.
///
/// # Errors
/// The errors of both, and one if they cannot be done.
pub(crate) fn audit_again() -> Result<(AuditCounts, SpaceCounts), AuditError> {
    // First what needs neither: it says more about a frame that became free.
    core_audit::check()?;
    heap::check().map_err(AuditError::Heap)?;
    live_checks::check_frames().map_err(AuditError::Frames)?;
    let counts = live_audit::audit()?;
    let spaces = space_audit::check().or_else(|_| space_audit::check())?;
    Ok((counts, spaces))
}
