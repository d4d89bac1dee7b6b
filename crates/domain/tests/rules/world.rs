//! A small world to plan in: sources, a store, a network that may be down. It carries plans out as the application
//! does, and counts attempts.

use std::collections::{BTreeMap, BTreeSet};

use mangrove_domain::{
    bundle::{ObjectKey, Presence},
    claims,
    digest::Digest,
    failure::Fault,
    fingerprint::Inputs,
    observation::{CatalogView, DiskView, Observation, RootAccess, RootView},
    plan::{Action, Answered, Plan, Policy, Retry, Scope, plan},
    row::Row,
    settle::{Moment, Outcome, Settled, Transition, apply, settle, transition},
    source::{Kind, Origin, RootId, SourceId},
    state::StateName,
    time::Timestamp,
    type_name::TypeName,
};

use crate::notation::{NOW, bundle_of, fault, indexed, inputs, inputs_text, model, observation, violations};

/// What stands in a source file. `Good` versions are accepted, whatever else happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Good(u8),
    Rejected,
    SyntaxError,
    Throws,
    /// Accepted by version 1 of the rules, rejected by later ones.
    RejectedLater,
    Unreadable,
    Absent,
    /// There, and exports nothing.
    Helper,
}

impl Content {
    fn word(self) -> Option<String> {
        Some(match self {
            Content::Good(version) => format!("s{}", 10 + version),
            Content::Rejected => "s2".to_owned(),
            Content::SyntaxError => "s3".to_owned(),
            Content::Throws => "s4".to_owned(),
            Content::RejectedLater => "s5".to_owned(),
            Content::Unreadable => "EACCES".to_owned(),
            Content::Absent | Content::Helper => return None,
        })
    }
}

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) files: BTreeMap<String, Content>,
    pub(crate) bundler: u8,
    pub(crate) rules: u32,
    pub(crate) network: bool,
    pub(crate) workers: bool,
    pub(crate) root_is_there: bool,
    pub(crate) store: BTreeSet<Digest>,
    pub(crate) rows: BTreeMap<SourceId, Row>,
    pub(crate) audit: Vec<(SourceId, Transition)>,
    /// The causes of failures that were answered since.
    pub(crate) answered: Answered,
    /// Sources of the attempts of the last scan, and whether each ran the bundler.
    pub(crate) attempts: Vec<(String, bool)>,
}

/// Every source has a type of its own, but for the last two letters, which claim one.
fn type_of(path: &str) -> String {
    let name = path.trim_end_matches(".ts");
    if matches!(name, "y" | "z") { "@acme/shared".to_owned() } else { format!("@acme/{name}") }
}

impl World {
    pub(crate) fn new(files: impl IntoIterator<Item = (&'static str, Content)>) -> Self {
        Self {
            now: NOW,
            files: files.into_iter().map(|(path, content)| (path.to_owned(), content)).collect(),
            bundler: 1,
            rules: 1,
            network: true,
            workers: true,
            root_is_there: true,
            store: BTreeSet::new(),
            rows: BTreeMap::new(),
            audit: Vec::new(),
            answered: Answered::default(),
            attempts: Vec::new(),
        }
    }

    pub(crate) fn catalog(&self) -> CatalogView {
        CatalogView { rows: self.rows.values().cloned().collect(), ..CatalogView::default() }
    }

    fn presence(&self, row: &Row) -> Presence {
        match row.bundle().map(|bundle| bundle.entry.key) {
            Some(key) if !self.store.contains(&key.digest()) => Presence::Missing(key),
            Some(_) | None => Presence::Present,
        }
    }

    pub(crate) fn look(&self) -> DiskView {
        let access = if self.root_is_there { RootAccess::Reachable } else { RootAccess::Unreachable(fault("root")) };
        let root = RootView {
            origin: Origin::Local,
            access,
            incomplete: BTreeSet::new(),
            missing_directories: BTreeMap::new(),
            locked_files: BTreeSet::new(),
        };
        let mut disk = DiskView { roots: [(RootId::local(), root)].into(), ..DiskView::default() };
        if self.root_is_there {
            for (path, content) in &self.files {
                if let Some(word) = content.word() {
                    let seen = if *content == Content::Unreadable {
                        observation(path, &word)
                    } else {
                        let claimed_type = TypeName::model(&type_of(path)).ok();
                        Observation { claimed_type, ..observation(path, &format!("{word}/b{}", self.bundler)) }
                    };
                    disk.observations.push(seen);
                } else if *content == Content::Helper {
                    disk.helpers.insert(crate::notation::source(path));
                }
            }
        }
        disk.presence = self.rows.values().map(|row| (row.source.clone(), self.presence(row))).collect();
        disk
    }

    pub(crate) fn policy(&self, retry: Retry) -> Policy {
        Policy {
            retry,
            kinds: [(model(), self.rules)].into(),
            scope: Scope::Everything,
            allow_mass_removal: false,
            believes_removals: false,
            prunes_orphans: false,
        }
    }

    /// What a timer tries now.
    pub(crate) fn due(&self) -> Retry {
        Retry::Due { at: self.now, answered: self.answered.clone() }
    }

    pub(crate) fn plan(&self, retry: Retry) -> Plan {
        plan(&self.look(), &self.catalog(), &self.policy(retry))
    }

    fn inspected(&self, path: &str, built: &Inputs) -> Outcome {
        let bundle = bundle_of(built);
        let failed = |fault: Fault| Outcome::InspectionFailed { fault, bundle: bundle.clone(), inputs: built.clone() };
        if !self.workers {
            return failed(fault("EIO"));
        }
        match inputs_text(built).split('/').next() {
            Some("s2") => {
                Outcome::Rejected { bundle, violations: violations(), claimed_type: None, inputs: built.clone() }
            }
            Some("s5") if self.rules > 1 => {
                Outcome::Rejected { bundle, violations: violations(), claimed_type: None, inputs: built.clone() }
            }
            Some("s4") => failed(fault("throws")),
            _ => Outcome::Accepted { indexed: indexed(built, &type_of(path)), inputs: built.clone() },
        }
    }

    fn built(&mut self, path: &str, observed: &Inputs) -> Outcome {
        if inputs_text(observed).split('/').next() == Some("s3") {
            return Outcome::BuildFailed { fault: fault("syntax") };
        }
        if !self.network {
            return Outcome::BuildFailed { fault: fault("registry") };
        }
        self.store.insert(bundle_of(observed).entry.key.digest());
        self.inspected(path, observed)
    }

    /// One scan: plans, carries the plan out and settles the claims.
    pub(crate) fn scan(&mut self, retry: Retry) -> Plan {
        let disk = self.look();
        let before = self.rows.clone();
        let plan = plan(&disk, &self.catalog(), &self.policy(retry));
        let moment = Moment { now: self.now, jitter: 1.0, outage: None };
        self.attempts.clear();
        for step in &plan.steps {
            let row = self.rows.get(&step.source).cloned();
            let seen = disk.observations.iter().find(|seen| seen.source == step.source);
            let path = step.source.path.as_str().to_owned();
            let presence = disk.presence_of(&step.source);
            let attempted = match &step.action {
                Action::Build => {
                    let observed = seen.and_then(|seen| seen.inputs()).expect("what is built is readable").clone();
                    self.attempts.push((path.clone(), true));
                    Some(self.built(&path, &observed))
                }
                Action::Inspect | Action::Adopt => {
                    let built = row.as_ref().and_then(|row| row.built.clone()).expect("what is inspected is built");
                    self.attempts.push((path.clone(), false));
                    Some(self.inspected(&path, &built))
                }
                Action::Keep
                | Action::Recover
                | Action::Degrade(_)
                | Action::MarkUnreadable(_)
                | Action::Orphan
                | Action::Tombstone(_)
                | Action::Defer { .. } => None,
            };
            let settled = match attempted {
                Some(outcome) => settle(row.as_ref(), seen.expect("observed"), presence, outcome, self.rules, moment),
                None => apply(row.as_ref(), seen, &step.action, moment),
            };
            if let Some(line) = transition(row.as_ref(), &settled, &step.verdict.to_string(), self.now) {
                self.audit.push((step.source.clone(), line));
            }
            match settled {
                Settled::Write(mut next) => {
                    next.revision += 1;
                    self.rows.insert(step.source.clone(), *next);
                }
                Settled::Delete(_) => {
                    self.rows.remove(&step.source);
                }
                Settled::Unchanged => {}
                Settled::ObserveAgain => panic!("a plan's own action does not fit: {step:?}"),
            }
        }
        let claims = claims::resolve(self.rows.values());
        for row in self.rows.values_mut() {
            claims.mark(row);
        }
        let changed = plan.steps.iter().map(|step| (before.get(&step.source), self.rows.get(&step.source)));
        self.answered.learn(changed.filter(|(before, after)| before != after));
        plan
    }

    pub(crate) fn row(&self, path: &str) -> &Row {
        &self.rows[&crate::notation::source(path)]
    }

    pub(crate) fn state(&self, path: &str) -> StateName {
        self.row(path).state.name()
    }

    pub(crate) fn lose_bundle(&mut self, path: &str) {
        let key = self.rows.get(&crate::notation::source(path)).and_then(Row::bundle).map(|bundle| bundle.entry.key);
        if let Some(ObjectKey::Extension(digest) | ObjectKey::Vendor(digest)) = key {
            self.store.remove(&digest);
        }
    }

    pub(crate) fn has_bundle(&self, row: &Row) -> bool {
        row.bundle().is_some() && self.presence(row) == Presence::Present
    }
}

pub(crate) fn kind(name: &str) -> Kind {
    Kind::new(name)
}

/// The inputs of a good version, as the world observes them.
pub(crate) fn good(version: u8) -> Inputs {
    inputs(&format!("s{}", 10 + version))
}
