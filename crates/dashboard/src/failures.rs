//! What is unhealthy, grouped by what it has in common: a registry that is down is told once, with all that waits for it.

use std::collections::BTreeMap;

use mangrove_app::health;
use mangrove_documents::advice;
use mangrove_domain::{
    failure::{Failure, FailureClass},
    problem::{Code, Severity},
    row::Row,
    time::Timestamp,
};

use crate::parts::{
    address,
    badge::Badge,
    moment::{Form, When},
    words::{Words, beginning, sentence},
};

/// Sources that are unhealthy for one cause.
pub(crate) struct Group {
    pub(crate) code: Code,
    /// What they have in common, such as `registry:host:port`; `None` of a source that is alone with it.
    pub(crate) cause: Option<String>,
    /// What was said of the first of them.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<Words>,
    pub(crate) severity: Severity,
    /// What is known of the failure; `None` of a rejected export.
    pub(crate) course: Option<Course>,
    /// The sources, sorted.
    pub(crate) sources: Vec<Unhealthy>,
    /// How many of them are shown.
    limit: usize,
}

/// How a failure went on.
pub(crate) struct Course {
    /// What it takes to heal.
    pub(crate) class: &'static str,
    /// When it was seen first.
    first_seen: Timestamp,
    /// The most attempts for one source.
    pub(crate) attempts: u32,
    /// When a timer tries it next; now if that is due.
    next_retry: Option<Timestamp>,
    /// When the page is made.
    now: Timestamp,
}

impl Course {
    /// When it began.
    pub(crate) const fn since(&self) -> When {
        When { at: self.first_seen, now: self.now, form: Form::Ago }
    }

    /// When a timer tries it next; `None` where none does.
    pub(crate) fn next(&self) -> Option<When> {
        Some(When { at: self.next_retry?, now: self.now, form: Form::Due })
    }
}

/// One unhealthy source.
pub(crate) struct Unhealthy {
    /// The type that it is or claims to be; its path if it claims none.
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) source: String,
    pub(crate) source_address: String,
    pub(crate) kind: String,
    pub(crate) badge: Badge,
    /// True if its last good code is in use.
    pub(crate) has_good_code: bool,
}

impl Group {
    pub(crate) fn code_address(&self) -> String {
        address::of_code(&self.code.to_string())
    }

    /// When a timer tries it next; `None` where none does.
    pub(crate) fn next(&self) -> Option<When> {
        self.course.as_ref()?.next()
    }

    /// The same, with as many sources as a page can show.
    pub(crate) fn in_full(self) -> Self {
        Self { limit: MOST, ..self }
    }

    /// The sources that are shown.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Unhealthy> {
        self.sources.iter().take(self.limit)
    }

    /// How many sources are not shown.
    pub(crate) const fn further(&self) -> usize {
        self.sources.len().saturating_sub(self.limit)
    }

    /// Where all of them are shown.
    pub(crate) fn address(&self) -> String {
        if self.limit == MOST {
            return "/types?state=unhealthy".to_owned();
        }
        let cause = self.cause.as_deref().unwrap_or_default();
        address::with("/problems", &[("code", &self.code.to_string()), ("cause", cause)])
    }

    /// How many of the sources go on with their last good code.
    pub(crate) fn with_good_code(&self) -> usize {
        self.sources.iter().filter(|source| source.has_good_code).count()
    }
}

/// How many sources of one group are shown at once, but where all are.
const SHOWN: usize = 5;

/// How many are shown where one cause is looked at.
const MOST: usize = 200;

/// What is unhealthy of these, the worst first: what does not work at all, then by the number of sources.
pub(crate) fn groups_of<'a>(rows: impl IntoIterator<Item = &'a Row>, now: Timestamp) -> Vec<Group> {
    let mut groups: BTreeMap<(Code, String), Group> = BTreeMap::new();
    for row in rows {
        let Some(problem) = health::problem(row) else { continue };
        let failure = row.failure();
        // What has no failure has no cause in common with others.
        let key = failure.map_or_else(|| row.source.to_string(), |failure| failure.cause.0.to_string());
        let group = groups.entry((problem.code, key)).or_insert_with(|| Group {
            code: problem.code,
            cause: failure.map(|failure| failure.cause.0.to_string()),
            message: beginning(failure.map_or(problem.message.as_str(), |failure| &failure.latest_message)),
            hint: problem.remedy().as_ref().map(|advice| sentence(&advice::text(advice))),
            severity: problem.severity,
            course: None,
            sources: Vec::new(),
            limit: SHOWN,
        });
        group.severity = group.severity.max(problem.severity);
        if let Some(failure) = failure {
            group.add(failure, now);
        }
        group.sources.push(Unhealthy::of(row));
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| (std::cmp::Reverse(group.severity), std::cmp::Reverse(group.sources.len())));
    groups
}

impl Group {
    fn add(&mut self, failure: &Failure, now: Timestamp) {
        let next = failure.next_retry.map(|next| if failure.is_due(now) { now } else { next });
        let Some(course) = &mut self.course else {
            self.course = Some(Course {
                class: match failure.class {
                    FailureClass::Transient => "It heals by itself",
                    FailureClass::Environment => "Something outside of the source has to be put right",
                    FailureClass::Deterministic => "The same text fails again",
                },
                first_seen: failure.first_seen,
                attempts: failure.attempts,
                next_retry: next,
                now,
            });
            return;
        };
        course.first_seen = course.first_seen.min(failure.first_seen);
        course.attempts = course.attempts.max(failure.attempts);
        course.next_retry = match (course.next_retry, next) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

impl Unhealthy {
    fn of(row: &Row) -> Self {
        let source_address = address::of_source(&row.source);
        let named = row.type_name().filter(|_| !row.is_add_on());
        Self {
            name: named.map_or_else(|| row.source.to_string(), ToString::to_string),
            address: named.map_or_else(|| source_address.clone(), |name| address::of_type(&row.kind, name.as_str())),
            source: row.source.to_string(),
            source_address,
            kind: row.kind.to_string(),
            badge: Badge::of_row(row),
            has_good_code: row.degraded.is_some(),
        }
    }
}
