//! The kind `datastore`: where extensions keep their data.
//!
//! A loader in a crate of its own, as anybody can write one: it uses the domain and nothing else. The README tells how
//! to make another kind from it.

use std::sync::Arc;

use mangrove_domain::{
    description::{Description, Violation},
    json::Json,
    judge::{Field, Judge},
    kind_layout::KindLayout,
    ports::Loader,
    shape::{Shape, Site},
    source::Kind,
    type_name::TypeName,
};

/// The loader, ready to be registered.
#[must_use]
pub fn loader() -> Arc<dyn Loader> {
    Arc::new(Datastore)
}

struct Datastore;

impl Loader for Datastore {
    fn layout(&self) -> KindLayout {
        KindLayout {
            kind: Kind::new("datastore"),
            directory: "datastores".into(),
            export_names: vec!["datastore".into()],
            add_on_export_names: Vec::new(),
            type_key: "type".into(),
            normalise: TypeName::strict,
        }
    }

    fn rule_version(&self) -> u32 {
        1
    }

    fn describe(&self, shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>> {
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
        judge.function(&root.member("createProvider"));
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
}
