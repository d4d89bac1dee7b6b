//! What vaults and drivers have in common: an export that tells about itself and makes the thing when it is called.

use mangrove_domain::{
    description::{Description, Violation},
    json::Json,
    judge::{Field, Judge},
    kind_layout::KindLayout,
    shape::{Shape, Site},
    source::Kind,
    type_name::TypeName,
};

/// Sources in this directory that export a value of the kind's name.
pub(super) fn layout(kind: &str, directory: &str) -> KindLayout {
    KindLayout {
        kind: Kind::new(kind),
        directory: directory.into(),
        export_names: vec![kind.into()],
        add_on_export_names: Vec::new(),
        type_key: "type".into(),
        normalise: TypeName::strict,
    }
}

/// The description of an export whose `function` makes the thing.
pub(super) fn describe(shape: &Shape, site: &Site, function: &str) -> Result<Description, Vec<Violation>> {
    let mut judge = Judge::default();
    let root = Field::root(shape);
    if judge.record(&root).is_none() {
        return Err(judge.into_violations());
    }
    let type_name = judge.type_name(&root.member("type"), TypeName::strict);
    let mut details = Vec::new();
    for key in ["name", "description"] {
        if let Some(text) = judge.string(&root.member(key)) {
            details.push((key, Json::from(text)));
        }
    }
    judge.function(&root.member(function));
    if let Some(schema) = judge.optional(&root.member("configSchema"), Judge::schema) {
        details.push(("configSchema", schema.clone()));
    }
    match type_name {
        Some(type_name) if judge.is_content() => Ok(Description {
            type_name,
            version: None,
            is_add_on: false,
            methods: Vec::new(),
            details: Json::object(details),
            requirements: site.requirements.clone(),
            notes: site.notes.clone(),
        }),
        _ => Err(judge.into_violations()),
    }
}
