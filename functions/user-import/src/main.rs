//! Composition root of `user-import`.

use belfry_runtime::aws::Aws;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::post::Post;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, events, log};
use std::sync::Arc;
use user_import::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let table = aws.table()?;
    table.warm_up().await?;
    let entropy = Arc::new(SystemEntropy);
    let sealer = Arc::new(KmsKey::new(aws.kms(), env::required(env::SEALING_KEY_ID)?));
    let bell = Arc::new(SqsQueue::new(aws.sqs(), env::required(env::MAIL_QUEUE_URL)?));
    let console = env::required(env::CONSOLE_URL)?;
    let post = Post { sealer, bell, console, entropy: entropy.clone() };
    let app = App { table, post, clock: Arc::new(SystemClock), entropy };
    events::serve(app, SystemClock, "user-import", env::required(env::STAGE)?).await
}
