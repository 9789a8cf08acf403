//! A server that says what a test wants. Its lengths have four bytes, as Active Directory writes them.

use belfry_domain::directory::ldap::{LdapSettings, Security};
use belfry_runtime::outbound::Outbound;
use belfry_testkit::slapd::{
    BASE, Certificates, HOST, PLAIN_PORT, READER, TLS_PORT, free_address, network_of,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) const BIND: u8 = 0x60;
pub(crate) const SEARCH: u8 = 0x63;

/// What is asked: the number, the operation, and all of the message.
pub(crate) struct Asked {
    pub(crate) id: u32,
    pub(crate) operation: u8,
    pub(crate) message: Vec<u8>,
}

impl Asked {
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.message.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// What is done about it.
pub(crate) enum Reply {
    Say(Vec<u8>),
    SayAndClose(Vec<u8>),
    SayForEver(Vec<u8>),
    Nothing,
}

pub(crate) struct Server {
    address: IpAddr,
    security: Security,
    certificates: Certificates,
    /// The operations that were asked for.
    pub(crate) heard: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    /// Replies to each question. With LDAPS it replies to binds by itself, well.
    pub(crate) async fn start(
        security: Security,
        reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (address, certificates) = (free_address(), Certificates::new());
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let server = Self { address, security, certificates, heard: Arc::clone(&heard) };
        let listener = TcpListener::bind((address, server.port())).await.unwrap();
        let acceptor = server.acceptor();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                if security == Security::StartTls {
                    serve(tcp, &heard, &reply).await;
                    continue;
                }
                let Ok(tls) = acceptor.accept(tcp).await else { continue };
                let good = |asked: &Asked| match asked.operation {
                    BIND => Reply::Say(message(asked.id, 0x61, &result(0, ""), &[])),
                    _ => reply(asked),
                };
                serve(tls, &heard, &good).await;
            }
        });
        server
    }

    fn acceptor(&self) -> TlsAcceptor {
        let chain =
            CertificateDer::from_pem_slice(self.certificates.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.certificates.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    const fn port(&self) -> u16 {
        match self.security {
            Security::Ldaps => TLS_PORT,
            Security::StartTls => PLAIN_PORT,
        }
    }

    pub(crate) fn settings(&self) -> LdapSettings {
        LdapSettings {
            host: HOST.parse().unwrap(),
            port: self.port(),
            security: self.security,
            ca_pem: Some(self.certificates.ca.clone()),
            base_dn: BASE.parse().unwrap(),
            bind_dn: READER.parse().unwrap(),
            filter: "(objectClass=*)".parse().unwrap(),
        }
    }

    pub(crate) fn network(&self) -> Outbound {
        network_of(self.address)
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    heard: &Mutex<Vec<u8>>,
    reply: &impl Fn(&Asked) -> Reply,
) {
    while let Some(asked) = next(&mut stream).await {
        heard.lock().unwrap().push(asked.operation);
        let (bytes, ends) = match reply(&asked) {
            Reply::Say(bytes) => (bytes, false),
            Reply::SayAndClose(bytes) => (bytes, true),
            Reply::SayForEver(bytes) => {
                while stream.write_all(&bytes).await.is_ok() {}
                return;
            }
            Reply::Nothing => (vec![], false),
        };
        if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() || ends {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

/// The next question. Ours are all short of 64 KB.
async fn next(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    assert_eq!(stream.read_u8().await.ok()?, 0x30);
    let length = match stream.read_u8().await.ok()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(stream.read_u8().await.ok()?),
        _ => usize::from(stream.read_u16().await.ok()?),
    };
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await.ok()?;
    let (digits, rest) = message.get(2..)?.split_at(usize::from(*message.get(1)?));
    let id = digits.iter().fold(0, |id, digit| (id << 8) | u32::from(*digit));
    Some(Asked { id, operation: *rest.first()?, message })
}

pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x84][..], &length, content].concat()
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    element(4, text.as_bytes())
}

pub(crate) fn message(id: u32, tag: u8, content: &[u8], controls: &[u8]) -> Vec<u8> {
    let id = element(2, &id.to_be_bytes());
    element(0x30, &[&id, &element(tag, content)[..], controls].concat())
}

/// A result's code and words.
pub(crate) fn result(code: u8, words: &str) -> Vec<u8> {
    [element(0x0a, &[code]), text(""), text(words)].concat()
}

/// An entry with attributes.
pub(crate) fn entry(id: u32, dn: &str, attributes: &[(&str, Vec<String>)]) -> Vec<u8> {
    let attributes = attributes.iter().map(|(name, values)| {
        let values: Vec<u8> = values.iter().flat_map(|value| text(value)).collect();
        element(0x30, &[text(name), element(0x31, &values)].concat())
    });
    let attributes: Vec<u8> = attributes.flatten().collect();
    message(id, 0x64, &[text(dn), element(0x30, &attributes)].concat(), &[])
}

/// The end of a search, and where the next page begins.
pub(crate) fn done(id: u32, code: u8, next: Option<&str>) -> Vec<u8> {
    let controls = next.map_or_else(Vec::new, |next| {
        let value = element(0x30, &[element(2, &[0]), text(next)].concat());
        let control = [text("1.2.840.113556.1.4.319"), element(4, &value)].concat();
        element(0xa0, &element(0x30, &control))
    });
    message(id, 0x65, &result(code, "words"), &controls)
}
