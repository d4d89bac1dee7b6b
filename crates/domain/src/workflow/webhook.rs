//! A request from outside that starts a workflow: which one is believed, and how its secret is named.

use std::time::Duration;

use super::duration;
use crate::{
    document::Node,
    form::{Form, Located, Members},
};

const KEYS: [&str; 7] = ["route", "secret", "scheme", "header", "prefix", "timestampHeader", "replayWindow"];
const KEYS_OF_GENERIC: [&str; 3] = ["header", "prefix", "timestampHeader"];

/// The longest route, in bytes.
const LONGEST_ROUTE: usize = 200;

/// How far the time of a request may be off, and how long a request is remembered, where the file does not say.
const REPLAY_WINDOW: Duration = Duration::from_mins(5);

/// A request that starts a workflow: a `POST` to `/hooks/` and its route, signed with a secret that both sides know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Parts of letters, digits, `.`, `_`, `-`, separated by slashes; without one at the beginning or the end.
    pub route: Located<String>,
    /// Where its secret is found.
    pub secret: SecretSource,
    /// How requests are signed.
    pub scheme: WebhookScheme,
    /// How far the signed time of a request may be off, and how long the same request is not taken again. `None` where
    /// requests carry no time and the file asks for no such memory.
    pub replay_window: Option<Duration>,
}

/// Where a secret is found: never in the file itself, which others read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// The value of an environment variable.
    Environment(String),
    /// The content of a file, without one line feed at its end.
    File(String),
    /// A secret in a vault.
    Vault {
        /// The vault.
        vault: String,
        /// The secret.
        key: String,
    },
}

/// How a request is signed: with HMAC-SHA-256, in hexadecimal digits. What is signed, and where the signature stands, is
/// what each sender has chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookScheme {
    /// `X-Hub-Signature-256: sha256=…` over the body.
    Github,
    /// `Linear-Signature: …` over the body.
    Linear,
    /// `Stripe-Signature: t=…,v1=…` over time, dot and body.
    Stripe,
    /// `X-Slack-Signature: v0=…` over `v0:`, the time of `X-Slack-Request-Timestamp`, colon and body.
    Slack,
    /// A header of the author's choice.
    Generic {
        /// Its name, in lower case.
        header: String,
        /// What stands before the signature in it; may be empty.
        prefix: String,
        /// The header, in lower case, with the time in seconds since 1970. With one, the time, a dot and the body are
        /// signed; without one, the body.
        timestamp_header: Option<String>,
    },
}

#[derive(Clone, Copy)]
enum SchemeWord {
    Github,
    Linear,
    Stripe,
    Slack,
    Generic,
}

const SCHEMES: [(&str, SchemeWord); 5] = [
    ("github", SchemeWord::Github),
    ("linear", SchemeWord::Linear),
    ("stripe", SchemeWord::Stripe),
    ("slack", SchemeWord::Slack),
    ("generic", SchemeWord::Generic),
];

impl WebhookScheme {
    /// The header that holds the signature, in lower case.
    #[must_use]
    pub fn signature_header(&self) -> &str {
        match self {
            WebhookScheme::Github => "x-hub-signature-256",
            WebhookScheme::Linear => "linear-signature",
            WebhookScheme::Stripe => "stripe-signature",
            WebhookScheme::Slack => "x-slack-signature",
            WebhookScheme::Generic { header, .. } => header,
        }
    }

    /// True if the time of a request is signed.
    #[must_use]
    pub const fn signs_time(&self) -> bool {
        match self {
            WebhookScheme::Github | WebhookScheme::Linear => false,
            WebhookScheme::Stripe | WebhookScheme::Slack => true,
            WebhookScheme::Generic { timestamp_header, .. } => timestamp_header.is_some(),
        }
    }
}

/// Reads the member `webhook` of a trigger.
pub(super) fn read(form: &mut Form<'_>, trigger: Members<'_>) -> Option<Webhook> {
    let node = form.optional(trigger, "webhook")?;
    let members = form.members(node, "webhook", &KEYS)?;
    let route = form.required(members, "route").and_then(|node| read_route(form, node));
    let secret = form.required(members, "secret").and_then(|node| read_secret(form, node));
    let scheme = read_scheme(form, members);
    let window = duration::optional(form, members, "replayWindow");
    let scheme = scheme?;
    let replay_window = window.or_else(|| scheme.signs_time().then_some(REPLAY_WINDOW));
    Some(Webhook { route: route?, secret: secret?, scheme, replay_window })
}

fn read_route(form: &mut Form<'_>, node: &Node) -> Option<Located<String>> {
    let text = form.text(node, "route")?;
    let route = text.value.strip_prefix('/').unwrap_or(&text.value);
    let is_part = |part: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        !part.is_empty() && part.bytes().all(is_plain) && part.bytes().any(|byte| byte != b'.')
    };
    if route.len() > LONGEST_ROUTE || !route.split('/').all(is_part) {
        let hint = format!(
            "a route is letters, digits, `.`, `_` and `-`, in parts separated by slashes, and at most {LONGEST_ROUTE} \
             long: `deploy` is `POST /hooks/deploy`"
        );
        form.error(node, "`route`: no address has this form", Some(hint));
        return None;
    }
    Some(Located { value: route.to_owned(), ..text })
}

fn read_secret(form: &mut Form<'_>, node: &Node) -> Option<SecretSource> {
    let text = form.text(node, "secret")?.value;
    let source = match text.split_once('=') {
        Some(("@env", name)) if !name.is_empty() => Some(SecretSource::Environment(name.to_owned())),
        Some(("@file", path)) if !path.is_empty() => Some(SecretSource::File(path.to_owned())),
        Some(("@vault", place)) => place.split_once(':').and_then(|(vault, key)| {
            let is_named = !vault.is_empty() && !key.is_empty();
            is_named.then(|| SecretSource::Vault { vault: vault.to_owned(), key: key.to_owned() })
        }),
        _ => None,
    };
    if source.is_none() {
        // The text may be the secret itself: it is not repeated.
        let hint = "name where it is found: `@env=NAME`, `@file=PATH` or `@vault=VAULT:KEY`";
        form.error(node, "`secret`: a file that others read must not hold a secret", Some(hint.to_owned()));
    }
    source
}

fn read_scheme(form: &mut Form<'_>, members: Members<'_>) -> Option<WebhookScheme> {
    let word = match form.optional(members, "scheme") {
        Some(_) => form.choice(members, "scheme", &SCHEMES)?,
        None => SchemeWord::Github,
    };
    let mut header = |key: &str| {
        let text = form.optional_text(members, key)?;
        let is_name = text.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_name {
            form.error(
                members.node.get(key).unwrap_or(members.node),
                format!("`{key}`: no header has this name"),
                None,
            );
        }
        Some(text.value.to_ascii_lowercase()).filter(|_| is_name)
    };
    if let SchemeWord::Generic = word {
        let (name, timestamp_header) = (header("header"), header("timestampHeader"));
        let prefix = form.optional_text(members, "prefix").map(|text| text.value).unwrap_or_default();
        if form.optional(members, "header").is_none() {
            form.error(members.node, "`scheme: generic` needs `header`: where the signature stands", None);
        }
        return Some(WebhookScheme::Generic { header: name?, prefix, timestamp_header });
    }
    for key in KEYS_OF_GENERIC {
        if let Some(node) = form.optional(members, key) {
            let hint = Some("use `scheme: generic`, or take it out".to_owned());
            form.error(node, format!("`{key}` belongs to `scheme: generic`; the other schemes have their own"), hint);
        }
    }
    Some(match word {
        SchemeWord::Linear => WebhookScheme::Linear,
        SchemeWord::Stripe => WebhookScheme::Stripe,
        SchemeWord::Slack => WebhookScheme::Slack,
        SchemeWord::Github | SchemeWord::Generic => WebhookScheme::Github,
    })
}
