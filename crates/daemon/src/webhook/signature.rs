//! Whether a request was sent by somebody who knows the secret.

use std::time::Duration;

use mangrove_domain::{
    time::Timestamp,
    workflow::webhook::{Webhook, WebhookScheme},
};
use ring::hmac;
use subtle::ConstantTimeEq as _;

use super::Request;

/// The length of a signature, in bytes.
const LENGTH: usize = 32;

/// How many signatures of one request are looked at: senders that change their secret send two.
const SIGNATURES: usize = 8;

/// A request that is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its signature, by which it is known again.
    pub signature: [u8; LENGTH],
}

/// Why a request is not believed. All of them are answered alike: whoever guesses is told nothing.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// There is no secret: anybody could sign.
    #[error("the secret is empty")]
    NoSecret,
    /// A header is missing, is there twice, or has another form.
    #[error("the header `{0}` is missing, or has another form")]
    Header(String),
    /// None of its signatures fits.
    #[error("the signature does not fit the body")]
    Signature,
    /// It was signed too long ago, or for a time to come.
    #[error("it was signed at another time, {} s away", .0.as_secs())]
    Time(Duration),
}

/// Checks the signature of a request, and its time if that is signed. Takes as long whether a signature is nearly right
/// or not at all.
///
/// # Errors
/// [`Refused`].
pub fn verify(webhook: &Webhook, secret: &[u8], request: Request<'_>, now: Timestamp) -> Result<Accepted, Refused> {
    if secret.is_empty() {
        return Err(Refused::NoSecret);
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let Signed { time, before, signatures } = signed(&webhook.scheme, request)?;
    let mut context = hmac::Context::with_key(&key);
    context.update(before.as_bytes());
    context.update(request.body);
    let expected = context.sign();
    let fits = |signature: &&[u8; LENGTH]| bool::from(signature.ct_eq(expected.as_ref()));
    let signature = *signatures.iter().find(fits).ok_or(Refused::Signature)?;
    // Only now: a time that nobody signed says nothing.
    if let (Some(time), Some(window)) = (time, webhook.replay_window) {
        let away = now.since(time).max(time.since(now));
        if away > window {
            return Err(Refused::Time(away));
        }
    }
    Ok(Accepted { signature })
}

/// What a request says of itself.
struct Signed {
    /// When it was signed, if it says so.
    time: Option<Timestamp>,
    /// What is signed before the body.
    before: String,
    signatures: Vec<[u8; LENGTH]>,
}

fn signed(scheme: &WebhookScheme, request: Request<'_>) -> Result<Signed, Refused> {
    let name = scheme.signature_header();
    let body_only = |prefix: &str| {
        let signatures = vec![signature(request, name, prefix)?];
        Ok(Signed { time: None, before: String::new(), signatures })
    };
    let with_time = |prefix: &str, time: &str, before: &dyn Fn(&str) -> String| {
        let signatures = vec![signature(request, name, prefix)?];
        let text = required(request, time)?;
        let at = seconds(text).ok_or_else(|| Refused::Header(time.to_owned()))?;
        Ok(Signed { time: Some(at), before: before(text), signatures })
    };
    match scheme {
        WebhookScheme::Github => body_only("sha256="),
        WebhookScheme::Linear => body_only(""),
        WebhookScheme::Slack => with_time("v0=", "x-slack-request-timestamp", &|time| format!("v0:{time}:")),
        WebhookScheme::Generic { prefix, timestamp_header: None, .. } => body_only(prefix),
        WebhookScheme::Generic { prefix, timestamp_header: Some(time), .. } => {
            with_time(prefix, time, &|time| format!("{time}."))
        }
        WebhookScheme::Stripe => stripe(request, name),
    }
}

/// `t=1700000000,v1=…,v1=…`; parts that nobody knows are left out.
fn stripe(request: Request<'_>, name: &str) -> Result<Signed, Refused> {
    let malformed = || Refused::Header(name.to_owned());
    let parts = || required(request, name).map(|text| text.split(',').filter_map(|part| part.trim().split_once('=')));
    let times: Vec<&str> = parts()?.filter(|(key, _)| *key == "t").map(|(_, value)| value).collect();
    let [time] = times[..] else { return Err(malformed()) };
    let at = seconds(time).ok_or_else(malformed)?;
    let values = parts()?.filter(|(key, _)| *key == "v1").map(|(_, value)| value);
    let signatures: Vec<[u8; LENGTH]> = values.take(SIGNATURES).filter_map(bytes).collect();
    if signatures.is_empty() {
        return Err(malformed());
    }
    Ok(Signed { time: Some(at), before: format!("{time}."), signatures })
}

fn required<'a>(request: Request<'a>, name: &str) -> Result<&'a str, Refused> {
    request.header(name).ok_or_else(|| Refused::Header(name.to_owned()))
}

fn signature(request: Request<'_>, name: &str, prefix: &str) -> Result<[u8; LENGTH], Refused> {
    let text = required(request, name)?.trim();
    text.strip_prefix(prefix).and_then(bytes).ok_or_else(|| Refused::Header(name.to_owned()))
}

/// Seconds since 1970, as digits only.
fn seconds(text: &str) -> Option<Timestamp> {
    let is_number = !text.is_empty() && text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = text.parse().ok().filter(|_| is_number)?;
    Some(Timestamp::from_millis(seconds.checked_mul(1_000)?))
}

/// The bytes of 64 hexadecimal digits.
fn bytes(text: &str) -> Option<[u8; LENGTH]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * LENGTH {
        return None;
    }
    let mut bytes = [0; LENGTH];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use mangrove_domain::{form::Located, workflow::webhook::SecretSource};
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = br#"{"a":1}"#;
    const GITHUB: &str = "sha256=c3a92ff9e274cdcce27a58c15a78ec6dcbbdbd0038a87e7a11baef2028fd8bff";
    const SLACK: &str = "v0=509df9cd2ff84fa1c17aafdb3b60e9d84db059d5b02510bf261300f1c95cb0c3";
    const TIME: &str = "1700000000";

    fn webhook(scheme: WebhookScheme) -> Webhook {
        let replay_window = scheme.signs_time().then_some(Duration::from_mins(5));
        let route = Located { value: "r".to_owned(), line: 1, column: 1 };
        Webhook { route, secret: SecretSource::Environment("S".to_owned()), scheme, replay_window }
    }

    fn generic(prefix: &str, timestamp_header: Option<&str>) -> WebhookScheme {
        let (header, prefix) = ("x-sig".to_owned(), prefix.to_owned());
        WebhookScheme::Generic { header, prefix, timestamp_header: timestamp_header.map(str::to_owned) }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn check(scheme: &WebhookScheme, headers: &[(&str, &str)], body: &[u8], now: i64) -> Result<Accepted, Refused> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        let headers: Vec<(String, Vec<u8>)> = headers.iter().map(own).collect();
        verify(&webhook(scheme.clone()), b"k", Request { headers: &headers, body }, at(now))
    }

    fn sign(text: &str) -> String {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"k"), text.as_bytes());
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
        tag.as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    #[test]
    fn known_signatures_are_believed() {
        let github = check(&WebhookScheme::Github, &[("x-hub-signature-256", GITHUB)], BODY, 0).expect("W3");
        assert_eq!(github.signature[..2], [0xc3, 0xa9]);
        let slack = [("x-slack-signature", SLACK), ("x-slack-request-timestamp", TIME)];
        check(&WebhookScheme::Slack, &slack, BODY, 1_700_000_010).expect("W4");
        let bare = GITHUB.trim_start_matches("sha256=").to_uppercase();
        check(&WebhookScheme::Linear, &[("linear-signature", &bare)], BODY, 0).expect("the same text is signed");
        check(&generic("v1=", None), &[("x-sig", &format!("v1={bare}"))], BODY, 0).expect("a prefix");
        let timed = sign(r#"1700000000.{"a":1}"#);
        let headers = [("x-sig", timed.as_str()), ("x-time", TIME)];
        check(&generic("", Some("x-time")), &headers, BODY, 1_699_999_900).expect("with a time");
        for header in [format!("t={TIME},v1={timed}"), format!("t={TIME}, v0=1,v1={bare},v1={timed}")] {
            check(&WebhookScheme::Stripe, &[("stripe-signature", &header)], BODY, 1_700_000_299).expect(&header);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let github = |headers: &[(&str, &str)], body: &[u8]| check(&WebhookScheme::Github, headers, body, 0);
        let header = || Err(Refused::Header("x-hub-signature-256".to_owned()));
        assert_eq!(github(&[], BODY), header());
        assert_eq!(github(&[("x-hub-signature-256", "")], BODY), header());
        assert_eq!(github(&[("x-hub-signature-256", &GITHUB[7..])], BODY), header(), "no prefix");
        assert_eq!(github(&[("x-hub-signature-256", &GITHUB[..69])], BODY), header(), "too short");
        assert_eq!(
            github(&[("x-hub-signature-256", GITHUB), ("x-hub-signature-256", GITHUB)], BODY),
            header(),
            "twice"
        );
        assert_eq!(github(&[("x-hub-signature-256", GITHUB)], br#"{"a":2}"#), Err(Refused::Signature));
        assert_eq!(github(&[("x-hub-signature-256", GITHUB)], b"{\"a\":1}\n"), Err(Refused::Signature));
        let other = GITHUB.replace("c3a9", "c3a8");
        assert_eq!(github(&[("x-hub-signature-256", &other)], BODY), Err(Refused::Signature));
        let request = Request { headers: &[("x-hub-signature-256".to_owned(), GITHUB.into())], body: BODY };
        let no_secret = verify(&webhook(WebhookScheme::Github), b"", request, at(0));
        assert_eq!(no_secret, Err(Refused::NoSecret));
    }

    #[test]
    fn a_request_of_another_time_is_refused() {
        let slack = |time: &str, now: i64| {
            check(
                &WebhookScheme::Slack,
                &[("x-slack-signature", SLACK), ("x-slack-request-timestamp", time)],
                BODY,
                now,
            )
        };
        for now in [1_700_000_000 - 300, 1_700_000_000 + 300] {
            slack(TIME, now).expect("within the window");
        }
        for now in [0, 1_700_000_000 - 301, 1_700_000_000 + 301, 4_000_000_000] {
            assert!(matches!(slack(TIME, now), Err(Refused::Time(_))), "{now}");
        }
        assert_eq!(slack("1700000001", 1_700_000_000), Err(Refused::Signature), "the time is signed");
        for wrong in ["", "now", "-5", "1700000000.0", "99999999999999999999", " 1700000000"] {
            assert_eq!(slack(wrong, 1_700_000_000), Err(Refused::Header("x-slack-request-timestamp".to_owned())));
        }
        for header in ["", "t=1700000000", "v1=00", "t=1,t=2,v1=00", "t=x,v1=00"] {
            let refused = check(&WebhookScheme::Stripe, &[("stripe-signature", header)], BODY, 1_700_000_000);
            assert_eq!(refused, Err(Refused::Header("stripe-signature".to_owned())), "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics_and_none_is_believed(text in "\\PC{0,90}", time in "[0-9a-z.,=-]{0,20}") {
            let schemes =
                [WebhookScheme::Github, WebhookScheme::Stripe, WebhookScheme::Slack, generic("v1=", Some("x-time"))];
            for scheme in schemes {
                let headers = [
                    ("x-hub-signature-256", text.as_str()),
                    ("stripe-signature", &text),
                    ("x-slack-signature", &text),
                    ("x-slack-request-timestamp", &time),
                    ("x-sig", &text),
                    ("x-time", &time),
                ];
                prop_assert!(check(&scheme, &headers, BODY, 1_700_000_000).is_err());
            }
        }
    }
}
