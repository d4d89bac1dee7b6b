//! What people see where programs get JSON or Markdown: errors, and the pages of problem codes. One answer is made for both;
//! who asks with a browser gets it as a page.

use super::{presentable::Presentable, state::ApiState};
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Uri, header},
    response::Response,
};

/// What a person asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The path with its query.
    pub uri: Uri,
}

/// Shows people what programs get as JSON or Markdown.
pub trait Presenter: Send + Sync {
    /// The page, with the headers that it needs besides those of the answer that it stands for. Whoever asks need not
    /// have shown a token: the page may say nothing that the answer does not say.
    fn present(&self, state: &ApiState, asked: &Asked, answer: &Presentable) -> Response;
}

/// What belongs to programs alone, whatever they accept.
const OF_PROGRAMS: [&str; 2] = ["/api/", "/hooks/"];

impl Asked {
    /// `None` if a program asks.
    pub(super) fn by_a_person(request: &Request) -> Option<Self> {
        let uri = request.uri();
        let is_of_programs = OF_PROGRAMS.iter().any(|prefix| uri.path().starts_with(prefix));
        (!is_of_programs && prefers_html(request.headers())).then(|| Self { uri: uri.clone() })
    }
}

/// The answer as a page, if it is one that has a page.
pub(super) fn present(presenter: &dyn Presenter, state: &ApiState, asked: &Asked, answer: Response) -> Response {
    let Some(presentable) = answer.extensions().get::<Presentable>() else { return answer };
    let page = presenter.present(state, asked, presentable);
    let (mut parts, _) = answer.into_parts();
    for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::ETAG] {
        parts.headers.remove(name);
    }
    let (page, body) = page.into_parts();
    parts.headers.extend(page.headers);
    parts.headers.append(header::VARY, HeaderValue::from_static("accept"));
    Response::from_parts(parts, body)
}

/// True if HTML is named in `Accept`, and nothing that programs ask for is preferred to it.
fn prefers_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut html, mut others) = (0.0_f32, 0.0_f32);
    for range in values.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse().ok());
        let quality: f32 = quality.unwrap_or(0.0);
        match name.as_str() {
            "text/html" => html = html.max(quality),
            "application/json" | "application/problem+json" | "text/markdown" | "text/plain" => {
                others = others.max(quality);
            }
            _ => {}
        }
    }
    html > 0.0 && html >= others
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn pages_are_for_those_who_ask_for_html_before_anything_that_programs_read() {
        let prefers = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            prefers_html(&headers)
        };
        assert!(prefers("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), "a browser");
        assert!(prefers("text/html"));
        assert!(prefers("text/plain;q=0.5, Text/HTML;q=0.7"));
        for other in [
            "*/*",
            "application/json",
            "text/html;q=0",
            "text/html;q=x",
            "application/json, text/html;q=0.9",
            "text/*",
            "",
        ] {
            assert!(!prefers(other), "{other}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn the_api_and_webhooks_never_answer_with_pages() {
        let asked = |path: &str| {
            let request = Request::builder().uri(path).header(header::ACCEPT, "text/html");
            Asked::by_a_person(&request.body(Body::empty()).expect("a request")).is_some()
        };
        assert!(asked("/") && asked("/problems/MG0101") && asked("/api"));
        assert!(!asked("/api/v1/types") && !asked("/hooks/deploy"));
    }
}
