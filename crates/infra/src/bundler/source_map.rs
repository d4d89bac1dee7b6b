//! The source map that a bundle carries at its end.

use oxc_sourcemap::{SourceMap, Token};

/// What leads from the lines of a bundle to its sources, as a comment. `kept` says which lines of the text that `map`
/// belongs to are still there.
///
/// A place is left out if it lies as far behind the one before it as it does in the source: whoever reads the map counts on
/// from there. With texts and names left out as well, the map takes a small part of the bundle.
pub(super) fn comment(map: &SourceMap<'_>, kept: &[bool]) -> String {
    let mut lines = Vec::with_capacity(kept.len());
    let mut line = 0_u32;
    for is_kept in kept {
        lines.push(is_kept.then_some(line));
        line += u32::from(*is_kept);
    }
    let mut tokens: Vec<Token> = Vec::new();
    for token in map.get_tokens() {
        let (Some(source), Some(line)) =
            (token.get_source_id(), lines.get(token.get_dst_line() as usize).copied().flatten())
        else {
            continue;
        };
        let (column, source_line, source_column) = (token.get_dst_col(), token.get_src_line(), token.get_src_col());
        let follows = tokens.last().is_some_and(|before| {
            before.get_dst_line() == line
                && before.get_source_id() == Some(source)
                && before.get_src_line() == source_line
                && source_column.checked_sub(before.get_src_col()) == column.checked_sub(before.get_dst_col())
        });
        if !follows {
            tokens.push(Token::new(line, column, source_line, source_column, Some(source), None));
        }
    }
    // What follows a `?` makes a module of its own of a file.
    let file = |source: &str| source.split_once('?').map_or(source, |(file, _)| file).to_owned();
    let sources = map.get_sources().map(|source| file(source).into()).collect();
    let condensed = SourceMap::new(None, Vec::new(), None, sources, Vec::new(), tokens.into_boxed_slice(), None);
    format!("//# sourceMappingURL={}\n", condensed.to_data_url())
}
