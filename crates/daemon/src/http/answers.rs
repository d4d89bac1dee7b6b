//! Answers about types that are asked for again and again: their bytes are kept as long as nothing else is published.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use arc_swap::ArcSwapOption;
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mangrove_domain::index::TypeIndex;

use super::access::sha256;

/// How many bytes of answers are kept at most.
const KEPT_BYTES: usize = 16 << 20;

/// Answers by what was asked for, all of one snapshot.
#[derive(Default)]
pub(super) struct Answers {
    edition: ArcSwapOption<Edition>,
}

struct Edition {
    /// The snapshot that they are about.
    snapshot: Arc<TypeIndex>,
    kept: RwLock<Kept>,
}

#[derive(Default)]
struct Kept {
    answers: HashMap<String, Answer>,
    bytes: usize,
}

/// A document as bytes.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    body: Bytes,
    /// The same for the same bytes, in quotes.
    tag: HeaderValue,
}

impl Answers {
    /// The answer that is kept for this question and this snapshot.
    pub(super) fn get(&self, snapshot: &Arc<TypeIndex>, question: &str) -> Option<Answer> {
        let edition = self.edition.load();
        let edition = edition.as_ref().filter(|edition| Arc::ptr_eq(&edition.snapshot, snapshot))?;
        edition.kept.read().unwrap_or_else(PoisonError::into_inner).answers.get(question).cloned()
    }

    /// Keeps an answer, if there is room. Answers about an earlier snapshot are forgotten.
    pub(super) fn put(&self, snapshot: &Arc<TypeIndex>, question: &str, answer: &Answer) {
        let current = self.edition.load_full().filter(|edition| Arc::ptr_eq(&edition.snapshot, snapshot));
        let edition = current.unwrap_or_else(|| {
            let edition = Arc::new(Edition { snapshot: Arc::clone(snapshot), kept: RwLock::default() });
            self.edition.store(Some(Arc::clone(&edition)));
            edition
        });
        let mut kept = edition.kept.write().unwrap_or_else(PoisonError::into_inner);
        let size = question.len() + answer.body.len();
        if kept.bytes + size <= KEPT_BYTES && kept.answers.insert(question.to_owned(), answer.clone()).is_none() {
            kept.bytes += size;
        }
    }
}

impl Answer {
    pub(super) fn new(body: Vec<u8>) -> Self {
        // Letters, digits and quotes are what a header may have.
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(sha256(&body)));
        let tag = HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""));
        Self { body: body.into(), tag }
    }

    /// The answer to a request with these headers: without the bytes if they are known there.
    pub(super) fn to_response(&self, headers: &HeaderMap) -> Response {
        let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let tag = self.tag.to_str().unwrap_or_default();
        let is_known = known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag);
        let mut response = Response::new(if is_known { Body::empty() } else { Body::from(self.body.clone()) });
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        response.headers_mut().insert(header::ETAG, self.tag.clone());
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_for_one_snapshot_and_within_their_bounds() {
        let (answers, first, second) = (Answers::default(), Arc::default(), Arc::default());
        let answer = Answer::new(b"{}".to_vec());
        assert!(answers.get(&first, "a").is_none());
        answers.put(&first, "a", &answer);
        assert!(answers.get(&first, "a").is_some());
        assert!(answers.get(&second, "a").is_none(), "of another snapshot nothing is known");
        answers.put(&second, "b", &answer);
        assert!(answers.get(&first, "a").is_none() && answers.get(&second, "b").is_some());
        let large = Answer::new(vec![b'x'; KEPT_BYTES]);
        answers.put(&second, "c", &large);
        assert!(answers.get(&second, "c").is_none() && answers.get(&second, "b").is_some());
    }

    #[test]
    fn bytes_that_are_known_are_not_sent_again() {
        let answer = Answer::new(b"{}".to_vec());
        assert_eq!(answer.to_response(&HeaderMap::new()).status(), StatusCode::OK);
        let tag = answer.tag.to_str().expect("text");
        for (known, status) in [
            (tag.to_owned(), StatusCode::NOT_MODIFIED),
            (format!("\"other\", W/{tag}"), StatusCode::NOT_MODIFIED),
            ("\"other\"".to_owned(), StatusCode::OK),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(&known).expect("a value"));
            assert_eq!(answer.to_response(&headers).status(), status, "{known}");
        }
    }
}
