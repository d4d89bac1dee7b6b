//! A client of HTTP/1.1 that keeps its connection, and costs next to nothing itself.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Longer than any answer of a daemon takes; one that takes longer does not come.
const LONGEST_ANSWER: Duration = Duration::from_mins(1);

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status, such as 200.
    pub status: u16,
    /// The `ETag`, if there is one.
    pub tag: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LONGEST_ANSWER))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a request. Each header is a whole line without its end.
    ///
    /// # Errors
    /// The connection breaks, or the answer is none of HTTP or says nothing of its length.
    pub fn send(&mut self, method: &str, path: &str, headers: &[&str], body: &str) -> io::Result<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
        for header in headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        request.push_str(body);
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    /// Asks for a path; `known` is the tag of what is known already.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn get(&mut self, path: &str, known: Option<&str>) -> io::Result<Answer> {
        let known = known.map(|tag| format!("If-None-Match: {tag}"));
        self.send("GET", path, known.as_deref().as_slice(), "")
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no answer of HTTP: {line:?}")))?;
        let (mut length, mut tag) = (None, None);
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok(),
                "etag" => tag = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        // These have no body and need not say so.
        let length = if matches!(status, 204 | 304) { Some(0) } else { length };
        let mut body = vec![0; length.ok_or_else(|| io::Error::other("an answer without a length"))?];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, tag, body })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
