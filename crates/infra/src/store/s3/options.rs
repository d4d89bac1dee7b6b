//! Where the bucket is, how it is reached, and by whom.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
    client::HttpConnector,
    path::Path,
};
use url::Url;

/// How large the local cache may become, in bytes, where nothing says otherwise: 2 GiB.
pub const DEFAULT_CACHE_BYTES: u64 = 2 << 30;

/// A bucket, and a prefix in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the bucket.
    pub bucket: String,
    /// What all keys begin with, without slashes at its ends; empty for none.
    pub prefix: String,
}

/// Why a text names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// It is no address of the scheme `s3`.
    #[error("expected an address such as s3://bucket/prefix")]
    Scheme,
    /// It has no bucket, or a user, a port, a query or a fragment.
    #[error("expected nothing but a bucket and a prefix, such as s3://bucket/prefix")]
    Form,
    /// The prefix holds what no key may hold.
    #[error("the prefix must be names between single slashes, such as team/mangrove")]
    Prefix,
}

impl Place {
    /// The place that an address such as `s3://bucket/prefix` names.
    ///
    /// # Errors
    /// It names none.
    pub fn parse(address: &str) -> Result<Self, PlaceError> {
        let rest = address.strip_prefix("s3://").ok_or(PlaceError::Scheme)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if bucket.is_empty() || !bucket.bytes().all(is_name) {
            return Err(PlaceError::Form);
        }
        let prefix = prefix.trim_end_matches('/');
        let is_path = Path::parse(prefix).is_ok_and(|path| path.as_ref() == prefix);
        if !is_path || prefix.contains(['?', '#', '\\']) {
            return Err(PlaceError::Prefix);
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.prefix.is_empty() { "" } else { "/" };
        write!(out, "s3://{}{separator}{}", self.bucket, self.prefix)
    }
}

/// The address of a server, without a user, a password or a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why a text is no address of a server. It is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It is no address, or one of another scheme than `http` and `https`.
    #[error("expected an address such as https://s3.example")]
    Address,
    /// It has more than scheme, host and port.
    #[error("expected nothing but scheme, host and port, such as https://s3.example:9000")]
    Form,
}

impl Endpoint {
    /// The server at an address such as `https://s3.example:9000`.
    ///
    /// # Errors
    /// The text is no such address.
    pub fn parse(address: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(address).map_err(|_| EndpointError::Address)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(EndpointError::Address);
        }
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.path() == "/";
        if is_plain { Ok(Self(url)) } else { Err(EndpointError::Form) }
    }

    /// True if what is sent to it can be read on the way.
    #[must_use]
    pub fn is_unencrypted(&self) -> bool {
        self.0.scheme() == "http"
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// How a store in S3 is reached, and what is kept of it here.
#[derive(Clone)]
pub struct S3Options {
    /// Where the objects lie.
    pub place: Place,
    /// The address of the server; `None` for that of AWS in the region.
    pub endpoint: Option<Endpoint>,
    /// The region; `None` for what the environment says, or `us-east-1`.
    pub region: Option<String>,
    /// Allows addresses that begin with `http:`. What is read is compared with its digest all the same; who reads along
    /// sees it.
    pub allows_http: bool,
    /// True to have the bucket in the path of addresses, false to have it in the name of the host.
    pub has_bucket_in_path: bool,
    /// Asks the machine for credentials (instance metadata) where the environment has none.
    pub asks_instance: bool,
    /// The variables of the process: `AWS_*`.
    pub environment: BTreeMap<String, String>,
    /// Where objects are kept that were read or written.
    pub cache_directory: PathBuf,
    /// How large the cache may become, in bytes.
    pub cache_bytes: u64,
    /// Forbids writing the cache.
    pub is_cache_read_only: bool,
}

impl S3Options {
    /// The usual options for a place.
    #[must_use]
    pub fn new(place: Place, cache_directory: PathBuf) -> Self {
        Self {
            place,
            endpoint: None,
            region: None,
            allows_http: false,
            has_bucket_in_path: true,
            asks_instance: false,
            environment: BTreeMap::new(),
            cache_directory,
            cache_bytes: DEFAULT_CACHE_BYTES,
            is_cache_read_only: false,
        }
    }

    /// The client.
    ///
    /// # Errors
    /// What is missing or does not fit together.
    pub(super) fn client(&self, connector: impl HttpConnector) -> Result<AmazonS3, OptionsError> {
        let mut builder = AmazonS3Builder::new();
        for (name, value) in self.environment.iter().filter(|(_, value)| !value.is_empty()) {
            let Some(key) = name.starts_with("AWS_").then(|| name.to_lowercase().parse::<AmazonS3ConfigKey>()) else {
                continue;
            };
            match key {
                // What decides where objects lie is the configuration's.
                Ok(AmazonS3ConfigKey::Bucket) | Err(_) => {}
                Ok(key) => builder = builder.with_config(key, value),
            }
        }
        if !self.asks_instance && !self.has_credentials() {
            return Err(OptionsError::Credentials);
        }
        builder = builder
            .with_bucket_name(&self.place.bucket)
            .with_virtual_hosted_style_request(!self.has_bucket_in_path)
            .with_http_connector(connector)
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(100),
                    max_backoff: Duration::from_secs(2),
                    base: 2.0,
                },
                max_retries: 4,
                retry_timeout: Duration::from_secs(20),
            })
            .with_client_options(
                ClientOptions::new()
                    .with_allow_http(self.allows_http)
                    .with_connect_timeout(Duration::from_secs(5))
                    .with_timeout(Duration::from_mins(1)),
            );
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.0.as_str());
        }
        if let Some(region) = self.region() {
            builder = builder.with_region(region);
        }
        builder.build().map_err(OptionsError::Client)
    }

    fn region(&self) -> Option<String> {
        let variable = |name: &str| self.environment.get(name).filter(|value| !value.is_empty()).cloned();
        self.region.clone().or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"))
    }

    /// True if the environment says how to come by credentials. Otherwise the client would ask the network of the machine,
    /// and wait for long where nobody answers.
    fn has_credentials(&self) -> bool {
        let has = |name: &str| self.environment.get(name).is_some_and(|value| !value.is_empty());
        let is_unsigned = self.environment.get("AWS_SKIP_SIGNATURE").is_some_and(|value| value == "true");
        is_unsigned
            || has("AWS_ACCESS_KEY_ID") && has("AWS_SECRET_ACCESS_KEY")
            || has("AWS_WEB_IDENTITY_TOKEN_FILE") && has("AWS_ROLE_ARN")
            || has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
            || has("AWS_CONTAINER_CREDENTIALS_FULL_URI") && has("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    }
}

/// Nothing of the environment is shown: it holds keys.
impl fmt::Debug for S3Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("S3Options")
            .field("place", &self.place)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("cache_directory", &self.cache_directory)
            .finish_non_exhaustive()
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(super) enum OptionsError {
    #[error(
        "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN; \
         `credentials: instance` asks the machine that this runs on"
    )]
    Credentials,
    #[error("the settings do not fit together: {0}")]
    Client(object_store::Error),
}
