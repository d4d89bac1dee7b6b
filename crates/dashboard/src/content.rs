//! What methods wrote, as a page shows it.

use mangrove_documents::{human, json};
use mangrove_domain::{
    data::{DataHandle, DataKind},
    json::Json,
};

use crate::markdown;

/// How much of a content a page shows, in bytes.
const MOST_BYTES: usize = 64 << 10;

/// A content as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// How it is shown.
    pub(crate) form: Form,
    /// The size of what is shown, in bytes.
    pub(crate) shown_bytes: usize,
    /// The size of all of it as it is shown, in bytes.
    pub(crate) whole_bytes: usize,
}

/// How a content is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A text, such as indented JSON.
    Text(String),
    /// HTML that was made from Markdown.
    Html(String),
}

impl Content {
    /// The content of an item. `content_type` is what its type declares for it.
    pub(crate) fn of(handle: &DataHandle, content: &Json, content_type: Option<&str>) -> Self {
        let is_markdown = is_markdown(handle, content_type);
        let text = match (handle.kind, content) {
            (DataKind::File, Json::String(text)) => text.clone(),
            (DataKind::Resource | DataKind::File, other) => indented(other),
        };
        let shown = beginning(&text, MOST_BYTES);
        let is_text_file = matches!((handle.kind, content), (DataKind::File, Json::String(_)));
        let form = if is_markdown && is_text_file {
            Form::Html(markdown::to_html(shown))
        } else {
            Form::Text(shown.to_owned())
        };
        Self { form, shown_bytes: shown.len(), whole_bytes: text.len() }
    }

    /// True if something is left out.
    pub(crate) const fn is_cut(&self) -> bool {
        self.shown_bytes < self.whole_bytes
    }

    /// How much of it is shown.
    pub(crate) fn shown(&self) -> String {
        human::size(self.shown_bytes as u64)
    }

    /// How much there is.
    pub(crate) fn whole(&self) -> String {
        human::size(self.whole_bytes as u64)
    }
}

/// True for what a person would call a report: a file whose type says that it is Markdown, or whose name does.
pub(crate) fn is_markdown(handle: &DataHandle, content_type: Option<&str>) -> bool {
    if handle.kind != DataKind::File {
        return false;
    }
    match content_type {
        Some(declared) => {
            let declared = declared.split(';').next().unwrap_or_default().trim();
            ["text/markdown", "text/x-markdown"].iter().any(|known| declared.eq_ignore_ascii_case(known))
        }
        None => [".md", ".markdown"].iter().any(|ending| {
            [&handle.name, &handle.spec_name].iter().any(|name| name.to_ascii_lowercase().ends_with(ending))
        }),
    }
}

/// JSON with a line for each member.
pub(crate) fn indented(value: &Json) -> String {
    serde_json::to_string_pretty(&json::to_value(value)).unwrap_or_else(|_| value.to_string())
}

/// The beginning of a text that has at most so many bytes: whole letters.
fn beginning(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes { text } else { &text[..text.floor_char_boundary(bytes)] }
}

#[cfg(test)]
mod tests {
    use mangrove_domain::time::Timestamp;

    use super::*;

    fn handle(kind: DataKind, name: &str) -> DataHandle {
        DataHandle {
            data_id: "d".to_owned(),
            model_id: "m".to_owned(),
            spec_name: "report".to_owned(),
            name: name.to_owned(),
            kind,
            version: 1,
            size_bytes: 1,
            tags: Vec::new(),
            run_id: "r".to_owned(),
            written_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn a_content_is_shown_by_what_it_is() {
        let shown =
            |kind, name: &str, content: Json, declared| Content::of(&handle(kind, name), &content, declared).form;
        let object = Json::object([("a", Json::from(1))]);
        assert_eq!(shown(DataKind::Resource, "x", object, None), Form::Text("{\n  \"a\": 1\n}".to_owned()));
        let text = Json::from("# <b>");
        let html = Form::Html("<h3>&lt;b&gt;</h3>\n".to_owned());
        assert_eq!(shown(DataKind::File, "x", text.clone(), None), Form::Text("# <b>".to_owned()));
        assert_eq!(shown(DataKind::File, "x.md", text.clone(), None), html);
        assert_eq!(shown(DataKind::File, "x", text.clone(), Some("Text/Markdown; charset=utf-8")), html);
        assert_eq!(shown(DataKind::File, "x.md", text.clone(), Some("text/plain")), Form::Text("# <b>".to_owned()));
        assert_eq!(shown(DataKind::Resource, "x.md", text, None), Form::Text("\"# <b>\"".to_owned()));
    }

    #[test]
    fn what_is_large_is_cut_at_a_letter() {
        let text = Json::from("ö".repeat(MOST_BYTES));
        let content = Content::of(&handle(DataKind::File, "x"), &text, None);
        assert!(content.is_cut() && content.shown_bytes <= MOST_BYTES && content.whole_bytes == 2 * MOST_BYTES);
        assert!(!Content::of(&handle(DataKind::File, "x"), &Json::from("a"), None).is_cut());
        assert_eq!(beginning("aö", 2), "a");
    }
}
