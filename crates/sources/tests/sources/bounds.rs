//! Walks that find no end are cut, are told, and cost no row.

use std::{sync::Arc, time::Duration};

use mangrove_domain::{ports::SourceTree as _, problem::Code, source::RootId, survey::Survey};
use mangrove_fs::walk::Bounds;

use crate::support::{Repository, Result, open_within, render, request};

const MARKER: &str = "\n//- /repo/mangrove.yaml\nrepoId: bounded\n//- /repo/extensions/models/own.ts\nexport const model = { type: \"@acme/own\" };\n";

/// A repository in `repo/` with this list of mounts, beside forty directories with a repository in each.
fn repository(mounts: &str) -> Result<Repository> {
    let other = |number: u32| {
        format!(
            "//- /other/{number}/mangrove.yaml
repoId: r{number}
//- /other/{number}/extensions/models/a.ts
export const model = {{ type: \"@other/m{number}\" }};
"
        )
    };
    let others = (10..50).map(other).collect::<Vec<_>>().concat();
    Repository::beside(&format!("{MARKER}//- /repo/.swamp-sources.yaml\n{mounts}\n{others}"), &[])
}

/// What a process sees that has no more memory than the state directory of this name.
async fn survey_within(repository: &Repository, state: &str, bounds: Bounds) -> Result<Survey> {
    let (directory, state) = (repository.files.path("repo"), repository.files.path(state));
    let tree = open_within(directory, state, &[], Arc::clone(&repository.parser), bounds)?;
    Ok(tree.survey(&request()).await?)
}

fn directories(directories: usize) -> Bounds {
    Bounds { directories, ..Bounds::default() }
}

#[tokio::test]
async fn a_mount_of_everything_is_cut_and_nothing_of_it_counts_as_gone() -> Result {
    let repository = repository("sources: [{ path: ../other, recursive: true }]")?;
    let whole = survey_within(&repository, "whole", directories(1000)).await?;
    assert_eq!(whole.disk.observations.len(), 41, "{}", render(&whole));
    for (state, bounds) in [("few", directories(20)), ("brief", Bounds { time: Duration::ZERO, ..Bounds::default() })] {
        let survey = survey_within(&repository, state, bounds).await?;
        let told: Vec<_> = survey.disk.problems.iter().filter(|problem| problem.code == Code::WALK_CUT).collect();
        assert!(!told.is_empty(), "{}", render(&survey));
        let mount = survey.disk.roots.get(&RootId::mount("../other")).expect("the mount");
        for observation in &whole.disk.observations {
            let is_seen = survey.disk.observations.iter().any(|seen| seen.source == observation.source);
            let path = observation.source.path.as_str();
            let root = survey.disk.roots.get(&observation.source.root).expect("a root");
            let is_kept = root.incomplete.iter().any(|directory| {
                directory.is_empty() || path.strip_prefix(directory.as_str()).is_some_and(|rest| rest.starts_with('/'))
            });
            assert!(is_seen || is_kept, "{path} would leave: {:?}", root.incomplete);
        }
        assert!(!mount.incomplete.is_empty());
    }
    let again = survey_within(&repository, "few", directories(1000)).await?;
    assert_eq!(again.disk.observations.len(), 41, "what was left out is looked into when it can be");
    Ok(())
}

#[tokio::test]
async fn the_repository_comes_first_and_is_seen_whole() -> Result {
    let repository = repository("sources: [{ path: /, recursive: true }]")?;
    let survey = survey_within(&repository, "state", directories(30)).await?;
    let own = survey.disk.observations.iter().filter(|seen| seen.source.root == RootId::local()).count();
    assert_eq!(own, 1, "{}", render(&survey));
    assert!(survey.disk.roots[&RootId::local()].incomplete.is_empty());
    assert!(
        survey.disk.problems.iter().any(|problem| problem.code == Code::WALK_CUT && problem.subject.contains("mount"))
    );
    Ok(())
}

#[tokio::test]
async fn a_pattern_that_matches_too_much_keeps_what_is_known() -> Result {
    for pattern in ["/*/*/*/*", "../other/*", "../*/*/*/*"] {
        let repository = repository(&format!("sources: ['{pattern}']"))?;
        let survey = survey_within(&repository, "state", directories(10)).await?;
        let fault = survey.disk.mounts_fault.expect("the list is not expanded");
        assert_eq!(fault.code, Code::WALK_CUT, "{pattern}: {fault}");
        assert!(fault.message.contains(pattern), "{fault}");
    }
    Ok(())
}
