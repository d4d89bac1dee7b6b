//! Which members of a workflow or job may start.
//!
//! Jobs start as soon as what they wait for has ended. The steps of a job go by levels: one that waits for nothing is in the
//! first, any other in the one after the last that it waits for; a level begins when the one before it has ended, and none
//! begins after a failure that counts (`design/workflows.md`).

use super::{Condition, Dependency, Job, Step};
use crate::run::RunStatus;

/// One member: a job of a workflow or a step of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// What it is called; of two with one weight, the one whose name comes first starts first.
    pub name: String,
    /// What it waits for.
    pub waits_for: Vec<Wait>,
    /// How many others it waits for at least, one after the other.
    pub level: usize,
    /// Lighter ones start first.
    pub weight: f64,
    /// How many members of its level may run at once.
    pub concurrency: Option<u32>,
    /// True if its failure does not count.
    pub allow_failure: bool,
}

/// What one member waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The members, by their index: one, or the repetitions of a step.
    pub on: Vec<usize>,
    /// What must have become of them.
    pub condition: Condition,
}

/// What may happen next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Next {
    /// These start, the lightest first.
    pub start: Vec<usize>,
    /// These are skipped, in the order of the document.
    pub skip: Vec<usize>,
}

/// When a member may start whose conditions hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// When what it waits for has ended. The rule for jobs.
    Dependencies,
    /// When its level begins: when every member of lower levels has ended, none of them with a failure that counts. The
    /// rule for steps.
    Levels,
}

/// How many members may run at once, each at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Where no member of the level says otherwise.
    pub usual: usize,
    /// Whatever they say.
    pub most: usize,
}

/// The members of a workflow. Dependencies on unknown names are left out: [`parse`](super::parse()) reports them.
#[must_use]
pub fn jobs(jobs: &[Job]) -> Vec<Member> {
    let names: Vec<&str> = jobs.iter().map(|job| job.name.value.as_str()).collect();
    let member = |job: &Job| Member {
        name: job.name.value.clone(),
        waits_for: resolve(&job.depends_on, &names),
        level: 0,
        weight: job.weight,
        concurrency: None,
        allow_failure: false,
    };
    with_levels(jobs.iter().map(member).collect())
}

/// The members of a job, each step once.
#[must_use]
pub fn steps(steps: &[Step]) -> Vec<Member> {
    let names: Vec<&str> = steps.iter().map(|step| step.name.value.as_str()).collect();
    let member = |step: &Step| Member {
        name: step.name.value.clone(),
        waits_for: resolve(&step.depends_on, &names),
        level: 0,
        weight: step.weight,
        concurrency: step.concurrency,
        allow_failure: step.allow_failure,
    };
    with_levels(steps.iter().map(member).collect())
}

/// The members of a job whose steps have become these: for each step, the names of its repetitions, or its own.
#[must_use]
pub fn repeated(steps: &[Member], names: &[Vec<String>]) -> Vec<Member> {
    let mut places: Vec<Vec<usize>> = Vec::with_capacity(names.len());
    let mut next = 0;
    for names in names {
        places.push((next..next + names.len()).collect());
        next += names.len();
    }
    let all = |step: usize| places.get(step).cloned().unwrap_or_default();
    let mut members = Vec::with_capacity(next);
    for (step, names) in steps.iter().zip(names) {
        for name in names {
            let wait = |wait: &Wait| Wait {
                on: wait.on.iter().flat_map(|step| all(*step)).collect(),
                condition: wait.condition.clone(),
            };
            members.push(Member {
                name: name.clone(),
                waits_for: step.waits_for.iter().map(wait).collect(),
                ..step.clone()
            });
        }
    }
    members
}

fn resolve(dependencies: &[Dependency], names: &[&str]) -> Vec<Wait> {
    dependencies
        .iter()
        .filter_map(|dependency| {
            let index = names.iter().position(|name| *name == dependency.on.value)?;
            Some(Wait { on: vec![index], condition: dependency.condition.clone() })
        })
        .collect()
}

/// Members with their levels. Those that wait for each other stay in the first.
fn with_levels(mut members: Vec<Member>) -> Vec<Member> {
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); members.len()];
    let mut open: Vec<usize> = vec![0; members.len()];
    for (index, member) in members.iter().enumerate() {
        for on in member.waits_for.iter().flat_map(|wait| &wait.on) {
            behind[*on].push(index);
            open[index] += 1;
        }
    }
    let mut decided: Vec<usize> = (0..members.len()).filter(|index| open[*index] == 0).collect();
    while let Some(index) = decided.pop() {
        let level = members[index].level + 1;
        for next in &behind[index] {
            members[*next].level = members[*next].level.max(level);
            open[*next] -= 1;
            if open[*next] == 0 {
                decided.push(*next);
            }
        }
    }
    members
}

/// What may happen next, given how far each member is.
///
/// Skipping one may decide others, so the answer contains all that follow from it. Members without cycles go on, or have
/// ended, or wait for somebody, or are left pending behind a failure that counts.
#[must_use]
pub fn next(members: &[Member], statuses: &[RunStatus], limit: Limit, order: Order) -> Next {
    let mut statuses = statuses.to_vec();
    let mut outcome = Next::default();
    let considered = loop {
        let considered = considered(members, &statuses, order);
        let skipped = outcome.skip.len();
        for index in &considered {
            if holds(&members[*index], &statuses) == Some(false) {
                statuses[*index] = RunStatus::Skipped;
                outcome.skip.push(*index);
            }
        }
        if outcome.skip.len() == skipped {
            break considered;
        }
    };
    outcome.skip.sort_unstable();
    let running = statuses.iter().filter(|status| **status == RunStatus::Running).count();
    let mut ready: Vec<usize> =
        considered.iter().copied().filter(|index| holds(&members[*index], &statuses) == Some(true)).collect();
    let Some(first) = ready.first() else { return outcome };
    let at_once = at_once(members, members[*first].level, limit, order);
    ready.sort_by(|one, other| {
        let (one, other) = (&members[*one], &members[*other]);
        one.weight.total_cmp(&other.weight).then_with(|| one.name.cmp(&other.name))
    });
    ready.truncate(at_once.max(1).saturating_sub(running));
    outcome.start = ready;
    outcome
}

/// The members that could be decided now.
fn considered(members: &[Member], statuses: &[RunStatus], order: Order) -> Vec<usize> {
    let pending = || (0..members.len()).filter(|index| statuses[*index] == RunStatus::Pending);
    if order == Order::Dependencies {
        return pending().collect();
    }
    let level = || members.iter().zip(statuses).map(|(member, status)| (member.level, member, *status));
    let open = level().filter(|(_, _, status)| !status.is_final()).map(|(level, ..)| level).min();
    let Some(open) = open else { return Vec::new() };
    if level().any(|(level, member, status)| level < open && has_failed(status) && !member.allow_failure) {
        return Vec::new();
    }
    pending().filter(|index| members[*index].level == open).collect()
}

fn at_once(members: &[Member], level: usize, limit: Limit, order: Order) -> usize {
    let own = match order {
        Order::Dependencies => None,
        Order::Levels => {
            let of_level = members.iter().filter(|member| member.level == level);
            of_level.filter_map(|member| member.concurrency).min()
        }
    };
    own.map_or(limit.usual, |own| own as usize).min(limit.most)
}

/// The status of a whole of which nothing goes on and nothing begins any more.
#[must_use]
pub fn summary(members: &[Member], statuses: &[RunStatus]) -> RunStatus {
    let counting =
        || members.iter().zip(statuses).filter(|(member, _)| !member.allow_failure).map(|(_, status)| *status);
    if statuses.contains(&RunStatus::Blocked) {
        RunStatus::Blocked
    } else if statuses.contains(&RunStatus::Cancelled) {
        RunStatus::Cancelled
    } else if statuses.iter().any(|status| matches!(status, RunStatus::WaitingApproval | RunStatus::Suspended)) {
        RunStatus::Suspended
    } else if counting().any(has_failed) {
        RunStatus::Failed
    } else {
        RunStatus::Succeeded
    }
}

fn has_failed(status: RunStatus) -> bool {
    match status {
        RunStatus::Failed | RunStatus::Blocked | RunStatus::Cancelled | RunStatus::Interrupted => true,
        RunStatus::Pending
        | RunStatus::Running
        | RunStatus::Succeeded
        | RunStatus::Skipped
        | RunStatus::WaitingApproval
        | RunStatus::Suspended => false,
    }
}

/// Whether everything that a member waits for has become what it must; `None` as long as something goes on.
fn holds(member: &Member, statuses: &[RunStatus]) -> Option<bool> {
    let mut all = true;
    for Wait { on, condition } in &member.waits_for {
        let of_these: Vec<RunStatus> = on.iter().map(|index| statuses[*index]).collect();
        all &= condition.holds(&of_these)?;
    }
    Some(all)
}

/// A cycle for each group of members that wait for each other: their indices in the order of waiting, the first
/// one again at the end.
#[must_use]
pub fn cycles(members: &[Member]) -> Vec<Vec<usize>> {
    let waits: Vec<Vec<usize>> = members
        .iter()
        .map(|member| member.waits_for.iter().flat_map(|wait| wait.on.iter().copied()).collect())
        .collect();
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
            let Some(target) = waits[at].get(edge) else {
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

    const FREE: Limit = Limit { usual: 9, most: 9 };

    fn member(name: &str, waits_for: &[(usize, Condition)], weight: f64) -> Member {
        let wait = |(on, condition): &(usize, Condition)| Wait { on: vec![*on], condition: condition.clone() };
        Member {
            name: name.to_owned(),
            waits_for: waits_for.iter().map(wait).collect(),
            level: 0,
            weight,
            concurrency: None,
            allow_failure: false,
        }
    }

    /// Steps of which each waits for those before it that are named.
    fn members(list: &[(&str, &[(usize, Condition)])]) -> Vec<Member> {
        with_levels(list.iter().map(|(name, waits_for)| member(name, waits_for, 0.0)).collect())
    }

    #[test]
    fn lighter_ones_start_first_and_then_those_whose_names_come_first() {
        let members = [member("d", &[], 0.0), member("b", &[], -0.5), member("a", &[], 0.0), member("c", &[], 9.0)];
        let next = |statuses: &[RunStatus], usual, most| {
            next(&members, statuses, Limit { usual, most }, Order::Dependencies).start
        };
        assert_eq!(next(&[Pending; 4], 3, 9), [1, 2, 0]);
        assert_eq!(next(&[Pending; 4], 3, 2), [1, 2]);
        assert_eq!(next(&[Pending, Running, Pending, Running], 3, 9), [2]);
        assert!(next(&[Running, Running, Pending, Running], 3, 9).is_empty());
    }

    #[test]
    fn the_smallest_limit_of_a_level_holds_for_all_of_it() {
        let mut members = members(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &[(0, Condition::Always)])]);
        members[1].concurrency = Some(3);
        members[2].concurrency = Some(2);
        let start = |statuses: &[RunStatus]| next(&members, statuses, FREE, Order::Levels).start;
        assert_eq!(start(&[Pending; 4]), [0, 1]);
        assert_eq!(start(&[Succeeded, Succeeded, Succeeded, Pending]), [3]);
        members[2].concurrency = None;
        assert_eq!(next(&members, &[Pending; 4], FREE, Order::Levels).start, [0, 1, 2]);
        assert_eq!(next(&members, &[Pending; 4], Limit { usual: 1, most: 2 }, Order::Levels).start, [0, 1]);
    }

    #[test]
    fn a_false_condition_skips_and_skipping_goes_on() {
        let members = members(&[
            ("a", &[]),
            ("b", &[(0, Condition::Succeeded)]),
            ("c", &[(1, Condition::Succeeded)]),
            ("d", &[(2, Condition::Skipped)]),
            ("e", &[(2, Condition::Always)]),
        ]);
        let statuses = [Failed, Pending, Pending, Pending, Pending];
        let outcome = next(&members, &statuses, FREE, Order::Dependencies);
        assert_eq!(outcome, Next { start: vec![3, 4], skip: vec![1, 2] });
        let mut allowed = members;
        allowed[0].allow_failure = true;
        let outcome = next(&allowed, &statuses, FREE, Order::Levels);
        assert_eq!(outcome, Next { start: vec![3, 4], skip: vec![1, 2] });
    }

    #[test]
    fn several_dependencies_mean_all() {
        let members =
            members(&[("a", &[]), ("b", &[]), ("c", &[(0, Condition::Succeeded), (1, Condition::Succeeded)])]);
        let next = |statuses: &[RunStatus]| next(&members, statuses, FREE, Order::Dependencies);
        assert!(next(&[Succeeded, Running, Pending]).start.is_empty());
        assert_eq!(next(&[Succeeded, Succeeded, Pending]).start, [2]);
        assert_eq!(next(&[Succeeded, Failed, Pending]).skip, [2]);
    }

    #[test]
    fn a_level_begins_when_the_one_before_it_has_ended() {
        let members = members(&[
            ("a", &[]),
            ("b", &[]),
            ("c", &[(1, Condition::Succeeded)]),
            ("d", &[(0, Condition::Always), (2, Condition::Always)]),
        ]);
        assert_eq!(members.iter().map(|member| member.level).collect::<Vec<_>>(), [0, 0, 1, 2]);
        let next = |statuses: &[RunStatus]| next(&members, statuses, FREE, Order::Levels);
        assert_eq!(next(&[Running, Succeeded, Pending, Pending]), Next::default());
        assert_eq!(next(&[Succeeded, Succeeded, Pending, Pending]).start, [2]);
    }

    #[test]
    fn a_failure_that_counts_leaves_later_levels_pending_and_lets_its_own_end() {
        let list: [(&str, &[(usize, Condition)]); 4] =
            [("a", &[]), ("b", &[]), ("c", &[(0, Condition::Failed)]), ("d", &[(2, Condition::Always)])];
        let mut members = members(&list);
        let limit = Limit { usual: 1, most: 9 };
        assert_eq!(next(&members, &[Failed, Pending, Pending, Pending], limit, Order::Levels).start, [1]);
        let ended = [Failed, Succeeded, Pending, Pending];
        assert_eq!(next(&members, &ended, FREE, Order::Levels), Next::default());
        assert_eq!(summary(&members, &ended), Failed);
        members[0].allow_failure = true;
        assert_eq!(next(&members, &ended, FREE, Order::Levels).start, [2]);
        assert_eq!(summary(&members, &[Failed, Succeeded, Skipped, Skipped]), Succeeded);
        assert_eq!(summary(&members, &[Skipped; 4]), Succeeded);
    }

    #[test]
    fn whoever_waits_for_a_repeated_step_waits_for_all_repetitions() {
        let list: [(&str, &[(usize, Condition)]); 3] =
            [("a", &[]), ("b", &[(0, Condition::Succeeded)]), ("c", &[(1, Condition::Succeeded)])];
        let names = |count: usize| (0..count).map(|index| index.to_string()).collect::<Vec<_>>();
        let of = |counts: [usize; 3]| repeated(&members(&list), &counts.map(names));
        let start = |members: &[Member], statuses: &[RunStatus]| next(members, statuses, FREE, Order::Levels);
        let twice = of([2, 1, 2]);
        assert_eq!(twice[2].waits_for[0].on, [0, 1]);
        assert_eq!(start(&twice, &[Succeeded, Running, Pending, Pending, Pending]), Next::default());
        assert_eq!(start(&twice, &[Succeeded, Succeeded, Pending, Pending, Pending]).start, [2]);
        assert_eq!(start(&twice, &[Succeeded, Succeeded, Succeeded, Pending, Pending]).start, [3, 4]);
        let none = of([0, 1, 1]);
        assert_eq!(start(&none, &[Pending, Pending]).start, [0], "no repetition is as good as success");
    }

    #[test]
    fn a_cycle_is_given_in_the_order_of_waiting() {
        let list: [(&str, &[(usize, Condition)]); 4] = [
            ("a", &[(1, Condition::Succeeded)]),
            ("b", &[(2, Condition::Succeeded)]),
            ("c", &[(1, Condition::Succeeded)]),
            ("d", &[(3, Condition::Succeeded)]),
        ];
        assert_eq!(cycles(&members(&list)), [vec![1, 2, 1], vec![3, 3]]);
        assert!(cycles(&members(&[("a", &[]), ("b", &[(0, Condition::Always)])])).is_empty());
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

    /// What it waits for, weight, `allowFailure`, and whether it will succeed.
    type Node = (Vec<(usize, Condition)>, i32, bool, bool);

    /// Members that wait for earlier ones only, so without cycles.
    fn any_graph() -> impl Strategy<Value = Vec<Node>> {
        let dependency = (0_usize..64, any_condition());
        prop::collection::vec((prop::collection::vec(dependency, 0..3), -2_i32..3, any::<bool>(), any::<bool>()), 1..12)
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
        fn every_graph_without_cycles_ends_within_its_limit(
            graph in any_graph(),
            limit in 1_usize..4,
            by_levels in any::<bool>(),
        ) {
            let members: Vec<Member> = graph
                .iter()
                .map(|(waits_for, weight, allow_failure, _)| Member {
                    allow_failure: *allow_failure,
                    ..member("", waits_for, f64::from(*weight))
                })
                .collect();
            let members = with_levels(members);
            let order = if by_levels { Order::Levels } else { Order::Dependencies };
            prop_assert!(cycles(&members).is_empty());
            let mut statuses = vec![Pending; members.len()];
            for _ in 0..=members.len() * 2 {
                let outcome = next(&members, &statuses, Limit { usual: limit, most: limit }, order);
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
            prop_assert!(!statuses.contains(&Running), "{statuses:?}");
            let counts = |(member, status): (&Member, &RunStatus)| *status == Failed && !member.allow_failure;
            let is_halted = by_levels && members.iter().zip(&statuses).any(counts);
            prop_assert!(is_halted || !statuses.contains(&Pending), "{statuses:?}");
        }
    }
}
