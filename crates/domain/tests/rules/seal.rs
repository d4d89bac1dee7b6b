//! What a scan may leave for the next one.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_domain::{
    failure::{CauseKey, Failure, Fault},
    observation::{CatalogView, DiskView},
    package::PackageRequest,
    plan::{Plan, Policy, Retry, Scope, plan},
    position::Position,
    problem::Code,
    row::Row,
    seal::{Conclusion, conclude},
    source::Kind,
};

use crate::notation::{NOW, model, observation, row_at, source};

fn plan_of(disk: &DiskView, rows: &[Row], scope: Scope, retry: Retry) -> Plan {
    let policy = Policy {
        retry,
        kinds: BTreeMap::from([(model(), 1)]),
        scope,
        allow_mass_removal: false,
        believes_removals: false,
        prunes_orphans: false,
    };
    plan(disk, &CatalogView { rows: rows.to_vec(), ..CatalogView::default() }, &policy)
}

fn concluded(scope: Scope, retry: Retry) -> Option<Conclusion> {
    let rows = [("a.ts", "Indexed"), ("b.ts", "BundleBuildFailed attempted=s1")];
    let rows: Vec<Row> = rows.into_iter().filter_map(|(path, state)| row_at(path, state)).collect();
    let observations = rows.iter().map(|row| observation(row.source.path.as_str(), "s1")).collect();
    let disk = DiskView { observations, ..DiskView::default() };
    let plan = plan_of(&disk, &rows, scope, retry);
    conclude(&plan, &disk, &rows, |_| Some((PackageRequest::default(), None)))
}

#[test]
fn whatever_is_tried_now_what_failed_is_tried_by_the_next_scan() {
    let expected = [source("b.ts")];
    for retry in [Retry::All, Retry::None, Retry::due(NOW), Retry::Only(BTreeSet::new())] {
        let conclusion = concluded(Scope::Everything, retry).expect("a conclusion");
        assert_eq!(conclusion.told().into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(conclusion.failing.len(), 1);
    }
}

#[test]
fn a_plan_about_some_sources_is_no_conclusion_about_all() {
    for scope in [
        Scope::Sources([source("a.ts")].into()),
        Scope::Sources([source("b.ts")].into()),
        Scope::Sources(BTreeSet::new()),
        Scope::Kinds([Kind::new("vault")].into()),
    ] {
        assert_eq!(concluded(scope.clone(), Retry::All), None, "{scope:?}");
    }
}

#[test]
fn a_failure_is_repeated_in_its_own_words_where_it_is_the_same() {
    let fault = |message: &str| Fault::environment(Code::PACKAGE_NOT_FOUND, "specifier:npm:x@1", message);
    let place = Position { file: "a.ts".to_owned(), line: 3, column: 8 };
    let earlier = Failure::record(None, fault("no such package").at(place), NOW, 0.0);
    let repeated = earlier.repeated_by(fault("no such package")).expect("the same");
    let again = Failure::record(Some(&earlier), repeated, NOW, 0.0);
    assert_eq!(again.latest_message, "a.ts:3:8: no such package");
    assert_eq!(again.attempts, 2);

    assert_eq!(earlier.repeated_by(fault("such package")), None, "other words that end alike");
    assert_eq!(earlier.repeated_by(fault("no such version")), None);
    let elsewhere = Fault { cause: CauseKey("specifier:npm:y@1".into()), ..fault("no such package") };
    assert_eq!(earlier.repeated_by(elsewhere), None);
    assert_eq!(earlier.repeated_by(Fault { code: Code::REGISTRY_UNREACHABLE, ..fault("no such package") }), None);
}
