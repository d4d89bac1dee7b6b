//! What went wrong with a request, as an answer.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::rejection::{PathRejection, QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use mangrove_app::{
    service::{RunError, ServiceError},
    types::NotReady,
    workflow::StartError,
};
use mangrove_documents::{ErrorReport, ProblemDetails, ProblemDocument, problems};
use mangrove_domain::{
    failure::FailureClass,
    problem::{Code, Problem},
};
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{Content, Ref, RefOr, Response as DocumentedResponse, ResponseBuilder},
};

use super::presentable::Presentable;

/// The media type of every error.
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What went wrong with a request. Its answer is problem+json (RFC 9457), or a page for people ([`Presenter`](super::Presenter)).
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    report: Box<ErrorReport>,
    problems: Vec<ProblemDocument>,
    /// When to ask again, in seconds.
    retry_after: Option<u32>,
}

impl ApiError {
    /// An error with what is told of it.
    #[must_use]
    pub fn new(status: StatusCode, report: ErrorReport) -> Self {
        Self { status, report: Box::new(report), problems: Vec::new(), retry_after: None }
    }

    /// An error that no code stands for.
    pub fn plain(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, ErrorReport::new(None, message))
    }

    /// There is nothing like that.
    #[must_use]
    pub fn not_found(report: ErrorReport) -> Self {
        Self::new(StatusCode::NOT_FOUND, report)
    }

    /// The daemon cannot answer now and may later.
    pub fn busy(message: impl Into<String>) -> Self {
        Self { retry_after: Some(1), ..Self::plain(StatusCode::SERVICE_UNAVAILABLE, message) }
    }

    /// Mangrove itself could not do something: try again if that may help, else somebody has to look.
    #[must_use]
    pub fn failed(report: ErrorReport) -> Self {
        match report.class {
            Some(FailureClass::Transient) => {
                Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, report) }
            }
            Some(FailureClass::Environment | FailureClass::Deterministic) | None => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, report)
            }
        }
    }

    /// A problem with a name or a word of the request.
    #[must_use]
    pub fn of_problem(problem: &Problem) -> Self {
        let status = match problem.code {
            Code::UNKNOWN_NAME | Code::UNKNOWN_METHOD | Code::UNKNOWN_TYPE => StatusCode::NOT_FOUND,
            Code::AMBIGUOUS_NAME => StatusCode::CONFLICT,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, ErrorReport::problem(problem))
    }

    /// A type that cannot run.
    #[must_use]
    pub fn not_ready(not_ready: &NotReady) -> Self {
        let report = ErrorReport::not_ready(not_ready);
        if not_ready.fault.is_some() { Self::failed(report) } else { Self::new(StatusCode::NOT_FOUND, report) }
    }

    /// The same with further problems.
    #[must_use]
    pub fn with_problems(self, problems: Vec<ProblemDocument>) -> Self {
        Self { problems, ..self }
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        Self::failed((&error).into())
    }
}

impl From<RunError> for ApiError {
    fn from(error: RunError) -> Self {
        let report = ErrorReport::not_started(&error);
        match &error {
            RunError::Unknown { problem, hiding } => Self::of_problem(problem).with_problems(problems(hiding)),
            RunError::State(_) => Self::new(StatusCode::CONFLICT, report),
            RunError::Start(_) if report.code == Some(Code::RUN_STATE) => Self::new(StatusCode::CONFLICT, report),
            RunError::Start(StartError::Problems(found)) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, report).with_problems(problems(found))
            }
            RunError::Start(StartError::NotRecorded(_)) | RunError::Service(_) => Self::failed(report),
        }
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        let text = rejection.body_text();
        let what = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
        Self::plain(StatusCode::BAD_REQUEST, format!("the parameters cannot be used: {what}"))
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::plain(StatusCode::BAD_REQUEST, format!("the path cannot be used: {}", rejection.body_text()))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, report, problems, retry_after } = self;
        if status.is_server_error() {
            tracing::warn!(%status, code = ?report.code, message = report.message, "a request failed");
        }
        let phrase = status.canonical_reason().unwrap_or("error");
        let details = ProblemDetails::new(status.as_u16(), phrase, &report).with_problems(problems);
        let mut response = (status, Json(&details)).into_response();
        response.extensions_mut().insert(Presentable::Error(Arc::new(details)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            // A browser asks for a password then: the secret, with any name.
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mangrove\""));
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"mangrove\""));
        }
        response
    }
}

/// Every operation may answer like this.
impl IntoResponses for ApiError {
    fn responses() -> BTreeMap<String, RefOr<DocumentedResponse>> {
        let schema = Ref::from_schema_name(ProblemDetails::name());
        let content = Content::new(Some(schema));
        let response =
            ResponseBuilder::new().description("What went wrong").content("application/problem+json", content).build();
        [("default".to_owned(), RefOr::T(response))].into()
    }
}
