//! Which members of a workflow or job may start: the same rules for jobs and for steps.

use super::{Condition, Dependency, Job, Step};
use crate::run::RunStatus;

/// One member: a job of a workflow or a step of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The members that it waits for, by their index, and what must have become of them.
    pub depends_on: Vec<(usize, Condition)>,
    /// Heavier ones start first.
    pub weight: i64,
    /// True if its failure does not count.
    pub allow_failure: bool,
}

/// What may happen next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Next {
    /// These start, the heaviest first.
    pub start: Vec<usize>,
    /// These are skipped, in the order of the document.
    pub skip: Vec<usize>,
}

/// What a failure does to the members that have not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// Nothing: each looks at its own dependencies only. The rule for jobs.
    GoOn,
    /// Those without dependencies are skipped; the others start if their conditions hold. The rule for steps.
    OnlyDependents,
}

/// The members of a workflow. Dependencies on unknown names are left out: [`parse`](super::parse()) reports them.
#[must_use]
pub fn jobs(jobs: &[Job]) -> Vec<Member> {
    let names: Vec<&str> = jobs.iter().map(|job| job.name.value.as_str()).collect();
    jobs.iter()
        .map(|job| Member { depends_on: resolve(&job.depends_on, &names), weight: job.weight, allow_failure: false })
        .collect()
}

/// The members of a job.
#[must_use]
pub fn steps(steps: &[Step]) -> Vec<Member> {
    let names: Vec<&str> = steps.iter().map(|step| step.name.value.as_str()).collect();
    steps
        .iter()
        .map(|step| Member {
            depends_on: resolve(&step.depends_on, &names),
            weight: step.weight,
            allow_failure: step.allow_failure,
        })
        .collect()
}

fn resolve(dependencies: &[Dependency], names: &[&str]) -> Vec<(usize, Condition)> {
    dependencies
        .iter()
        .filter_map(|dependency| {
            let index = names.iter().position(|name| *name == dependency.on.value)?;
            Some((index, dependency.condition.clone()))
        })
        .collect()
}

/// What may happen next, given how far each member is. `limit` is the number of members that may run at once.
///
/// A member is decided once everything that it waits for has ended. Skipping one may decide others, so the
/// answer contains all that follow from it. A graph without cycles always goes on or has ended.
#[must_use]
pub fn next(members: &[Member], statuses: &[RunStatus], limit: usize, after_failure: AfterFailure) -> Next {
    let mut statuses = statuses.to_vec();
    let mut outcome = Next::default();
    loop {
        let skipped = outcome.skip.len();
        let halted = after_failure == AfterFailure::OnlyDependents
            && members.iter().zip(&statuses).any(|(member, status)| has_failed(*status) && !member.allow_failure);
        for (index, member) in members.iter().enumerate() {
            if statuses[index] != RunStatus::Pending {
                continue;
            }
            let is_left_out = halted && member.depends_on.is_empty();
            if is_left_out || holds(member, &statuses) == Some(false) {
                statuses[index] = RunStatus::Skipped;
                outcome.skip.push(index);
            }
        }
        if outcome.skip.len() == skipped {
            break;
        }
    }
    outcome.skip.sort_unstable();
    let running = statuses.iter().filter(|status| **status == RunStatus::Running).count();
    let mut ready: Vec<usize> = (0..members.len())
        .filter(|index| statuses[*index] == RunStatus::Pending && holds(&members[*index], &statuses) == Some(true))
        .collect();
    ready.sort_by_key(|index| (std::cmp::Reverse(members[*index].weight), *index));
    ready.truncate(limit.max(1).saturating_sub(running));
    outcome.start = ready;
    outcome
}

/// The status of a whole whose members have all ended.
#[must_use]
pub fn summary(members: &[Member], statuses: &[RunStatus]) -> RunStatus {
    let counting =
        || members.iter().zip(statuses).filter(|(member, _)| !member.allow_failure).map(|(_, status)| *status);
    if statuses.contains(&RunStatus::Blocked) {
        RunStatus::Blocked
    } else if statuses.contains(&RunStatus::Cancelled) {
        RunStatus::Cancelled
    } else if counting().any(has_failed) {
        RunStatus::Failed
    } else if statuses.iter().all(|status| *status == RunStatus::Skipped) {
        RunStatus::Skipped
    } else {
        RunStatus::Succeeded
    }
}

fn has_failed(status: RunStatus) -> bool {
    match status {
        RunStatus::Failed | RunStatus::Blocked | RunStatus::Cancelled | RunStatus::Interrupted => true,
        RunStatus::Pending | RunStatus::Running | RunStatus::Succeeded | RunStatus::Skipped => false,
    }
}

/// Whether everything that a member waits for has become what it must; `None` as long as something goes on.
fn holds(member: &Member, statuses: &[RunStatus]) -> Option<bool> {
    let mut all = true;
    for (index, condition) in &member.depends_on {
        all &= condition.holds(statuses[*index])?;
    }
    Some(all)
}

/// A cycle for each group of members that wait for each other: their indices in the order of waiting, the first
/// one again at the end.
#[must_use]
pub fn cycles(members: &[Member]) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut done = vec![false; members.len()];
    for start in 0..members.len() {
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        let mut on_path = vec![false; members.len()];
        if done[start] {
            continue;
        }
        on_path[start] = true;
        while let Some((at, edge)) = path.pop() {
            let Some((target, _)) = members[at].depends_on.get(edge) else {
                on_path[at] = false;
                done[at] = true;
                continue;
            };
            path.push((at, edge + 1));
            if on_path[*target] {
                let from = path.iter().position(|(index, _)| index == target).unwrap_or(0);
                let mut cycle: Vec<usize> = path[from..].iter().map(|(index, _)| *index).collect();
                cycle.push(*target);
                found.push(cycle);
            } else if !done[*target] {
                on_path[*target] = true;
                path.push((*target, 0));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use RunStatus::{Failed, Pending, Running, Skipped, Succeeded};

    fn member(depends_on: &[(usize, Condition)], weight: i64) -> Member {
        Member { depends_on: depends_on.to_vec(), weight, allow_failure: false }
    }

    #[test]
    fn heavier_ones_start_first_up_to_the_limit() {
        let members = [member(&[], 0), member(&[], 5), member(&[], 5), member(&[], 9)];
        assert_eq!(next(&members, &[Pending; 4], 3, AfterFailure::GoOn).start, [3, 1, 2]);
        let statuses = [Pending, Running, Pending, Running];
        assert_eq!(next(&members, &statuses, 3, AfterFailure::GoOn).start, [2]);
        assert!(next(&members, &[Running, Running, Pending, Running], 3, AfterFailure::GoOn).start.is_empty());
    }

    #[test]
    fn a_false_condition_skips_and_skipping_goes_on() {
        let members = [
            member(&[], 0),
            member(&[(0, Condition::Succeeded)], 0),
            member(&[(1, Condition::Succeeded)], 0),
            member(&[(2, Condition::Skipped)], 0),
            member(&[(2, Condition::Always)], 0),
        ];
        let outcome = next(&members, &[Failed, Pending, Pending, Pending, Pending], 9, AfterFailure::GoOn);
        assert_eq!(outcome, Next { start: vec![3, 4], skip: vec![1, 2] });
    }

    #[test]
    fn several_dependencies_mean_all() {
        let members =
            [member(&[], 0), member(&[], 0), member(&[(0, Condition::Succeeded), (1, Condition::Succeeded)], 0)];
        assert!(next(&members, &[Succeeded, Running, Pending], 9, AfterFailure::GoOn).start.is_empty());
        assert_eq!(next(&members, &[Succeeded, Succeeded, Pending], 9, AfterFailure::GoOn).start, [2]);
        assert_eq!(next(&members, &[Succeeded, Failed, Pending], 9, AfterFailure::GoOn).skip, [2]);
    }

    #[test]
    fn after_a_failed_step_only_those_start_whose_conditions_hold() {
        let mut members = vec![member(&[], 0), member(&[], 0), member(&[(0, Condition::Failed)], 0)];
        let statuses = [Failed, Pending, Pending];
        assert_eq!(next(&members, &statuses, 9, AfterFailure::OnlyDependents), Next { start: vec![2], skip: vec![1] });
        assert_eq!(next(&members, &statuses, 9, AfterFailure::GoOn).start, [1, 2]);
        members[0].allow_failure = true;
        assert_eq!(next(&members, &statuses, 9, AfterFailure::OnlyDependents).start, [1, 2]);
        assert_eq!(summary(&members, &[Failed, Succeeded, Skipped]), Succeeded);
    }

    #[test]
    fn a_cycle_is_given_in_the_order_of_waiting() {
        let members = [
            member(&[(1, Condition::Succeeded)], 0),
            member(&[(2, Condition::Succeeded)], 0),
            member(&[(1, Condition::Succeeded)], 0),
            member(&[(3, Condition::Succeeded)], 0),
        ];
        assert_eq!(cycles(&members), [vec![1, 2, 1], vec![3, 3]]);
        assert!(cycles(&[member(&[], 0), member(&[(0, Condition::Always)], 0)]).is_empty());
    }

    fn any_condition() -> impl Strategy<Value = Condition> {
        prop_oneof![
            Just(Condition::Always),
            Just(Condition::Succeeded),
            Just(Condition::Failed),
            Just(Condition::Completed),
            Just(Condition::Skipped),
            Just(Condition::Not(Box::new(Condition::Failed))),
        ]
    }

    /// Dependencies, weight, `allowFailure`, and whether it will succeed.
    type Node = (Vec<(usize, Condition)>, i64, bool, bool);

    /// Members that depend on earlier ones only, so without cycles.
    fn any_graph() -> impl Strategy<Value = Vec<Node>> {
        let dependency = (0_usize..64, any_condition());
        prop::collection::vec((prop::collection::vec(dependency, 0..3), -2_i64..3, any::<bool>(), any::<bool>()), 1..12)
            .prop_map(|mut nodes| {
                for (index, node) in nodes.iter_mut().enumerate() {
                    if index == 0 {
                        node.0.clear();
                    }
                    for (target, _) in &mut node.0 {
                        *target %= index.max(1);
                    }
                }
                nodes
            })
    }

    proptest! {
        #[test]
        fn every_graph_without_cycles_ends_within_its_limit(graph in any_graph(), limit in 1_usize..4) {
            let members: Vec<Member> = graph
                .iter()
                .map(|(depends_on, weight, allow_failure, _)| Member {
                    depends_on: depends_on.clone(),
                    weight: *weight,
                    allow_failure: *allow_failure,
                })
                .collect();
            prop_assert!(cycles(&members).is_empty());
            let mut statuses = vec![Pending; members.len()];
            for _ in 0..=members.len() * 2 {
                let outcome = next(&members, &statuses, limit, AfterFailure::OnlyDependents);
                for index in outcome.skip {
                    statuses[index] = Skipped;
                }
                for index in outcome.start {
                    statuses[index] = Running;
                }
                prop_assert!(statuses.iter().filter(|status| **status == Running).count() <= limit);
                let Some(running) = statuses.iter().position(|status| *status == Running) else { break };
                statuses[running] = if graph[running].3 { Succeeded } else { Failed };
            }
            prop_assert!(!statuses.contains(&Pending) && !statuses.contains(&Running), "{statuses:?}");
        }
    }
}
