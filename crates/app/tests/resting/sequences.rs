//! Whatever happens to a repository, in any order: a scan over a seal is a scan that never repeats anything, and a scan of a
//! repository whose catalog is new finds the same sources in the same condition.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_app::{
    scan::{Detail, RetryMode, ScanRequest},
    source_query::SourceQuery,
    types::Types as _,
};
use mangrove_domain::{
    failure::Fault,
    plan::Scope,
    ports::BundleStore as _,
    problem::Code,
    row::Row,
    source::{Kind, SourceId},
    state::StateName,
    type_name::TypeName,
};
use mangrove_testkit::{fakes::MemoryTree, rows};
use proptest::prelude::*;

use crate::{
    GONE, WITH_PROGRAM, counts, degrade_elsewhere, gone, narrow,
    pair::Pair,
    world::{World, model, network_down},
};

/// Fewer than a root has that is guarded against removals.
const SOURCES: usize = 7;
const MOUNTS: usize = 2;
const HELPER: &str = "_lib/shared.ts";

/// What a source says.
#[derive(Clone, Copy, Debug)]
enum Content {
    Good,
    GoodWithHelper,
    /// Claims the type of another one.
    Claims(usize),
    AddOnOf(usize),
    Broken,
    Rejected,
    Throws,
    Unreadable,
    LacksPackage,
    NeedsPackage,
    NeedsProgram,
    NoEntry,
}

/// What somebody does to the repository or its surroundings.
#[derive(Clone, Debug)]
enum Happening {
    Write(usize, Content),
    Remove(usize),
    EditHelper(u8),
    Configure(u8),
    Network(bool),
    Package(bool),
    Program(bool),
    UpgradeBundler,
    /// A bundler that fails for a source in these words, or for none.
    Fails(usize, u8),
    Heal,
    Mount(usize),
    Unmount(usize),
    LoseBundle(usize),
    /// Another program writes a row.
    DegradeElsewhere(usize),
    Scan(Asked),
    Retry(Option<usize>),
    AskFor(usize),
}

/// Which scan.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Counts,
    Rows,
    Dry,
    Rehash,
    Due,
    NoRetry,
    OnlyKind,
    OnlySource(usize),
    PruningOrphans,
}

fn path(number: usize) -> String {
    format!("models/m{number}.ts")
}

fn type_name(number: usize) -> String {
    format!("@acme/m{number}")
}

fn text(number: usize, content: Content) -> String {
    let name = type_name(number);
    match content {
        Content::Good => model(&name, ""),
        Content::GoodWithHelper => model(&name, &format!("import {HELPER}")),
        Content::Claims(other) => model(&type_name(other), &format!("// {number}")),
        Content::AddOnOf(other) => {
            format!("type {}\nexport extension\nmethod more{number}\nmethod run", type_name(other))
        }
        Content::Broken => model(&name, "broken"),
        Content::Rejected => model(&name, "reject"),
        Content::Throws => model(&name, "throw"),
        Content::Unreadable => MemoryTree::UNREADABLE.to_owned(),
        Content::LacksPackage => model(&name, GONE),
        Content::NeedsPackage => model(&name, "import npm:zod@4"),
        Content::NeedsProgram => model(&name, WITH_PROGRAM),
        Content::NoEntry => "nothing is exported".to_owned(),
    }
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        4 => Just(Content::Good),
        1 => Just(Content::GoodWithHelper),
        1 => (0..SOURCES).prop_map(Content::Claims),
        1 => (0..SOURCES).prop_map(Content::AddOnOf),
        2 => Just(Content::Broken),
        1 => Just(Content::Rejected),
        1 => Just(Content::Throws),
        1 => Just(Content::Unreadable),
        1 => Just(Content::LacksPackage),
        1 => Just(Content::NeedsPackage),
        1 => Just(Content::NeedsProgram),
        1 => Just(Content::NoEntry),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![
        6 => Just(Asked::Counts),
        1 => Just(Asked::Rows),
        1 => Just(Asked::Dry),
        1 => Just(Asked::Rehash),
        1 => Just(Asked::Due),
        1 => Just(Asked::NoRetry),
        1 => Just(Asked::OnlyKind),
        1 => (0..SOURCES).prop_map(Asked::OnlySource),
        1 => Just(Asked::PruningOrphans),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (0..SOURCES, content()).prop_map(|(number, content)| Happening::Write(number, content)),
        1 => (0..SOURCES).prop_map(Happening::Remove),
        1 => (0..3_u8).prop_map(Happening::EditHelper),
        1 => (0..2_u8).prop_map(Happening::Configure),
        1 => any::<bool>().prop_map(Happening::Network),
        1 => any::<bool>().prop_map(Happening::Package),
        1 => any::<bool>().prop_map(Happening::Program),
        1 => Just(Happening::UpgradeBundler),
        1 => (0..SOURCES, 0..2_u8).prop_map(|(number, words)| Happening::Fails(number, words)),
        1 => Just(Happening::Heal),
        1 => (0..MOUNTS).prop_map(Happening::Mount),
        1 => (0..MOUNTS).prop_map(Happening::Unmount),
        1 => (0..SOURCES).prop_map(Happening::LoseBundle),
        1 => (0..SOURCES).prop_map(Happening::DegradeElsewhere),
        6 => asked().prop_map(Happening::Scan),
        2 => prop_oneof![Just(None), (0..SOURCES).prop_map(Some)].prop_map(Happening::Retry),
        1 => (0..SOURCES).prop_map(Happening::AskFor),
    ]
}

fn request(asked: Asked) -> ScanRequest {
    match asked {
        Asked::Counts => counts(),
        Asked::Rows => ScanRequest { detail: Detail::Rows, ..counts() },
        Asked::Dry => ScanRequest { retry: RetryMode::None, dry_run: true, ..counts() },
        Asked::Rehash => ScanRequest { rehash: true, ..counts() },
        Asked::Due => ScanRequest { retry: RetryMode::Due, ..counts() },
        Asked::NoRetry => ScanRequest { retry: RetryMode::None, ..counts() },
        Asked::OnlyKind => ScanRequest { scope: Scope::Kinds([Kind::new("vault")].into()), ..counts() },
        Asked::OnlySource(number) => {
            ScanRequest { scope: Scope::Sources([rows::source(&path(number))].into()), ..counts() }
        }
        Asked::PruningOrphans => ScanRequest { prunes_orphans: true, ..counts() },
    }
}

/// What happens to files and surroundings: to all three repositories in the same way.
fn change(world: &World, happening: &Happening) {
    let (tree, bundler, packages) = (&world.tree, &world.bundler, &world.packages);
    match happening {
        Happening::Write(number, content) => tree.write(&path(*number), &text(*number, *content)),
        Happening::Remove(number) => {
            tree.write(&path(*number), "");
            tree.remove(&path(*number));
        }
        Happening::EditHelper(number) => tree.write(HELPER, &format!("{number}")),
        Happening::Configure(number) => tree.configure(&format!("{number}")),
        Happening::Network(is_there) => packages.fail((!is_there).then(network_down)),
        Happening::Package(true) => packages.mend_package("npm:gone@1"),
        Happening::Package(false) => packages.break_package("npm:gone@1", gone()),
        Happening::Program(is_there) => bundler.take_program(!is_there),
        Happening::UpgradeBundler => bundler.upgrade(),
        Happening::Fails(number, words) => {
            let fault = Fault::environment(Code::UNREADABLE, "bundler:a", format!("cannot be built: {words}"));
            bundler.fail(&path(*number), fault);
        }
        Happening::Heal => bundler.heal(),
        Happening::Mount(number) => {
            let fault = Fault::environment(Code::ROOT_UNREACHABLE, format!("root:{number}"), "is not there");
            tree.mount_away(&format!("../mount{number}"), fault);
        }
        Happening::Unmount(number) => tree.unmount(&format!("../mount{number}")),
        Happening::LoseBundle(_)
        | Happening::DegradeElsewhere(_)
        | Happening::Scan(_)
        | Happening::Retry(_)
        | Happening::AskFor(_) => {}
    }
}

fn row(world: &World, number: usize) -> Option<Row> {
    world.catalog.rows().into_iter().find(|row| row.source.path.as_str() == path(number))
}

/// What happens to what is remembered, or is done with it: to the two that remember.
async fn act(pair: &mut Pair, what: &str, happening: &Happening) {
    match happening {
        Happening::LoseBundle(number) => {
            for world in [&pair.sealed, &pair.planned] {
                if let Some(bundle) = row(world, *number).as_ref().and_then(Row::bundle) {
                    world.store.remove(bundle.entry.key).await.expect("removed");
                }
            }
        }
        Happening::DegradeElsewhere(number) => {
            for world in [&pair.sealed, &pair.planned] {
                let is_well = |row: &Row| row.state.indexed().is_some() && row.failure().is_none();
                if let Some(row) = row(world, *number).filter(is_well) {
                    degrade_elsewhere(world, row).await;
                }
            }
        }
        Happening::Scan(asked) => {
            pair.scan(what, &request(*asked)).await;
        }
        Happening::Retry(number) => {
            let query = number.map(|number| SourceQuery::new(type_name(number), []));
            pair.retry(what, query.as_ref()).await;
        }
        Happening::AskFor(number) => {
            for world in pair.begin() {
                // Whether it is ready is not the question here.
                let _ = world.types().ready(&Kind::new("model"), &TypeName::stored(type_name(*number))).await;
            }
        }
        Happening::Write(..)
        | Happening::Remove(_)
        | Happening::EditHelper(_)
        | Happening::Configure(_)
        | Happening::Network(_)
        | Happening::Package(_)
        | Happening::Program(_)
        | Happening::UpgradeBundler
        | Happening::Fails(..)
        | Happening::Heal
        | Happening::Mount(_)
        | Happening::Unmount(_) => {}
    }
}

/// What is known of a source apart from its history.
fn condition(row: &Row) -> String {
    let failure = row.failure().map(|failure| (failure.code, failure.cause.clone(), failure.latest_message.clone()));
    let indexed = row.state.indexed().map(|indexed| (&indexed.type_name, &indexed.description));
    // What a source that nobody can read claims, and was built of, is from when it was read last.
    let read = (row.state.name() != StateName::EntryPointUnreadable).then_some((&row.claimed_type, &row.built));
    format!("{} {failure:?} {indexed:?} {read:?}", row.state.name())
}

/// Sources that were never degraded and lost nothing are in the condition in which a new catalog finds them, and there
/// are no others but those that are kept because nobody can look.
async fn compare_with_new(pair: &Pair, fresh: &mut World, what: &str, is_all_there: bool) {
    fresh.seals.forget();
    fresh.lose_catalog();
    fresh.scan_with(counts()).await;
    let of = |world: &World| -> BTreeMap<SourceId, Row> {
        world.catalog.rows().into_iter().map(|row| (row.source.clone(), row)).collect()
    };
    let (warm, cold) = (of(&pair.sealed), of(fresh));
    let sources = |rows: &BTreeMap<SourceId, Row>| -> BTreeSet<SourceId> {
        let is_kept = |row: &Row| row.state.name() == StateName::OrphanedBundleOnly;
        rows.values().filter(|row| !is_kept(row)).map(|row| row.source.clone()).collect()
    };
    assert_eq!(sources(&warm), sources(&cold), "{what}: the sources");
    for (source, row) in &warm {
        let Some(cold) = cold.get(source) else { continue };
        // What was kept of better days is history. What was built in them needs no build, and fails for what it is, where
        // a new catalog finds that nothing can be built now.
        let is_built_before = !is_all_there && row.built.is_some() && cold.built.is_none();
        let has_history = row.degraded.is_some() || !row.rejected_before.is_empty() || is_built_before;
        if !has_history && row.state.name() == cold.state.name() {
            assert_eq!(condition(row), condition(cold), "{what}: {source}");
        }
        // Where the surroundings fail, what was built before needs no build.
        let is_healthy = |row: &Row| row.state.indexed().is_some() && row.failure().is_none();
        let is_expected = is_healthy(row) == is_healthy(cold) || (is_healthy(row) && !is_all_there);
        assert!(is_expected, "{what}: whether {source} is well: {row:#?}\n{cold:#?}");
    }
}

async fn live(happenings: Vec<Happening>) {
    let mut pair = Pair::new();
    let mut fresh = World::new();
    for number in 0..SOURCES - 2 {
        let write = Happening::Write(number, Content::Good);
        pair.change(|world| change(world, &write));
        change(&fresh, &write);
    }
    pair.scan("the beginning", &counts()).await;
    for (index, happening) in happenings.iter().enumerate() {
        let what = format!("{index}: {happening:?}");
        pair.change(|world| change(world, happening));
        change(&fresh, happening);
        act(&mut pair, &what, happening).await;
        if matches!(happening, Happening::Scan(Asked::Counts | Asked::Rows)) {
            compare_with_new(&pair, &mut fresh, &what, false).await;
        }
        // Each of them has its turn.
        let texts = [path(index % SOURCES), type_name(index % SOURCES)];
        for world in [&pair.sealed, &pair.planned] {
            narrow::compare(world, &what, &texts).await;
        }
    }
    for happening in [Happening::Network(true), Happening::Package(true), Happening::Program(true), Happening::Heal] {
        pair.change(|world| change(world, &happening));
        change(&fresh, &happening);
    }
    for what in ["the end", "once more", "and again"] {
        pair.scan(what, &counts()).await;
        compare_with_new(&pair, &mut fresh, what, true).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_leaves_what_plans_leave(happenings in prop::collection::vec(happening(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(live(happenings));
    }
}
