//! A captcha's provider on this machine: yes, no, and not at all.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// What it wants to be shown.
pub(crate) const SECRET: &str = "for-tests-only-and-not-for-logs";

/// Answers until the test's process ends; its address.
pub(crate) fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/siteverify", listener.local_addr().unwrap());
    thread::spawn(move || {
        for connection in listener.incoming() {
            thread::spawn(move || answer(&connection.unwrap()));
        }
    });
    url
}

/// One request a connection.
fn answer(connection: &TcpStream) {
    let mut reader = BufReader::new(connection);
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let field = |name: &str| {
        let pair = body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.unwrap_or_default().to_owned()
    };
    let (status, body) = match (field("secret").as_str(), field("response").as_str()) {
        (SECRET, "solved") => ("200 OK", r#"{"success": true, "hostname": "localhost"}"#),
        (SECRET, "broken") => ("500 Internal Server Error", "oops"),
        (SECRET, "cut") => return,
        (SECRET, _) => {
            ("200 OK", r#"{"success": false, "error-codes": ["invalid-input-response"]}"#)
        }
        _ => ("200 OK", r#"{"success": false, "error-codes": ["invalid-input-secret"]}"#),
    };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n");
    let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let mut connection = connection;
    connection.write_all(answer.as_bytes()).unwrap();
}
