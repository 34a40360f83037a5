//! What another core does for the lab, as a job of its own: it enters a space and stays there, or
//! does one access in one and is then where it was before.
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use core::fmt::Write;

use super::super::begun_jobs::BegunJobs;
use super::super::error::CommandError;
use super::super::progress::Progress;
use crate::arch::relax::relax;
use crate::arch::try_lock::TryLock;
use crate::kernel::cores::jobs::{self, JobError};
use crate::kernel::time::timers::TimerError;
use crate::kernel::user::access::{Touch, Touched, touch};
use crate::mm::current_space;
use crate::mm::user_space::UserSpace;

/// A task for another core, and its answer when it is done.
struct Request {
    /// `None`: the core leaves the space that it is in.
    space: Option<Arc<UserSpace>>,
    /// `None`: the core stays in the space.
    touch: Option<Touch>,
    answer: Option<Answer>,
}

/// The result of a task.
enum Answer {
    Entered,
    Touched(Result<Touched, TimerError>),
}

static REQUEST: TryLock<Option<Request>> = TryLock::new(None);

/// Lets core `core`, not this one, enter `space` and stay in it, or leave the one that it is in.
///
/// # Errors
/// Those of [`JobError`]; Ctrl-C.
pub(super) fn enter(
    core: usize,
    space: Option<Arc<UserSpace>>,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    ask(core, space, None, out)?;
    Ok(())
}

/// Lets core `core`, not this one, do `touch` in `space`, or in none.
///
/// # Errors
/// Those of [`JobError`], and of the access; Ctrl-C.
pub(super) fn touch_on(
    core: usize,
    space: Option<Arc<UserSpace>>,
    touch: Touch,
    out: &mut dyn Write,
) -> Result<Touched, CommandError> {
    match ask(core, space, Some(touch), out)? {
        Answer::Touched(touched) => Ok(touched?),
        Answer::Entered => Err(JobError::Working { core }.into()),
    }
}

/// Waits for the answer of core `core`.
fn ask(
    core: usize,
    space: Option<Arc<UserSpace>>,
    touch: Option<Touch>,
    out: &mut dyn Write,
) -> Result<Answer, CommandError> {
    let busy = JobError::Working { core };
    *REQUEST.try_lock().ok_or(busy)? = Some(Request {
        space,
        touch,
        answer: None,
    });
    let done = do_job(core, out);
    // Taken out in any case: it keeps the space.
    let request = REQUEST.try_lock().ok_or(busy)?.take();
    done?;
    let answer = request.and_then(|request| request.answer);
    Ok(answer.ok_or(busy)?)
}

fn do_job(core: usize, out: &mut dyn Write) -> Result<(), CommandError> {
    let mut job = BegunJobs::new();
    job.begin(core, serve, 0)?;
    let mut progress = Progress::new("core", 1, "jobs");
    while jobs::is_busy(core) {
        progress.at(0, out)?;
        relax();
    }
    Ok(job.end()?)
}

/// On the core that was asked.
fn serve(_: usize) {
    let Some(mut request) = REQUEST.try_lock() else {
        return;
    };
    let Some(request) = request.as_mut() else {
        return;
    };
    let space = request.space.as_ref();
    request.answer = Some(match request.touch {
        Some(wanted) => Answer::Touched(touch(space, wanted)),
        None => {
            current_space::enter(space);
            Answer::Entered
        }
    });
}
