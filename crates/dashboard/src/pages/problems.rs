//! `/problems`: everything that is wrong: sources, files of people, what the daemon noticed.

use askama::Template;
use axum::response::Response;
use mangrove_daemon::http::{ApiError, Parameters};
use mangrove_documents::{ProblemDocument, problems};
use mangrove_domain::problem::Code;
use serde::Deserialize;

use crate::{
    failures::{self, Group},
    frame::{Frame, Section, Visitor, page},
};

/// What is asked for; empty is as if it were not there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    code: String,
    cause: String,
}

#[derive(Template)]
#[template(path = "problems.html")]
struct Problems {
    frame: Frame,
    asked: Asked,
    groups: Vec<Group>,
    /// Of definitions and workflows; the sentence says why they cannot be looked at.
    files: Result<Vec<ProblemDocument>, String>,
    /// What the latest look noticed.
    look: Vec<ProblemDocument>,
    /// Every code, for those who look one up.
    codes: Vec<(String, &'static str)>,
}

impl Problems {
    fn is_filtered(&self) -> bool {
        !self.asked.code.is_empty() || !self.asked.cause.is_empty()
    }

    fn is_healthy(&self) -> bool {
        self.groups.is_empty() && self.look.is_empty() && self.files.as_ref().is_ok_and(Vec::is_empty)
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
    let groups = groups.into_iter().filter(is_meant).map(Group::in_full).collect();
    let files = visitor.state.look(service.library()).await;
    let files = files.map(|library| problems(&library.problems)).map_err(|error| error.to_string());
    let status = visitor.state.backend().status();
    let look = status.last_look.as_ref().map(|look| problems(look.problems.iter())).unwrap_or_default();
    let codes = Code::ALL.iter().map(|code| (code.to_string(), code.title())).collect();
    page(&Problems { frame, asked, groups, files, look, codes })
}
