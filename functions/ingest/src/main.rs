//! Composition root of `ingest`.

use belfry_runtime::aws::Aws;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::SystemClock;
use belfry_runtime::{Error, env, http, log};
use ingest::App;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let table = aws.table()?;
    let queue = SqsQueue::new(aws.sqs(), env::required(env::TELEMETRY_QUEUE_URL)?);
    table.warm_up().await?;
    queue.warm_up().await?;
    let app = App { table, queue: Arc::new(queue), clock: Arc::new(SystemClock) };
    http::serve(app, env::required(env::CONSOLE_URL)?).await
}
