//! Stands before a receiver and does something to it when so many bytes have gone by.

use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What happens to the connection on which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It goes on.
    No,
    /// Both sides are reset.
    Reset,
}

type Trigger = Box<dyn FnOnce() -> Cut + Send>;

struct Armed {
    /// Bytes that still go by.
    after: usize,
    trigger: Trigger,
}

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    armed: Arc<Mutex<Option<Armed>>>,
}

impl Proxy {
    pub(crate) async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self { port: listener.local_addr().unwrap().port(), armed: Arc::default() };
        let proxy = this.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let proxy = proxy.clone();
                tokio::spawn(async move { proxy.serve(client, port).await });
            }
        });
        this
    }

    /// Does this once, when so many more bytes have come from clients.
    pub(crate) fn arm(&self, after: usize, trigger: impl FnOnce() -> Cut + Send + 'static) {
        *self.armed.lock().unwrap() = Some(Armed { after, trigger: Box::new(trigger) });
    }

    /// Whether it is still to happen.
    pub(crate) fn is_armed(&self) -> bool {
        self.armed.lock().unwrap().is_some()
    }

    async fn serve(&self, mut client: TcpStream, port: u16) {
        // A receiver that is not there: the client sees a reset.
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
            let _ = client.set_zero_linger();
            return;
        };
        if self.pump(&mut client, &mut server).await.is_err() {
            let _ = (client.set_zero_linger(), server.set_zero_linger());
        }
    }

    /// Carries bytes both ways, and each side's end.
    async fn pump(&self, client: &mut TcpStream, server: &mut TcpStream) -> io::Result<()> {
        let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
        let mut sent = false;
        loop {
            tokio::select! {
                read = client.read(&mut up), if !sent => match read? {
                    0 => {
                        sent = true;
                        server.shutdown().await?;
                    }
                    read => {
                        let (before, trigger) = self.pass(read);
                        server.write_all(&up[..before]).await?;
                        if trigger.is_some_and(|trigger| trigger() == Cut::Reset) {
                            return Err(io::ErrorKind::ConnectionReset.into());
                        }
                        server.write_all(&up[before..read]).await?;
                    }
                },
                read = server.read(&mut down) => match read? {
                    // A system resets what arrives for a process that is no more: the client is to see it
                    // as if nobody stood between, also where the end has come before the reset.
                    0 if !sent || server.take_error()?.is_some() => {
                        return Err(io::ErrorKind::ConnectionReset.into());
                    }
                    0 => return client.shutdown().await,
                    read => client.write_all(&down[..read]).await?,
                },
            }
        }
    }

    /// How many of these bytes go by before something is to happen.
    fn pass(&self, read: usize) -> (usize, Option<Trigger>) {
        let mut armed = self.armed.lock().unwrap();
        match armed.take() {
            Some(Armed { after, trigger }) if after < read => (after, Some(trigger)),
            Some(Armed { after, trigger }) => {
                *armed = Some(Armed { after: after - read, trigger });
                (read, None)
            }
            None => (read, None),
        }
    }
}
