//! A small HTTP/1.1 client: one connection a request, and any bytes may be sent.

use std::fmt::Write as _;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Bodies above this are sent while the answer is read: a server may refuse before it has read all.
const SENT_AT_ONCE: usize = 64 * 1024;

/// Speaks to one server with one credential.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    headers: Vec<(String, String)>,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, key: Option<&str>) -> Self {
        let client = Self { address, headers: Vec::new() };
        match key {
            Some(key) => client.header("authorization", &format!("Bearer {key}")),
            None => client,
        }
    }

    /// The same client of a server that was started again.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// The same client with one more header on every request.
    pub(crate) fn header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.json("POST", path, body)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Reply {
        self.json("PUT", path, body)
    }

    pub(crate) fn json(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.send(method, path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// Sends a request whose body has a length.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.try_send(method, path, headers, body).unwrap_or_else(|| panic!("{method} {path} got no answer"))
    }

    /// As [`Self::send`]; `None` when the server does not answer.
    pub(crate) fn try_send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Reply> {
        let mut bytes = self.head(method, path, headers);
        if !body.is_empty() || method != "GET" {
            let _ = write!(bytes, "content-length: {}\r\n", body.len());
        }
        bytes.push_str("\r\n");
        self.raw([bytes.as_bytes(), body].concat())
    }

    /// Sends a body in chunks of 64 KiB, whose length nobody knows beforehand.
    pub(crate) fn send_chunked(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        let mut bytes = self.head(method, path, &[("transfer-encoding", "chunked")]).into_bytes();
        bytes.extend_from_slice(b"\r\n");
        for chunk in body.chunks(64 * 1024) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        self.raw(bytes).unwrap()
    }

    fn head(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text
    }

    /// Sends bytes as they are and reads one answer.
    pub(crate) fn raw(&self, bytes: Vec<u8>) -> Option<Reply> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_mins(1))).ok()?;
        if bytes.len() <= SENT_AT_ONCE {
            stream.write_all(&bytes).ok()?;
            return read_reply(stream);
        }
        let mut writer = stream.try_clone().ok()?;
        let sent = std::thread::spawn(move || writer.write_all(&bytes));
        let reply = read_reply(stream.try_clone().ok()?);
        let _ = stream.shutdown(std::net::Shutdown::Both);
        let _ = sent.join();
        reply
    }
}

fn read_reply(stream: TcpStream) -> Option<Reply> {
    let mut reader = BufReader::new(stream);
    let status = line(&mut reader)?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = Vec::new();
    loop {
        let line = line(&mut reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut reply = Reply { status, headers, body: Vec::new() };
    if reply.header("transfer-encoding") == Some("chunked") {
        loop {
            let size = usize::from_str_radix(&line(&mut reader)?, 16).ok()?;
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk).ok()?;
            line(&mut reader)?;
            reply.body.extend(chunk);
            if size == 0 {
                return Some(reply);
            }
        }
    }
    match reply.header("content-length").map(str::parse::<usize>) {
        Some(length) => {
            reply.body = vec![0; length.ok()?];
            reader.read_exact(&mut reply.body).ok()?;
        }
        None if status == 204 || status == 304 => {}
        None => {
            reader.read_to_end(&mut reply.body).ok()?;
        }
    }
    Some(reply)
}

fn line(reader: &mut impl std::io::BufRead) -> Option<String> {
    let mut line = String::new();
    let read = reader.read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body; `null` when it is no JSON.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The status and the `code` of a problem.
    pub(crate) fn outcome(&self) -> (u16, String) {
        (self.status, self.value()["code"].as_str().unwrap_or_default().to_owned())
    }

    /// The body of an answer that has this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.value()
    }

    /// Asserts that this is a problem with this status and code.
    #[track_caller]
    pub(crate) fn expect_problem(&self, status: u16, code: &str) {
        assert_eq!(self.outcome(), (status, code.to_owned()), "{}", excerpt(&self.text()));
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(500).collect()
}

/// A path segment, percent-encoded.
pub(crate) fn encode(segment: &str) -> String {
    segment.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}
