//! A function behind a port: HTTP/1.1 in, the gateway's event to the function, its answer out. For
//! clients that speak HTTP only, such as judges of a protocol. One request a connection.

use crate::ask::ask;
use belfry_runtime::http::Routes;
use std::fmt::Write as _;
use std::io::Result;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Serves these routes (`"GET /users/{id}"`) of a function until it is dropped.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    routes: &'static [&'static str],
    function: Arc<impl Routes>,
) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let function = function.clone();
        tokio::spawn(async move {
            // A client that went away is no fault of ours.
            let _ = one(stream, routes, function.as_ref()).await;
        });
    }
}

async fn one(mut stream: TcpStream, routes: &[&'static str], function: &impl Routes) -> Result<()> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, v)| v);
    let length = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = bytes[head + 4..].to_vec();
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Ok(());
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some((route, parameters)) = find(routes, method, path) else {
        let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        return stream.write_all(missing.as_bytes()).await;
    };
    let mut asked = ask(route);
    for (name, value) in parameters {
        asked = asked.path(&name, value);
    }
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        asked = asked.query(&name, value);
    }
    for (name, value) in &headers {
        asked = asked.header(name, value);
    }
    if length > 0 {
        let media = header("content-type").map_or("", String::as_str).to_owned();
        asked = asked.text(&media, &String::from_utf8_lossy(&body));
    }
    let answer = asked.of(function).await;
    let mut head = format!("HTTP/1.1 {} Status\r\n", answer.status);
    for (name, value) in &answer.headers {
        write!(head, "{name}: {}\r\n", value.to_str().unwrap_or_default()).unwrap();
    }
    write!(head, "content-length: {}\r\nconnection: close\r\n\r\n", answer.text.len()).unwrap();
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(answer.text.as_bytes()).await
}

type Parameters = Vec<(String, String)>;

fn find(routes: &[&'static str], method: &str, path: &str) -> Option<(&'static str, Parameters)> {
    routes.iter().find_map(|route| {
        let (of, template) = route.split_once(' ')?;
        let (wanted, given): (Vec<_>, Vec<_>) =
            (template.split('/').collect(), path.trim_end_matches('/').split('/').collect());
        if of != method || wanted.len() != given.len() {
            return None;
        }
        let mut parameters = Vec::new();
        for (wanted, given) in wanted.iter().zip(given) {
            match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => {
                    let value = percent_encoding::percent_decode_str(given).decode_utf8_lossy();
                    parameters.push((name.to_owned(), value.into_owned()));
                }
                None if *wanted == given => {}
                None => return None,
            }
        }
        Some((*route, parameters))
    })
}
