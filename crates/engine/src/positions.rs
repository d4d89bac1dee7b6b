//! Where in its sources a place of a bundle lies, by the source map at the bundle's end.

use std::sync::{Arc, OnceLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oxc_sourcemap::{SourceMap, Token};

/// What the last line of a bundle with a source map begins with.
const COMMENT: &str = "//# sourceMappingURL=data:application/json;charset=utf-8;base64,";

/// The source map of a bundle, read when it is first asked for.
#[derive(Debug)]
pub(super) struct Positions {
    code: Arc<str>,
    map: OnceLock<Option<Map>>,
}

#[derive(Debug)]
struct Map {
    sources: Vec<String>,
    /// In the order of their places in the bundle.
    tokens: Vec<Token>,
}

impl Positions {
    pub(super) const fn of(code: Arc<str>) -> Self {
        Self { code, map: OnceLock::new() }
    }

    /// `path:line:column` in the sources, of a line and a column of the bundle, all from 1. `None` if nothing says so.
    pub(super) fn source(&self, line: u32, column: u32) -> Option<String> {
        let map = self.map.get_or_init(|| read(&self.code)).as_ref()?;
        let (line, column) = (line.checked_sub(1)?, column.saturating_sub(1));
        let next = map.tokens.partition_point(|token| (token.get_dst_line(), token.get_dst_col()) <= (line, column));
        let token = map.tokens.get(next.checked_sub(1)?).filter(|token| token.get_dst_line() == line)?;
        let path = map.sources.get(usize::try_from(token.get_source_id()?).ok()?)?;
        // The map names where the distance changes; in between, both go on together.
        let column = token.get_src_col() + (column - token.get_dst_col());
        Some(format!("{path}:{}:{}", token.get_src_line() + 1, column + 1))
    }
}

fn read(code: &str) -> Option<Map> {
    let encoded = code.trim_end().lines().last()?.strip_prefix(COMMENT)?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let map = SourceMap::from_json_string(&text).ok()?;
    let mut tokens: Vec<Token> = map.get_tokens().collect();
    tokens.sort_by_key(|token| (token.get_dst_line(), token.get_dst_col()));
    Some(Map { sources: map.get_sources().map(str::to_owned).collect(), tokens })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_lies_as_far_behind_the_last_known_one_as_in_the_source() {
        let tokens = [Token::new(0, 4, 9, 6, Some(0), None), Token::new(2, 0, 3, 2, Some(0), None)];
        let map =
            SourceMap::new(None, Vec::new(), None, vec!["models/a.ts".into()], Vec::new(), Box::new(tokens), None);
        let code = format!("a\nb\nc\n//# sourceMappingURL={}\n", map.to_data_url());
        let positions = Positions::of(code.into());
        assert_eq!(positions.source(1, 5).as_deref(), Some("models/a.ts:10:7"));
        assert_eq!(positions.source(1, 8).as_deref(), Some("models/a.ts:10:10"));
        assert_eq!(positions.source(3, 1).as_deref(), Some("models/a.ts:4:3"));
        for (line, column) in [(1, 1), (2, 1), (4, 1), (0, 0)] {
            assert_eq!(positions.source(line, column), None);
        }
    }

    #[test]
    fn a_bundle_without_a_map_or_with_a_broken_one_says_nothing() {
        for end in ["", COMMENT, &format!("{COMMENT}####"), &format!("{COMMENT}e30=")] {
            assert_eq!(Positions::of(format!("a\n{end}").into()).source(1, 1), None);
        }
    }
}
