//! Composition root of `tags`.

use belfry_api::auth::Tokens;
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::aws::Aws;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, http, log};
use std::sync::Arc;
use tags::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let console = env::required(env::CONSOLE_URL)?;
    let table = aws.table()?;
    let bell = SqsQueue::new(aws.sqs(), env::required(env::TAGGING_QUEUE_URL)?);
    table.warm_up().await?;
    bell.warm_up().await?;
    let key = KmsKey::new(aws.kms(), env::required(env::SIGNING_KEY_ID)?).public_key().await?;
    let tokens = Tokens::new(console.clone(), &key)?;
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let authenticator = Authenticator::new(table.clone(), tokens, clock.clone(), entropy.clone());
    let app = App { table, authenticator, bell: Arc::new(bell), clock, entropy };
    http::serve(app, console).await
}
