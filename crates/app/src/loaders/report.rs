//! The kind `report`: what is reported after a run. The rules are the table of `design/loaders.md`.

use mangrove_domain::{
    description::{Description, Violation},
    json::Json,
    judge::Judge,
    kind_layout::KindLayout,
    ports::Loader,
    shape::{Shape, Site},
    type_name::TypeName,
};

/// What a report may be about.
const SCOPES: [&str; 3] = ["method", "model", "workflow"];

/// The loader of `export const report = …`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report;

impl Loader for Report {
    fn layout(&self) -> KindLayout {
        KindLayout { type_key: "name".into(), normalise: TypeName::report, ..KindLayout::of("report", "reports") }
    }

    fn rule_version(&self) -> u32 {
        1
    }

    fn describe(&self, shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>> {
        Judge::export(shape, site, |judge, root| {
            let type_name = judge.type_name(&root.member("name"), TypeName::report);
            let mut details = judge.texts(root, &["description"]);
            if let Some(scope) = judge.choice(&root.member("scope"), &SCOPES) {
                details.push(("scope", Json::from(scope)));
            }
            judge.function(&root.member("execute"));
            if let Some(labels) = judge.optional(&root.member("labels"), Judge::strings) {
                details.push(("labels", Json::Array(labels.into_iter().map(Json::from).collect())));
            }
            Some(Description { details: Json::object(details), ..Description::new(type_name?) })
        })
    }
}
