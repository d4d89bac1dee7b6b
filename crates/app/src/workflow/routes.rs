//! The workflows of a library that requests from outside start.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mangrove_domain::{
    problem::{Code, Problem},
    workflow::{Workflow, webhook::Webhook},
};

use super::{library::Library, triggers::LibrarySchedules};

/// Which workflow a route starts.
#[derive(Debug, Default)]
pub struct LibraryWebhooks {
    /// By route.
    routes: BTreeMap<String, Arc<Workflow>>,
    /// Routes that two workflows have: neither is started.
    pub problems: Vec<Problem>,
    shared: BTreeSet<String>,
    /// Why the file of a workflow that is kept cannot be used, by route.
    kept: BTreeMap<String, Problem>,
}

impl LibraryWebhooks {
    /// Looks at every workflow that can be run by its name.
    #[must_use]
    pub fn of(library: &Library) -> Self {
        let mut found: BTreeMap<&str, Vec<&Arc<Workflow>>> = BTreeMap::new();
        for workflow in library.usable_workflows() {
            if let Some(webhook) = webhook(workflow) {
                found.entry(&webhook.route.value).or_default().push(workflow);
            }
        }
        let mut webhooks = Self::default();
        for (route, workflows) in found {
            if let [workflow] = workflows[..] {
                webhooks.routes.insert(route.to_owned(), Arc::clone(workflow));
                continue;
            }
            webhooks.shared.insert(route.to_owned());
            let files: Vec<&str> = workflows.iter().map(|workflow| workflow.file.as_str()).collect();
            for workflow in &workflows {
                let message =
                    format!("the route `{route}` belongs to {}: none of them is started", files.join(" and "));
                let position = webhook(workflow).map(|webhook| webhook.route.position(&workflow.file));
                webhooks.problems.push(
                    Problem::error(Code::AMBIGUOUS_NAME, workflow.file.clone(), message)
                        .at_if(position)
                        .advise("give one of them another `route`"),
                );
            }
        }
        webhooks
    }

    /// The same with the routes of `before` of which nothing is known now, because the file of their workflow cannot be
    /// used: they start the workflow as it was.
    #[must_use]
    pub fn keeping(mut self, before: &Self, schedules: &LibrarySchedules) -> Self {
        for (route, workflow) in &before.routes {
            let is_known = self.routes.values().any(|known| known.id == workflow.id);
            if is_known || self.shared.contains(route) || self.routes.contains_key(route) {
                continue;
            }
            if let Some(problem) = schedules.fault_of(&workflow.file, workflow.origin) {
                self.routes.insert(route.clone(), Arc::clone(workflow));
                self.kept.insert(route.clone(), problem);
            }
        }
        self
    }

    /// True if a workflow that had a route is none of these, and nothing says why.
    #[must_use]
    pub fn misses(&self, before: &Self, schedules: &LibrarySchedules) -> bool {
        let is_there = |workflow: &Workflow| self.routes.values().any(|known| known.id == workflow.id);
        let mut gone = before.iter().filter(|(route, workflow)| !is_there(workflow) && !self.shared.contains(*route));
        gone.any(|(_, workflow)| schedules.fault_of(&workflow.file, workflow.origin).is_none())
    }

    /// Why nothing is known of the webhook of this route now; it starts the workflow as it was last in order.
    #[must_use]
    pub fn fault_of(&self, route: &str) -> Option<&Problem> {
        self.kept.get(route)
    }

    /// The workflow of a route, and its webhook.
    #[must_use]
    pub fn get(&self, route: &str) -> Option<(&Arc<Workflow>, &Webhook)> {
        let workflow = self.routes.get(route)?;
        Some((workflow, webhook(workflow)?))
    }

    /// Every route, with its workflow.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Workflow>)> {
        self.routes.iter().map(|(route, workflow)| (route.as_str(), workflow))
    }
}

fn webhook(workflow: &Workflow) -> Option<&Webhook> {
    workflow.trigger.as_ref()?.webhook.as_ref()
}
