//! Events of a daemon, as they come.

use mangrove_documents::RunEventDocument;
use reqwest::Response;

use super::unreachable;
use crate::errors::CommandError;

/// The events of a run that is followed.
pub(crate) struct Events {
    response: Response,
    address: String,
    parser: Parser,
}

impl Events {
    pub(super) fn new(response: Response, address: String) -> Self {
        Self { response, address, parser: Parser::default() }
    }

    /// The next event; `None` at the end. Can be dropped at any time without losing one.
    pub(crate) async fn next(&mut self) -> Result<Option<RunEventDocument>, CommandError> {
        loop {
            while let Some(data) = self.parser.next() {
                // What a newer daemon tells besides is left out.
                if let Ok(event) = serde_json::from_str(&data) {
                    return Ok(Some(event));
                }
            }
            let chunk = self.response.chunk().await;
            match chunk.map_err(|error| unreachable(&self.address, &error.without_url()))? {
                Some(bytes) => self.parser.push(&bytes),
                None => return Ok(None),
            }
        }
    }
}

/// Takes the data out of server-sent events, however they are cut into pieces.
#[derive(Default)]
struct Parser {
    bytes: Vec<u8>,
    /// The lines of data of the event that is being read.
    data: Option<String>,
}

impl Parser {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The data of the next whole event.
    fn next(&mut self) -> Option<String> {
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                if let Some(data) = self.data.take() {
                    return Some(data);
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                let data = data.strip_prefix(' ').unwrap_or(data);
                match &mut self.data {
                    Some(before) => before.extend(["\n", data]),
                    None => self.data = Some(data.to_owned()),
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = ": sign of life\n\nevent: log\nid: 1-2\ndata: {\"a\":\ndata: \"ü\"}\n\ndata:x\r\n\r\nevent: end\n\ndata: y\n\n";
        for size in 1..text.len() {
            let (mut parser, mut found) = (Parser::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                parser.push(piece);
                found.extend(std::iter::from_fn(|| parser.next()));
            }
            assert_eq!(found, ["{\"a\":\n\"ü\"}", "x", "y"], "{size}");
        }
    }
}
