//! The kind `driver`: where methods run. The rules are the table of `design/loaders.md`.

use mangrove_domain::{
    description::{Description, Violation},
    json::Json,
    judge::{Field, Judge},
    ports::{KindLayout, Loader, Site},
    shape::Shape,
    source::Kind,
    type_name::TypeName,
};

/// The loader of `export const driver = …`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Driver;

impl Loader for Driver {
    fn layout(&self) -> KindLayout {
        KindLayout {
            kind: Kind::new("driver"),
            directory: "drivers".into(),
            export_names: vec!["driver".into()],
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
        judge.function(&root.member("createDriver"));
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
