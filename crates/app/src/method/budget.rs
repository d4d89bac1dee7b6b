//! How much of what methods leave behind stands in the record of a run: what they log, and the handles of what they write. A
//! method may do either without end; its run is recorded all the same, and the history stays small enough to be read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many bytes of the log of one step are kept, all its repetitions together.
pub(super) const STEP_LOG_BYTES: usize = 8 << 20;
/// How many bytes of logs of one run are kept, with the runs that its steps start.
const RUN_LOG_BYTES: usize = 32 << 20;
/// How many handles of one step are kept, all its repetitions together.
const STEP_HANDLES: usize = 10_000;
/// How many bytes of handles of one step are kept, as they stand in the record.
const STEP_HANDLE_BYTES: usize = 4 << 20;
/// How many bytes of handles of one run are kept, with the runs that its steps start.
const RUN_HANDLE_BYTES: usize = 16 << 20;

/// What a run, with those that its steps start, may still leave behind.
#[derive(Debug)]
pub(crate) struct RunBudget {
    log_bytes: Mutex<usize>,
    handle_bytes: Mutex<usize>,
}

impl RunBudget {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { log_bytes: Mutex::new(RUN_LOG_BYTES), handle_bytes: Mutex::new(RUN_HANDLE_BYTES) })
    }
}

/// What a step may still leave behind.
#[derive(Debug)]
pub(crate) struct StepBudget {
    run: Arc<RunBudget>,
    /// Bytes of its log; `None` once something was dropped.
    log: Mutex<Option<usize>>,
    /// `None` once one was dropped.
    handles: Mutex<Option<Handles>>,
}

#[derive(Debug)]
struct Handles {
    count: usize,
    bytes: usize,
}

impl StepBudget {
    pub(crate) fn new(run: &Arc<RunBudget>) -> Arc<Self> {
        Arc::new(Self {
            run: Arc::clone(run),
            log: Mutex::new(Some(STEP_LOG_BYTES)),
            handles: Mutex::new(Some(Handles { count: STEP_HANDLES, bytes: STEP_HANDLE_BYTES })),
        })
    }

    /// Takes room for a line: `Ok` if there is some, else what is said once instead of this line and all further ones.
    pub(super) fn take_line(&self, bytes: usize) -> Result<(), Option<String>> {
        let mut left = lock(&self.log);
        let Some(step) = *left else { return Err(None) };
        let mut run = lock(&self.run.log_bytes);
        let reason = if bytes > step {
            format!("the step logs more than {} MiB", mib(STEP_LOG_BYTES))
        } else if bytes > *run {
            format!("the run logs more than {} MiB", mib(RUN_LOG_BYTES))
        } else {
            *left = Some(step - bytes);
            *run -= bytes;
            return Ok(());
        };
        *left = None;
        Err(Some(format!("{reason}; this line and further ones are dropped")))
    }

    /// Takes room for a handle: `Ok` if there is some, else what is said once of this handle and all further ones.
    pub(super) fn take_handle(&self, bytes: usize) -> Result<(), Option<String>> {
        let mut left = lock(&self.handles);
        let Some(step) = left.as_mut() else { return Err(None) };
        let mut run = lock(&self.run.handle_bytes);
        let reason = if step.count == 0 {
            format!("the step writes more than {STEP_HANDLES} items of data")
        } else if bytes > step.bytes {
            format!("the step writes data whose handles take more than {} MiB", mib(STEP_HANDLE_BYTES))
        } else if bytes > *run {
            format!("the run writes data whose handles take more than {} MiB", mib(RUN_HANDLE_BYTES))
        } else {
            step.count -= 1;
            step.bytes -= bytes;
            *run -= bytes;
            return Ok(());
        };
        *left = None;
        Err(Some(format!("{reason}; all data is stored, and the record names none of it from here on")))
    }
}

const fn mib(bytes: usize) -> usize {
    bytes >> 20
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes room for handles of this size until there is none. Gives how many that were, and what was said.
    fn fill(step: &StepBudget, bytes: usize) -> (usize, Option<String>) {
        for count in 0.. {
            if let Err(remark) = step.take_handle(bytes) {
                return (count, remark);
            }
        }
        unreachable!("there is an end")
    }

    #[test]
    fn a_step_keeps_so_many_handles_and_says_once_what_it_drops() {
        let step = StepBudget::new(&RunBudget::new());
        let (count, remark) = fill(&step, 100);
        assert_eq!(count, STEP_HANDLES);
        let said = "the step writes more than 10000 items of data; all data is stored, and the record names none of it from here on";
        assert_eq!(remark.as_deref(), Some(said));
        assert_eq!(fill(&step, 1), (0, None), "nothing follows, and it is said once");
    }

    #[test]
    fn a_step_keeps_so_many_bytes_of_handles_and_a_run_too() {
        let run = RunBudget::new();
        for _ in 0..4 {
            let (count, remark) = fill(&StepBudget::new(&run), 1 << 10);
            assert_eq!(count, 4 << 10);
            assert!(remark.is_some_and(|remark| remark.starts_with("the step writes data whose handles take more than 4 MiB")));
        }
        let (count, remark) = fill(&StepBudget::new(&run), 1 << 10);
        assert_eq!(count, 0);
        assert!(
            remark.is_some_and(|remark| remark.starts_with("the run writes data whose handles take more than 16 MiB"))
        );
        assert_eq!(fill(&StepBudget::new(&RunBudget::new()), 1 << 10).0, 4 << 10, "another run has room of its own");
    }
}
