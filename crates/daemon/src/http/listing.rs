//! Which sources and runs a list has, and its pages, for the API and for pages.

use axum::http::StatusCode;
use mangrove_app::health;
use mangrove_documents::ErrorReport;
use mangrove_domain::{
    failure::FailureClass,
    ports::{RunFilter, RunPlace},
    row::Row,
    run::{RunHeader, RunStatus},
    source::Kind,
    state::StateName,
    time::Timestamp,
};

use super::{error::ApiError, paging, state::ApiState};

/// Which sources are listed, in words as they are asked for. Everything has to fit.
#[derive(Clone, Debug, Default)]
pub struct SourceWords {
    /// Only sources in this state: `Indexed`, `BundleBuildFailed`, ….
    pub state: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only sources whose type or path contains this.
    pub query: Option<String>,
    /// Only what is not healthy: failed, rejected, degraded, ….
    pub unhealthy: bool,
    /// Only failures of this class: `Transient`, `Environment` or `Deterministic`.
    pub class: Option<String>,
    /// Only failures of this code, such as `MG0301`.
    pub code: Option<String>,
}

/// Which sources are listed.
#[derive(Clone, Debug)]
pub struct SourceFilter {
    words: SourceWords,
    kind: Option<Kind>,
}

impl SourceFilter {
    /// The sources that these words mean.
    ///
    /// # Errors
    /// 400: one of them is unknown.
    pub fn new(state: &ApiState, words: SourceWords) -> Result<Self, ApiError> {
        let kind = words.kind.as_deref().map(|name| kind_of(state, name)).transpose()?;
        word("state", words.state.as_deref(), StateName::ALL.map(StateName::as_str))?;
        word("class", words.class.as_deref(), FailureClass::ALL.map(FailureClass::as_str))?;
        Ok(Self { words, kind })
    }

    /// True if the source of this row is one of them.
    #[must_use]
    pub fn includes(&self, row: &Row) -> bool {
        let SourceWords { state, kind: _, query, unhealthy, class, code } = &self.words;
        let failure = row.failure();
        state.as_deref().is_none_or(|name| row.state.name().as_str() == name)
            && self.kind.as_ref().is_none_or(|kind| row.kind == *kind)
            && query.as_deref().is_none_or(|query| contains(row, query))
            && (!unhealthy || health::problem(row).is_some())
            && class.as_deref().is_none_or(|class| failure.is_some_and(|failure| failure.class.as_str() == class))
            && code.as_ref().is_none_or(|code| failure.is_some_and(|it| it.code.to_string().eq_ignore_ascii_case(code)))
    }
}

/// One of the words that a parameter may have.
pub(super) fn word<'a, const N: usize>(
    parameter: &str,
    given: Option<&'a str>,
    known: [&str; N],
) -> Result<Option<&'a str>, ApiError> {
    let Some(given) = given else { return Ok(None) };
    if known.contains(&given) {
        return Ok(Some(given));
    }
    let message = format!("`{parameter}` is `{given}`, expected one of {}", known.join(", "));
    Err(ApiError::plain(StatusCode::BAD_REQUEST, message))
}

/// A kind by its name.
///
/// # Errors
/// 400: no loader knows it.
pub fn kind_of(state: &ApiState, name: &str) -> Result<Kind, ApiError> {
    let unknown = |problem| ApiError::new(StatusCode::BAD_REQUEST, ErrorReport::problem(&problem));
    state.service().kind(name).map_err(unknown)
}

/// True if the name of its type, or its path, contains this.
pub(super) fn contains(row: &Row, text: &str) -> bool {
    row.type_name().is_some_and(|name| name.as_str().contains(text)) || row.source.path.as_str().contains(text)
}

/// The rows of one page, and the cursor of the next one. The rows are sorted by source.
///
/// # Errors
/// 400: the limit is not 1 to 1000, or no page gave the cursor.
pub fn page<'a>(
    rows: impl Iterator<Item = &'a Row>,
    limit: Option<u32>,
    cursor: Option<&str>,
) -> Result<(Vec<&'a Row>, Option<String>), ApiError> {
    let limit = paging::limit(limit)? as usize;
    let after = cursor.map(paging::parts::<2>).transpose()?;
    let is_after = |row: &&Row| {
        let source = (row.source.root.as_str(), row.source.path.as_str());
        after.as_ref().is_none_or(|[root, path]| source > (root.as_str(), path.as_str()))
    };
    let mut rows: Vec<&Row> = rows.filter(is_after).take(limit + 1).collect();
    let is_last = rows.len() <= limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| !is_last);
    let next = last.map(|row| paging::cursor([row.source.root.as_str(), row.source.path.as_str()]));
    Ok((rows, next))
}

/// Which runs are listed, and which page of them.
#[derive(Clone, Debug, Default)]
pub struct RunsAsked {
    /// Only runs of this workflow or definition.
    pub name: Option<String>,
    /// Only runs with this status: `running`, `succeeded`, `failed`, ….
    pub status: Option<String>,
    /// At most this many, from 1 to 1000; 100 if it is not given.
    pub limit: Option<u32>,
    /// The cursor of the page.
    pub cursor: Option<String>,
}

/// How many runs are looked at for one page of those with one status.
const LOOKED_AT: usize = 10_000;

/// The runs of one page, newest first, and the cursor of the next one.
///
/// # Errors
/// Something is asked for that there is not, or the history cannot be read.
pub async fn runs(state: &ApiState, asked: &RunsAsked) -> Result<(Vec<RunHeader>, Option<String>), ApiError> {
    let RunsAsked { name, status, limit, cursor } = asked;
    let limit = paging::limit(*limit)?;
    let status = word("status", status.as_deref(), RunStatus::ALL.map(RunStatus::as_str))?;
    let mut before = cursor.as_deref().map(place).transpose()?;
    let (mut found, mut looked_at) = (Vec::new(), 0);
    let next = loop {
        let filter = RunFilter { name: name.clone(), limit: Some(paging::LARGEST_LIMIT), before: before.clone() };
        // Without a status one look is enough, and it need not be larger than the page.
        let filter = if status.is_none() { RunFilter { limit: Some(limit), ..filter } } else { filter };
        let runs = state.service().runs(&filter).await?;
        let (is_last, wanted) = (runs.len() < filter.limit.unwrap_or(limit) as usize, limit as usize);
        looked_at += runs.len();
        for run in runs {
            before = Some(RunPlace { started_at: run.started_at, id: run.id.clone() });
            if status.is_none_or(|status| run.status.as_str() == status) {
                found.push(run);
            }
            if found.len() == wanted {
                break;
            }
        }
        if found.len() == wanted || looked_at >= LOOKED_AT {
            break before;
        }
        if is_last {
            break None;
        }
    };
    let next = next.map(|place| paging::cursor([place.started_at.as_millis().to_string().as_str(), place.id.as_str()]));
    Ok((found, next))
}

fn place(cursor: &str) -> Result<RunPlace, ApiError> {
    let [millis, id] = paging::parts::<2>(cursor)?;
    let millis = millis.parse().map_err(|_| paging::unknown())?;
    Ok(RunPlace { started_at: Timestamp::from_millis(millis), id })
}
