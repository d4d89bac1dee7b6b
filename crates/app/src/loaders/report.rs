//! The kind `report`: what is told after a run. The rules are the table of `design/loaders.md`.

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

/// What a report may tell of.
const SCOPES: [&str; 3] = ["method", "model", "workflow"];

/// The loader of `export const report = …`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report;

impl Loader for Report {
    fn layout(&self) -> KindLayout {
        KindLayout {
            kind: Kind::new("report"),
            directory: "reports".into(),
            export_names: vec!["report".into()],
            add_on_export_names: Vec::new(),
            type_key: "name".into(),
            normalise: TypeName::report,
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
        let type_name = judge.type_name(&root.member("name"), TypeName::report);
        let mut details = Vec::new();
        if let Some(text) = judge.string(&root.member("description")) {
            details.push(("description", Json::from(text)));
        }
        if let Some(scope) = judge.choice(&root.member("scope"), &SCOPES) {
            details.push(("scope", Json::from(scope)));
        }
        judge.function(&root.member("execute"));
        if let Some(labels) = judge.optional(&root.member("labels"), Judge::strings) {
            details.push(("labels", Json::Array(labels.into_iter().map(Json::from).collect())));
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
