//! How much of what methods log is kept. A method may log without end; its run is recorded all the same, and the history
//! stays small enough to be read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mangrove_domain::run::LogLine;

/// How many bytes of one step are kept, all its repetitions together.
const STEP_BYTES: usize = 8 << 20;
/// How many bytes of one run are kept, with the runs that its steps start.
const RUN_BYTES: usize = 32 << 20;
/// How many lines of one call are kept.
const CALL_LINES: usize = 10_000;
/// How many characters of one line are kept.
const LINE_CHARACTERS: usize = 16_384;
/// What a line costs besides its text, in bytes: its time, its level, and their names in the record.
const LINE_BYTES: usize = 64;

/// What a run, with those that its steps start, may still log.
#[derive(Debug)]
pub(crate) struct RunLog {
    left: Mutex<usize>,
}

impl RunLog {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { left: Mutex::new(RUN_BYTES) })
    }
}

/// What a step may still log.
#[derive(Debug)]
pub(crate) struct StepLog {
    run: Arc<RunLog>,
    /// `None` once something was dropped.
    left: Mutex<Option<usize>>,
}

impl StepLog {
    pub(crate) fn new(run: &Arc<RunLog>) -> Arc<Self> {
        Arc::new(Self { run: Arc::clone(run), left: Mutex::new(Some(STEP_BYTES)) })
    }

    /// A place for what one call of the step logs.
    pub(super) fn call(self: &Arc<Self>) -> CallLog {
        CallLog { step: Arc::clone(self), lines: Vec::new(), is_cut: false }
    }

    /// Takes room for a line: `Ok` if there is some, else what is said once instead of this line and all further ones.
    fn take(&self, bytes: usize) -> Result<(), Option<String>> {
        let mut left = lock(&self.left);
        let Some(step) = *left else { return Err(None) };
        let mut run = lock(&self.run.left);
        let mib = |bytes: usize| bytes >> 20;
        let reason = if bytes > step {
            format!("the step logs more than {} MiB", mib(STEP_BYTES))
        } else if bytes > *run {
            format!("the run logs more than {} MiB", mib(RUN_BYTES))
        } else {
            *left = Some(step - bytes);
            *run -= bytes;
            return Ok(());
        };
        *left = None;
        Err(Some(format!("{reason}; this line and further ones are dropped")))
    }
}

/// The lines of one call that are kept.
#[derive(Debug)]
pub(super) struct CallLog {
    step: Arc<StepLog>,
    lines: Vec<LogLine>,
    is_cut: bool,
}

impl CallLog {
    /// Keeps a line, or a remark that it and further ones are dropped, or nothing. Gives what was kept.
    pub(super) fn add(&mut self, mut line: LogLine) -> Option<LogLine> {
        if self.is_cut {
            return None;
        }
        line.text = shortened(line.text, LINE_CHARACTERS);
        let remark = if self.lines.len() >= CALL_LINES {
            Some(format!("more than {CALL_LINES} lines; this line and further ones are dropped"))
        } else {
            match self.step.take(LINE_BYTES + stored_bytes(&line.text)) {
                Ok(()) => None,
                Err(Some(remark)) => Some(remark),
                // Another call of the step has said it.
                Err(None) => {
                    self.is_cut = true;
                    return None;
                }
            }
        };
        if let Some(remark) = remark {
            self.is_cut = true;
            line = LogLine { level: "warn".to_owned(), text: remark, ..line };
        }
        self.lines.push(line.clone());
        Some(line)
    }

    /// The lines that are kept, oldest first.
    pub(super) fn take(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.lines)
    }
}

/// At most this many characters of a text, and a mark if that is not all of it.
pub(super) fn shortened(mut text: String, characters: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// How many bytes a text takes in a record, which is JSON.
fn stored_bytes(text: &str) -> usize {
    let bytes = |letter: char| match letter {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        '\0'..'\u{20}' => 6,
        letter => letter.len_utf8(),
    };
    text.chars().map(bytes).sum()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use mangrove_domain::time::Timestamp;

    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine { at: Timestamp::from_millis(0), level: "info".to_owned(), text: text.to_owned() }
    }

    /// Logs a text until a line is dropped. Gives how many lines are kept, and the last of them.
    fn fill(log: &mut CallLog, text: &str) -> (usize, String) {
        for _ in 0..=CALL_LINES {
            if log.add(line(text)).is_none() {
                break;
            }
        }
        let lines = log.take();
        (lines.len(), lines.last().map(|line| line.text.clone()).unwrap_or_default())
    }

    #[test]
    fn f04_a_step_keeps_so_many_bytes_and_says_what_it_drops() {
        for (text, bytes) in [
            ("x".repeat(10_000), 10_000),
            ("😀".repeat(16_384), 65_536),
            // As `\u0001` in the record.
            ("\u{1}".repeat(16_384), 98_304),
            ("\"".repeat(16_384), 32_768),
        ] {
            let mut log = StepLog::new(&RunLog::new()).call();
            let (lines, last) = fill(&mut log, &text);
            assert_eq!(lines, STEP_BYTES / (bytes + LINE_BYTES) + 1);
            assert_eq!(last, "the step logs more than 8 MiB; this line and further ones are dropped");
            assert_eq!(log.add(line("short")), None, "nothing follows");
        }
    }

    #[test]
    fn f04_repetitions_of_a_step_share_its_bytes() {
        let step = StepLog::new(&RunLog::new());
        let text = "x".repeat(16_384);
        let (first, remark) = fill(&mut step.call(), &text);
        assert!(remark.starts_with("the step logs"), "{remark}");
        assert_eq!(fill(&mut step.call(), &text), (0, String::new()), "{first} lines are all of it");
    }

    #[test]
    fn f04_steps_of_a_run_share_its_bytes() {
        let run = RunLog::new();
        let text = "x".repeat(16_384);
        let remarks: Vec<String> = (0..6).map(|_| fill(&mut StepLog::new(&run).call(), &text).1).collect();
        assert!(remarks[..3].iter().all(|remark| remark.starts_with("the step logs more than 8 MiB")), "{remarks:?}");
        assert!(remarks[4..].iter().all(|remark| remark.starts_with("the run logs more than 32 MiB")), "{remarks:?}");
        assert_eq!(fill(&mut StepLog::new(&RunLog::new()).call(), "other run").0, CALL_LINES + 1);
    }

    #[test]
    fn f04_a_call_keeps_so_many_lines_and_a_line_so_many_characters() {
        let step = StepLog::new(&RunLog::new());
        let (lines, last) = fill(&mut step.call(), "short");
        assert_eq!(lines, CALL_LINES + 1);
        assert_eq!(last, "more than 10000 lines; this line and further ones are dropped");
        let kept = step.call().add(line(&"é".repeat(20_000))).expect("there is room");
        assert_eq!(kept.text.chars().count(), LINE_CHARACTERS + 1);
        assert!(kept.text.ends_with('…'));
    }
}
