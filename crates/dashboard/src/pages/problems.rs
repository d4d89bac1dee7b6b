//! `/problems`: everything that is wrong: sources, files of people, what the daemon noticed.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::response::Response;
use mangrove_daemon::http::{ApiError, Parameters};
use mangrove_documents::{ProblemDocument, problems};
use mangrove_domain::problem::Code;
use serde::Deserialize;

use crate::{
    failures::{self, Group},
    frame::{Frame, Section, Visitor, page},
    parts::address,
};

/// What is asked for; empty is as if it were not there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    code: String,
    cause: String,
    /// How many causes stand on the pages before.
    from: usize,
}

/// How many causes one page has.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "problems.html")]
struct Problems {
    frame: Frame,
    asked: Asked,
    groups: Vec<Group>,
    /// How many causes there are altogether.
    causes: usize,
    /// How many sources each code has, if there are several codes.
    counts: Vec<Count>,
    earlier: Option<String>,
    later: Option<String>,
    /// Of definitions and workflows; the sentence says why they cannot be looked at.
    files: Result<Vec<ProblemDocument>, String>,
    /// What the latest look noticed.
    look: Vec<ProblemDocument>,
    /// Every code, for those who look one up.
    codes: Vec<(String, &'static str)>,
}

/// How many sources have failed with one code.
struct Count {
    code: Code,
    sources: usize,
}

impl Asked {
    /// The address of the page that begins with this cause.
    fn address(&self, from: usize) -> String {
        let from = if from == 0 { String::new() } else { from.to_string() };
        address::with("/problems", &[("code", &self.code), ("cause", &self.cause), ("from", &from)])
    }
}

impl Problems {
    fn is_filtered(&self) -> bool {
        !self.asked.code.is_empty() || !self.asked.cause.is_empty()
    }

    fn is_healthy(&self) -> bool {
        self.causes == 0 && self.look.is_empty() && self.files.as_ref().is_ok_and(Vec::is_empty)
    }
}

/// The page.
pub(crate) async fn show(visitor: Visitor, Parameters(asked): Parameters<Asked>) -> Result<Response, ApiError> {
    let frame = visitor.frame(Section::Problems, "Problems");
    let service = visitor.state.service();
    let index = service.published();
    let is_meant = |group: &Group| {
        (asked.code.is_empty() || group.code.to_string().eq_ignore_ascii_case(&asked.code))
            && (asked.cause.is_empty() || group.cause.as_deref() == Some(asked.cause.as_str()))
    };
    let groups = failures::groups_of(index.rows().map(AsRef::as_ref), visitor.now);
    let groups: Vec<Group> = groups.into_iter().filter(is_meant).collect();
    let (causes, counts) = (groups.len(), counts(&groups));
    let groups = groups.into_iter().skip(asked.from).take(PAGE).map(Group::in_full).collect();
    let earlier = (asked.from > 0).then(|| asked.address(asked.from.saturating_sub(PAGE)));
    let later = (asked.from.saturating_add(PAGE) < causes).then(|| asked.address(asked.from + PAGE));
    let files = visitor.state.look(service.library()).await;
    let files = files.map(|library| problems(&library.problems)).map_err(|error| error.to_string());
    let status = visitor.state.backend().status();
    let of_look = status.last_look.as_ref().map(|look| Arc::clone(&look.problems)).unwrap_or_default();
    let look = problems(status.checkouts.iter().chain(of_look.iter()));
    let codes = Code::ALL.iter().map(|code| (code.to_string(), code.title())).collect();
    page(&Problems { frame, asked, groups, causes, counts, earlier, later, files, look, codes })
}

/// How many sources each code has; nothing if there is one code at most.
fn counts(groups: &[Group]) -> Vec<Count> {
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    for group in groups {
        *counts.entry(group.code).or_default() += group.sources.len();
    }
    let counts: Vec<Count> = counts.into_iter().map(|(code, sources)| Count { code, sources }).collect();
    if counts.len() > 1 { counts } else { Vec::new() }
}
