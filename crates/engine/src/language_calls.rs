//! Which calls that depend on a language the embedded engine answers as Deno does, as far as their text tells: what
//! `prelude/locale.js` knows, for whoever looks at code before it runs. Held to it by `tests/languages.rs`.

use super::{languages::has_root_order, zones};

/// A value that is written out in the code.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
}

/// The methods whose outcome depends on a language.
pub const LANGUAGE_METHODS: [&str; 6] = [
    "localeCompare",
    "toLocaleDateString",
    "toLocaleLowerCase",
    "toLocaleString",
    "toLocaleTimeString",
    "toLocaleUpperCase",
];

const ENGLISH: [&str; 2] = ["en", "en-US"];
/// Languages of which plain numbers are known; `SEPARATORS` of `prelude/numbers.js`.
const NUMBER_LOCALES: &[&str] = &[
    "de", "de-DE", "en", "en-AU", "en-CA", "en-GB", "en-IE", "en-NZ", "en-US", "es", "es-ES", "fr", "fr-FR", "id",
    "it", "it-IT", "ja", "ja-JP", "ko", "ko-KR", "nl", "nl-NL", "pl", "pl-PL", "pt-BR", "tr", "zh", "zh-CN",
];
/// Languages of which the usual form of dates is known; `USUAL` of `prelude/dates.js`.
const DATE_LOCALES: &[&str] =
    &["de", "de-AT", "de-DE", "en", "en-AU", "en-CA", "en-GB", "en-US", "fr", "fr-FR", "sv", "sv-SE"];
/// Languages that change letters in their own way.
const OWN_LETTERS: &[&str] = &["az", "el", "hy", "lt", "tr"];
const CURRENCIES: &[&str] = &[
    "AUD", "BRL", "CAD", "CHF", "CNY", "DKK", "EUR", "GBP", "INR", "JPY", "KRW", "MXN", "NOK", "NZD", "PLN", "SEK",
    "USD",
];

/// True if the embedded engine gives what Deno gives for a call of `method`, one of [`LANGUAGE_METHODS`], with this locale, or
/// the default one, and these options. The object is not known: of `toLocaleString`, it may be a number or a date.
#[must_use]
pub fn is_known(method: &str, locale: Option<&str>, options: &[(String, Literal)]) -> bool {
    let locale = locale.unwrap_or("en-US");
    let is_english = ENGLISH.contains(&locale);
    let all = |is_known: fn(&str, &Literal) -> bool| options.iter().all(|(name, value)| is_known(name, value));
    let has = |wanted: &str| options.iter().any(|(name, _)| name == wanted);
    match method {
        "localeCompare" => has_root_order(locale) && all(is_known_comparison),
        "toLocaleUpperCase" | "toLocaleLowerCase" => {
            let language = locale.split('-').next().unwrap_or_default();
            locale.len() <= 5 && locale.is_ascii() && !OWN_LETTERS.contains(&language) && options.is_empty()
        }
        "toLocaleString" if options.is_empty() => NUMBER_LOCALES.contains(&locale) && DATE_LOCALES.contains(&locale),
        "toLocaleString" if all(is_digits) => NUMBER_LOCALES.contains(&locale),
        "toLocaleString" if all(is_number_option) => is_english,
        // Nobody has a time in the style of a date.
        "toLocaleDateString" if has("timeStyle") => false,
        "toLocaleTimeString" if has("dateStyle") => false,
        _ if all(is_zone) => DATE_LOCALES.contains(&locale),
        _ => is_english && all(|name, value| is_zone(name, value) || is_date_option(name, value)),
    }
}

fn is_one_of(value: &Literal, known: &[&str]) -> bool {
    matches!(value, Literal::Text(text) if known.contains(&text.as_str()))
}

const fn is_bool(value: &Literal) -> bool {
    matches!(value, Literal::Bool(_))
}

fn is_known_comparison(name: &str, value: &Literal) -> bool {
    match name {
        "usage" => is_one_of(value, &["sort"]),
        "sensitivity" => is_one_of(value, &["accent", "base", "case", "variant"]),
        "numeric" | "ignorePunctuation" => is_bool(value),
        "caseFirst" => is_one_of(value, &["false", "lower", "upper"]),
        _ => false,
    }
}

fn is_digits(name: &str, value: &Literal) -> bool {
    let is_whole = |from: f64, to: f64| matches!(value, Literal::Number(number) if number.fract() == 0.0 && *number >= from && *number <= to);
    match name {
        "minimumFractionDigits" | "maximumFractionDigits" => is_whole(0.0, 100.0),
        "minimumIntegerDigits" | "minimumSignificantDigits" | "maximumSignificantDigits" => is_whole(1.0, 21.0),
        "useGrouping" => is_bool(value),
        _ => false,
    }
}

fn is_number_option(name: &str, value: &Literal) -> bool {
    match name {
        "style" => is_one_of(value, &["currency", "decimal", "percent"]),
        "currency" => is_one_of(value, CURRENCIES),
        "signDisplay" => is_one_of(value, &["always", "auto", "exceptZero", "negative", "never"]),
        _ => is_digits(name, value),
    }
}

fn is_zone(name: &str, value: &Literal) -> bool {
    name == "timeZone" && matches!(value, Literal::Text(zone) if zones::is_known(zone))
}

fn is_date_option(name: &str, value: &Literal) -> bool {
    match name {
        "weekday" => is_one_of(value, &["long", "short"]),
        "month" => is_one_of(value, &["2-digit", "long", "numeric", "short"]),
        "year" | "day" | "hour" | "minute" | "second" => is_one_of(value, &["2-digit", "numeric"]),
        "dateStyle" | "timeStyle" => is_one_of(value, &["full", "long", "medium", "short"]),
        "hourCycle" => is_one_of(value, &["h12", "h23"]),
        "hour12" => is_bool(value),
        "timeZoneName" => is_one_of(value, &["short"]),
        _ => false,
    }
}
