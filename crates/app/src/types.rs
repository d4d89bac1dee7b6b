//! Asking for a type that is ready to run.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use mangrove_domain::{
    advice::{Advice, UserAction},
    bundle::LoadedBundle,
    description::Description,
    failure::{Failure, Fault},
    foreign_state::ForeignState,
    index::TypeIndex,
    ports::{Catalog, CatalogError},
    problem::{Code, Problem},
    row::Row,
    source::{Kind, SourceId},
    state::{State, StateName},
    type_name::TypeName,
};

use crate::missing_type;

/// Gives out types. A request for a type that failed triggers one shared attempt then and there.
#[async_trait]
pub trait Types: Send + Sync {
    /// The type, ready to run.
    async fn ready(&self, kind: &Kind, type_name: &TypeName) -> Result<ReadyType, NotReady>;
}

/// A type that can run.
#[derive(Clone, Debug)]
pub struct ReadyType {
    /// The row that resolves it.
    pub row: Arc<Row>,
    /// What it offers, add-ons included.
    pub description: Arc<Description>,
    /// The verified code of the row itself.
    pub bundle: LoadedBundle,
    /// The add-ons that brought methods or checks, with their verified code.
    pub add_ons: Vec<ReadyAddOn>,
    /// Why add-ons of the same snapshot are left out, a sentence each.
    pub left_out: Vec<String>,
    /// What kept it from being brought up to date; its bundle may then be older than its source.
    pub behind: Option<String>,
    /// What its code names of the files of another program.
    pub foreign_state: Option<ForeignState>,
}

/// An add-on that can run.
#[derive(Clone, Debug)]
pub struct ReadyAddOn {
    /// Its row.
    pub row: Arc<Row>,
    /// Its verified code.
    pub bundle: LoadedBundle,
    /// The methods that it brought, with the index of the record of its list in which each stands.
    pub methods: BTreeMap<String, usize>,
    /// As [`methods`](Self::methods), the checks that it brought.
    pub checks: BTreeMap<String, usize>,
    /// What its code names of the files of another program.
    pub foreign_state: Option<ForeignState>,
}

/// Where the code of a method or check lies.
#[derive(Clone, Debug)]
pub struct MethodCode<'a> {
    /// The row whose bundle has it: the type's own, or an add-on's.
    pub row: &'a Arc<Row>,
    /// That bundle.
    pub bundle: &'a LoadedBundle,
    /// The export to call into.
    pub export_name: &'static str,
    /// Where the method or check stands below that export.
    pub path: Vec<String>,
    /// What that bundle names of the files of another program.
    pub foreign_state: Option<ForeignState>,
}

impl ReadyType {
    /// Where the code of a method of a model lies. A name that no add-on brought is taken for the model's own.
    #[must_use]
    pub fn code(&self, method: &str) -> MethodCode<'_> {
        self.code_of("methods", |add_on| &add_on.methods, method)
    }

    /// Where the code of the type itself lies.
    #[must_use]
    pub fn own_code(&self) -> MethodCode<'_> {
        MethodCode {
            row: &self.row,
            bundle: &self.bundle,
            export_name: "model",
            path: Vec::new(),
            foreign_state: self.foreign_state,
        }
    }

    /// As [`code`](Self::code), of a check.
    #[must_use]
    pub fn check_code(&self, check: &str) -> MethodCode<'_> {
        self.code_of("checks", |add_on| &add_on.checks, check)
    }

    fn code_of(
        &self,
        section: &str,
        brought: impl Fn(&ReadyAddOn) -> &BTreeMap<String, usize>,
        name: &str,
    ) -> MethodCode<'_> {
        let added = self.add_ons.iter().find_map(|add_on| Some((add_on, brought(add_on).get(name)?)));
        match added {
            Some((ReadyAddOn { row, bundle, foreign_state, .. }, record)) => MethodCode {
                row,
                bundle,
                export_name: "extension",
                path: vec![section.to_owned(), record.to_string(), name.to_owned()],
                foreign_state: *foreign_state,
            },
            None => MethodCode { path: vec![section.to_owned(), name.to_owned()], ..self.own_code() },
        }
    }
}

/// Why a type cannot run.
#[derive(Clone, Debug, PartialEq)]
pub struct NotReady {
    /// The kind that was asked for; `None` if any would do.
    pub kind: Option<Kind>,
    /// The type that was asked for.
    pub type_name: TypeName,
    /// The rows that claim it, in order of precedence.
    pub claimed_by: Vec<Arc<Row>>,
    /// The failure of the first of them that has one.
    pub failure: Option<Failure>,
    /// Other kinds that have a type of this name; empty if something claims the type.
    pub other_kinds: Vec<Kind>,
    /// The nearest known names with their kinds, nearest first; empty if something claims the type.
    pub nearest: Vec<(Kind, TypeName)>,
    /// What disk and history say of it, if no row claims it.
    pub unclaimed: Unclaimed,
    /// What else went wrong on the way, such as a damaged store.
    pub remark: Option<String>,
    /// What to do about it, where the rest does not say so.
    pub advice: Option<Advice>,
    /// What kept Mangrove itself from finding out more, such as a catalog that is busy. Whether there is such a type is
    /// then not known.
    pub fault: Option<Fault>,
}

/// What disk and history say of a type that no row claims.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unclaimed {
    /// Sources that had it, and why they have it no longer, sorted.
    pub departed: Vec<Departed>,
    /// Sources whose text claims it and that have no row yet, sorted.
    pub unscanned: Vec<SourceId>,
    /// What could not be looked into, where it may be.
    pub unobservable: Vec<Problem>,
}

/// A source that had a type once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departed {
    /// Which one.
    pub source: SourceId,
    /// Why its row left, as the audit has it.
    pub reason: String,
}

impl Departed {
    /// The sources that had a type, by the history of the catalog; none if the history cannot be read, because the
    /// answer is about the type.
    pub async fn of(catalog: &dyn Catalog, kind: &Kind, type_name: &TypeName) -> Vec<Self> {
        let history = async {
            let mut departed = Vec::new();
            for source in catalog.departed(kind, type_name).await? {
                let last = catalog.transitions(&source).await?.pop();
                let left = last.filter(|record| record.transition.to == StateName::Tombstoned);
                departed.extend(left.map(|record| Self { source, reason: record.transition.reason }));
            }
            Ok::<_, CatalogError>(departed)
        };
        history.await.unwrap_or_else(|error| {
            tracing::debug!(%error, "the history of a type cannot be read");
            Vec::new()
        })
    }
}

impl NotReady {
    /// What the published snapshot and a look at the disk know of a type that does not resolve.
    #[must_use]
    pub fn explain(
        index: &TypeIndex,
        kind: Option<&Kind>,
        type_name: &TypeName,
        unclaimed: Unclaimed,
        remark: Option<String>,
    ) -> Self {
        let claimed_by = kind.map_or_else(Vec::new, |kind| index.claimants(kind, type_name));
        let failure = claimed_by.iter().find_map(|row| row.failure().cloned());
        let (other_kinds, nearest) = match kind {
            _ if !claimed_by.is_empty() => (Vec::new(), Vec::new()),
            None => (Vec::new(), index.nearest_of_all(type_name.as_str())),
            Some(kind) => {
                let names = index.nearest(kind, type_name).into_iter();
                let nearest = names.map(|name| (kind.clone(), name)).collect();
                (index.kinds_of(type_name).into_iter().filter(|other| other != kind).collect(), nearest)
            }
        };
        let (kind, type_name) = (kind.cloned(), type_name.clone());
        let unobservable = missing_type::places_of(type_name.as_str(), unclaimed.unobservable);
        let unclaimed = Unclaimed { unobservable, ..unclaimed };
        Self {
            kind,
            type_name,
            claimed_by,
            failure,
            other_kinds,
            nearest,
            unclaimed,
            remark,
            advice: None,
            fault: None,
        }
    }

    /// The code that stands for it.
    #[must_use]
    pub fn code(&self) -> Code {
        match &self.fault {
            Some(fault) => fault.code,
            None if self.claimed_by.is_empty() => Code::UNKNOWN_TYPE,
            None => Code::RUN_BLOCKED,
        }
    }

    /// What is the matter, in a few words: ``unknown model type `@acme/dns` ``.
    #[must_use]
    pub fn headline(&self) -> String {
        if self.fault.is_some() {
            let kind = self.kind.as_ref().map(|kind| format!("{kind} ")).unwrap_or_default();
            return format!("the {kind}type `{}` cannot be looked at", self.type_name);
        }
        match &self.kind {
            Some(kind) => format!("unknown {kind} type `{}`", self.type_name),
            None => format!("unknown type `{}`", self.type_name),
        }
    }

    /// Why, a sentence each, without times: they change while somebody reads.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        if let Some(fault) = &self.fault {
            return vec![fault.to_string()];
        }
        let mut reasons: Vec<String> = self.claimed_by.iter().map(|row| claim(row)).collect();
        if reasons.is_empty() {
            let Unclaimed { departed, unscanned, unobservable } = &self.unclaimed;
            reasons.extend(unscanned.iter().map(|source| format!("{source} claims it, but has not been scanned yet")));
            match (reasons.is_empty(), unobservable.is_empty()) {
                (false, _) => {}
                (true, true) => reasons.push("no source claims this type".to_owned()),
                (true, false) => {
                    reasons.push("no source that can be read claims this type; it may be in one of these places, which cannot be read now:".to_owned());
                    let line =
                        |problem: &Problem| format!("  {}: {} [{}]", problem.subject, problem.message, problem.code);
                    reasons.extend(unobservable.iter().map(line));
                }
            }
            let line = |it: &Departed| format!("{} claimed it before; its row was removed: {}", it.source, it.reason);
            reasons.extend(departed.iter().map(line));
            if !self.other_kinds.is_empty() {
                let kinds: Vec<&str> = self.other_kinds.iter().map(Kind::as_str).collect();
                reasons.push(format!("a type of another kind has this name: {}", kinds.join(", ")));
            }
            let name = |(kind, name): &(Kind, TypeName)| match &self.kind {
                Some(_) => format!("`{name}`"),
                None => format!("`{name}` ({kind})"),
            };
            let names: Vec<String> = self.nearest.iter().take(3).map(name).collect();
            if !names.is_empty() {
                reasons.push(format!("did you mean {}?", names.join(" or ")));
            }
        }
        reasons.extend(self.remark.clone());
        reasons
    }

    /// The reasons as one line.
    #[must_use]
    pub fn reason(&self) -> String {
        let mut line = String::new();
        for reason in self.reasons() {
            line.push_str(match line.chars().last() {
                None => "",
                Some(':') => " ",
                Some(_) => "; ",
            });
            line.push_str(reason.trim_start());
        }
        line
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> Advice {
        if let Some(advice) = &self.advice {
            return advice.clone();
        }
        let Unclaimed { departed, unscanned, unobservable } = &self.unclaimed;
        // Something here has a name that is near, or had this one.
        let is_known_here =
            unobservable.is_empty() && !(departed.is_empty() && self.nearest.is_empty() && self.other_kinds.is_empty());
        match (self.claimed_by.is_empty(), unscanned.is_empty()) {
            (false, _) => {
                let see = UserAction::Why { subject: self.type_name.to_string() };
                match self.failure.as_ref().and_then(|failure| Advice::for_code(failure.code)) {
                    Some(advice) => advice.and("; see ").and(see),
                    None => Advice::new("see ").and(see),
                }
            }
            (true, false) => Advice::new("run ").and(UserAction::Scan),
            (true, true) => missing_type::advice(self.type_name.as_str(), unobservable)
                .filter(|_| !is_known_here)
                .unwrap_or_else(|| Advice::new(UserAction::ListTypes).and(" lists the known types")),
        }
    }
}

/// What a row that claims a type says of itself: the latest message of its failure, and the first where that says
/// something else (fault 43).
pub(crate) fn claim(row: &Row) -> String {
    let Some(failure) = row.failure() else {
        return match &row.state {
            State::ValidationFailed { violations, .. } => {
                let violations: Vec<String> = violations.iter().map(ToString::to_string).collect();
                format!("{} claims it, but its export was rejected: {}", row.source, violations.join("; "))
            }
            State::Indexed(_) => format!("{} defines it", row.source),
            state => format!("{} claims it, but its state is {}", row.source, state.name()),
        };
    };
    let attempts =
        if failure.attempts == 1 { "1 attempt".to_owned() } else { format!("{} attempts", failure.attempts) };
    let source = &row.source;
    let mut text = format!("{source} claims it, but its last build failed ({attempts}): {}", failure.latest_message);
    if failure.first_message != failure.latest_message {
        text = format!("{text}; the first failure was: {}", failure.first_message);
    }
    text
}
