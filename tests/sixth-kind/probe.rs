//! The kind `probe`: what watches a system from outside. Made from `crates/loader-datastore` by following its README.

use std::sync::Arc;

use mangrove_domain::{
    description::{Description, Violation},
    json::Json,
    judge::Judge,
    kind_layout::KindLayout,
    ports::Loader,
    shape::{Shape, Site},
    type_name::TypeName,
};

/// The loader, ready to be registered.
#[must_use]
pub(crate) fn loader() -> Arc<dyn Loader> {
    Arc::new(Probe)
}

struct Probe;

impl Loader for Probe {
    fn layout(&self) -> KindLayout {
        KindLayout::of("probe", "probes")
    }

    fn rule_version(&self) -> u32 {
        1
    }

    fn describe(&self, shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>> {
        Judge::export(shape, site, |judge, root| {
            let type_name = judge.type_name(&root.member("type"), TypeName::strict);
            let mut details = judge.texts(root, &["description"]);
            judge.function(&root.member("probe"));
            details.extend(judge.config_schema(root));
            Some(Description { details: Json::object(details), ..Description::new(type_name?) })
        })
    }
}
