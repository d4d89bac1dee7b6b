//! The body of an answer, part by part, decompressed.

use std::io::{self, Write as _};

use flate2::write::MultiGzDecoder;
use mangrove_engine::WebEvent;
use mangrove_npm::chain;
use reqwest::Response;

use super::address;

/// How much is decompressed at once, in bytes. It becomes a thousand times as much at most.
const COMPRESSED_BYTES: usize = 1024;
/// How much is passed on at once, in bytes, where nothing keeps it from growing.
const PART_BYTES: usize = 64 << 10;

/// A body that is read as it is asked for.
pub(crate) struct Body {
    response: Response,
    inflating: Option<Inflating>,
}

struct Inflating {
    decoder: MultiGzDecoder<Vec<u8>>,
    /// What came and was not decompressed yet, from `at` on.
    input: Vec<u8>,
    at: usize,
    has_begun: bool,
    is_over: bool,
}

impl Body {
    pub(super) fn new(response: Response, is_gzip: bool) -> Self {
        Self { response, inflating: is_gzip.then(Inflating::new) }
    }

    /// The next part, never an empty one; `None` at the end.
    ///
    /// # Errors
    /// The event that tells code why there is no more.
    pub(crate) async fn part(&mut self) -> Result<Option<Vec<u8>>, WebEvent> {
        loop {
            if let Some(inflating) = &mut self.inflating {
                let inflated = inflating.next().map_err(|error| broken(&self.response, &error.to_string()))?;
                if let Some(part) = inflated {
                    return Ok(Some(part));
                }
                if inflating.is_over {
                    return Ok(None);
                }
            }
            let chunk = self.response.chunk().await;
            let chunk = chunk.map_err(|error| broken(&self.response, &chain(&error.without_url())))?;
            match (&mut self.inflating, chunk) {
                (None, Some(chunk)) if chunk.is_empty() => {}
                (None, chunk) => return Ok(chunk.map(|bytes| bytes.to_vec())),
                (Some(inflating), chunk) => inflating.take(chunk.map(|bytes| bytes.to_vec())),
            }
        }
    }
}

impl Inflating {
    fn new() -> Self {
        let decoder = MultiGzDecoder::new(Vec::new());
        Self { decoder, input: Vec::new(), at: 0, has_begun: false, is_over: false }
    }

    /// Takes what came next; nothing came if it is over.
    fn take(&mut self, chunk: Option<Vec<u8>>) {
        self.is_over = chunk.is_none();
        self.input = chunk.unwrap_or_default();
        self.at = 0;
        self.has_begun |= !self.input.is_empty();
    }

    /// What can be said of what came so far; `None` if nothing more.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        while self.at < self.input.len() && self.decoder.get_ref().len() < PART_BYTES {
            let end = self.input.len().min(self.at + COMPRESSED_BYTES);
            self.decoder.write_all(&self.input[self.at..end])?;
            self.at = end;
        }
        if self.is_over && self.has_begun {
            self.decoder.try_finish()?;
        }
        let part = std::mem::take(self.decoder.get_mut());
        Ok((!part.is_empty()).then_some(part))
    }
}

fn broken(response: &Response, cause: &str) -> WebEvent {
    let message = format!("error reading a body from {}: {cause}", address(response.url()));
    WebEvent::Failed { message, cause: None }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn inflated(chunks: &[&[u8]]) -> io::Result<(usize, usize)> {
        let mut inflating = Inflating::new();
        let (mut length, mut longest) = (0, 0);
        for chunk in chunks.iter().map(|chunk| Some(chunk.to_vec())).chain([None]) {
            inflating.take(chunk);
            while let Some(part) = inflating.next()? {
                length += part.len();
                longest = longest.max(part.len());
            }
        }
        Ok((length, longest))
    }

    #[test]
    fn what_grows_a_thousandfold_is_passed_on_in_parts() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; 50 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        let (length, longest) = inflated(&[&bomb]).unwrap();
        assert_eq!(length, 50 << 20);
        assert!(longest <= PART_BYTES + (COMPRESSED_BYTES << 10) + (32 << 10), "{longest}");
    }

    #[test]
    fn members_follow_one_another_in_any_pieces_and_a_cut_is_an_error() {
        let member = |text: &str| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        };
        let whole = [member("one"), member("three")].concat();
        let pieces: Vec<&[u8]> = whole.chunks(3).collect();
        assert_eq!(inflated(&pieces).unwrap().0, 8);
        assert!(inflated(&[&whole[..whole.len() - 4]]).is_err());
        assert!(inflated(&[b"no gzip at all"]).is_err());
        assert_eq!(inflated(&[]).unwrap().0, 0, "an empty body is not compressed");
    }
}
