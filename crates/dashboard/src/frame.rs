//! What every page has around its content, who looks at it, and how it is sent.

use askama::Template;
use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use mangrove_app::health;
use mangrove_daemon::{
    Phase,
    http::{ApiError, ApiState, Identity, Scope},
};
use mangrove_domain::time::Timestamp;

use crate::parts::{
    badge::{Badge, Tone},
    moment::{Form, When},
};

/// A part of the dashboard, as the navigation has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Types,
    Workflows,
    Runs,
    Schedules,
    Data,
    Problems,
}

impl Section {
    /// All of them, in the order of the navigation.
    const ALL: [Section; 7] = [
        Section::Overview,
        Section::Types,
        Section::Workflows,
        Section::Runs,
        Section::Schedules,
        Section::Data,
        Section::Problems,
    ];

    const fn title(self) -> &'static str {
        match self {
            Section::Overview => "Overview",
            Section::Types => "Types",
            Section::Workflows => "Workflows",
            Section::Runs => "Runs",
            Section::Schedules => "Schedules",
            Section::Data => "Data",
            Section::Problems => "Problems",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Section::Overview => "/",
            Section::Types => "/types",
            Section::Workflows => "/workflows",
            Section::Runs => "/runs",
            Section::Schedules => "/schedules",
            Section::Data => "/data",
            Section::Problems => "/problems",
        }
    }
}

/// What every page has around its content. Templates extend `layout.html` and have it as `frame`.
pub(crate) struct Frame {
    /// What the page is about, in a few words.
    pub(crate) title: String,
    section: Option<Section>,
    /// When it was made.
    pub(crate) now: Timestamp,
    /// Its path with its query: where a form leads back to.
    pub(crate) path: String,
    /// The directory of the repository; `None` on a page for somebody who has shown no token.
    pub(crate) repository: Option<String>,
    /// True if whoever looks may start, cancel, scan and retry.
    pub(crate) may_run: bool,
    /// Why they may not.
    pub(crate) why_not: String,
    /// What came of the form that led here.
    pub(crate) notice: Option<&'static str>,
    /// How many sources are unhealthy.
    unhealthy: usize,
    phase: Option<Phase>,
}

impl Frame {
    /// The frame of a page for somebody who may know nothing.
    pub(crate) fn bare(title: impl Into<String>, now: Timestamp) -> Self {
        Self {
            title: title.into(),
            section: None,
            now,
            path: "/".to_owned(),
            repository: None,
            may_run: false,
            why_not: String::new(),
            notice: None,
            unhealthy: 0,
            phase: None,
        }
    }

    /// The last segment of the repository's directory.
    pub(crate) fn repository_name(&self) -> &str {
        let path = self.repository.as_deref().unwrap_or_default();
        path.rsplit(['/', '\\']).find(|segment| !segment.is_empty()).unwrap_or(path)
    }

    /// The parts of the dashboard: title, path, whether this page belongs to it, and what its mark says.
    pub(crate) fn sections(&self) -> Vec<Link> {
        let links = Section::ALL.into_iter().map(|section| Link {
            title: section.title(),
            path: section.path(),
            is_current: self.section == Some(section),
            mark: (section == Section::Problems && self.unhealthy > 0).then_some(self.unhealthy),
        });
        links.collect()
    }

    /// What the daemon is about.
    pub(crate) fn phase(&self) -> Option<Badge> {
        Some(match self.phase? {
            Phase::Starting => Badge::new(Tone::Busy, "starting"),
            Phase::Ready => Badge::new(Tone::Good, "ready"),
            Phase::Stopping => Badge::new(Tone::Warning, "stopping"),
        })
    }

    /// When the page was made, in full.
    pub(crate) fn made_at(&self) -> When {
        self.when(self.now, Form::Exact)
    }

    /// A moment as this page tells it.
    pub(crate) const fn when(&self, at: Timestamp, form: Form) -> When {
        When { at, now: self.now, form }
    }

    /// A moment that lies behind.
    pub(crate) const fn ago(&self, at: Timestamp) -> When {
        self.when(at, Form::Ago)
    }

    /// A moment that is waited for.
    pub(crate) const fn due(&self, at: Timestamp) -> When {
        self.when(at, Form::Due)
    }
}

/// One entry of the navigation.
pub(crate) struct Link {
    pub(crate) title: &'static str,
    pub(crate) path: &'static str,
    pub(crate) is_current: bool,
    pub(crate) mark: Option<usize>,
}

/// Who looks at a page, and at what.
pub(crate) struct Visitor {
    pub(crate) state: ApiState,
    pub(crate) identity: Identity,
    /// The path of the page with its query.
    path: String,
    notice: Option<&'static str>,
    pub(crate) now: Timestamp,
}

impl FromRequestParts<ApiState> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let identity = parts.extensions.get::<Identity>().cloned();
        let identity = identity.ok_or_else(|| ApiError::plain(StatusCode::UNAUTHORIZED, "a token is needed"))?;
        let query = parts.uri.query().unwrap_or_default();
        let notice = query.split('&').find_map(|pair| pair.strip_prefix("notice=")).and_then(Notice::parse);
        let path = without_notice(parts.uri.path(), query);
        let (state, now) = (state.clone(), state.service().clock().now());
        Ok(Self { state, identity, path, notice: notice.map(Notice::text), now })
    }
}

impl Visitor {
    /// The frame of a page of this section.
    pub(crate) fn frame(&self, section: Section, title: impl Into<String>) -> Frame {
        let service = self.state.service();
        let unhealthy = service.published().rows().filter(|row| health::problem(row).is_some()).count();
        let may_run = self.identity.scope >= Scope::Run;
        let why_not = format!(
            "The token “{}” has the scope “{}”; this needs “run”.",
            self.identity.name,
            self.identity.scope.as_str()
        );
        Frame {
            title: title.into(),
            section: Some(section),
            now: self.now,
            path: self.path.clone(),
            repository: Some(service.directory().display().to_string()),
            may_run,
            why_not,
            notice: self.notice,
            unhealthy,
            phase: Some(self.state.backend().status().phase),
        }
    }
}

/// What came of a form, as the address of the page says it that is shown then. Words of a closed list, so that no link
/// from elsewhere can put its own text here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    Scanned,
    ScanGoesOn,
    Retried,
    RetryGoesOn,
    Cancelling,
}

impl Notice {
    const ALL: [Notice; 5] =
        [Notice::Scanned, Notice::ScanGoesOn, Notice::Retried, Notice::RetryGoesOn, Notice::Cancelling];

    /// The word in the address.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Notice::Scanned => "scanned",
            Notice::ScanGoesOn => "scan-goes-on",
            Notice::Retried => "retried",
            Notice::RetryGoesOn => "retry-goes-on",
            Notice::Cancelling => "cancelling",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Notice::ALL.into_iter().find(|notice| notice.as_str() == text)
    }

    const fn text(self) -> &'static str {
        match self {
            Notice::Scanned => "The scan is done. This page shows what it found.",
            Notice::ScanGoesOn => "The scan goes on. What it finds appears here.",
            Notice::Retried => "It was tried again. This page shows what came of it.",
            Notice::RetryGoesOn => "It is being tried again. What comes of it appears here.",
            Notice::Cancelling => "The run was asked to end.",
        }
    }
}

/// A path with its query, without what came of an earlier form.
fn without_notice(path: &str, query: &str) -> String {
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("notice=")).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

/// Nothing but what the daemon itself serves: no script in a page, nothing from elsewhere, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page as it is sent.
///
/// # Errors
/// 500: the template cannot be rendered, which is a fault in Mangrove itself.
pub(crate) fn page(template: &impl Template) -> Result<Response, ApiError> {
    let text = template.render().map_err(|error| {
        ApiError::plain(StatusCode::INTERNAL_SERVER_ERROR, format!("the page cannot be rendered: {error}"))
    })?;
    Ok((headers(), text).into_response())
}

fn headers() -> [(HeaderName, HeaderValue); 4] {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        // Not `no-referrer`: with it a browser names no origin when a form is sent.
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_of_a_form_has_no_notice_of_an_earlier_one() {
        assert_eq!(without_notice("/types", "query=a&notice=scanned&kind=model"), "/types?query=a&kind=model");
        assert_eq!(without_notice("/", "notice=retried"), "/");
        assert_eq!(without_notice("/", ""), "/");
    }

    #[test]
    fn a_notice_is_a_word_of_ours() {
        for notice in Notice::ALL {
            assert_eq!(Notice::parse(notice.as_str()), Some(notice));
        }
        assert_eq!(Notice::parse("<b>your session ended</b>"), None);
    }
}
