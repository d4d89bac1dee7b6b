//! Functions of texts. Positions count code points.

use cel::{
    ExecutionError,
    common::{
        types::{CelDouble, CelInt, CelList, CelString},
        value::{CowVal, Val},
    },
};

use super::messages::kind;

type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// The text that an argument is.
fn text<'a>(function: &str, arguments: &'a [CowVal<'_, '_>], index: usize) -> Result<&'a str, ExecutionError> {
    let argument = argument(function, arguments, index)?;
    let text = argument.downcast_ref::<CelString>().map(CelString::inner);
    text.ok_or_else(|| expected(function, "a text", argument))
}

/// The whole number that an argument is.
pub(super) fn integer(function: &str, arguments: &[CowVal<'_, '_>], index: usize) -> Result<i64, ExecutionError> {
    let argument = argument(function, arguments, index)?;
    let double = || argument.downcast_ref::<CelDouble>().map(|value| *value.inner());
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
    let whole = || double().filter(|value| value.fract() == 0.0 && value.abs() < 1e15).map(|value| value as i64);
    let int = argument.downcast_ref::<CelInt>().map(|value| *value.inner());
    int.or_else(whole).ok_or_else(|| expected(function, "a whole number", argument))
}

fn argument<'a, 'v>(
    function: &str,
    arguments: &'a [CowVal<'_, 'v>],
    index: usize,
) -> Result<&'a (dyn Val + 'v), ExecutionError> {
    let argument = arguments.get(index).map(AsRef::as_ref);
    argument.ok_or_else(|| ExecutionError::function_error(function, "too few arguments"))
}

fn expected(function: &str, what: &str, found: &dyn Val) -> ExecutionError {
    ExecutionError::function_error(function, format!("expects {what}, found {}", kind(found.get_type().name())))
}

fn out_of_range(function: &str, position: i64) -> ExecutionError {
    ExecutionError::function_error(function, format!("position {position} is outside of the text"))
}

fn of_text<'b, 'v>(text: String) -> CowVal<'b, 'v> {
    CowVal::owned(CelString::from(text))
}

pub(super) fn lower_ascii<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    Ok(of_text(text("lowerAscii", &arguments, 0)?.to_lowercase()))
}

pub(super) fn upper_ascii<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    Ok(of_text(text("upperAscii", &arguments, 0)?.to_uppercase()))
}

pub(super) fn trim<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    Ok(of_text(text("trim", &arguments, 0)?.trim().to_owned()))
}

/// `text.split(separator[, parts])`: the rest is in the last part; 0 parts are none, a negative number means all.
pub(super) fn split<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let (whole, separator) = (text("split", &arguments, 0)?, text("split", &arguments, 1)?);
    let limit = if arguments.len() > 2 { integer("split", &arguments, 2)? } else { -1 };
    let parts: Vec<String> = match usize::try_from(limit) {
        Ok(0) => Vec::new(),
        Ok(limit) if separator.is_empty() => {
            let mut parts: Vec<String> = whole.chars().take(limit - 1).map(String::from).collect();
            let rest: String = whole.chars().skip(limit - 1).collect();
            parts.extend(Some(rest).filter(|rest| !rest.is_empty()));
            parts
        }
        Ok(limit) => whole.splitn(limit, separator).map(str::to_owned).collect(),
        Err(_) if separator.is_empty() => whole.chars().map(String::from).collect(),
        Err(_) => whole.split(separator).map(str::to_owned).collect(),
    };
    let parts = parts.into_iter().map(|part| Box::new(CelString::from(part)) as Box<dyn Val>);
    Ok(CowVal::owned(CelList::from(parts.collect::<Vec<_>>())))
}

/// `text.substring(start[, end])`.
pub(super) fn substring<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let characters: Vec<char> = text("substring", &arguments, 0)?.chars().collect();
    let position = |position: i64| {
        let found = usize::try_from(position).ok().filter(|it| *it <= characters.len());
        found.ok_or_else(|| out_of_range("substring", position))
    };
    let start = position(integer("substring", &arguments, 1)?)?;
    let end = if arguments.len() > 2 { position(integer("substring", &arguments, 2)?)? } else { characters.len() };
    let part = characters.get(start..end);
    let part = part.ok_or_else(|| ExecutionError::function_error("substring", "it ends before it begins"))?;
    Ok(of_text(part.iter().collect()))
}

/// `text.indexOf(part[, from])`: −1 if it is not there.
pub(super) fn index_of<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let (whole, part) = searched("indexOf", &arguments)?;
    let from = start("indexOf", &arguments, whole.len(), 0)?;
    let found = (from..=whole.len()).find(|place| whole[*place..].starts_with(&part));
    Ok(CowVal::owned(index(found)))
}

/// `text.lastIndexOf(part[, from])`, which begins at `from` or before it: −1 if it is not there.
pub(super) fn last_index_of<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let (whole, part) = searched("lastIndexOf", &arguments)?;
    let from = start("lastIndexOf", &arguments, whole.len(), whole.len())?;
    let found = (0..=from).rev().find(|place| whole[*place..].starts_with(&part));
    Ok(CowVal::owned(index(found)))
}

fn searched(function: &str, arguments: &[CowVal<'_, '_>]) -> Result<(Vec<char>, Vec<char>), ExecutionError> {
    Ok((text(function, arguments, 0)?.chars().collect(), text(function, arguments, 1)?.chars().collect()))
}

fn start(
    function: &str,
    arguments: &[CowVal<'_, '_>],
    length: usize,
    otherwise: usize,
) -> Result<usize, ExecutionError> {
    if arguments.len() < 3 {
        return Ok(otherwise);
    }
    let from = integer(function, arguments, 2)?;
    usize::try_from(from).ok().filter(|from| *from <= length).ok_or_else(|| out_of_range(function, from))
}

fn index(found: Option<usize>) -> CelInt {
    CelInt::from(found.and_then(|place| i64::try_from(place).ok()).unwrap_or(-1))
}

/// `list.join([separator])` of a list of texts.
pub(super) fn join<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let separator = if arguments.len() > 1 { text("join", &arguments, 1)? } else { "" };
    let list = argument("join", &arguments, 0)?;
    let items = list.downcast_ref::<CelList>().ok_or_else(|| expected("join", "a list", list))?;
    let mut joined = String::new();
    for (index, item) in items.inner().iter().enumerate() {
        let part = item.downcast_ref::<CelString>();
        let part = part.ok_or_else(|| expected("join", "a list of texts", item.as_ref()))?;
        if index > 0 {
            joined.push_str(separator);
        }
        joined.push_str(part.inner());
    }
    Ok(of_text(joined))
}
