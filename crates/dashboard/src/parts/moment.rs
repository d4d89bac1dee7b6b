//! Moments as people read them, exact for those who need that.

use std::time::Duration;

use askama::{Template, filters::HtmlSafe};
use mangrove_documents::{Moment, human};
use mangrove_domain::time::Timestamp;

/// How a moment is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// How long ago it was.
    Ago,
    /// How long it is until then.
    Due,
    /// Date and time in UTC.
    Exact,
}

impl Form {
    /// The word by which the script knows how to tell it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Form::Ago => "ago",
            Form::Due => "due",
            Form::Exact => "exact",
        }
    }
}

/// A moment.
#[derive(Clone, Copy, Debug, Template)]
#[template(
    source = "<time datetime=\"{{ moment() }}\" title=\"{{ exact() }}\" data-time=\"{{ form.as_str() }}\">{{ text() }}</time>",
    ext = "html"
)]
pub(crate) struct When {
    pub(crate) at: Timestamp,
    /// When the page is made.
    pub(crate) now: Timestamp,
    pub(crate) form: Form,
}

impl HtmlSafe for When {}

impl When {
    fn moment(&self) -> Moment {
        Moment(self.at)
    }

    fn exact(&self) -> String {
        exact(self.at)
    }

    /// `12 s ago`, `in 4 s`, `now`.
    fn text(&self) -> String {
        if self.form == Form::Exact {
            return self.exact();
        }
        if self.at > self.now {
            return format!("in {}", coarse(self.at.since(self.now) + ALMOST_A_SECOND));
        }
        match self.form {
            Form::Due => "now".to_owned(),
            Form::Ago | Form::Exact if self.now.since(self.at) <= ALMOST_A_SECOND => "just now".to_owned(),
            Form::Ago | Form::Exact => format!("{} ago", coarse(self.now.since(self.at))),
        }
    }
}

/// What is waited for is told in seconds that are not over yet.
const ALMOST_A_SECOND: Duration = Duration::from_millis(999);

/// In whole seconds, since the text is renewed each second.
fn coarse(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 120 { format!("{seconds} s") } else { human::duration(duration) }
}

/// `2026-01-01 00:00:00 UTC`; a sentence for a moment that no calendar has.
pub(crate) fn exact(at: Timestamp) -> String {
    let text = Moment(at).to_string();
    match text.split_once('T').zip(text.split_once('.')) {
        Some(((date, _), (until_seconds, _))) => {
            format!("{date} {} UTC", until_seconds.get(date.len() + 1..).unwrap_or_default())
        }
        None => "beyond all calendars".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_123);

    fn told(at: Timestamp, form: Form) -> String {
        When { at, now: NOW, form }.render().expect("it can be rendered")
    }

    #[test]
    fn a_moment_is_readable_and_exact() {
        assert_eq!(
            told(NOW.minus(Duration::from_mins(3)), Form::Ago),
            "<time datetime=\"2025-12-31T23:57:00.123Z\" title=\"2025-12-31 23:57:00 UTC\" data-time=\"ago\">3 min ago</time>"
        );
        assert!(told(NOW.plus(Duration::from_secs(12)), Form::Due).contains(">in 12 s<"));
        assert!(told(NOW.minus(Duration::from_secs(12)), Form::Due).contains(">now<"));
        assert!(told(NOW.plus(Duration::from_secs(12)), Form::Ago).contains(">in 12 s<"), "a clock was set back");
        assert!(told(NOW, Form::Exact).contains(">2026-01-01 00:00:00 UTC<"));
        assert!(told(Timestamp::from_millis(i64::MAX), Form::Exact).contains(">beyond all calendars<"));
    }
}
