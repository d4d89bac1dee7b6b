//! YAML 1.2 with positions, built from the events of `granit-parser`.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use mangrove_domain::{
    document::{Node, NodeValue},
    json::Number,
    ports::DocumentError,
};

use super::{MAX_COPIED_NODES, MAX_DEPTH, decimal, error};

/// Parses the only document of `text`; an empty string is `null`.
pub(super) fn parse(name: &str, text: &str) -> Result<Node, DocumentError> {
    let mut reader = YamlReader { name, parser: Parser::new_from_str(text), anchors: HashMap::new(), copied: 0 };
    let mut root = None;
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::DocumentStart(..) if root.is_some() => {
                return Err(reader.error(span.start, "expected one document, found a second one"));
            }
            Event::DocumentStart(..) => {
                let Some((event, span)) = reader.next()? else { break };
                root = Some(reader.node(event, span, 0)?);
            }
            _ => {}
        }
    }
    Ok(root.unwrap_or(Node::new(1, 1, NodeValue::Null)))
}

struct YamlReader<'a> {
    name: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    copied: usize,
}

impl<'a> YamlReader<'a> {
    /// The next event that is not a comment.
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, DocumentError> {
        loop {
            match self.parser.next_event() {
                None => return Ok(None),
                Some(Ok((event, span))) if event.is_node() || is_structure(&event) => return Ok(Some((event, span))),
                Some(Ok(_)) => {}
                Some(Err(failed)) => return Err(self.scan_error(&failed)),
            }
        }
    }

    fn expect_next(&mut self, after: Marker) -> Result<(Event<'a>, Span), DocumentError> {
        self.next()?.ok_or_else(|| self.error(after, "expected more, found the end of the file"))
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, DocumentError> {
        let start = span.start;
        if depth > MAX_DEPTH {
            return Err(self.error(start, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let mut written = None;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), start)?;
                written = super::written(&value, &text);
                (value, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", start)?;
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.expect_next(start)?;
                    if event == Event::SequenceEnd {
                        break;
                    }
                    items.push(self.node(event, span, depth + 1)?);
                }
                (NodeValue::List(items), anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", start)?;
                (self.mapping(start, depth)?, anchor)
            }
            Event::Alias(target) => return self.alias(target, start, depth),
            _ => (NodeValue::Null, 0),
        };
        let (line, column) = place(start);
        let node = Node { line, column, value, written };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn mapping(&mut self, start: Marker, depth: usize) -> Result<NodeValue, DocumentError> {
        let mut members: Vec<(Node, Node)> = Vec::new();
        let mut seen: HashMap<String, u32> = HashMap::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.expect_next(start)?;
            if event == Event::MappingEnd {
                break;
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.key(event, span)?;
            let (event, span) = self.expect_next(start)?;
            let value = self.node(event, span, depth + 1)?;
            let text = key.as_str().unwrap_or_default().to_owned();
            if let Some(first) = seen.get(&text) {
                let message = format!("the key `{text}` is given twice, first in line {first}");
                return Err(error(self.name, key.line, key.column, message));
            }
            seen.insert(text, key.line);
            if is_merge {
                merged.push(value);
            } else {
                members.push((key, value));
            }
        }
        for source in merged {
            let sources = match source.value {
                NodeValue::List(items) => items,
                _ => vec![source],
            };
            for source in sources {
                let (line, column) = (source.line, source.column);
                let NodeValue::Map(additions) = source.value else {
                    return Err(error(self.name, line, column, "`<<` expects a mapping or a list of mappings"));
                };
                for (key, value) in additions {
                    let text = key.as_str().unwrap_or_default().to_owned();
                    if !members.iter().any(|(known, _)| known.as_str() == Some(&text)) {
                        members.push((key, value));
                    }
                }
            }
        }
        Ok(NodeValue::Map(members))
    }

    /// A key is a scalar; its text counts, whatever type it looks like.
    fn key(&mut self, event: Event<'a>, span: Span) -> Result<Node, DocumentError> {
        let start = span.start;
        let (line, column) = place(start);
        match event {
            Event::Scalar(text, _, anchor, _) => {
                let node = Node::new(line, column, NodeValue::String(text.into_owned()));
                if anchor > 0 {
                    self.anchors.insert(anchor, node.clone());
                }
                Ok(node)
            }
            Event::Alias(target) => {
                let node = self.alias(target, start, 0)?;
                match node.value {
                    NodeValue::String(_) => Ok(Node::new(line, column, node.value)),
                    _ => Err(self.error(start, format!("expected a string as key, found a {}", node.type_name()))),
                }
            }
            _ => Err(self.error(start, "expected a string as key, found a list or mapping")),
        }
    }

    fn alias(&mut self, target: usize, at: Marker, depth: usize) -> Result<Node, DocumentError> {
        let Some(node) = self.anchors.get(&target) else {
            return Err(self.error(at, "the alias stands inside the node that it names"));
        };
        let (count, height) = measure(node);
        if depth + height > MAX_DEPTH {
            return Err(self.error(at, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.copied += count;
        if self.copied > MAX_COPIED_NODES {
            return Err(self.error(at, format!("aliases copy more than {MAX_COPIED_NODES} nodes")));
        }
        Ok(node.clone())
    }

    fn check_tag(&self, tag: Option<&Tag>, expected: &str, at: Marker) -> Result<(), DocumentError> {
        match tag {
            Some(tag) if tag.core_suffix() != Some(expected) && tag.original() != "!" => Err(self.unknown_tag(tag, at)),
            _ => Ok(()),
        }
    }

    fn unknown_tag(&self, tag: &Tag, at: Marker) -> DocumentError {
        let written = tag.original();
        self.error(at, format!("unknown tag `{written}`: only the tags of YAML's core schema are read"))
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        at: Marker,
    ) -> Result<NodeValue, DocumentError> {
        if let Some(tag) = tag {
            if tag.original() == "!" || tag.core_suffix() == Some("str") {
                return Ok(NodeValue::String(text.to_owned()));
            }
            let expected = match tag.core_suffix() {
                Some("int" | "float") => "number",
                Some("bool") => "boolean",
                Some("null") => "nothing",
                _ => return Err(self.unknown_tag(tag, at)),
            };
            let value = self.plain(text, at)?;
            let found = Node::new(1, 1, value);
            if found.type_name() == expected {
                return Ok(found.value);
            }
            return Err(self.error(at, format!("expected a value for `{}`, found `{text}`", tag.original())));
        }
        if style == ScalarStyle::Plain { self.plain(text, at) } else { Ok(NodeValue::String(text.to_owned())) }
    }

    /// An unquoted scalar, by the core schema of YAML 1.2.
    fn plain(&self, text: &str, at: Marker) -> Result<NodeValue, DocumentError> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
            return Err(self.error(at, format!("expected a finite number, found `{text}`")));
        }
        Ok(match text {
            "" | "~" | "null" | "Null" | "NULL" => NodeValue::Null,
            "true" | "True" | "TRUE" => NodeValue::Bool(true),
            "false" | "False" | "FALSE" => NodeValue::Bool(false),
            _ => number(text).map_or_else(|| NodeValue::String(text.to_owned()), NodeValue::Number),
        })
    }

    fn error(&self, at: Marker, message: impl Into<String>) -> DocumentError {
        let (line, column) = place(at);
        error(self.name, line, column, message)
    }

    fn scan_error(&self, failed: &ScanError) -> DocumentError {
        self.error(*failed.marker(), failed.info())
    }
}

fn is_structure(event: &Event<'_>) -> bool {
    matches!(event, Event::DocumentStart(..) | Event::SequenceEnd | Event::MappingEnd)
}

fn place(marker: Marker) -> (u32, u32) {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    (number(marker.line()).max(1), number(marker.col()).saturating_add(1))
}

/// How many nodes there are, and how deep they are nested.
fn measure(node: &Node) -> (usize, usize) {
    let below = |children: &mut dyn Iterator<Item = &Node>| {
        children.map(measure).fold((1, 0), |(count, height), (more, deeper)| (count + more, height.max(deeper)))
    };
    let (count, height) = match &node.value {
        NodeValue::List(items) => below(&mut items.iter()),
        NodeValue::Map(members) => below(&mut members.iter().map(|(_, value)| value)),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) | NodeValue::String(_) => return (1, 0),
    };
    (count, height + 1)
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with(['+', '-'])).map(Number::Integer);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return i64::from_str_radix(digits, 8).ok().filter(|_| !digits.starts_with(['+', '-'])).map(Number::Integer);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let starts_like_one =
        unsigned.strip_prefix('.').unwrap_or(unsigned).starts_with(|first: char| first.is_ascii_digit());
    let digits_only = unsigned.chars().all(|character| matches!(character, '0'..='9' | '.' | 'e' | 'E' | '+' | '-'));
    if starts_like_one && digits_only { decimal(text) } else { None }
}
