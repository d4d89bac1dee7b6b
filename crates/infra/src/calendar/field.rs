//! The fields of a cron pattern: what may stand in each. `croner` takes more than it understands (`1,,2`, `JANFEB`,
//! `15W3`), and its messages do not name the field.

/// One field.
pub(super) struct Field {
    /// What people call it.
    pub(super) name: &'static str,
    least: u16,
    most: u16,
    /// Three letters each, from `least` on.
    names: &'static [&'static str],
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    DayOfMonth,
    DayOfWeek,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The years that are looked at.
pub(super) const YEARS: (u16, u16) = (1970, 2200);

/// All fields in their order; the first and the last may be left out.
pub(super) const FIELDS: [Field; 7] = [
    Field::plain("second", 0, 59),
    Field::plain("minute", 0, 59),
    Field::plain("hour", 0, 23),
    Field { name: "day of the month", least: 1, most: 31, names: &[], kind: Kind::DayOfMonth },
    Field { name: "month", least: 1, most: 12, names: &MONTHS, kind: Kind::Plain },
    Field { name: "day of the week", least: 0, most: 7, names: &WEEKDAYS, kind: Kind::DayOfWeek },
    Field::plain("year", YEARS.0, YEARS.1),
];

impl Field {
    const fn plain(name: &'static str, least: u16, most: u16) -> Self {
        Self { name, least, most, names: &[], kind: Kind::Plain }
    }

    /// The first part of a list, in upper case, that does not fit here; `None` if all do.
    pub(super) fn misfit<'a>(&self, text: &'a str) -> Option<&'a str> {
        let list = if self.kind == Kind::DayOfWeek { text.strip_prefix('+').unwrap_or(text) } else { text };
        list.split(',').find(|part| !self.fits(part))
    }

    /// What may stand here, as a sentence.
    pub(super) fn advice(&self) -> String {
        let names = match self.names {
            [] => String::new(),
            [first, ..] => format!(" or names such as {first}"),
        };
        let special = match self.kind {
            Kind::Plain => "",
            Kind::DayOfMonth => ", `L` for the last day, `15W` for the working day nearest to the 15th",
            Kind::DayOfWeek => {
                ", `FRI#2` for the second and `FRI#L` for the last Friday of a month; 0 and 7 are Sunday"
            }
        };
        let Self { name, least, most, .. } = self;
        format!(
            "the {name} is {least} to {most}{names}: one of them, a list `1,5`, a range `1-5`, steps `*/5`{special}"
        )
    }

    fn fits(&self, part: &str) -> bool {
        match self.kind {
            Kind::Plain => self.fits_plainly(part),
            Kind::DayOfMonth => match part.strip_suffix('W') {
                Some("L") => true,
                Some(day) => self.value(day).is_some(),
                None => part == "L" || self.fits_plainly(part),
            },
            Kind::DayOfWeek => match part.split_once('#') {
                Some((days, "1" | "2" | "3" | "4" | "5" | "L")) => days != "*" && self.fits_plainly(days),
                Some(_) => false,
                None => match part.strip_suffix('L') {
                    Some(day) => self.value(day).is_some(),
                    None => self.fits_plainly(part),
                },
            },
        }
    }

    /// `*`, a value, a range, each with a step or without.
    fn fits_plainly(&self, part: &str) -> bool {
        let (values, step) = match part.split_once('/') {
            Some((values, step)) => (values, Some(step)),
            None => (part, None),
        };
        if step.is_some_and(|step| number(step).is_none_or(|step| step == 0)) {
            return false;
        }
        let is_any_day = self.kind != Kind::Plain && values == "?" && step.is_none();
        // `/5` is what other programs write for `*/5`.
        if values == "*" || is_any_day || (values.is_empty() && step.is_some()) {
            return true;
        }
        match values.split_once('-') {
            None => self.value(values).is_some(),
            Some((first, last)) => match (self.value(first), self.last_value(last)) {
                (Some(first), Some(last)) => first <= last,
                _ => false,
            },
        }
    }

    fn value(&self, text: &str) -> Option<u16> {
        let named = || self.names.iter().position(|name| *name == text).and_then(|index| u16::try_from(index).ok());
        let value = number(text).or_else(|| Some(named()? + self.least))?;
        (self.least..=self.most).contains(&value).then_some(value)
    }

    /// The end of a range: Sunday is the last day of a week there.
    fn last_value(&self, text: &str) -> Option<u16> {
        if self.kind == Kind::DayOfWeek && text == WEEKDAYS[0] { Some(7) } else { self.value(text) }
    }
}

/// Digits, and nothing else.
fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}
