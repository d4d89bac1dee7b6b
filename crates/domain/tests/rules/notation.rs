//! A notation for rows, looks at the disk and outcomes.
//!
//! - Inputs: `s1` is the first version of the source, with the first version of everything else. `s1/c2`, `s1/p2`,
//!   `s1/b2` differ in config, packages or bundler.
//! - A row: `none`, or a state and what it carries: `Indexed built=s1 attempted=s2 degraded=registry rules=1`. States
//!   that cannot be without a bundle are built from `s1` if nothing is said.
//! - A fault is named after what happened: `registry`, `EACCES`, `EIO`, `syntax`, `throws`, `tightened`, `root`.
//! - A look at the disk: inputs, or a fault if the entry cannot be read; then `bundle=missing`, `bundle=truncated` or
//!   nothing, and `rules=2` if our rules moved on.

use std::fmt::Write as _;

use mangrove_domain::{
    bundle::{BundleRef, ObjectKey, Presence, StoredObject},
    description::Violation,
    digest::Digest,
    failure::{Failure, FailureClass, Fault},
    fingerprint::{Inputs, Line, Part},
    observation::{Entry, Observation},
    problem::Code,
    row::Row,
    source::{Extension, Kind, Origin, RelativePath, RootId, SourceId},
    state::{Indexed, State, StateName, TombstoneReason},
    time::Timestamp,
    type_name::TypeName,
};

/// When everything in tests happens.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub(crate) fn model() -> Kind {
    Kind::new("model")
}

pub(crate) fn source(path: &str) -> SourceId {
    SourceId { root: RootId::local(), path: RelativePath::parse(path).unwrap() }
}

pub(crate) fn extension() -> Extension {
    Extension { name: "@acme/tools".into(), version: "1.0.0".into() }
}

/// Inputs of the notation, such as `s1/c2`.
pub(crate) fn inputs(text: &str) -> Inputs {
    let version = |letter: char| {
        let found = text.split('/').find_map(|word| word.strip_prefix(letter));
        found.unwrap_or("1").to_owned()
    };
    Inputs {
        source: Part::of([Line::new("models/a.ts", version('s'))]),
        config: Part::of([Line::new("compilerOptions", version('c'))]),
        packages: Part::of([Line::new("zod", version('p'))]),
        bundler: Part::of([Line::new("rolldown", version('b'))]),
    }
}

/// The notation of inputs.
pub(crate) fn inputs_text(inputs: &Inputs) -> String {
    let value = |part: &Part| part.lines().unwrap().first().map_or("?".to_owned(), |line| line.value.clone());
    let mut text = format!("s{}", value(&inputs.source));
    for (letter, part) in [('c', &inputs.config), ('p', &inputs.packages), ('b', &inputs.bundler)] {
        let value = value(part);
        if value != "1" {
            write!(text, "/{letter}{value}").unwrap();
        }
    }
    text
}

/// The bundle that a build of these inputs gives: the same for the same inputs.
pub(crate) fn bundle_of(inputs: &Inputs) -> BundleRef {
    let key = ObjectKey::Extension(inputs.digest());
    BundleRef { entry: StoredObject { key, size_bytes: 100 }, vendors: Vec::new() }
}

pub(crate) fn indexed(inputs: &Inputs, type_name: &str) -> Indexed {
    Indexed {
        type_name: TypeName::model(type_name).unwrap(),
        version: None,
        is_add_on: false,
        description: Digest::of(b"description"),
        bundle: bundle_of(inputs),
    }
}

pub(crate) fn fault(name: &str) -> Fault {
    let (class, code, cause, message) = match name {
        "registry" => (
            FailureClass::Transient,
            Code::REGISTRY_UNREACHABLE,
            "registry:npm:443",
            "registry unreachable: connection refused",
        ),
        "EACCES" => (FailureClass::Environment, Code::UNREADABLE, "errno:EACCES", "permission denied"),
        "EIO" => (FailureClass::Environment, Code::UNREADABLE, "errno:EIO", "input/output error"),
        "syntax" => (FailureClass::Deterministic, Code::SYNTAX, "syntax", "unexpected end of file"),
        "throws" => (FailureClass::Deterministic, Code::THREW_WHILE_LOADING, "throws", "TypeError: x is undefined"),
        "tightened" => (FailureClass::Deterministic, Code::RULES_TIGHTENED, "rules:model", "the rules tightened"),
        "root" => (FailureClass::Environment, Code::ROOT_UNREACHABLE, "root:mount:shared", "the mount is not there"),
        other => panic!("no fault is called {other}"),
    };
    Fault::new(class, code, cause, message)
}

fn fault_name(failure: &Failure) -> &'static str {
    ["registry", "EACCES", "EIO", "syntax", "throws", "tightened", "root"]
        .into_iter()
        .find(|name| fault(name).code == failure.code && fault(name).cause == failure.cause)
        .or((failure.code == Code::RULES_TIGHTENED).then_some("tightened"))
        .unwrap_or("another fault")
}

pub(crate) fn failure(name: &str) -> Failure {
    Failure::record(None, fault(name), NOW, 1.0)
}

pub(crate) fn violations() -> Vec<Violation> {
    vec![Violation { path: "methods".to_owned(), message: "expected object, found string".to_owned() }]
}

fn word<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

/// The row of the notation at `models/a.ts`; `None` for `none`.
pub(crate) fn row(text: &str) -> Option<Row> {
    row_at("models/a.ts", text)
}

/// The row of the notation at this path of the local root.
pub(crate) fn row_at(path: &str, text: &str) -> Option<Row> {
    let name = text.split_whitespace().next().unwrap();
    if name == "none" {
        return None;
    }
    let name = StateName::parse(name).unwrap_or_else(|| panic!("no state is called {name}"));
    let needs_bundle = matches!(
        name,
        StateName::Indexed | StateName::Bundled | StateName::ValidationFailed | StateName::OrphanedBundleOnly
    );
    let built = word(text, "built").or(needs_bundle.then_some("s1")).map(inputs);
    let bundle = built.as_ref().map(bundle_of);
    let type_name = word(text, "type").unwrap_or("@acme/dns");
    let fails = failure(word(text, "failure").unwrap_or(match name {
        StateName::EntryPointUnreadable => "EACCES",
        _ => "registry",
    }));
    let is_add_on = text.split_whitespace().any(|word| word == "add-on");
    let state = match name {
        StateName::Indexed => State::Indexed(Indexed { is_add_on, ..indexed(built.as_ref().unwrap(), type_name) }),
        StateName::Bundled => State::Bundled { bundle: bundle.unwrap() },
        StateName::BundleBuildFailed => State::BundleBuildFailed { failure: fails, bundle },
        StateName::ValidationFailed => State::ValidationFailed { bundle: bundle.unwrap(), violations: violations() },
        StateName::EntryPointUnreadable => State::EntryPointUnreadable { failure: fails, bundle },
        StateName::OrphanedBundleOnly => State::OrphanedBundleOnly { bundle: bundle.unwrap() },
        StateName::Tombstoned => State::Tombstoned { reason: TombstoneReason::SourceDeleted },
    };
    let entry = built.clone().or_else(|| word(text, "attempted").map(inputs));
    Some(Row {
        source: source(path),
        origin: match word(text, "origin") {
            Some("mounted") => Origin::Mounted,
            Some("pulled") => Origin::Pulled,
            Some(_) | None => Origin::Local,
        },
        extension: extension(),
        kind: Kind::new(word(text, "kind").unwrap_or("model")),
        claimed_type: (type_name != "-").then(|| TypeName::model(type_name).unwrap()),
        claims_add_on: is_add_on,
        entry_digest: entry.map(|inputs| inputs.source.digest()),
        state,
        built,
        attempted: word(text, "attempted").map(inputs),
        degraded: word(text, "degraded").map(failure),
        rejected_before: if text.contains("rejected-before") { violations() } else { Vec::new() },
        rule_version: word(text, "rules").map_or(1, |version| version.parse().unwrap()),
        shadowed_by: None,
        shadow_fallback: false,
        shipped: None,
        revision: 7,
    })
}

/// The notation of a row, without what every row has.
pub(crate) fn row_text(row: &Row) -> String {
    let mut text = row.state.name().to_string();
    let mut add = |word: String| {
        text.push(' ');
        text.push_str(&word);
    };
    if row.state.name() == StateName::Indexed && row.is_add_on() {
        add("add-on".to_owned());
    }
    if let Some(built) = &row.built {
        add(format!("built={}", inputs_text(built)));
    }
    if row.built.as_ref().map(bundle_of).as_ref() != row.bundle() {
        add("(with the bundle of other inputs!)".to_owned());
    }
    if let Some(attempted) = &row.attempted {
        add(format!("attempted={}", inputs_text(attempted)));
    }
    for (key, failure) in [("failure", row.state.failure()), ("degraded", row.degraded.as_ref())] {
        if let Some(failure) = failure {
            add(format!("{key}={}", fault_name(failure)));
            if failure.attempts > 1 {
                add(format!("({} attempts)", failure.attempts));
            }
        }
    }
    if !row.rejected_before.is_empty() {
        add("rejected-before".to_owned());
    }
    if row.rule_version != 1 {
        add(format!("rules={}", row.rule_version));
    }
    text
}

/// A look at the disk.
pub(crate) struct Look {
    pub(crate) observation: Observation,
    pub(crate) presence: Presence,
    pub(crate) rule_version: u32,
}

/// The look of the notation.
pub(crate) fn look(text: &str) -> Look {
    let first = text.split_whitespace().next().unwrap();
    let key = ObjectKey::Extension(Digest::of(b"object"));
    Look {
        observation: observation("models/a.ts", first),
        presence: match word(text, "bundle") {
            Some("missing") => Presence::Missing(key),
            Some("truncated") => Presence::WrongSize { key, recorded_bytes: 100, found_bytes: 0 },
            Some("present") | None => Presence::Present,
            Some(other) => panic!("a bundle is not {other}"),
        },
        rule_version: word(text, "rules").map_or(1, |version| version.parse().unwrap()),
    }
}

/// What is observed at this path: inputs or a fault.
pub(crate) fn observation(path: &str, content: &str) -> Observation {
    Observation {
        source: source(path),
        origin: Origin::Local,
        extension: extension(),
        kind: model(),
        claimed_type: content.starts_with('s').then(|| TypeName::model("@acme/dns").unwrap()),
        claims_add_on: false,
        entry: if content.starts_with('s') && content != "syntax" {
            let inputs = inputs(content);
            Entry::Readable { digest: inputs.source.digest(), inputs }
        } else {
            Entry::Unreadable(fault(content))
        },
    }
}

/// A verdict with a plan's action, as short as possible.
pub(crate) fn decision(row_text: &str, look_text: &str) -> (String, String, String) {
    use mangrove_domain::{
        freshness::decide,
        observation::{CatalogView, DiskView},
        plan::{Policy, Retry, Scope, plan},
    };
    let row = row(row_text);
    let look = look(look_text);
    let verdict = decide(&look.observation, row.as_ref(), look.presence, look.rule_version);
    let disk = DiskView {
        observations: vec![look.observation.clone()],
        presence: [(look.observation.source.clone(), look.presence)].into(),
        ..DiskView::default()
    };
    let policy = Policy {
        retry: Retry::All,
        kinds: [(model(), look.rule_version)].into(),
        scope: Scope::Everything,
        allow_mass_removal: false,
        believes_removals: false,
        prunes_orphans: false,
    };
    let plan = plan(&disk, &CatalogView { rows: row.into_iter().collect(), ..CatalogView::default() }, &policy);
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.steps[0].verdict, verdict, "a plan has no rules of its own");
    (verdict.name().to_owned(), plan.steps[0].action.name().to_owned(), verdict.to_string())
}

/// Removes what all lines of a text share at their start, and empty lines.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}
