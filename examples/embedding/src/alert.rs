//! The kind `alert`: which metric is watched, and whether somebody is paged or a ticket is written.

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
pub(crate) fn loader() -> Arc<dyn Loader> {
    Arc::new(Alert)
}

struct Alert;

impl Loader for Alert {
    fn layout(&self) -> KindLayout {
        KindLayout::of("alert", "alerts")
    }

    fn rule_version(&self) -> u32 {
        1
    }

    fn describe(&self, shape: &Shape, site: &Site) -> Result<Description, Vec<Violation>> {
        Judge::export(shape, site, |judge, export| {
            let type_name = judge.type_name(&export.member("type"), TypeName::strict);
            let mut details = judge.texts(export, &["metric"]);
            if let Some(urgency) = judge.choice(&export.member("urgency"), &["page", "ticket"]) {
                details.push(("urgency", Json::from(urgency)));
            }
            Some(Description { details: Json::object(details), ..Description::new(type_name?) })
        })
    }
}

#[cfg(test)]
mod tests {
    use mangrove_testkit::contract::{
        self,
        loader::{Example, object, text},
    };

    use super::*;

    #[test]
    fn keeps_the_contract_of_loaders() {
        let shape = object([("type", text("@team/disk")), ("metric", text("disk.used")), ("urgency", text("page"))]);
        let example = Example { type_name: "@team/disk", ..Example::new("alert", shape) };
        contract::loader::run(&Alert, &example);
    }
}
