//! Composition root of `licenses`.

use belfry_api::auth::Tokens;
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::aws::Aws;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, http, log, vendor};
use licenses::App;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let console = env::required(env::CONSOLE_URL)?;
    let table = aws.table()?;
    let bell = SqsQueue::new(aws.sqs(), env::required(env::MAIL_QUEUE_URL)?);
    table.warm_up().await?;
    bell.warm_up().await?;
    let key = KmsKey::new(aws.kms(), env::required(env::SIGNING_KEY_ID)?).public_key().await?;
    let tokens = Tokens::new(console.clone(), &key)?;
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let app = App {
        authenticator: Authenticator::new(table.clone(), tokens, clock.clone(), entropy.clone()),
        table,
        bell: Arc::new(bell),
        pinned: vendor::pinned(&env::optional(env::VENDOR_KEYS).unwrap_or_default())?,
        signatures: Arc::new(vendor::Ed25519),
        trial_edition: env::required(env::TRIAL_EDITION)?.parse()?,
        clock,
        entropy,
    };
    http::serve(app, console).await
}
