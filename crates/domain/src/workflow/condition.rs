//! What must have become of a member that another waits for.

use crate::run::RunStatus;

/// A condition on what became of one member: of one step or job, or of all the steps that a repeated step has become.
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
    /// Whether it holds; `None` as long as one of these has not ended. One status is that of a step or job; several, or
    /// none, are those of the repetitions of a step. These have succeeded or completed if each has, also if there is none;
    /// they have failed if one has; they were skipped if there are some and each was.
    #[must_use]
    pub fn holds(&self, statuses: &[RunStatus]) -> Option<bool> {
        let has_ended = |status: &RunStatus| match status {
            RunStatus::Pending | RunStatus::Running | RunStatus::WaitingApproval | RunStatus::Suspended => false,
            RunStatus::Succeeded
            | RunStatus::Failed
            | RunStatus::Skipped
            | RunStatus::Cancelled
            | RunStatus::Blocked
            | RunStatus::Interrupted => true,
        };
        statuses.iter().all(has_ended).then(|| self.holds_at_end(statuses))
    }

    fn holds_at_end(&self, statuses: &[RunStatus]) -> bool {
        let has_failed = |status: &RunStatus| matches!(status, RunStatus::Failed | RunStatus::Blocked);
        match self {
            Condition::Always => true,
            Condition::Succeeded => statuses.iter().all(|status| *status == RunStatus::Succeeded),
            Condition::Failed => statuses.iter().any(has_failed),
            Condition::Completed => statuses.iter().all(|status| *status == RunStatus::Succeeded || has_failed(status)),
            Condition::Skipped => !statuses.is_empty() && statuses.iter().all(|status| *status == RunStatus::Skipped),
            Condition::All(conditions) => conditions.iter().all(|condition| condition.holds_at_end(statuses)),
            Condition::Any(conditions) => conditions.iter().any(|condition| condition.holds_at_end(statuses)),
            Condition::Not(condition) => !condition.holds_at_end(statuses),
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
                .filter(|status| condition.holds(&[*status]) == Some(true))
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
        assert_eq!(Condition::Always.holds(&[RunStatus::Pending]), None);
        assert_eq!(Condition::Not(Box::new(Condition::Always)).holds(&[RunStatus::Running]), None);
    }

    #[test]
    fn of_a_repeated_step_all_repetitions_count() {
        use RunStatus::{Failed, Running, Skipped, Succeeded};
        let groups: [(&str, &[RunStatus]); 6] = [
            ("none", &[]),
            ("all succeeded", &[Succeeded, Succeeded]),
            ("one failed", &[Succeeded, Failed]),
            ("one skipped", &[Succeeded, Skipped]),
            ("one failed, one skipped", &[Failed, Skipped]),
            ("all skipped", &[Skipped, Skipped]),
        ];
        let conditions = [
            ("always", Condition::Always),
            ("succeeded", Condition::Succeeded),
            ("failed", Condition::Failed),
            ("completed", Condition::Completed),
            ("skipped", Condition::Skipped),
        ];
        let mut table = String::new();
        for (group, statuses) in groups {
            let holding: Vec<&str> = conditions
                .iter()
                .filter(|(_, condition)| condition.holds(statuses) == Some(true))
                .map(|(name, _)| *name)
                .collect();
            table.extend([group, ": ", &holding.join(", "), "\n"]);
        }
        insta::assert_snapshot!(table, @r"
        none: always, succeeded, completed
        all succeeded: always, succeeded, completed
        one failed: always, failed, completed
        one skipped: always
        one failed, one skipped: always, failed
        all skipped: always, skipped
        ");
        assert_eq!(Condition::Failed.holds(&[Failed, Running]), None, "one of them goes on");
    }
}
