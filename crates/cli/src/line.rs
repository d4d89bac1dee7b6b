//! One line for people, made of text and of styles.

use std::ops::Add;

use anstyle::AnsiColor;

use crate::visible;

/// How far the further lines of a text stand in from the first one: further than anything that follows it.
const CONTINUATION: usize = 4;

/// The styles in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Bold,
    Dim,
    Green,
    Yellow,
    Red,
    Cyan,
}

impl Style {
    /// A word or a name in this style. It stays on one line.
    pub(crate) fn of(self, text: impl AsRef<str>) -> Line {
        Line { pieces: vec![Piece { style: Some(self), text: text.as_ref().to_owned(), is_name: true }] }
    }

    fn style(self) -> anstyle::Style {
        let colored = |color: AnsiColor| anstyle::Style::new().bold().fg_color(Some(color.into()));
        match self {
            Style::Bold => anstyle::Style::new().bold(),
            Style::Dim => anstyle::Style::new().dimmed(),
            Style::Green => colored(AnsiColor::Green),
            Style::Yellow => colored(AnsiColor::Yellow),
            Style::Red => colored(AnsiColor::Red),
            Style::Cyan => colored(AnsiColor::Cyan),
        }
    }
}

/// A line for people. Text and styles are put together when it is written, so that text cannot bring styles of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    style: Option<Style>,
    text: String,
    /// True for what stays on one line.
    is_name: bool,
}

impl Line {
    /// A name without a style. It stays on one line.
    pub(crate) fn name(text: impl AsRef<str>) -> Self {
        Self { pieces: vec![Piece { style: None, text: text.as_ref().to_owned(), is_name: true }] }
    }

    /// The line as it is written: without what a terminal would obey, apart from styles of ours if they are shown;
    /// without spaces at its end. Further lines of a text are indented, so that they pass for no line of ours.
    pub(crate) fn render(&self, shows_styles: bool) -> String {
        let mut rendered = String::new();
        self.render_into(&mut rendered, shows_styles);
        rendered
    }

    /// The same, behind what was written before.
    pub(crate) fn render_into(&self, rendered: &mut String, shows_styles: bool) {
        let last = self.pieces.iter().rposition(|piece| !piece.text.trim_end_matches(' ').is_empty());
        let shown = last.map_or(0, |last| last + 1);
        for (index, Piece { style, text, is_name }) in self.pieces.iter().enumerate().take(shown) {
            let text = if Some(index) == last { text.trim_end_matches(' ') } else { text };
            let mut text = if *is_name { visible::line(text) } else { visible::page(text) };
            if !*is_name && text.contains('\n') {
                text = text.replace('\n', &self.line_break()).into();
            }
            match style.filter(|_| shows_styles && !text.is_empty()) {
                Some(style) => rendered.push_str(&format!("{0}{text}{0:#}", style.style())),
                None => rendered.push_str(&text),
            }
        }
    }

    /// What stands between two lines of a text.
    fn line_break(&self) -> String {
        let first = self.pieces.first().map_or("", |piece| piece.text.as_str());
        let indent = first.len() - first.trim_start_matches(' ').len() + CONTINUATION;
        format!("\n{}", " ".repeat(indent))
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self { pieces: vec![Piece { style: None, text, is_name: false }] }
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<&String> for Line {
    fn from(text: &String) -> Self {
        text.clone().into()
    }
}

impl<T: Into<Line>> Add<T> for Line {
    type Output = Self;

    fn add(mut self, more: T) -> Self {
        self.pieces.extend(more.into().pieces);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_shown_only_where_they_are_wanted() {
        let line = Style::Red.of("no") + " way";
        assert_eq!(line.render(false), "no way");
        let painted = line.render(true);
        assert!(painted.starts_with('\u{1b}') && painted.ends_with("\u{1b}[0m way"), "{painted:?}");
    }

    #[test]
    fn f14_text_brings_no_styles_of_its_own() {
        let line = Line::from("  ") + Style::Bold.of("\u{1b}[31mname\nerror[MG9999]: x") + " \u{1b}[0mtext\u{9b}7m";
        assert_eq!(line.render(false), "  \\u{1b}[31mname\\nerror[MG9999]: x \\u{1b}[0mtext\\u{9b}7m");
        let painted = line.render(true);
        assert_eq!(painted.matches('\u{1b}').count(), 2, "{painted:?}");
    }

    #[test]
    fn f14_further_lines_of_a_text_stand_further_in() {
        assert_eq!(Line::from("a\nerror[MG9999]: b\r\nc").render(false), "a\n    error[MG9999]: b\n    c");
        assert_eq!((Line::from("  job  ") + "a\nb").render(false), "  job  a\n      b");
    }

    #[test]
    fn a_line_ends_without_spaces() {
        assert_eq!((Line::from("  a  ") + Style::Dim.of("") + "  ").render(true), "  a");
        assert_eq!(Line::from("   ").render(true), "");
    }
}
