//! An open connection, what was written to it, and how one learns that it arrived.

use super::http::Http;
use super::{OutboundError, Seen, StepName, Trace, within};
use bytes::BytesMut;
use futures::FutureExt as _;
use std::time::Duration;
use tokio::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

/// Most bytes that a server may say unasked, before our end and after it.
const MOST_DRAINED: u64 = 64 * 1024;

/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// How long a failed write waits for the server's reason.
const REASON: Duration = Duration::from_secs(1);

/// What the stream under a connection can do.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(super) enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    fn stream(&mut self) -> &mut dyn Stream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls,
        }
    }

    fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_mut().0,
        }
    }
}

/// How the server ended a connection after taking everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// As the protocol wants it.
    Clean,
    /// Without TLS's `close_notify`, as some servers do. That the end is the server's own is then not
    /// proven by TLS.
    Abrupt,
}

/// An open connection. It has until its deadline for all that is done with it.
pub struct Connection {
    io: Io,
    deadline: Instant,
    close: Duration,
}

impl Connection {
    pub(super) const fn new(io: Io, deadline: Instant, close: Duration) -> Self {
        Self { io, deadline, close }
    }

    /// So much time from now on.
    pub fn renew(&mut self, budget: Duration) {
        self.deadline = Instant::now() + budget;
    }

    /// Hands all bytes to the operating system. That proves nothing about the server: see
    /// [`Self::drain_close`].
    ///
    /// # Errors
    /// [`OutboundError`]; some of the bytes may have arrived.
    pub async fn write_all(
        &mut self,
        bytes: &[u8],
        trace: &mut Trace,
    ) -> Result<(), OutboundError> {
        let work = async {
            match self.send(bytes).await {
                Ok(()) => (Some(Seen::Written(bytes.len())), Ok(())),
                Err(fault) => (None, Err(self.reason(fault).await)),
            }
        };
        trace.step(StepName::Write, work).await
    }

    /// Hands all bytes to the operating system, as a part of what the caller traces.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), OutboundError> {
        within(self.deadline, OutboundError::Timeout, async {
            let stream = self.io.stream();
            stream.write_all(bytes).await.map_err(|error| OutboundError::of_io(&error))?;
            stream.flush().await.map_err(|error| OutboundError::of_io(&error))
        })
        .await
    }

    /// Appends what has arrived, at least one byte.
    pub(crate) async fn receive(&mut self, buffer: &mut BytesMut) -> Result<(), OutboundError> {
        let read = async {
            buffer.reserve(CHUNK);
            let read = self.io.stream().read_buf(buffer).await;
            match read.map_err(|error| OutboundError::of_io(&error))? {
                0 => Err(OutboundError::ConnectionClosed),
                _ => Ok(()),
            }
        };
        within(self.deadline, OutboundError::Timeout, read).await
    }

    pub(super) fn into_parts(self) -> (Io, Instant) {
        (self.io, self.deadline)
    }

    /// Why a write failed. The server's verdict on our certificate comes after TLS 1.3's handshake, and a
    /// write meets the closed connection before anybody reads the alert.
    async fn reason(&mut self, fault: OutboundError) -> OutboundError {
        if fault == OutboundError::Timeout {
            return fault;
        }
        let until = self.deadline.min(Instant::now() + REASON);
        let read = discard(self.io.stream());
        match within(until, OutboundError::Timeout, read).await {
            Err(told @ (OutboundError::ClientCertificateRefused | OutboundError::Tls(_))) => told,
            _ => fault,
        }
    }

    /// Ends our side (`close_notify` of RFC 8446, section 6.1, and FIN) and waits for the server's end: a
    /// server that reads until the end has taken all of it.
    ///
    /// A server that ends first has not: that is an error, as is a reset. What cannot be told is a server
    /// that ends its side in good order while our last bytes are on their way or unread: TCP knows what
    /// arrived, not what was read.
    ///
    /// # Errors
    /// [`OutboundError`]: whether the server has what was written is not known.
    pub async fn drain_close(mut self, trace: &mut Trace) -> Result<Confirmation, OutboundError> {
        let until = self.deadline.min(Instant::now() + self.close);
        let work = async {
            let closed = within(until, OutboundError::Timeout, self.drain()).await;
            (closed.as_ref().ok().copied().map(Seen::Closed), closed)
        };
        trace.step(StepName::Close, work).await
    }

    async fn drain(&mut self) -> Result<Confirmation, OutboundError> {
        // What has arrived until now was said before the server can know of our end. The yield lets the
        // runtime see it.
        tokio::task::yield_now().await;
        if let Some(ended) = discard(self.io.stream()).now_or_never() {
            ended?;
            return Err(OutboundError::ConnectionClosed);
        }
        if let Err(error) = self.io.stream().shutdown().await {
            return Err(self.reason(OutboundError::of_io(&error)).await);
        }
        let confirmation = match discard(self.io.stream()).await {
            Ok(()) => Confirmation::Clean,
            Err(OutboundError::ConnectionClosed) => Confirmation::Abrupt,
            Err(fault) => return Err(fault),
        };
        // A server that has not read everything says `close_notify` all the same; its system then resets.
        let tcp = self.io.tcp();
        discard(tcp).await?;
        match tcp.take_error() {
            Ok(None) => Ok(confirmation),
            Ok(Some(error)) | Err(error) => Err(OutboundError::of_io(&error)),
        }
    }

    /// Speaks HTTP/1.1 from now on.
    ///
    /// # Errors
    /// [`OutboundError`].
    pub async fn http(self) -> Result<Http, OutboundError> {
        match self.io {
            Io::Plain(tcp) => Http::open(tcp, self.deadline).await,
            Io::Tls(tls) => Http::open(tls, self.deadline).await,
        }
    }
}

/// Reads to the end of the stream.
async fn discard(stream: &mut dyn Stream) -> Result<(), OutboundError> {
    let mut bounded = AsyncReadExt::take(stream, MOST_DRAINED + 1);
    match io::copy(&mut bounded, &mut io::sink()).await {
        Ok(read) if read > MOST_DRAINED => Err(OutboundError::AnswerTooLarge),
        Ok(_) => Ok(()),
        Err(error) => Err(OutboundError::of_io(&error)),
    }
}
