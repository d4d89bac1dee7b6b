//! The published snapshot.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mangrove_domain::{claims, index::TypeIndex, row::Row, type_name::TypeName};
use proptest::prelude::*;

use crate::{
    notation::{model, row_at, source},
    world::kind,
};

fn name(text: &str) -> TypeName {
    TypeName::model(text).unwrap()
}

fn index(rows: &[(&str, &str)]) -> TypeIndex {
    let mut rows: Vec<Row> = rows.iter().filter_map(|(path, words)| row_at(path, words)).collect();
    let claims = claims::resolve(&rows);
    for row in &mut rows {
        claims.mark(row);
    }
    TypeIndex::build(rows.into_iter().map(Arc::new))
}

fn paths(rows: &[Arc<Row>]) -> Vec<&str> {
    rows.iter().map(|row| row.source.path.as_str()).collect()
}

#[test]
fn resolves_by_kind_and_name() {
    let index = index(&[("a.ts", "Indexed"), ("b.ts", "Indexed origin=pulled"), ("c.ts", "Indexed type=@acme/other")]);
    assert_eq!(index.resolve(&model(), &name("@acme/dns")).map(|row| row.source.path.as_str()), Some("a.ts"));
    assert_eq!(index.resolve(&kind("vault"), &name("@acme/dns")), None);
    assert_eq!(index.resolve(&model(), &name("@acme/unknown")), None);
    assert_eq!(paths(&index.claimants(&model(), &name("@acme/dns"))), ["a.ts", "b.ts"]);
    assert_eq!(index.rows().map(|row| row.source.path.as_str()).collect::<Vec<_>>(), ["a.ts", "b.ts", "c.ts"]);
}

/// Fault 28: a failed row is found by the type that it claims.
#[test]
fn fault_28_failed_rows_are_found_by_their_claim() {
    let index = index(&[("a.ts", "BundleBuildFailed attempted=s1"), ("b.ts", "ValidationFailed origin=pulled")]);
    assert_eq!(index.resolve(&model(), &name("@acme/dns")), None);
    assert_eq!(paths(&index.claimants(&model(), &name("@acme/dns"))), ["a.ts", "b.ts"]);
}

/// Faults 24 and 26: add-ons belong to the same snapshot as their target, and broken ones are known, too.
#[test]
fn fault_26_add_ons_are_published_with_their_target() {
    let index =
        index(&[("a.ts", "Indexed"), ("b.ts", "Indexed add-on"), ("c.ts", "BundleBuildFailed attempted=s1 add-on")]);
    assert_eq!(index.resolve(&model(), &name("@acme/dns")).map(|row| row.source.path.as_str()), Some("a.ts"));
    assert_eq!(paths(&index.claimants(&model(), &name("@acme/dns"))), ["a.ts"]);
    assert_eq!(paths(&index.add_ons(&model(), &name("@acme/dns"))), ["b.ts"]);
    assert_eq!(paths(&index.broken_add_ons(&model(), &name("@acme/dns"))), ["c.ts"]);
}

#[test]
fn offers_near_names_that_can_be_types() {
    let index = index(&[
        ("a.ts", "Indexed type=@acme/dns"),
        ("b.ts", "Indexed type=@acme/dnz origin=pulled"),
        ("c.ts", "BundleBuildFailed attempted=s1 type=@acme/dn"),
        ("d.ts", "Indexed type=@acme/something-else"),
        ("e.ts", "Indexed add-on type=@acme/dna"),
    ]);
    let near = index.nearest(&model(), &name("@acme/dnss"));
    assert_eq!(near.iter().map(TypeName::as_str).collect::<Vec<_>>(), ["@acme/dns", "@acme/dn", "@acme/dnz"]);
    assert!(index.nearest(&kind("vault"), &name("@acme/dnss")).is_empty());
}

#[test]
fn rows_that_leave_are_not_published_as_types() {
    let index = index(&[("a.ts", "Tombstoned")]);
    assert!(index.claimants(&model(), &name("@acme/dns")).is_empty());
    assert_eq!(index.rows().len(), 1);
}

/// What a row of the world of the property is: a source among few, and words of the notation.
fn row_words() -> impl Strategy<Value = String> {
    let types = prop_oneof![Just(""), Just(" type=@acme/other"), Just(" type=@acme/third")];
    let states = prop_oneof![
        4 => Just("Indexed"),
        1 => Just("Indexed add-on"),
        1 => Just("Indexed origin=pulled"),
        1 => Just("BundleBuildFailed attempted=s1"),
        1 => Just("BundleBuildFailed attempted=s1 add-on"),
        1 => Just("ValidationFailed"),
        1 => Just("Tombstoned"),
    ];
    (states, types).prop_map(|(state, type_name)| format!("{state}{type_name}"))
}

proptest! {
    /// However rows came, went and changed: the snapshot is the one that is built of what is left.
    #[test]
    fn a_patched_index_equals_one_that_is_built(
        changes in proptest::collection::vec((0_usize..6, proptest::option::of(row_words())), 0..40),
    ) {
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        let mut patched = TypeIndex::default();
        for (number, words) in changes {
            let path = format!("m{number}.ts");
            match words.and_then(|words| row_at(&path, &words)) {
                Some(row) => {
                    let before = patched.put(Arc::new(row.clone()));
                    prop_assert_eq!(before.map(|row| Row::clone(&row)), rows.insert(path, row));
                }
                None => {
                    let before = rows.remove(&path);
                    let source = source(&path);
                    prop_assert_eq!(patched.remove(&source).map(|row| Row::clone(&row)), before);
                }
            }
            let built = TypeIndex::build(rows.values().cloned().map(Arc::new));
            prop_assert_eq!(&patched, &built);
            prop_assert_eq!(patched.rows().map(|row| Row::clone(row)).collect::<Vec<_>>(),
                rows.values().cloned().collect::<Vec<_>>());
        }
    }

    /// The rows of another snapshot take the place of all, and what changed is named.
    #[test]
    fn replaced_rows_give_the_index_that_is_built_and_every_difference(
        before in proptest::collection::btree_map(0_usize..6, row_words(), 0..6),
        after in proptest::collection::btree_map(0_usize..6, row_words(), 0..6),
    ) {
        let rows = |words: &BTreeMap<usize, String>| -> BTreeMap<usize, Row> {
            words.iter().filter_map(|(number, words)| Some((*number, row_at(&format!("m{number}.ts"), words)?))).collect()
        };
        let (before, after) = (rows(&before), rows(&after));
        let mut index = TypeIndex::build(before.values().cloned().map(Arc::new));
        let changes = index.replace(after.values().cloned());
        prop_assert_eq!(&index, &TypeIndex::build(after.values().cloned().map(Arc::new)));
        let mut changed: Vec<Row> = changes
            .iter()
            .filter_map(|change| change.after.as_ref().or(change.before.as_ref()).map(|row| Row::clone(row)))
            .collect();
        changed.sort_by(|left, right| left.source.cmp(&right.source));
        let numbers: BTreeSet<usize> = before.keys().chain(after.keys()).copied().collect();
        let expected: Vec<Row> = numbers
            .into_iter()
            .filter(|number| before.get(number) != after.get(number))
            .filter_map(|number| after.get(&number).or_else(|| before.get(&number)).cloned())
            .collect();
        prop_assert_eq!(changed, expected);
    }
}

/// How many references to rows the next snapshot takes beyond those of the current one, if a batch of rows changes.
fn references_of_a_batch(rows: usize, batch: usize) -> usize {
    let row = |number: usize, state: &str| {
        let words = format!("{state} type=@acme/t{number}");
        Arc::new(row_at(&format!("m{number:06}.ts"), &words).unwrap())
    };
    let all: Vec<Arc<Row>> = (0..rows).map(|number| row(number, "Indexed")).collect();
    let current = TypeIndex::build(all.iter().cloned());
    let references = || all.iter().map(Arc::strong_count).sum::<usize>();
    let before = references();
    let mut next = current.clone();
    for number in (0..batch).map(|number| number * rows / batch) {
        next.put(row(number, "BundleBuildFailed attempted=s1"));
    }
    let taken = references().abs_diff(before);
    assert_eq!(next.rows().len(), current.rows().len());
    taken
}

/// Else the cost of a scan would be rows times batches.
#[test]
fn a_batch_copies_no_row_that_it_does_not_change() {
    let (batch, few, many) = (16, 512, 8_192);
    let of_few = references_of_a_batch(few, batch);
    let of_many = references_of_a_batch(many, batch);
    assert!(of_few <= 16 * batch, "{of_few} references for a batch of {batch} among {few} rows");
    assert!(of_many <= 16 * batch, "{of_many} references for a batch of {batch} among {many} rows");
}
