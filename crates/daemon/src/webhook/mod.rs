//! Which requests from outside start a workflow: functions over bytes, without a socket, a clock or a file
//! (`design/schedules.md`).
//!
//! Whoever receives a request reads the body up to [`LARGEST_BODY`], finds the workflow of the route, calls [`verify`] with
//! the secret, asks a [`ReplayGuard`], and starts the workflow with the [`payload()`].

mod payload;
mod received;
mod replay;
mod signature;

pub use payload::payload;
pub(crate) use received::Entered;
pub use received::{RouteState, Secrets, Webhooks};
pub use replay::{Repeated, ReplayGuard};
pub use signature::{Accepted, Refused, verify};

/// The largest body that is read, in bytes.
pub const LARGEST_BODY: usize = 10 << 20;

/// A request as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its headers: names in lower case, each with its value, in their order.
    pub headers: &'a [(String, Vec<u8>)],
    /// Its body, byte for byte.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The value of the only header of this name; `None` if there is none, several, or it is no text.
    fn header(self, name: &str) -> Option<&'a str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
        let value = values.next().filter(|_| values.next().is_none())?;
        std::str::from_utf8(value).ok()
    }
}
