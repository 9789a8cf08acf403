//! Composition root of `backoffice`.

use backoffice::App;
use belfry_runtime::aws::Aws;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::post::Post;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, events, log, vendor};
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let table = aws.table()?;
    let bell = SqsQueue::new(aws.sqs(), env::required(env::MAIL_QUEUE_URL)?);
    let sealer = KmsKey::new(aws.kms(), env::required(env::SEALING_KEY_ID)?);
    table.warm_up().await?;
    bell.warm_up().await?;
    sealer.warm_up().await?;
    let entropy = Arc::new(SystemEntropy);
    let post = Post {
        sealer: Arc::new(sealer),
        bell: Arc::new(bell),
        console: env::required(env::CONSOLE_URL)?,
        entropy: entropy.clone(),
    };
    let app = App {
        table,
        post,
        pinned: vendor::pinned(&env::optional(env::VENDOR_KEYS).unwrap_or_default())?,
        signatures: Arc::new(vendor::Ed25519),
        local: aws.is_local(),
        clock: Arc::new(SystemClock),
        entropy,
    };
    events::serve(app, SystemClock, "backoffice", env::required(env::STAGE)?).await
}
