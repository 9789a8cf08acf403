//! Composition root of `backoffice`.

use backoffice::App;
use belfry_runtime::aws::Aws;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, events, log};
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let table = aws.table()?;
    table.warm_up().await?;
    let app = App {
        table,
        sealer: Arc::new(KmsKey::new(aws.kms(), env::required(env::SEALING_KEY_ID)?)),
        mail: Arc::new(SqsQueue::new(aws.sqs(), env::required(env::MAIL_QUEUE_URL)?)),
        console: env::required(env::CONSOLE_URL)?,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    events::serve(app, SystemClock, "backoffice", env::required(env::STAGE)?).await
}
