//! Mappings that an expression writes down.

use cel::{
    ExecutionError,
    common::{
        types::{CelBool, CelDouble, CelInt, CelList, CelMapKey, CelOptional, CelString, CelUInt},
        value::{CowVal, Val},
    },
};

use super::{
    messages::kind,
    values::{self, Mapping},
};

/// `{key: value, ?key: optional}`: a list of keys, values and whether the value is an optional that may hold none.
pub(super) fn mapping<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let failed = |message: String| ExecutionError::function_error("{}", message);
    let parts = arguments.first().and_then(|parts| parts.downcast_ref::<CelList>()).map_or(&[][..], |it| it.inner());
    let mut entries: Vec<(CelMapKey<'static>, Box<dyn Val>)> = Vec::with_capacity(parts.len() / 3);
    for entry in parts.chunks_exact(3) {
        let [name, value, is_optional] = entry else { continue };
        let found = key(name.as_ref());
        let key = found.ok_or_else(|| failed(format!("a {} cannot be a key", kind(name.get_type().name()))))?;
        let mut value: &dyn Val = value.as_ref();
        if is_optional.downcast_ref::<CelBool>().is_some_and(|it| *it.inner())
            && let Some(optional) = value.downcast_ref::<CelOptional>()
        {
            let Some(held) = optional.option() else { continue };
            value = held;
        }
        if entries.iter().any(|(known, _)| known.inner().equals(key.inner())) {
            return Err(failed(format!("the key {key:?} is there twice")));
        }
        let kept = values::keep(value);
        entries.push((key, kept.ok_or_else(|| failed(format!("cannot hold a {}", kind(value.get_type().name()))))?));
    }
    Ok(CowVal::owned(Mapping::new(entries)))
}

fn key(value: &dyn Val) -> Option<CelMapKey<'static>> {
    if let Some(text) = value.downcast_ref::<CelString>() {
        return Some(CelMapKey::String(text.clone().into_static()));
    }
    if let Some(value) = value.downcast_ref::<CelInt>() {
        return Some(CelMapKey::Int(CelInt::from(*value.inner())));
    }
    if let Some(value) = value.downcast_ref::<CelUInt>() {
        return Some(CelMapKey::UInt(CelUInt::from(*value.inner())));
    }
    if let Some(value) = value.downcast_ref::<CelBool>() {
        return Some(CelMapKey::Bool(CelBool::from(*value.inner())));
    }
    let double = value.downcast_ref::<CelDouble>().map(|value| *value.inner())?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
    (double.fract() == 0.0 && double.abs() < 1e15).then(|| CelMapKey::Int(CelInt::from(double as i64)))
}
