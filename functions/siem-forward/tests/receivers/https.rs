//! A small HTTPS server that answers as a test wants, or does not.

use crate::pki::{Ca, Pair};
use crate::world::RECEIVER;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Of which connection, from 0.
    pub(crate) connection: usize,
    /// Of all, from 0.
    pub(crate) number: usize,
    pub(crate) path: String,
    /// By their names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    /// Unpacked.
    pub(crate) body: Vec<u8>,
}

/// What becomes of the connection after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Stay,
    /// Ended, as the answer says.
    Close,
    /// Ended without a word.
    HangUp,
}

#[derive(Debug, Clone)]
pub(crate) enum Told {
    Answer(u16, Vec<(&'static str, String)>, String, Then),
    /// Nothing: the connection is cut.
    Nothing,
    /// The beginning of an answer.
    Half,
}

impl Told {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Answer(status, Vec::new(), body.to_string(), Then::Stay)
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new(), Then::Stay)
    }

    pub(crate) fn with(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Answer(status, mut headers, body, then) => {
                headers.push((name, value.to_owned()));
                Self::Answer(status, headers, body, then)
            }
            other => other,
        }
    }

    pub(crate) fn then(self, then: Then) -> Self {
        match self {
            Self::Answer(status, headers, body, _) => Self::Answer(status, headers, body, then),
            other => other,
        }
    }
}

pub(crate) struct Https {
    pub(crate) port: u16,
    pub(crate) ca: Ca,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Https {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Told + Send + Sync + 'static) -> Self {
        let ca = Ca::new();
        let pair = ca.issue(RECEIVER, (2020, 2040));
        Self::with(ca, &pair, answer).await
    }

    pub(crate) async fn with(
        ca: Ca,
        pair: &Pair,
        answer: impl Fn(&Asked) -> Told + Send + Sync + 'static,
    ) -> Self {
        let acceptor = pair.acceptor();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, answer) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(answer));
        let all = asked.clone();
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, answer, all) = (acceptor.clone(), answer.clone(), all.clone());
                tokio::spawn(async move {
                    let Ok(mut tls) = acceptor.accept(tcp).await else { return };
                    while let Some(mut request) = read(&mut tls).await {
                        request.connection = connection;
                        let told = {
                            let mut all = all.lock().unwrap();
                            request.number = all.len();
                            all.push(request.clone());
                            answer(&request)
                        };
                        match told {
                            Told::Nothing => return,
                            Told::Half => {
                                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Le").await;
                                let _ = tls.shutdown().await;
                                return;
                            }
                            Told::Answer(status, headers, body, then) => {
                                let mut text = format!("HTTP/1.1 {status} Said\r\n");
                                for (name, value) in headers {
                                    write!(text, "{name}: {value}\r\n").unwrap();
                                }
                                if then == Then::Close {
                                    text += "Connection: close\r\n";
                                }
                                let length = body.len();
                                write!(text, "Content-Length: {length}\r\n\r\n{body}").unwrap();
                                if tls.write_all(text.as_bytes()).await.is_err() {
                                    return;
                                }
                                let _ = tls.flush().await;
                                if then != Then::Stay {
                                    let _ = tls.shutdown().await;
                                    return;
                                }
                            }
                        }
                    }
                });
                connection += 1;
            }
        });
        Self { port, ca, asked }
    }

    /// Every request until now.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// The next request of a connection; none after its end.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    assert_eq!(first.next(), Some("POST"));
    let path = first.next().unwrap().to_owned();
    let headers: BTreeMap<_, _> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().unwrap();
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    assert_eq!(body.len(), length, "one request at a time");
    if headers.get("content-encoding").is_some_and(|coding| coding == "gzip") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&*body).read_to_end(&mut plain).unwrap();
        body = plain;
    }
    Some(Asked { connection: 0, number: 0, path, headers, body })
}
