//! What every [`Seals`] must do.

use std::{collections::BTreeSet, path::PathBuf};

use mangrove_domain::{
    bundle::{ObjectKey, StoredObject},
    digest::Digest,
    package::PackageRequest,
    ports::Seals,
    seal::{Seal, SealedRows},
    source::Kind,
};

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
    let second = Seal { needs: [].into(), objects: Vec::new(), kinds: [].into(), ..example(b"second") };
    seals.save(&second).await.expect("saved");
    assert_eq!(seals.load().await, Some(second), "the latest one");
}

fn example(text: &[u8]) -> Seal {
    let digest = |number: u8| Digest::of(&[text, &[number]].concat());
    let needed = |specifiers: &[&str], lock: Option<&str>| PackageRequest {
        specifiers: specifiers.iter().map(ToString::to_string).collect::<BTreeSet<_>>(),
        lock: lock.map(PathBuf::from),
    };
    Seal {
        request: digest(1),
        survey: digest(2),
        catalog: digest(3),
        needs: [
            (needed(&[], None), digest(4)),
            (needed(&["npm:zod@4", "node:fs"], Some("/repository/deno.lock")), digest(5)),
        ]
        .into(),
        objects: vec![
            StoredObject { key: ObjectKey::Extension(digest(6)), size_bytes: 0 },
            StoredObject { key: ObjectKey::Vendor(digest(6)), size_bytes: u64::MAX },
        ],
        kinds: [(Kind::new("model"), SealedRows { indexed: 4_080, shadowed: 2 })].into(),
    }
}
