//! Values between documents and the interpreter.

use std::{any::Any, collections::HashMap, sync::Arc};

use cel::{
    ExecutionError,
    common::{
        traits::{Container, Indexer, Iterable, Iterator as ValIterator, Sizer, Zeroer},
        types::{
            CelBool, CelBytes, CelDouble, CelDuration, CelInt, CelList, CelMapKey, CelNull, CelOptional, CelString,
            CelTimestamp, CelType, CelUInt, MAP_TYPE, Type,
        },
        value::{CowVal, StaticVal, Val},
    },
};
use mangrove_domain::{
    json::{Json, Number},
    ports::ANY_ITEM,
};

use super::messages::kind;

/// Up to here every whole double is a number of its own.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;
/// How many members are looked through one by one.
const FEW: usize = 12;

/// A mapping. Unlike the interpreter's own it keeps the order of its members.
#[derive(Clone, Debug)]
pub(super) struct Mapping(Arc<Members>);

#[derive(Debug)]
struct Members {
    entries: Vec<(CelMapKey<'static>, Box<dyn Val>)>,
    /// Where the members with names are, if there are many.
    positions: HashMap<String, usize>,
}

impl Mapping {
    /// Of members of different names.
    pub(super) fn new(entries: Vec<(CelMapKey<'static>, Box<dyn Val>)>) -> Self {
        let mut positions = HashMap::new();
        if entries.len() > FEW {
            for (index, (key, _)) in entries.iter().enumerate() {
                if let CelMapKey::String(name) = key {
                    positions.insert(name.inner().to_owned(), index);
                }
            }
        }
        Self(Arc::new(Members { entries, positions }))
    }

    fn find(&self, key: &dyn Val) -> Option<&(dyn Val + 'static)> {
        let Members { entries, positions } = self.0.as_ref();
        if let Some(name) = key.downcast_ref::<CelString>().filter(|_| !positions.is_empty()) {
            return positions.get(name.inner()).and_then(|index| entries.get(*index)).map(|(_, value)| value.as_ref());
        }
        entries.iter().find(|(known, _)| known.inner().equals(key)).map(|(_, value)| value.as_ref())
    }
}

impl Val for Mapping {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn as_zeroer(&self) -> Option<&dyn Zeroer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Mapping>().is_some_and(|other| {
            self.0.entries.len() == other.0.entries.len()
                && self
                    .0
                    .entries
                    .iter()
                    .all(|(key, value)| other.find(key.inner()).is_some_and(|theirs| value.equals(theirs)))
        })
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Mapping {}

impl Container for Mapping {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.find(value).is_some())
    }
}

impl Indexer for Mapping {
    fn get<'b, 'v>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.find(key).map(CowVal::Borrowed).ok_or_else(|| {
            let name = to_json(key, Numbers::Plain).map_or_else(|_| String::new(), |key| text_of(&key));
            ExecutionError::NoSuchKey(Arc::new(name))
        })
    }

    fn steal<'v>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(key).map(CowVal::into_owned)
    }
}

impl Iterable for Mapping {
    fn iter<'b, 'v>(&'b self) -> Box<dyn ValIterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(Keys(self.0.entries.iter()))
    }
}

impl Sizer for Mapping {
    fn size(&self) -> CelInt {
        i64::try_from(self.0.entries.len()).unwrap_or(i64::MAX).into()
    }
}

impl Zeroer for Mapping {
    fn is_zero_value(&self) -> bool {
        self.0.entries.is_empty()
    }
}

struct Keys<'b>(std::slice::Iter<'b, (CelMapKey<'static>, Box<dyn Val>)>);

impl<'b, 'v> ValIterator<'b, 'v> for Keys<'b> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|(key, _)| key.inner())
    }
}

/// The paths below a member of this name.
pub(super) fn below<'p>(paths: &[&'p [String]], name: &str) -> Vec<&'p [String]> {
    let rest = |path: &&'p [String]| path.split_first().filter(|(first, _)| *first == name).map(|(_, rest)| rest);
    paths.iter().filter_map(rest).collect()
}

/// A value of a document. Its numbers are doubles, but for whole ones at these paths.
pub(super) fn from_json(value: &Json, integers: &[&[String]]) -> Box<dyn Val> {
    let is_integer = integers.iter().any(|path| path.is_empty());
    match value {
        Json::Null => Box::new(CelNull),
        Json::Bool(value) => Box::new(CelBool::from(*value)),
        Json::Number(Number::Integer(value)) if is_integer => Box::new(CelInt::from(*value)),
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
        Json::Number(Number::Float(value)) if is_integer && is_whole(*value) => Box::new(CelInt::from(*value as i64)),
        #[expect(clippy::cast_precision_loss, reason = "numbers of documents are doubles to an expression")]
        Json::Number(Number::Integer(value)) => Box::new(CelDouble::from(*value as f64)),
        Json::Number(Number::Float(value)) => Box::new(CelDouble::from(*value)),
        Json::String(text) => Box::new(CelString::from(text.clone())),
        Json::Array(items) => {
            let integers = below(integers, ANY_ITEM);
            let items = items.iter().map(|item| from_json(item, &integers));
            Box::new(CelList::from(items.collect::<Vec<_>>()))
        }
        Json::Object(members) => Box::new(from_members(members.iter(), integers)),
    }
}

/// A mapping of these members, with the same paths.
pub(super) fn from_members<'a>(members: impl Iterator<Item = &'a (String, Json)>, integers: &[&[String]]) -> Mapping {
    let member = |(name, value): &(String, Json)| {
        (CelMapKey::String(name.clone().into()), from_json(value, &below(integers, name)))
    };
    Mapping::new(members.map(member).collect())
}

/// How numbers come back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// A double that is whole is an integer, as JSON has one kind of number.
    Plain,
    /// Integers are ints, floats are doubles.
    ByKind,
}

/// The value as a document can hold it.
///
/// # Errors
/// What no document can hold.
pub(super) fn to_json(value: &dyn Val, numbers: Numbers) -> Result<Json, String> {
    if let Some(text) = value.downcast_ref::<CelString>() {
        return Ok(Json::from(text.inner()));
    }
    if let Some(value) = value.downcast_ref::<CelDouble>() {
        return Ok(Json::Number(double(*value.inner(), numbers)));
    }
    if let Some(value) = value.downcast_ref::<CelInt>() {
        return Ok(Json::from(*value.inner()));
    }
    if let Some(value) = value.downcast_ref::<CelBool>() {
        return Ok(Json::Bool(*value.inner()));
    }
    if value.downcast_ref::<CelNull>().is_some() {
        return Ok(Json::Null);
    }
    if let Some(value) = value.downcast_ref::<CelUInt>() {
        #[expect(clippy::cast_precision_loss, reason = "what is larger is a double to JSON anyway")]
        return Ok(i64::try_from(*value.inner()).map_or(Json::Number(Number::Float(*value.inner() as f64)), Json::from));
    }
    if let Some(Mapping(members)) = value.downcast_ref::<Mapping>() {
        let members = members.entries.iter().map(|(key, value)| {
            let key = to_json(key.inner(), numbers)?;
            Ok((text_of(&key), to_json(value.as_ref(), numbers)?))
        });
        return Ok(Json::Object(members.collect::<Result<_, String>>()?));
    }
    if let Some(items) = value.downcast_ref::<CelList>() {
        let items = items.inner().iter().map(|item| to_json(item.as_ref(), numbers));
        return Ok(Json::Array(items.collect::<Result<_, _>>()?));
    }
    if let Some(value) = value.downcast_ref::<CelOptional>() {
        return value.option().map_or(Ok(Json::Null), |value| to_json(value, numbers));
    }
    if let Some(instant) = value.downcast_ref::<CelTimestamp>() {
        return Ok(Json::from(instant.inner().naive_utc().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()));
    }
    if let Some(span) = value.downcast_ref::<CelDuration>() {
        return Ok(Json::from(seconds(span)));
    }
    let advice =
        if value.downcast_ref::<CelBytes>().is_some() { "; `.string()` or `.base64()` make it a text" } else { "" };
    Err(format!("the result is a {}, which no document can hold{advice}", kind(value.get_type().name())))
}

/// The same value, borrowing nothing. `None` of what an application made of its own.
pub(super) fn keep(value: &dyn Val) -> Option<Box<dyn Val>> {
    macro_rules! kept {
        ($($kind:ident),*) => {
            $(if let Some(value) = value.downcast_ref::<$kind>() { return Some(Box::new(value.clone())); })*
        };
    }
    if let Some(text) = value.downcast_ref::<CelString>() {
        return Some(Box::new(text.clone().into_static()));
    }
    kept!(CelDouble, CelInt, Mapping, CelNull, CelUInt, CelTimestamp, CelDuration, CelType);
    if let Some(value) = value.downcast_ref::<CelBool>() {
        return Some(Box::new(CelBool::from(*value.inner())));
    }
    if let Some(bytes) = value.downcast_ref::<CelBytes>() {
        return Some(Box::new(bytes.clone().into_static()));
    }
    if let Some(items) = value.downcast_ref::<CelList>() {
        let items = items.inner().iter().map(|item| keep(item.as_ref())).collect::<Option<Vec<_>>>()?;
        return Some(Box::new(CelList::from(items)));
    }
    let optional = value.downcast_ref::<CelOptional>()?;
    Some(Box::new(match optional.option() {
        Some(value) => CelOptional::of(keep(value)?),
        None => CelOptional::none(),
    }))
}

/// True for a whole double that is a number of its own.
fn is_whole(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() <= LARGEST_EXACT
}

fn double(value: f64, numbers: Numbers) -> Number {
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
    if is_whole(value) && numbers == Numbers::Plain { Number::Integer(value as i64) } else { Number::Float(value) }
}

fn seconds(span: &CelDuration) -> String {
    let (whole, nanos) = (span.inner().num_seconds(), span.inner().subsec_nanos());
    let sign = if whole < 0 || nanos < 0 { "-" } else { "" };
    let fraction = format!("{:09}", nanos.unsigned_abs());
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}s", whole.unsigned_abs())
}

/// What stands for a value as the name of a member.
fn text_of(key: &Json) -> String {
    match key {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}
