//! Times as documents have them.

use std::{fmt, time::Duration};

use mangrove_domain::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type},
    },
};

/// A moment, written as RFC 3339 in UTC with exactly three digits of a second, so that texts sort like moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// How long after `earlier` this is, in milliseconds; 0 if it is not.
    #[must_use]
    pub fn millis_since(self, earlier: Moment) -> u64 {
        u64::try_from(self.0.since(earlier.0).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Milliseconds of a duration; those that do not fit are as many as do.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds between two moments, if both are known.
pub(crate) fn elapsed(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<u64> {
    Some(Moment(to?).millis_since(Moment(from?)))
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

/// Empty for a moment that no calendar has.
impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.0.as_millis()) * 1_000_000;
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
        out.write_str(&moment.and_then(|moment| moment.format(format).ok()).unwrap_or_default())
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The empty text, which stands for a moment that no calendar has, is read as the latest that there is.
impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self(Timestamp::from_millis(i64::MAX)));
        }
        let moment = OffsetDateTime::parse(&text, &Rfc3339)
            .map_err(|error| D::Error::custom(format!("{text:?} is no time in RFC 3339: {error}")))?;
        let millis = i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or(i64::MAX);
        Ok(Self(Timestamp::from_millis(millis)))
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339 in UTC with exactly three digits of a second"))
            .into()
    }
}

impl ToSchema for Moment {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_comes_back_as_it_was() {
        for millis in [0, 1, 1_767_225_600_123, -1, -62_167_219_200_000] {
            let moment = Moment(Timestamp::from_millis(millis));
            let text = serde_json::to_string(&moment).expect("it can be written");
            assert_eq!(serde_json::from_str::<Moment>(&text).expect("it can be read"), moment, "{text}");
        }
        assert_eq!(Moment(Timestamp::from_millis(1_767_225_600_123)).to_string(), "2026-01-01T00:00:00.123Z");
    }

    #[test]
    fn a_moment_that_no_calendar_has_is_empty_and_stays_ahead() {
        let beyond = Moment(Timestamp::from_millis(i64::MAX));
        assert_eq!(serde_json::to_string(&beyond).expect("it can be written"), "\"\"");
        assert_eq!(serde_json::from_str::<Moment>("\"\"").expect("it can be read"), beyond);
        assert!(serde_json::from_str::<Moment>("\"yesterday\"").is_err());
    }
}
