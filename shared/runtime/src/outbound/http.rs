//! HTTP/1.1 over a guarded connection.

use super::{OutboundError, Seen, StepName, Trace, within};
use bytes::Bytes;
use futures::future::{Either, select};
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

/// Most bytes of an answer's head, and most of its body, that are read.
const MOST_ANSWER: usize = 64 * 1024;

/// How we call ourselves.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("Belfry/", env!("CARGO_PKG_VERSION")));

/// One connection for requests one after another. No redirect is followed, as the place that it names was
/// checked by nobody.
pub struct Http {
    sender: SendRequest<Full<Bytes>>,
    /// Moves the bytes; only polled while somebody waits for an answer. None after the connection's end.
    driver: Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>,
    deadline: Instant,
}

impl Http {
    pub(super) async fn open(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        deadline: Instant,
    ) -> Result<Self, OutboundError> {
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(MOST_ANSWER)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|error| OutboundError::of_hyper(&error))?;
        Ok(Self { sender, driver: Some(Box::pin(driver)), deadline })
    }

    /// So much time from now on.
    pub fn renew(&mut self, budget: Duration) {
        self.deadline = Instant::now() + budget;
    }

    /// Sends a request and reads the whole answer, whatever its status. The caller has set path and `host`.
    ///
    /// # Errors
    /// [`OutboundError`]: whether the server has acted on the request is not known. After an error the
    /// connection is of no more use.
    pub async fn exchange(
        &mut self,
        mut request: Request<Full<Bytes>>,
        trace: &mut Trace,
    ) -> Result<Response<Bytes>, OutboundError> {
        request.headers_mut().insert(header::USER_AGENT, USER_AGENT);
        let work = async {
            let answer = within(self.deadline, OutboundError::Timeout, self.ask(request)).await;
            let seen = answer.as_ref().ok().map(|answer| Seen::Status(answer.status().as_u16()));
            (seen, answer)
        };
        trace.step(StepName::Answer, work).await
    }

    async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, OutboundError> {
        let answer = pin!(answer(&mut self.sender, request));
        let Some(driver) = &mut self.driver else { return answer.await };
        match select(answer, driver).await {
            Either::Left((answer, _)) => answer,
            Either::Right((ended, answer)) => {
                self.driver = None;
                // How the connection ended says more than that it did.
                answer.await.map_err(|fault| {
                    ended.err().map_or(fault, |error| OutboundError::of_hyper(&error))
                })
            }
        }
    }
}

async fn answer(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, OutboundError> {
    sender.ready().await.map_err(|error| OutboundError::of_hyper(&error))?;
    let answer = sender.send_request(request).await;
    let (head, body) = answer.map_err(|error| OutboundError::of_hyper(&error))?.into_parts();
    let body = Limited::new(body, MOST_ANSWER).collect().await.map_err(|error| match error
        .downcast_ref::<hyper::Error>(
    ) {
        Some(error) => OutboundError::of_hyper(error),
        None if error.is::<LengthLimitError>() => OutboundError::AnswerTooLarge,
        None => OutboundError::ConnectionClosed,
    })?;
    Ok(Response::from_parts(head, body.to_bytes()))
}
