//! What every loader must do. Run with the smallest export that the loader accepts; the suite damages it in turn.

use mangrove_domain::{
    description::{Description, Violation},
    json::Json,
    kind_layout::KindLayout,
    ports::Loader,
    shape::{Shape, Site},
    source::{RelativePath, RootId, SourceId},
};

/// The smallest export that a loader accepts, and what else it may have.
#[derive(Clone, Debug)]
pub struct Example {
    /// The name of the export.
    pub export_name: &'static str,
    /// The export: an object of which every member is required.
    pub shape: Shape,
    /// The normalised name of its type.
    pub type_name: &'static str,
    /// True if it adds to a type of another source.
    pub is_add_on: bool,
    /// Members that may be there, with a value that is accepted.
    pub optional: Vec<(&'static str, Shape)>,
}

impl Example {
    /// An example whose type is `@acme/example`, without optional members.
    #[must_use]
    pub const fn new(export_name: &'static str, shape: Shape) -> Self {
        Self { export_name, shape, type_name: "@acme/example", is_add_on: false, optional: Vec::new() }
    }

    /// With a member that may be there.
    #[must_use]
    pub fn with_optional(mut self, key: &'static str, value: Shape) -> Self {
        self.optional.push((key, value));
        self
    }
}

/// A text.
#[must_use]
pub fn text(text: &str) -> Shape {
    Shape::String(text.to_owned())
}

/// A schema of an object with the text `key`.
#[must_use]
pub fn schema() -> Shape {
    let properties = Json::object([("key", Json::object([("type", Json::from("string"))]))]);
    Shape::Schema { json_schema: Json::object([("type", Json::from("object")), ("properties", properties)]) }
}

/// An object of these members.
#[must_use]
pub fn object<const N: usize>(members: [(&str, Shape); N]) -> Shape {
    Shape::Object(members.map(|(key, value)| (key.to_owned(), value)).to_vec())
}

/// Runs the suite.
///
/// # Panics
/// Where the loader breaks the contract.
pub fn run(loader: &dyn Loader, example: &Example) {
    the_layout_is_sane(loader, example);
    the_example_is_accepted_as_it_is(loader, example);
    whatever_is_missing_is_told_with_its_path(loader, example);
    everything_is_reported_at_once(loader, example);
    wrong_values_are_told_with_their_path(loader, example);
    optional_members_are_accepted_and_judged(loader, example);
    unknown_members_change_nothing(loader, example);
    whatever_comes_is_an_answer(loader, example);
}

/// Checks that no two loaders share a kind, a directory or the exports of one directory.
///
/// # Panics
/// If two do.
pub fn layouts_differ(layouts: &[KindLayout]) {
    for (index, one) in layouts.iter().enumerate() {
        for other in &layouts[index + 1..] {
            assert_ne!(one.kind, other.kind, "two loaders of one kind");
            assert_ne!(one.directory, other.directory, "two kinds in one directory");
            let shared = one.export_names.iter().find(|name| other.export_names.contains(name));
            assert_eq!(shared, None, "{} and {} share an export name", one.kind, other.kind);
        }
    }
}

fn judge(loader: &dyn Loader, example: &Example, shape: &Shape) -> Result<Description, Vec<Violation>> {
    let path = RelativePath::parse("extensions/example.ts").expect("a path");
    let site = Site {
        source: SourceId { root: RootId::local(), path },
        export_name: example.export_name.to_owned(),
        requirements: vec!["fetch".to_owned()],
        notes: vec!["a remark".to_owned()],
    };
    let judged = loader.describe(shape, &site);
    assert_eq!(judged, loader.describe(shape, &site), "one shape has one answer");
    if let Err(violations) = &judged {
        assert!(!violations.is_empty(), "a rejection says why");
    }
    judged
}

fn members(shape: &Shape) -> &[(String, Shape)] {
    shape.as_object().expect("an example is an object")
}

fn without(shape: &Shape, key: &str) -> Shape {
    Shape::Object(members(shape).iter().filter(|(name, _)| name != key).cloned().collect())
}

fn with(shape: &Shape, key: &str, value: Shape) -> Shape {
    let mut all = members(&without(shape, key)).to_vec();
    all.push((key.to_owned(), value));
    Shape::Object(all)
}

fn is_about(violation: &Violation, key: &str) -> bool {
    violation.path == key
        || violation.path.starts_with(&format!("{key}."))
        || violation.path.starts_with(&format!("{key}["))
}

fn assert_reported(judged: Result<Description, Vec<Violation>>, key: &str, what: &str) {
    let violations = judged.expect_err(&format!("{what} `{key}` breaks a rule"));
    assert!(violations.iter().any(|violation| is_about(violation, key)), "{what} `{key}` is not told: {violations:?}");
}

fn the_layout_is_sane(loader: &dyn Loader, example: &Example) {
    let layout = loader.layout();
    assert!(loader.rule_version() >= 1, "rule versions start at 1");
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    assert!(is_plain(layout.kind.as_str()) && is_plain(&layout.directory), "{layout:?}");
    assert!(layout.export_names.iter().any(|name| **name == *example.export_name), "{layout:?}");
    for name in &layout.add_on_export_names {
        assert!(layout.export_names.contains(name), "an add-on's export is one of the exports: {name}");
    }
    let is_add_on = layout.add_on_export_names.iter().any(|name| **name == *example.export_name);
    assert_eq!(is_add_on, example.is_add_on);
    let claimed = members(&example.shape).iter().find(|(key, _)| **key == *layout.type_key).map(|(_, value)| value);
    let claimed = claimed.and_then(Shape::as_str).expect("the export has the member that names the type");
    let normalised = (layout.normalise)(claimed).expect("the layout's rule accepts the example's type");
    assert_eq!(normalised.as_str(), example.type_name, "the claimed type is normalised as the described one");
    assert_eq!((layout.normalise)(normalised.as_str()), Ok(normalised.clone()), "a normalised name stays as it is");
}

fn the_example_is_accepted_as_it_is(loader: &dyn Loader, example: &Example) {
    let description = judge(loader, example, &example.shape).expect("the example is in order");
    assert_eq!(description.type_name.as_str(), example.type_name);
    assert_eq!(description.is_add_on, example.is_add_on);
    assert_eq!(description.requirements, ["fetch"], "requirements go through");
    assert!(description.notes.contains(&"a remark".to_owned()), "remarks go through");
    assert!(description.details.as_object().is_some(), "details are an object");
    assert_eq!(Description::from_json(&description.to_json()), Some(description), "what is stored comes back");
}

fn whatever_is_missing_is_told_with_its_path(loader: &dyn Loader, example: &Example) {
    for (key, _) in members(&example.shape) {
        assert_reported(judge(loader, example, &without(&example.shape, key)), key, "the missing");
        assert_reported(judge(loader, example, &with(&example.shape, key, Shape::Undefined)), key, "the undefined");
    }
}

fn everything_is_reported_at_once(loader: &dyn Loader, example: &Example) {
    let violations = judge(loader, example, &Shape::Object(Vec::new())).expect_err("nothing is there");
    for (key, _) in members(&example.shape) {
        assert!(violations.iter().any(|violation| is_about(violation, key)), "`{key}` is not told: {violations:?}");
    }
}

fn wrong_values_are_told_with_their_path(loader: &dyn Loader, example: &Example) {
    for (key, _) in members(&example.shape) {
        for wrong in [Shape::Bool(true), Shape::Null, Shape::Truncated, Shape::Threw { message: "no".to_owned() }] {
            assert_reported(judge(loader, example, &with(&example.shape, key, wrong)), key, "a wrong");
        }
    }
}

fn optional_members_are_accepted_and_judged(loader: &dyn Loader, example: &Example) {
    for (key, value) in &example.optional {
        let described = judge(loader, example, &with(&example.shape, key, value.clone()));
        let description = described.unwrap_or_else(|violations| panic!("`{key}` is allowed: {violations:?}"));
        assert!(description.details.get(key).is_some(), "`{key}` is described: {:?}", description.details);
        assert_reported(judge(loader, example, &with(&example.shape, key, Shape::Bool(true))), key, "a wrong");
    }
}

fn unknown_members_change_nothing(loader: &dyn Loader, example: &Example) {
    let more = with(&example.shape, "aMemberThatNobodyKnows", Shape::Function);
    assert_eq!(judge(loader, example, &more), judge(loader, example, &example.shape));
}

fn whatever_comes_is_an_answer(loader: &dyn Loader, example: &Example) {
    let strange =
        [Shape::Undefined, Shape::Null, Shape::Function, Shape::Truncated, schema(), Shape::Array(Vec::new())];
    for shape in strange {
        assert!(judge(loader, example, &shape).is_err(), "{shape:?} is no export");
    }
}
