//! What every [`Seals`] must do.

use std::{collections::BTreeSet, path::PathBuf};

use mangrove_domain::{
    advice::{Advice, UserAction},
    bundle::{ObjectKey, StoredObject},
    digest::Digest,
    failure::Fault,
    fingerprint::{Inputs, Line, Part},
    freshness::{Fresh, NotLookedAt},
    observation::{Entry, Observation},
    package::PackageRequest,
    ports::Seals,
    position::Position,
    problem::{Code, Problem},
    seal::{Conclusion, Failing, Seal, SealedRows},
    shipped::{Shipped, ShippedBundle},
    source::{Extension, Kind, Origin, RelativePath},
    type_name::TypeName,
};

use crate::rows;

/// Runs every case on fresh seals.
///
/// # Panics
/// If they break the contract.
pub async fn seals<S: Seals>(factory: impl AsyncFn() -> S) {
    let seals = factory().await;
    assert_eq!(seals.load().await, None, "nothing was saved");
    let first = example(b"first");
    seals.save(&first).await.expect("saved");
    assert_eq!(seals.load().await, Some(first.clone()), "as it was");
    assert_eq!(seals.load().await, Some(first), "as often as it is asked for");
    let second = Seal { needs: [].into(), mark: None, conclusion: Conclusion::default(), ..example(b"second") };
    seals.save(&second).await.expect("saved");
    assert_eq!(seals.load().await, Some(second), "the latest one");
}

fn example(text: &[u8]) -> Seal {
    let digest = |number: u8| Digest::of(&[text, &[number]].concat());
    let needed = |specifiers: &[&str], lock: Option<&str>| PackageRequest {
        specifiers: specifiers.iter().map(ToString::to_string).collect::<BTreeSet<_>>(),
        lock: lock.map(PathBuf::from),
    };
    let fault = || Fault::environment(Code::UNREADABLE, "errno:13", "permission denied");
    let placed = fault().at(Position { file: "a.ts".to_owned(), line: 3, column: 7 });
    let answers = [
        Fresh::Unchanged,
        Fresh::StillUnreadable { fault: placed },
        Fresh::StillRejected,
        Fresh::StillOrphaned,
        Fresh::NotLookedAt(NotLookedAt::OutOfScope),
        Fresh::NotLookedAt(NotLookedAt::NoLoader(Kind::new("vault"))),
        Fresh::NotLookedAt(NotLookedAt::IncompleteListing { directory: "models".to_owned() }),
        Fresh::NotLookedAt(NotLookedAt::MissingDirectory { directory: "vaults".to_owned() }),
        Fresh::NotLookedAt(NotLookedAt::MountsUnreadable { fault: fault() }),
        Fresh::NotLookedAt(NotLookedAt::LockfileUnreadable { fault: fault() }),
    ];
    let answers = answers.into_iter().enumerate();
    let pulled = rows::source_in("pulled:@acme/pulled", "models/p.ts");
    let shipped = ShippedBundle {
        path: RelativePath::parse("bundles/p.js").expect("a path"),
        digest: digest(8),
        pull: "2026.01.02.3".into(),
    };
    let failing = |source, origin, claimed_type, shipped| Failing {
        observation: Observation {
            source,
            origin,
            extension: Extension { name: "@acme/p".into(), version: "1".into() },
            kind: Kind::new("model"),
            claimed_type,
            claims_add_on: origin == Origin::Pulled,
            entry: Entry::Readable {
                digest: digest(9),
                inputs: Inputs {
                    source: Part::of([Line::new("models/p.ts", "one"), Line::new("_lib/a.ts", "two")]),
                    config: Part::of([Line::new("deno.json", "three")]),
                    packages: Part::of([]),
                    bundler: Part::of([]),
                },
            },
        },
        packages: needed(&["npm:zod@4"], Some("/repository/deno.lock")),
        shipped,
    };
    let claimed = Problem::error(Code::TYPE_CONFLICT, "models/a.ts", "both claim it").advise("remove one");
    let advice = Advice::new("mount it; then run ").and(UserAction::Scan);
    Seal {
        request: digest(1),
        survey: digest(2),
        version: digest(3),
        mark: Some(digest(7)),
        is_mark_settled: true,
        needs: [
            (needed(&[], None), digest(4)),
            (needed(&["npm:zod@4", "node:fs"], Some("/repository/deno.lock")), digest(5)),
        ]
        .into(),
        conclusion: Conclusion {
            healthy: [(Kind::new("model"), SealedRows { indexed: 4_080, shadowed: 2 })].into(),
            answers: answers.map(|(number, fresh)| (rows::source(&format!("models/{number}.ts")), fresh)).collect(),
            failing: vec![
                failing(rows::source("models/f.ts"), Origin::Local, Some(TypeName::stored("@acme/f")), None),
                failing(pulled.clone(), Origin::Pulled, None, Some(Shipped::Bundle(shipped))),
                failing(pulled, Origin::Mounted, None, Some(Shipped::Unusable { why: "it does not parse".to_owned() })),
            ],
            objects: vec![
                (StoredObject { key: ObjectKey::Extension(digest(6)), size_bytes: 0 }, 1),
                (StoredObject { key: ObjectKey::Vendor(digest(6)), size_bytes: u64::MAX }, u32::MAX),
            ],
            extended: [(Kind::new("model"), TypeName::stored("@acme/extended"))].into(),
        },
        found: vec![
            Problem::warning(Code::ROOT_UNREACHABLE, "mount:../x", "is not there").advise(advice),
            Problem::information(Code::ADD_ON_WAITS, "models/b.ts", "waits"),
        ],
        claimed: vec![claimed],
    }
}
