//! A web server on loopback with answers that are hard to get right. It writes down what it is asked.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

/// How long an answer that never ends is kept open.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves until the process ends.
///
/// | path | answer |
/// |---|---|
/// | `/hello` | 201 `hi`, with repeated headers and two cookies |
/// | `/echo` | the request as JSON: method, the headers that a caller chooses, body |
/// | `/redirect/STATUS/LOCATION` | this status, leading there |
/// | `/status/STATUS` | this status without a body |
/// | `/gzip` | a text, compressed |
/// | `/large/BYTES` | so many bytes, in chunks |
/// | `/parts` | three parts, the second in the middle of a character |
/// | `/slow` | the beginning of a body, and then nothing |
/// | `/silent` | nothing |
/// | `/broken` | less than was promised |
/// | `/brotli` | says that it is compressed with br |
///
/// When the other side has left `/slow` or `/silent`, `left` and the path are written down.
#[derive(Debug)]
pub struct WebServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl WebServer {
    /// Takes a free port of 127.0.0.1.
    ///
    /// # Errors
    /// If there is none.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = Arc::clone(&heard);
                thread::spawn(move || serve(stream, &heard));
            }
        });
        Ok(Self { address, asked })
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its address: `http://127.0.0.1:4873`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked since this was called last: method, path, and host.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Asked {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asked {
    fn header(&self, wanted: &str) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }
}

fn serve(mut stream: TcpStream, heard: &Mutex<Vec<String>>) -> Option<()> {
    let asked = read(&stream)?;
    let host = asked.header("host").unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
    let line = format!("{} {} at {host}", asked.method, asked.path);
    heard.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    let answered = answer(&mut stream, &asked);
    // Who leaves before everything was read ends the connection with an error.
    if matches!(asked.path.as_str(), "/slow" | "/silent") {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(format!("left {}", asked.path));
    }
    answered.ok()
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut text = String::new();
        reader.read_line(&mut text).ok().filter(|length| *length > 0)?;
        Some(text.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(':') {
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut asked = Asked { method, path, headers, body: Vec::new() };
    let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    asked.body = vec![0; length];
    reader.read_exact(&mut asked.body).ok()?;
    Some(asked)
}

fn answer(stream: &mut TcpStream, asked: &Asked) -> io::Result<()> {
    let mut path = asked.path.trim_start_matches('/').splitn(3, '/');
    let (route, first, second) =
        (path.next().unwrap_or_default(), path.next().unwrap_or_default(), path.next().unwrap_or_default());
    let kept = asked.method != "HEAD";
    match route {
        "hello" => {
            let headers =
                "Content-Type: text/plain;charset=utf-8\r\nX-A: 1\r\nx-a: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n";
            whole(stream, 201, headers, if kept { b"hi" } else { b"" }, 2)
        }
        "echo" => {
            let chosen = ["authorization", "content-length", "content-type", "cookie", "x-my"];
            let headers: Vec<_> =
                chosen.iter().filter_map(|name| Some(format!("{name}: {}", asked.header(name)?))).collect();
            let text = String::from_utf8_lossy(&asked.body);
            let body = json!({ "method": asked.method, "headers": headers, "body": text }).to_string();
            whole(stream, 200, "Content-Type: application/json\r\n", body.as_bytes(), body.len())
        }
        "redirect" => whole(stream, first.parse().unwrap_or(302), &format!("Location: {second}\r\n"), b"", 0),
        "status" => whole(stream, first.parse().unwrap_or(200), "", b"", 0),
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all("compressed ".repeat(100).as_bytes())?;
            let body = encoder.finish()?;
            whole(stream, 200, "Content-Encoding: gzip\r\n", &body, body.len())
        }
        "large" => {
            head(stream, 200, "Transfer-Encoding: chunked\r\n")?;
            let mut left: usize = first.parse().unwrap_or(0);
            while left > 0 {
                let length = left.min(50_000);
                part(stream, &vec![b'x'; length])?;
                left -= length;
            }
            part(stream, b"")
        }
        "parts" => {
            head(stream, 200, "Transfer-Encoding: chunked\r\n")?;
            for text in [&b"one \xC3"[..], &b"\xA4 two"[..], b" three"] {
                part(stream, text)?;
                stream.flush()?;
                thread::sleep(Duration::from_millis(20));
            }
            part(stream, b"")
        }
        "slow" => {
            head(stream, 200, "Transfer-Encoding: chunked\r\n")?;
            part(stream, b"begun")?;
            hold(stream)
        }
        "silent" => hold(stream),
        "brotli" => whole(stream, 200, "Content-Encoding: br\r\n", b"\x0b\x00\x80a\x03", 5),
        "broken" => whole(stream, 200, "", b"half", 100),
        _ => whole(stream, 404, "", b"no such page", 12),
    }
}

fn head(stream: &mut TcpStream, status: u16, headers: &str) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status} Whatever\r\nConnection: close\r\n{headers}\r\n")
}

fn whole(stream: &mut TcpStream, status: u16, headers: &str, body: &[u8], length: usize) -> io::Result<()> {
    let length = if status == 204 { String::new() } else { format!("Content-Length: {length}\r\n") };
    head(stream, status, &format!("{length}{headers}"))?;
    stream.write_all(body)
}

/// A chunk; the last one is empty.
fn part(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    write!(stream, "{:x}\r\n", bytes.len())?;
    stream.write_all(bytes)?;
    stream.write_all(b"\r\n")
}

/// Waits until the other side has gone.
fn hold(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut byte = [0];
    stream.read(&mut byte).map(drop)
}
