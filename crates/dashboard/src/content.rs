//! What methods wrote, as a page shows it.

use mangrove_documents::{human, json};
use mangrove_domain::{
    data::{DataHandle, DataKind},
    json::Json,
    ports,
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
    /// The content of an item.
    pub(crate) fn of(handle: &DataHandle, content: &ports::Content) -> Self {
        let text = text_of(handle, content);
        let shown = beginning(&text, MOST_BYTES);
        let form =
            if is_markdown(handle) { Form::Html(markdown::to_html(shown)) } else { Form::Text(shown.to_owned()) };
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

/// A content as text: JSON with a line for each member, and what is no text by its first bytes.
fn text_of(handle: &DataHandle, content: &ports::Content) -> String {
    match (&content.json, handle.kind) {
        (Some(json), DataKind::Resource) => indented(json),
        (Some(_) | None, DataKind::Resource | DataKind::File) => match std::str::from_utf8(&content.bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => dump(&content.bytes),
        },
    }
}

/// How many bytes of a content that is no text are shown.
const DUMPED_BYTES: usize = 512;

/// The first bytes in hexadecimal, sixteen to a line.
fn dump(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let shown = &bytes[..bytes.len().min(DUMPED_BYTES)];
    let mut lines: Vec<String> = shown.chunks(16).map(line).collect();
    if shown.len() < bytes.len() {
        lines.push("…".to_owned());
    }
    lines.join("\n")
}

/// True for what a person would call a report: a file that is Markdown by its type, or by its name if its type says nothing.
pub(crate) fn is_markdown(handle: &DataHandle) -> bool {
    if handle.kind != DataKind::File {
        return false;
    }
    let essence = handle.content_type.split(';').next().unwrap_or_default().trim();
    let is = |known: &str| essence.eq_ignore_ascii_case(known);
    if is(DataKind::File.content_type()) {
        return [".md", ".markdown"].iter().any(|ending| {
            [&handle.name, &handle.spec_name].iter().any(|name| name.to_ascii_lowercase().ends_with(ending))
        });
    }
    is("text/markdown") || is("text/x-markdown")
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
    use mangrove_domain::{data::Owner, time::Timestamp};

    use super::*;

    fn handle(kind: DataKind, name: &str, content_type: &str) -> DataHandle {
        DataHandle {
            data_id: "d".to_owned(),
            model_id: "m".to_owned(),
            model_type: "t".to_owned(),
            spec_name: "report".to_owned(),
            name: name.to_owned(),
            kind,
            version: 1,
            size_bytes: 1,
            checksum: None,
            content_type: content_type.to_owned(),
            lifetime: "infinite".to_owned(),
            garbage_collection: Json::Null,
            is_streaming: false,
            tags: Vec::new(),
            owner: Owner::default(),
            is_deleted: false,
            renamed_to: None,
            run_id: "r".to_owned(),
            written_at: Timestamp::from_millis(0),
        }
    }

    fn text(text: &str) -> ports::Content {
        ports::Content { bytes: text.as_bytes().to_vec(), json: None }
    }

    #[test]
    fn a_content_is_shown_by_what_it_is() {
        let shown = |kind, name: &str, content: &ports::Content, content_type| {
            Content::of(&handle(kind, name, content_type), content).form
        };
        let json = Some(Json::object([("a", Json::from(1))]));
        let object = ports::Content { json, ..text(r#"{"a":1}"#) };
        let indented = Form::Text("{\n  \"a\": 1\n}".to_owned());
        assert_eq!(shown(DataKind::Resource, "x", &object, "application/json"), indented);
        assert_eq!(shown(DataKind::File, "x", &object, "application/json"), Form::Text(r#"{"a":1}"#.to_owned()));
        let (markdown, plain) = (text("# <b>"), Form::Text("# <b>".to_owned()));
        let html = Form::Html("<h3>&lt;b&gt;</h3>\n".to_owned());
        let unsaid = DataKind::File.content_type();
        assert_eq!(shown(DataKind::File, "x", &markdown, unsaid), plain);
        assert_eq!(shown(DataKind::File, "x.md", &markdown, unsaid), html);
        assert_eq!(shown(DataKind::File, "x", &markdown, "Text/Markdown; charset=utf-8"), html);
        assert_eq!(shown(DataKind::File, "x.md", &markdown, "text/plain"), plain);
        assert_eq!(shown(DataKind::Resource, "x.md", &markdown, "application/json"), plain);
        let bytes = ports::Content { bytes: vec![0, 159, 146], json: None };
        assert_eq!(shown(DataKind::File, "x", &bytes, "image/png"), Form::Text("00 9f 92".to_owned()));
    }

    #[test]
    fn what_is_large_is_cut_at_a_letter() {
        let content = |content: &str| Content::of(&handle(DataKind::File, "x", "text/plain"), &text(content));
        let large = content(&"ö".repeat(MOST_BYTES));
        assert!(large.is_cut() && large.shown_bytes <= MOST_BYTES && large.whole_bytes == 2 * MOST_BYTES);
        assert!(!content("a").is_cut());
        assert_eq!(beginning("aö", 2), "a");
    }
}
