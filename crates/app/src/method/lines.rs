//! The lines that a method logs, as far as the [budget](StepBudget) of its step allows.

use std::sync::Arc;

use mangrove_domain::run::LogLine;

use super::budget::StepBudget;

/// How many lines of one call are kept.
const CALL_LINES: usize = 10_000;
/// How many characters of one line are kept.
const LINE_CHARACTERS: usize = 16_384;
/// What a line costs besides its text, in bytes: its time, its level, and their names in the record.
const LINE_BYTES: usize = 64;

/// The lines of one call that are kept.
#[derive(Debug)]
pub(super) struct CallLog {
    step: Arc<StepBudget>,
    lines: Vec<LogLine>,
    is_cut: bool,
}

impl CallLog {
    /// A place for what one call of the step logs.
    pub(super) fn new(step: &Arc<StepBudget>) -> Self {
        Self { step: Arc::clone(step), lines: Vec::new(), is_cut: false }
    }

    /// Keeps a line, or a remark that it and further ones are dropped, or nothing. Gives what was kept.
    pub(super) fn add(&mut self, mut line: LogLine) -> Option<LogLine> {
        if self.is_cut {
            return None;
        }
        line.text = shortened(line.text, LINE_CHARACTERS);
        let remark = if self.lines.len() >= CALL_LINES {
            Some(format!("more than {CALL_LINES} lines; this line and further ones are dropped"))
        } else {
            match self.step.take_line(LINE_BYTES + stored_bytes(&line.text)) {
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

    /// Keeps the lines of a call that this one made; the budget of the step has them already.
    pub(super) fn adopt(&mut self, lines: Vec<LogLine>) {
        self.lines.extend(lines);
        self.lines.sort_by_key(|line| line.at);
    }

    /// The lines that are kept, oldest first.
    pub(super) fn take(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.lines)
    }
}

/// At most this many characters of a text, and a mark if that is not all of it.
pub(crate) fn shortened(mut text: String, characters: usize) -> String {
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

#[cfg(test)]
mod tests {
    use mangrove_domain::time::Timestamp;

    use super::*;
    use crate::method::budget::{RunBudget, STEP_LOG_BYTES};

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
            let mut log = CallLog::new(&StepBudget::new(&RunBudget::new()));
            let (lines, last) = fill(&mut log, &text);
            assert_eq!(lines, STEP_LOG_BYTES / (bytes + LINE_BYTES) + 1);
            assert_eq!(last, "the step logs more than 8 MiB; this line and further ones are dropped");
            assert_eq!(log.add(line("short")), None, "nothing follows");
        }
    }

    #[test]
    fn f04_repetitions_of_a_step_share_its_bytes() {
        let step = StepBudget::new(&RunBudget::new());
        let text = "x".repeat(16_384);
        let (first, remark) = fill(&mut CallLog::new(&step), &text);
        assert!(remark.starts_with("the step logs"), "{remark}");
        assert_eq!(fill(&mut CallLog::new(&step), &text), (0, String::new()), "{first} lines are all of it");
    }

    #[test]
    fn f04_steps_of_a_run_share_its_bytes() {
        let run = RunBudget::new();
        let text = "x".repeat(16_384);
        let remarks: Vec<String> = (0..6).map(|_| fill(&mut CallLog::new(&StepBudget::new(&run)), &text).1).collect();
        assert!(remarks[..3].iter().all(|remark| remark.starts_with("the step logs more than 8 MiB")), "{remarks:?}");
        assert!(remarks[4..].iter().all(|remark| remark.starts_with("the run logs more than 32 MiB")), "{remarks:?}");
        assert_eq!(fill(&mut CallLog::new(&StepBudget::new(&RunBudget::new())), "other run").0, CALL_LINES + 1);
    }

    #[test]
    fn f04_a_call_keeps_so_many_lines_and_a_line_so_many_characters() {
        let step = StepBudget::new(&RunBudget::new());
        let (lines, last) = fill(&mut CallLog::new(&step), "short");
        assert_eq!(lines, CALL_LINES + 1);
        assert_eq!(last, "more than 10000 lines; this line and further ones are dropped");
        let kept = CallLog::new(&step).add(line(&"é".repeat(20_000))).expect("there is room");
        assert_eq!(kept.text.chars().count(), LINE_CHARACTERS + 1);
        assert!(kept.text.ends_with('…'));
    }
}
