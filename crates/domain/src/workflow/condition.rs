//! What must have become of a member that another waits for.

use crate::run::RunStatus;

/// A condition on the status of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// However it ended, even if it never began.
    Always,
    /// It ended well.
    Succeeded,
    /// It ended with an error, or could not run.
    Failed,
    /// It began and ended, well or not.
    Completed,
    /// It did not begin.
    Skipped,
    /// All of them hold.
    All(Vec<Condition>),
    /// One of them holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
}

impl Condition {
    /// Whether it holds; `None` as long as the member has not ended.
    #[must_use]
    pub fn holds(&self, status: RunStatus) -> Option<bool> {
        match status {
            RunStatus::Pending | RunStatus::Running => None,
            RunStatus::Succeeded
            | RunStatus::Failed
            | RunStatus::Skipped
            | RunStatus::Cancelled
            | RunStatus::Blocked
            | RunStatus::Interrupted => Some(self.holds_at_end(status)),
        }
    }

    fn holds_at_end(&self, status: RunStatus) -> bool {
        match self {
            Condition::Always => true,
            Condition::Succeeded => status == RunStatus::Succeeded,
            Condition::Failed => matches!(status, RunStatus::Failed | RunStatus::Blocked),
            Condition::Completed => matches!(status, RunStatus::Succeeded | RunStatus::Failed | RunStatus::Blocked),
            Condition::Skipped => status == RunStatus::Skipped,
            Condition::All(conditions) => conditions.iter().all(|condition| condition.holds_at_end(status)),
            Condition::Any(conditions) => conditions.iter().any(|condition| condition.holds_at_end(status)),
            Condition::Not(condition) => !condition.holds_at_end(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        let conditions = [
            ("always", Condition::Always),
            ("succeeded", Condition::Succeeded),
            ("failed", Condition::Failed),
            ("completed", Condition::Completed),
            ("skipped", Condition::Skipped),
            ("not failed", Condition::Not(Box::new(Condition::Failed))),
            ("failed or skipped", Condition::Any(vec![Condition::Failed, Condition::Skipped])),
            (
                "completed and not failed",
                Condition::All(vec![Condition::Completed, Condition::Not(Box::new(Condition::Failed))]),
            ),
        ];
        let mut table = String::new();
        for (name, condition) in conditions {
            let holding: Vec<&str> = RunStatus::ALL
                .into_iter()
                .filter(|status| condition.holds(*status) == Some(true))
                .map(RunStatus::as_str)
                .collect();
            table.extend([name, ": ", &holding.join(", "), "\n"]);
        }
        insta::assert_snapshot!(table, @r"
        always: succeeded, failed, skipped, cancelled, blocked, interrupted
        succeeded: succeeded
        failed: failed, blocked
        completed: succeeded, failed, blocked
        skipped: skipped
        not failed: succeeded, skipped, cancelled, interrupted
        failed or skipped: failed, skipped, blocked
        completed and not failed: succeeded
        ");
        assert_eq!(Condition::Always.holds(RunStatus::Pending), None);
        assert_eq!(Condition::Not(Box::new(Condition::Always)).holds(RunStatus::Running), None);
    }
}
