//! Composition root of `license-watch`.

use belfry_runtime::aws::Aws;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, events, log};
use license_watch::App;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let table = aws.table()?;
    table.warm_up().await?;
    let bell = Arc::new(SqsQueue::new(aws.sqs(), env::required(env::MAIL_QUEUE_URL)?));
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let app = App { table, bell, clock, entropy };
    events::serve(app, SystemClock, "license-watch", env::required(env::STAGE)?).await
}
