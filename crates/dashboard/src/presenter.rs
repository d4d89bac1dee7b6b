//! Errors, and the pages of problem codes, for people.

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use mangrove_daemon::http::{ApiError, ApiState, Asked, Presentable, Presenter};
use mangrove_documents::ProblemDetails;

use crate::{
    frame::{Frame, page},
    parts::{address, words::heading},
    problem_text,
};

/// The pages.
pub(crate) struct Pages;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    error: &'a ProblemDetails,
}

impl ErrorPage<'_> {
    fn code_path(&self) -> Option<String> {
        self.error.code.as_deref().map(address::of_code)
    }
}

#[derive(Template)]
#[template(path = "problem_code.html")]
struct CodePage {
    frame: Frame,
    /// The first line of the text, which is its heading.
    title: &'static str,
    /// The rest of it as HTML.
    text: String,
}

impl Presenter for Pages {
    fn present(&self, state: &ApiState, _asked: &Asked, answer: &Presentable) -> Response {
        let now = state.service().clock().now();
        let page = match answer {
            Presentable::Error(error) => page(&ErrorPage { frame: Frame::bare(heading(&error.title), now), error }),
            Presentable::ProblemPage { code, markdown } => {
                let (title, text) = markdown.split_once('\n').unwrap_or((markdown, ""));
                let title = title.trim_start_matches('#').trim_start();
                page(&CodePage { frame: Frame::bare(code.to_string(), now), title, text: problem_text::to_html(text) })
            }
        };
        page.unwrap_or_else(ApiError::into_response)
    }
}
