//! What goes over the pipes between parent and child: length-prefixed postcard frames.
//!
//! The types mirror the domain's, which know no serde. Values are flat lists of tokens, so that neither side
//! recurses while it reads and the depth of what an extension returned is checked in one place.

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod loaded_bundle;
mod mirror;
mod value;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read, Write},
};

use mangrove_domain::{
    bundle::LoadedBundle,
    inspection::Inspection,
    ports::{InspectRequest, OpenRequest},
    source::PathError,
};
use mangrove_engine::{WebEvent, WebOrder};
use mangrove_npm::vendor::{EntryNames, VendorRequest};
use mangrove_sources::parser::ParsedModule;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};
use url::Url;

pub(super) use loaded_bundle::WireLoadedBundle;
pub(super) use mirror::{
    WireBuildFailure, WireBundle, WireBundleRequest, WireCall, WireFault, WireGrantee, WireInspection, WireLimits,
    WireRunError, to_limits,
};
pub use value::{MAX_DEPTH, Value};

/// The longest frame, in bytes. The largest vendor bundles known have 14 MB.
pub const MAX_FRAME_BYTES: usize = 256 << 20;

/// The format of [`encode_inspection`]; part of the key of whatever stores its bytes.
pub const INSPECTION_FORMAT: u32 = 1;

/// The bytes are not what this format says.
#[expect(clippy::module_name_repetitions, reason = "`Error` alone would say nothing where it is used")]
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not the encoding of this type.
    #[error("malformed bytes")]
    Malformed(#[source] postcard::Error),
    /// Tokens that make no value.
    #[error("malformed value: {0}")]
    Value(&'static str),
    /// A value that is nested too deep.
    #[error("the value is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A path that leaves its root.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A problem code of another version.
    #[error("unknown problem code {0}")]
    UnknownCode(u16),
    /// A bundle names a vendor file that was not sent before it.
    #[error("the file `{0}` was not sent")]
    NotHeld(String),
}

/// From parent to child. Every one but `Configure`, `Hold`, `LetGo`, `HostAnswer`, `Cancel` and `WebEvent` is answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request<'a> {
    // The first three are known by their numbers: see `is_call`, `is_cancel` and `is_web_event`.
    /// Answered by `Returned`, with `HostCall`s before it.
    Call(WireCall),
    /// The call under way is to end; it is read at once, whatever the child does.
    Cancel,
    /// What became of a request of the call under way; it is read at once, whatever the child does.
    WebEvent(u32, WebEvent),
    /// The first frame.
    Configure { memory_limit_bytes: u64 },
    /// A vendor file that bundles name from now on.
    Hold { path: &'a str, code: &'a str },
    /// Forgets every file that is held.
    LetGo,
    /// Answered by `Parsed`.
    Parse { path: &'a str, bytes: &'a [u8] },
    /// Answered by `Bundled`.
    #[serde(borrow)]
    Bundle(WireBundleRequest<'a>),
    /// Answered by `Vendored`.
    Vendor(VendorRequest),
    /// Answered by `Inspected`.
    Inspect { bundle: WireLoadedBundle<'a>, export_names: Vec<&'a str>, subject: &'a str, limits: WireLimits },
    /// Answered by `Opened`.
    Open {
        bundle: WireLoadedBundle<'a>,
        export_name: &'a str,
        subject: &'a str,
        grantee: WireGrantee,
        /// The address of the directory of its root: a path need not be a text.
        root_address: Option<String>,
        /// Whether somebody takes what its calls want of the network.
        has_network: bool,
        limits: WireLimits,
    },
    /// The answer to a `HostCall`.
    HostAnswer(Result<Value, String>),
    /// Begins another session with what is loaded; answered by `Begun`.
    Begin,
    /// Ends the session and forgets what is loaded; answered by `Closed`.
    Close,
}

/// What a vendor build gave.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireVendorOutput {
    pub(super) files: Vec<(String, String)>,
    pub(super) shared_imports: BTreeSet<String>,
    pub(super) names: BTreeMap<String, EntryNames>,
    pub(super) shared_names: BTreeMap<String, BTreeSet<String>>,
}

/// From child to parent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The job has been read; whatever happens from now on is its doing.
    Accepted,
    Parsed(ParsedModule),
    Bundled(Result<WireBundle, WireBuildFailure>),
    Vendored(Result<WireVendorOutput, WireFault>),
    Inspected(Result<WireInspection, WireFault>),
    Opened(Result<(), WireRunError>),
    HostCall {
        function: String,
        arguments: Vec<Value>,
    },
    /// What the call under way wants of the network. Not answered: what becomes of it are `WebEvent`s.
    Web(WebOrder),
    Returned {
        outcome: Result<Value, WireRunError>,
        /// Nothing of the call is left that could go on.
        is_at_rest: bool,
    },
    /// True if what was loaded still is.
    Begun(bool),
    Closed,
    /// The job panicked; the child is not to be used again.
    Panicked(String),
    /// The request made no sense: the two sides are of different versions.
    Refused(String),
}

/// The bytes of a message, with its length in front (4 bytes, little-endian).
pub(super) fn frame<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    let mut bytes = postcard::to_extend(message, vec![0; 4]).map_err(WireError::Malformed)?;
    let length = bytes.len() - 4;
    if length > MAX_FRAME_BYTES {
        return Err(WireError::Malformed(postcard::Error::SerializeBufferFull));
    }
    let length = u32::try_from(length).map_err(|_| WireError::Malformed(postcard::Error::SerializeBufferFull))?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// True for the body of a [`Request::Call`].
pub(super) fn is_call(body: &[u8]) -> bool {
    body.first() == Some(&0)
}

/// True for the body of [`Request::Cancel`].
pub(super) fn is_cancel(body: &[u8]) -> bool {
    body == [1]
}

/// True for the body of a [`Request::WebEvent`].
pub(super) fn is_web_event(body: &[u8]) -> bool {
    body.first() == Some(&2)
}

/// The message of a frame's body.
pub(super) fn message<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, WireError> {
    postcard::from_bytes(body).map_err(WireError::Malformed)
}

fn checked_length(prefix: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(prefix) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    Ok(length)
}

/// Reads the body of one frame. The buffer grows with what arrives, not with what the prefix promises.
pub(super) async fn read_frame(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut prefix = [0; 4];
    reader.read_exact(&mut prefix).await?;
    let length = checked_length(prefix)?;
    let mut body = Vec::with_capacity(length.min(1 << 20));
    reader.take(length as u64).read_to_end(&mut body).await?;
    if body.len() == length { Ok(body) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Reads the body of one frame, blocking.
pub(super) fn read_frame_blocking(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut prefix = [0; 4];
    reader.read_exact(&mut prefix)?;
    let length = checked_length(prefix)?;
    let mut body = Vec::with_capacity(length.min(1 << 20));
    reader.by_ref().take(length as u64).read_to_end(&mut body)?;
    if body.len() == length { Ok(body) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Writes one message, blocking.
pub(super) fn write_blocking(writer: &mut impl Write, message: &Reply) -> io::Result<()> {
    let bytes = frame(message).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    writer.write_all(&bytes)?;
    writer.flush()
}

/// An inspection as bytes, for a cache. The bytes have the format [`INSPECTION_FORMAT`].
///
/// # Errors
/// [`WireError::Malformed`] if it is too large to be encoded.
pub fn encode_inspection(inspection: &Inspection) -> Result<Vec<u8>, WireError> {
    postcard::to_stdvec(&WireInspection::from(inspection)).map_err(WireError::Malformed)
}

/// The inspection that [`encode_inspection`] turned into these bytes.
///
/// # Errors
/// [`WireError`] if they are damaged or of another format.
pub fn decode_inspection(bytes: &[u8]) -> Result<Inspection, WireError> {
    message::<WireInspection>(bytes)?.try_into()
}

impl<'a> Request<'a> {
    pub(super) fn inspect(request: &'a InspectRequest, limits: &mangrove_engine::Limits) -> Self {
        Request::Inspect {
            bundle: WireLoadedBundle::from(&request.bundle),
            export_names: request.export_names.iter().map(|name| &**name).collect(),
            subject: &request.subject,
            limits: limits.into(),
        }
    }

    pub(super) fn open(request: &'a OpenRequest, has_network: bool, limits: &mangrove_engine::Limits) -> Self {
        Request::Open {
            bundle: WireLoadedBundle::from(&request.bundle),
            export_name: &request.export_name,
            subject: &request.subject,
            grantee: (&request.grantee).into(),
            root_address: request
                .root_directory
                .as_deref()
                .and_then(|it| Url::from_directory_path(it).ok())
                .map(String::from),
            has_network,
            limits: limits.into(),
        }
    }
}

pub(super) fn inspect_request(bundle: LoadedBundle, names: &[&str], subject: &str) -> InspectRequest {
    InspectRequest {
        bundle,
        code_digest: None,
        export_names: names.iter().map(|name| (*name).into()).collect(),
        subject: subject.to_owned(),
    }
}

#[cfg(test)]
mod tests;
