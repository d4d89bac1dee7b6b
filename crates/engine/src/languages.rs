//! What depends on a language, for `prelude/locale.js`: how texts are compared, and which language is meant if none is named.

use std::{cell::RefCell, str::FromStr as _};

use icu_collator::{
    Collator, CollatorBorrowed, CollatorPreferences,
    options::{AlternateHandling, CaseLevel, CollatorOptions, MaxVariable, Strength},
    preferences::{CollationCaseFirst, CollationNumericOrdering},
};
use icu_locale_core::Locale;
use mangrove_domain::permission::Grantee;
use rquickjs::{Ctx, Function, Object, Result};

use super::zones;

/// The locale that Deno takes where nobody names one.
const DEFAULT_LOCALE: &str = "en-US";
/// Variables by which a machine names another one.
const LOCALE_VARIABLES: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];
/// Their values that name none but the default.
const PLAIN_LOCALES: [&str; 6] = ["C", "POSIX", "C.UTF-8", "C.utf8", "en_US", "en_US.UTF-8"];
/// Languages that order texts as the root of all orders does, and for which nobody has other data.
const ROOT_ORDER: [&str; 12] = ["ca", "de", "en", "fr", "ga", "id", "it", "ms", "nl", "pt", "sw", "und"];

/// Gives `host` what `prelude/locale.js` asks for.
pub(super) fn add<'js>(context: &Ctx<'js>, host: &Object<'js>, grantee: Option<&Grantee>) -> Result<()> {
    host.set("defaultLocale", default_locale(grantee))?;
    host.set("zoneIsUtc", zones::machine_is_in_utc())?;
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    host.set("processors", u32::try_from(processors).unwrap_or(1))?;
    host.set("arch", architecture())?;
    host.set("zoneName", Function::new(context.clone(), zones::name_here)?)?;
    let order = |left: String, right: String, locale: String, wishes: String| compare(&left, &right, &locale, &wishes);
    host.set("compareTexts", Function::new(context.clone(), order)?)?;
    host.set("zoneOffset", Function::new(context.clone(), |zone: String, millis: f64| zones::offset(&zone, millis))?)
}

/// `None` if variables that the code may read name a language: Deno follows them.
fn default_locale(grantee: Option<&Grantee>) -> Option<&'static str> {
    let variables = grantee.map(|grantee| &grantee.variables);
    let named = LOCALE_VARIABLES.iter().find_map(|name| variables?.get(*name));
    named.is_none_or(|value| PLAIN_LOCALES.contains(&value.as_str())).then_some(DEFAULT_LOCALE)
}

/// What Node calls the processor.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The order of two texts as -1, 0 or 1; `None` if the language or a wish is not known here. `wishes` are four letters:
/// sensitivity, numbers as numbers, punctuation ignored, case first.
fn compare(left: &str, right: &str, locale: &str, wishes: &str) -> Option<i32> {
    thread_local! {
        // Sorting asks for the same order again and again.
        static LAST: RefCell<Option<Order>> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| {
        if !last.as_ref().is_some_and(|order| order.locale == locale && order.wishes == wishes) {
            let collator = collator(locale, wishes);
            *last = Some(Order { locale: locale.to_owned(), wishes: wishes.to_owned(), collator });
        }
        let collator = last.as_ref()?.collator.as_ref()?;
        Some(collator.compare(left, right) as i32)
    })
}

/// An order that was asked for.
struct Order {
    locale: String,
    wishes: String,
    /// `None` if it is not known here.
    collator: Option<CollatorBorrowed<'static>>,
}

/// True if a language orders texts as the root of all orders does.
pub(super) fn has_root_order(locale: &str) -> bool {
    let parsed = Locale::from_str(locale).ok().filter(|locale| locale.extensions.is_empty());
    parsed.is_some_and(|Locale { id, .. }| {
        let is_other = id.region.is_some_and(|region| region.as_str() == "CA") || !id.variants.is_empty();
        !is_other && ROOT_ORDER.contains(&id.language.as_str())
    })
}

fn collator(locale: &str, wishes: &str) -> Option<CollatorBorrowed<'static>> {
    if !has_root_order(locale) {
        return None;
    }
    let mut options = CollatorOptions::default();
    let mut preferences = CollatorPreferences::default();
    let mut letters = wishes.chars();
    let (strength, case_level) = match letters.next()? {
        'b' => (Strength::Primary, CaseLevel::Off),
        'a' => (Strength::Secondary, CaseLevel::Off),
        'c' => (Strength::Primary, CaseLevel::On),
        _ => (Strength::Tertiary, CaseLevel::Off),
    };
    options.strength = Some(strength);
    options.case_level = Some(case_level);
    if letters.next()? == 'n' {
        preferences.numeric_ordering = Some(CollationNumericOrdering::True);
    }
    if letters.next()? == 'p' {
        options.alternate_handling = Some(AlternateHandling::Shifted);
        options.max_variable = Some(MaxVariable::Punctuation);
    }
    preferences.case_first = match letters.next()? {
        'u' => Some(CollationCaseFirst::Upper),
        'l' => Some(CollationCaseFirst::Lower),
        _ => None,
    };
    Collator::try_new(preferences, options).ok()
}
