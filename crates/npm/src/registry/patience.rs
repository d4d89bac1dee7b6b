//! How long a registry asks to be left alone: `Retry-After`, as RFC 9110 has it (section 10.2.3).

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// How long an answer with these headers asks to wait; `None` if it does not, or in no form that there is. A date counts
/// from the `Date` of the same answer, because clocks differ; without one it says nothing. One that has passed asks for no
/// time at all.
pub(super) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let value = text(RETRY_AFTER)?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now = httpdate::parse_http_date(text(DATE)?).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f19_both_forms_of_retry_after_are_understood() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (value, date, seconds) in [
            ("120", None, Some(120)),
            (" 0 ", date, Some(0)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", date, Some(120)),
            ("Sunday, 06-Nov-94 08:49:38 GMT", date, Some(1)),
            ("Sun Nov  6 08:50:37 1994", date, Some(60)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", date, Some(0)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", None, None),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some("yesterday"), None),
            ("-1", date, None),
            ("soon", date, None),
            ("99999999999999999999999", date, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            headers.extend(date.map(|date| (DATE, date.parse().unwrap())));
            assert_eq!(asked(&headers), seconds.map(Duration::from_secs), "{value:?} at {date:?}");
        }
        assert_eq!(asked(&HeaderMap::new()), None);
    }
}
