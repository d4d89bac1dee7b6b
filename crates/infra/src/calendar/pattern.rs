//! From the text of a schedule to a cron pattern.

use croner::{Cron, CronComponent, parser::CronParser};
use mangrove_domain::{
    nearest,
    ports::{CalendarError, CalendarPart},
};

use super::field::{FIELDS, YEARS};

/// What stands for a pattern.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A longer text is none that a person wrote.
const LONGEST: usize = 1_000;

/// Reads a pattern.
pub(super) fn parse(text: &str) -> Result<Cron, CalendarError> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(wrong(format!("a pattern of {} bytes", text.len()), format!("at most {LONGEST} are read")));
    }
    let text = if text.starts_with('@') { nickname(text)? } else { text };
    let upper = text.to_uppercase();
    let mut parts: Vec<&str> = upper.split_whitespace().collect();
    match parts.len() {
        5 => parts.insert(0, "0"),
        6 | 7 => {}
        count => {
            let fields = if count == 1 { "1 field".to_owned() } else { format!("{count} fields") };
            let advice = "a pattern has five: minute, hour, day of the month, month, day of the week; seconds may come \
                          before them, and then years after them";
            return Err(wrong(format!("`{text}` has {fields}"), advice.to_owned()));
        }
    }
    for (field, part) in FIELDS.iter().zip(&parts) {
        if let Some(misfit) = field.misfit(part) {
            let message = match misfit {
                "" => format!("an empty value for the {}", field.name),
                misfit => format!("`{misfit}` is no {}", field.name),
            };
            return Err(wrong(message, field.advice()));
        }
    }
    let parser = CronParser::builder().sloppy_ranges(true).build();
    let not_understood = |error| {
        wrong(
            format!("`{text}` is not understood: {error}"),
            "for example, `0 3 * * MON-FRI` is three in the morning of every working day".to_owned(),
        )
    };
    let mut cron = parser.parse(&parts[..6].join(" ")).map_err(not_understood)?;
    // Its own years reach to 5000: a pattern that is never due would be looked for that long, in 5 kB each.
    let mut years = CronComponent::new(YEARS.0, YEARS.1, 0, 0);
    years.set_sloppy_ranges(true);
    years.parse(parts.get(6).copied().unwrap_or("*")).map_err(not_understood)?;
    cron.pattern.years = years;
    Ok(cron)
}

fn nickname(text: &str) -> Result<&'static str, CalendarError> {
    let found = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, pattern)| *pattern).ok_or_else(|| {
        let names = || NICKNAMES.iter().map(|(name, _)| *name);
        let advice = nearest::hint(text, names())
            .unwrap_or_else(|| format!("known are {}", names().collect::<Vec<_>>().join(", ")));
        wrong(format!("unknown schedule `{text}`"), advice)
    })
}

fn wrong(message: String, advice: String) -> CalendarError {
    CalendarError { part: CalendarPart::Pattern, message, advice: Some(advice) }
}
