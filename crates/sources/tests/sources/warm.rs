//! What a second look costs, and what it must not miss.

use std::{collections::BTreeMap, fs, sync::Arc, time::SystemTime};

use mangrove_domain::{
    observation::Observation,
    ports::{Names, ObserveRequest, SourceTree as _},
    source::RelativePath,
    survey::Survey,
    type_name::TypeName,
};
use mangrove_infra::documents::YamlDocuments;
use mangrove_sources::{LocalTree, STAT_CACHE_FILE, TreeOptions, parse::InProcessParser};

use crate::support::{Repository, Result, SMALL, claimed, local, parts, render, request, sources};

const DNS: &str = "extensions/models/dns.ts";
const S3: &str = "extensions/models/aws/s3.ts";

#[tokio::test]
async fn a_warm_survey_opens_nothing() -> Result {
    let repository = Repository::new(SMALL)?;
    let cold = repository.survey().await?;
    assert!(cold.statistics.files_read >= 6, "{:?}", cold.statistics);
    let warm = repository.warm_up().await?;
    assert_eq!(warm.disk, cold.disk);
    assert_eq!(warm.entries, cold.entries);
    assert_eq!(repository.parser.count(), 4, "each script is parsed once");
    Ok(())
}

#[tokio::test]
async fn fault_11_a_second_context_reads_nothing_again() -> Result {
    let repository = Repository::new(SMALL)?;
    let first = repository.warm_up().await?;
    let second = repository.restarted()?.survey(&request()).await?;
    assert_eq!(second.statistics, first.statistics);
    assert_eq!(second.disk, first.disk);
    assert_eq!(second.entries, first.entries);
    repository.files.write(DNS, "export const model = { type: '@acme/changed' };")?;
    let third = repository.restarted()?.survey(&request()).await?;
    assert_eq!((third.statistics.files_read, third.statistics.directories_listed), (1, 0));
    Ok(())
}

#[tokio::test]
async fn what_a_file_was_says_nothing_of_a_link_in_its_place_that_leads_nowhere() -> Result {
    for before in
        ["export const helper = 1;", "export const vault = {};", "export const model = { type: '@acme/was' };"]
    {
        let repository = Repository::new(SMALL)?;
        repository.files.write("extensions/models/was.ts", before)?;
        repository.survey().await?;
        repository.files.remove("extensions/models/was.ts")?;
        std::os::unix::fs::symlink("nowhere", repository.files.path("extensions/models/was.ts"))?;
        let (seen, scratch) = (repository.survey().await?, repository.without_memory().await?);
        assert_eq!(render(&seen), render(&scratch), "{before}");
        assert_eq!(seen.disk, scratch.disk, "{before}");
    }
    Ok(())
}

#[tokio::test]
async fn a_touch_opens_one_file_and_changes_nothing() -> Result {
    let repository = Repository::new(SMALL)?;
    let before = repository.warm_up().await?;
    let parsed = repository.parser.count();
    fs::File::options().append(true).open(repository.files.path(DNS))?.set_modified(SystemTime::now())?;
    let after = repository.survey().await?;
    assert_eq!((after.statistics.files_read, after.statistics.directories_listed), (1, 0));
    assert_eq!(after.disk, before.disk);
    assert_eq!(repository.parser.count(), parsed);
    Ok(())
}

#[tokio::test]
async fn an_edit_that_keeps_size_and_time_is_caught() -> Result {
    let repository = Repository::new(SMALL)?;
    let before = repository.warm_up().await?;
    let path = repository.files.path(DNS);
    let (modified, size) = (path.metadata()?.modified()?, path.metadata()?.len());
    fs::write(&path, fs::read_to_string(&path)?.replace("dns", "dnt"))?;
    fs::File::options().append(true).open(&path)?.set_modified(modified)?;
    assert_eq!((path.metadata()?.modified()?, path.metadata()?.len()), (modified, size));
    let after = repository.survey().await?;
    assert_eq!(after.statistics.files_read, 1);
    assert_ne!(parts(&after, DNS).0, parts(&before, DNS).0);
    assert_eq!(parts(&after, S3), parts(&before, S3));
    Ok(())
}

#[tokio::test]
async fn edits_right_after_a_survey_are_caught() -> Result {
    let repository = Repository::new(SMALL)?;
    for round in 0..50 {
        repository.files.write(DNS, format!("export const model = {{ type: \"@acme/d{round:02}\" }};\n"))?;
        assert_eq!(claimed(&repository.survey().await?, DNS), Some(format!("@acme/d{round:02}")));
    }
    Ok(())
}

#[tokio::test]
async fn a_file_from_the_future_is_read_each_time() -> Result {
    let repository = Repository::new(SMALL)?;
    repository.warm_up().await?;
    let future = SystemTime::now() + std::time::Duration::from_hours(1);
    fs::File::options().append(true).open(repository.files.path(DNS))?.set_modified(future)?;
    for _ in 0..3 {
        assert_eq!(repository.survey().await?.statistics.files_read, 1);
    }
    Ok(())
}

#[tokio::test]
async fn saves_by_renaming_deletions_and_renames_are_caught() -> Result {
    let repository = Repository::new(SMALL)?;
    repository.warm_up().await?;
    let files = &repository.files;
    files.write("extensions/models/.dns.ts.swp", "export const model = { type: \"@acme/new\" };")?;
    fs::rename(files.path("extensions/models/.dns.ts.swp"), files.path(DNS))?;
    assert_eq!(claimed(&repository.survey().await?, DNS).as_deref(), Some("@acme/new"));
    repository.warm_up().await?;
    fs::rename(files.path(DNS), files.path("extensions/models/aws/dns.ts"))?;
    files.remove("extensions/models/util.ts")?;
    insta::assert_snapshot!(render(&repository.survey().await?), @r#"
    model extensions/models/aws/dns.ts @acme/new @local/small@0.0.0 []
    model extensions/models/aws/s3.ts @acme/s3 @local/small@0.0.0 [npm:zod@4]
    "#);
    Ok(())
}

#[tokio::test]
async fn an_edited_helper_changes_its_dependents_only() -> Result {
    let repository = Repository::new(SMALL)?;
    let before = repository.warm_up().await?;
    assert_eq!(sources(&before, S3).len(), 3);
    repository.files.write("extensions/models/_lib/data.json", "{ \"a\": 2 }\n")?;
    let after = repository.survey().await?;
    assert_eq!(after.statistics.files_read, 1);
    let changes = parts(&before, S3).0.changes(parts(&after, S3).0);
    let keys: Vec<_> = changes.iter().map(|change| change.key.as_str()).collect();
    assert_eq!(keys, ["extensions/models/_lib/data.json"]);
    assert_eq!(parts(&after, DNS), parts(&before, DNS));
    Ok(())
}

#[tokio::test]
async fn fault_08_helpers_are_remembered_until_a_loader_knows_them() -> Result {
    let repository = Repository::new(SMALL)?;
    repository.files.write("extensions/models/d.ts", "export const datastore = { type: '@acme/d' };")?;
    let survey = repository.warm_up().await?;
    assert!(survey.disk.helpers.contains(&local("extensions/models/d.ts")));
    let parsed = repository.parser.count();
    let mut wider = request();
    wider.kinds[0].export_names.push("datastore".into());
    let survey = repository.tree.survey(&wider).await?;
    assert_eq!(claimed(&survey, "extensions/models/d.ts").as_deref(), Some("@acme/d"));
    assert_eq!((survey.statistics.files_read, repository.parser.count()), (0, parsed), "what it exports was known");
    Ok(())
}

#[tokio::test]
async fn fault_09_a_broken_new_file_is_seen_warm_and_read_once() -> Result {
    let repository = Repository::new(SMALL)?;
    repository.warm_up().await?;
    let broken = "extensions/models/broken.ts";
    let killer = "extensions/models/kills-the-worker.ts";
    repository.files.write(broken, "export const model = { type: '@acme/broken', oops(\nimport './gone.ts'")?;
    repository.files.write(killer, "export const model = { type: '@acme/killer' };[[[[")?;
    let survey = repository.survey().await?;
    assert_eq!(claimed(&survey, broken).as_deref(), Some("@acme/broken"));
    assert_eq!(claimed(&survey, killer).as_deref(), Some("@acme/killer"));
    assert_eq!(sources(&survey, broken), [broken]);
    repository.warm_up().await?;
    assert_eq!(repository.parser.count(), 6, "each script was parsed once");
    Ok(())
}

#[tokio::test]
async fn a_damaged_or_foreign_stat_cache_is_dropped() -> Result {
    let repository = Repository::new(SMALL)?;
    let expected = repository.warm_up().await?;
    let path = repository.files.path(".mangrove").join(STAT_CACHE_FILE);
    let good = fs::read(&path)?;
    let mut flipped = good.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let mut newer = good.clone();
    newer[20] = b'8';
    for bytes in [&good[..good.len() / 2], &flipped, &newer, b"", b"nonsense"] {
        fs::write(&path, bytes)?;
        let survey = repository.restarted()?.survey(&request()).await?;
        assert!(survey.statistics.files_read > 0);
        assert_eq!(survey.disk, expected.disk);
    }
    Ok(())
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_written_costs_only_time() -> Result {
    let repository = Repository::new(SMALL)?;
    let expected = repository.survey().await?;
    repository.files.write("in-the-way", "a file")?;
    let state = repository.files.path("in-the-way/state");
    let tree = crate::support::open(&repository.files, state, &[], Arc::default())?;
    for _ in 0..2 {
        assert_eq!(tree.survey(&request()).await?.disk, expected.disk);
    }
    Ok(())
}

#[tokio::test]
async fn rehash_reads_everything_and_only_narrows() -> Result {
    let repository = Repository::new(SMALL)?;
    let warm = repository.warm_up().await?;
    let all = repository.tree.survey(&ObserveRequest { rehash: true, ..request() }).await?;
    assert!(all.statistics.files_read >= 6);
    assert_eq!(all.disk, warm.disk);
    let only = [local(DNS)].into();
    let one = repository.tree.survey(&ObserveRequest { only, ..request() }).await?;
    assert_eq!(render(&one), "model extensions/models/dns.ts @acme/dns @local/small@0.0.0 []");
    assert_eq!(repository.warm_up().await?.disk, warm.disk, "a narrow survey is not remembered as the whole");
    Ok(())
}

#[tokio::test]
async fn a_survey_of_what_goes_by_a_name_is_that_part_of_the_whole() -> Result {
    let repository = Repository::new(SMALL)?;
    let whole = rested(&repository).await?;
    let types = |name: &str| Names { types: [TypeName::stored(name)].into(), ..Names::default() };
    let path = |path: &str| Names { paths: RelativePath::parse(path).into_iter().collect(), ..Names::default() };
    let all = whole.disk.observations.iter();
    let every = all.clone().map(|seen| path(seen.source.path.as_str()));
    let every = every.chain(all.filter_map(|seen| Some(types(seen.claimed_type.as_ref()?.as_str()))));
    let mut cases: Vec<Names> = every.chain([types("@acme/nobody"), path("extensions/models/nobody.ts")]).collect();
    cases.extend(whole.disk.helpers.iter().map(|helper| path(helper.path.as_str())));
    for is_moved in [false, true] {
        if is_moved {
            repository.files.write("extensions/models/later.ts", "export const nothing = 1;")?;
        }
        for named in cases.clone() {
            let ask = ObserveRequest { named, ..request() };
            // As a new process remembers it, and as one that has the whole at hand.
            let seen = repository.restarted()?.survey(&ask).await?;
            assert_eq!(seen.mark, None, "it is not the whole");
            let is_asked = |seen: &Observation| ask.asks_for(&seen.source, seen.claimed_type.as_ref());
            let (observations, entries): (Vec<_>, Vec<_>) = whole
                .observed()
                .filter(|(seen, _)| is_asked(seen))
                .map(|(seen, entry)| (seen.clone(), entry.clone()))
                .unzip();
            assert_eq!(seen.disk.observations, observations, "{ask:?}");
            assert_eq!(seen.entries, entries, "{ask:?}");
            assert_eq!(seen.disk.roots, whole.disk.roots);
        }
    }
    Ok(())
}

#[tokio::test]
async fn fault_16_a_moved_repository_looks_the_same() -> Result {
    let repository = Repository::new(SMALL)?;
    let before = repository.warm_up().await?;
    let elsewhere = tempfile::tempdir()?;
    let (old, new) = (repository.files.root(), elsewhere.path().canonicalize()?.join("clone"));
    fs::rename(&old, &new)?;
    let tree = LocalTree::new(TreeOptions {
        repository: new.clone(),
        state_directory: new.join(".mangrove"),
        environment: BTreeMap::new(),
        parser: Arc::new(InProcessParser),
        documents: Arc::new(YamlDocuments),
        extensions_directory: None,
        is_read_only: false,
        walk_bounds: mangrove_fs::walk::Bounds::default(),
    })?;
    let after = tree.survey(&request()).await?;
    assert_eq!(after.disk, before.disk);
    fs::rename(&new, &old)?;
    Ok(())
}

/// The mark of a repository that has come to rest.
async fn rested(repository: &Repository) -> Result<Survey> {
    let survey = repository.warm_up().await?;
    assert!(survey.mark.is_some());
    Ok(survey)
}

#[tokio::test]
async fn a_look_that_may_write_nothing_is_told_of_the_same_edits_each_time() -> Result {
    let repository = Repository::new(SMALL)?;
    let known = rested(&repository).await?;
    let text = fs::read_to_string(repository.files.path(DNS))?;
    repository.files.write(DNS, format!("{text}\n// edited"))?;
    let remembered = fs::read(repository.files.path(".mangrove").join(STAT_CACHE_FILE))?;
    let reading = LocalTree::new(TreeOptions {
        repository: repository.files.root(),
        state_directory: repository.files.path(".mangrove"),
        environment: BTreeMap::new(),
        parser: Arc::new(InProcessParser),
        documents: Arc::new(YamlDocuments),
        extensions_directory: None,
        is_read_only: true,
        walk_bounds: mangrove_fs::walk::Bounds::default(),
    })?;
    let ask = ObserveRequest { unless: known.mark, ..request() };
    let mut looks = vec![reading.survey(&ask).await?, reading.survey(&ask).await?];
    assert_eq!(fs::read(repository.files.path(".mangrove").join(STAT_CACHE_FILE))?, remembered, "nothing is written");
    looks.push(repository.restarted()?.survey(&ask).await?);
    let whole = repository.without_memory().await?;
    let edited = whole.observed().filter(|(seen, _)| seen.source == local(DNS));
    let (observations, entries): (Vec<_>, Vec<_>) = edited.map(|(seen, entry)| (seen.clone(), entry.clone())).unzip();
    for seen in &looks {
        assert_eq!(seen.since, known.mark);
        assert_eq!((&seen.disk.observations, &seen.entries), (&observations, &entries));
        assert_eq!(seen.statistics.files_read, 1);
    }
    let marks: Vec<bool> = looks.iter().map(|seen| seen.mark.is_some()).collect();
    assert_eq!(marks, [false, false, true], "only what is written down can be asked for again");
    Ok(())
}

#[tokio::test]
async fn a_survey_that_is_known_has_no_content() -> Result {
    let repository = Repository::new(SMALL)?;
    let known = rested(&repository).await?;
    let ask = ObserveRequest { unless: known.mark, ..request() };
    for tree in [&repository.tree, &repository.restarted()?] {
        let again = tree.survey(&ask).await?;
        assert_eq!((again.mark, again.entries.len(), again.disk.observations.len()), (known.mark, 0, 0));
        let whole = tree.survey(&request()).await?;
        assert_eq!((whole.mark, &whole.disk, &whole.entries), (known.mark, &known.disk, &known.entries));
    }
    Ok(())
}

#[tokio::test]
async fn every_change_gives_a_survey_another_mark() -> Result {
    type Change = fn(&Repository) -> Result;
    let changes: [(&str, Change); 7] = [
        ("an edit", |repository| Ok(repository.files.write(DNS, "export const model = { type: '@acme/other' };")?)),
        ("a touch", |repository| {
            let file = fs::File::options().append(true).open(repository.files.path(DNS))?;
            Ok(file.set_modified(SystemTime::now())?)
        }),
        ("a helper", |repository| Ok(repository.files.write("extensions/models/_lib/data.json", "{ \"a\": 3 }\n")?)),
        ("a new file", |repository| Ok(repository.files.write("extensions/models/notes.ts", "export const x = 1;")?)),
        ("a removal", |repository| Ok(repository.files.remove(DNS)?)),
        ("the marker", |repository| Ok(repository.files.write("mangrove.yaml", "repoId: other\n")?)),
        ("a list of mounts", |repository| Ok(repository.files.write(".swamp-sources.yaml", "sources: []\n")?)),
    ];
    for (what, change) in changes {
        let repository = Repository::new(SMALL)?;
        let known = rested(&repository).await?;
        change(&repository)?;
        let ask = ObserveRequest { unless: known.mark, ..request() };
        let seen = repository.restarted()?.survey(&ask).await?;
        assert_ne!(seen.mark, known.mark, "{what}");
        assert!(seen.since == known.mark || !seen.disk.roots.is_empty(), "{what}: it has its content");
    }
    Ok(())
}

#[tokio::test]
async fn a_survey_that_cannot_be_kept_or_is_not_whole_has_no_mark() -> Result {
    let repository = Repository::new(SMALL)?;
    let known = rested(&repository).await?;
    let only = known.disk.observations.iter().take(1).map(|seen| seen.source.clone()).collect();
    assert_eq!(repository.tree.survey(&ObserveRequest { only, ..request() }).await?.mark, None);
    Ok(())
}

#[tokio::test]
async fn what_is_written_down_while_the_caller_goes_on_is_what_everybody_is_told() -> Result {
    let repository = Repository::new(SMALL)?;
    assert!(repository.survey().await?.mark.is_some());
    repository.tree.expect_more_surveys();
    for number in 0..30 {
        let path = format!("extensions/models/new{number}/thing.ts");
        repository.files.write(&path, "export const model = { type: '@acme/new' };")?;
        let seen = repository.survey().await?;
        assert!(seen.disk.observations.iter().any(|known| known.source.path.as_str() == path), "{number}");
        assert_eq!(seen.mark, None, "it is not written down yet");
        let watched = repository.tree.looked_at().await;
        let path = repository.files.path(&path);
        assert!(watched.files.contains(&path), "{number}");
        assert!(watched.directories.contains(path.parent().expect("a directory")), "{number}");
    }
    let warm = repository.warm_up().await?;
    repository.tree.looked_at().await;
    let restarted = repository.restarted()?.survey(&request()).await?;
    assert_eq!((restarted.statistics, restarted.disk), (warm.statistics, warm.disk));
    Ok(())
}
