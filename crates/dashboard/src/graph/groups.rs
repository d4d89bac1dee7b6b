//! Jobs that wait for the same, and that the same waits for, as one box.

use std::collections::BTreeMap;

use super::{Graph, Job, Wait};

/// A box for one job or for several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// By their indices, in their order; at least one.
    pub(super) jobs: Vec<usize>,
    /// By the indices of groups.
    pub(super) waits_for: Vec<Wait>,
}

/// Each job by itself.
pub(super) fn single(graph: &Graph) -> Vec<Group> {
    let group = |(index, job): (usize, &Job)| Group { jobs: vec![index], waits_for: job.waits_for.clone() };
    graph.jobs.iter().enumerate().map(group).collect()
}

/// Alike jobs together.
pub(super) fn alike(graph: &Graph) -> Vec<Group> {
    let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); graph.jobs.len()];
    for (index, job) in graph.jobs.iter().enumerate() {
        for wait in &job.waits_for {
            waiting[wait.on].push(index);
        }
    }
    let mut group_of = vec![0; graph.jobs.len()];
    let mut groups: Vec<Group> = Vec::new();
    let mut known: BTreeMap<(&[Wait], &[usize]), usize> = BTreeMap::new();
    for (index, job) in graph.jobs.iter().enumerate() {
        let group = *known.entry((&job.waits_for, &waiting[index])).or_insert_with(|| {
            groups.push(Group { jobs: Vec::new(), waits_for: Vec::new() });
            groups.len() - 1
        });
        groups[group].jobs.push(index);
        group_of[index] = group;
    }
    for group in &mut groups {
        let first = group.jobs.first().map(|job| graph.jobs[*job].waits_for.as_slice()).unwrap_or_default();
        let mut waits: Vec<Wait> = first.iter().map(|wait| Wait { on: group_of[wait.on], ..*wait }).collect();
        waits.sort();
        waits.dedup_by_key(|wait| wait.on);
        group.waits_for = waits;
    }
    groups
}

/// The words for how far something is, what a person has to know first first. Others come before all of them.
const ORDER: [&str; 8] =
    ["blocked", "failed", "interrupted", "running", "cancelled", "pending", "skipped", "succeeded"];

fn rank(status: &str) -> usize {
    ORDER.iter().position(|known| *known == status).map_or(0, |position| position + 1)
}

/// How far several are together: as the worst of them; empty if they are not about a run.
pub(super) fn worst<'a>(statuses: impl Iterator<Item = &'a str>) -> &'a str {
    statuses.filter(|status| !status.is_empty()).min_by_key(|status| rank(status)).unwrap_or_default()
}

/// `3 failed, 45 succeeded`; empty if they are not about a run.
pub(super) fn counts<'a>(statuses: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for status in statuses.filter(|status| !status.is_empty()) {
        *counts.entry((rank(status), status)).or_default() += 1;
    }
    counts.into_iter().map(|((_, status), count)| format!("{count} {status}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(waits_for: &[usize]) -> Job {
        let wait = |on: &usize| Wait { on: *on, is_conditional: false };
        Job { waits_for: waits_for.iter().map(wait).collect(), ..Job::default() }
    }

    #[test]
    fn jobs_that_nobody_can_tell_apart_are_one_box() {
        let graph = Graph { jobs: vec![job(&[]), job(&[0]), job(&[0]), job(&[0]), job(&[1, 2, 3]), job(&[])] };
        let groups = alike(&graph);
        let jobs: Vec<&[usize]> = groups.iter().map(|group| group.jobs.as_slice()).collect();
        assert_eq!(jobs, [&[0][..], &[1, 2, 3], &[4], &[5]]);
        let waits: Vec<Vec<usize>> =
            groups.iter().map(|group| group.waits_for.iter().map(|wait| wait.on).collect()).collect();
        assert_eq!(waits, [vec![], vec![0], vec![1], vec![]]);
        assert_eq!(single(&graph).len(), 6);
    }

    #[test]
    fn many_are_told_by_the_worst_and_by_their_numbers() {
        let statuses = ["succeeded", "failed", "succeeded", "skipped"];
        assert_eq!(worst(statuses.into_iter()), "failed");
        assert_eq!(counts(statuses.into_iter()), "1 failed, 1 skipped, 2 succeeded");
        assert_eq!((worst([""].into_iter()), counts([""].into_iter())), ("", String::new()));
    }
}
