//! Composition root of `auth`.

use auth::App;
use belfry_api::auth::Tokens;
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::aws::Aws;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::post::Post;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, http, log, vendor};
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let console = env::required(env::CONSOLE_URL)?;
    let table = aws.table()?;
    let kms = aws.kms();
    let key = KmsKey::new(kms.clone(), env::required(env::SIGNING_KEY_ID)?);
    let bell = SqsQueue::new(aws.sqs(), env::required(env::MAIL_QUEUE_URL)?);
    table.warm_up().await?;
    bell.warm_up().await?;
    let (entropy, bell) = (Arc::new(SystemEntropy), Arc::new(bell));
    let sealer = Arc::new(KmsKey::new(kms, env::required(env::SEALING_KEY_ID)?));
    let post = Post { sealer, bell, console: console.clone(), entropy: entropy.clone() };
    let tokens = Tokens::new(console.clone(), &key.public_key().await?)?;
    let clock = Arc::new(SystemClock);
    let (own, clock_of, chance) = (table.clone(), clock.clone(), entropy.clone());
    let app = App {
        authenticator: Authenticator::new(own, tokens.clone(), clock_of, chance),
        table,
        tokens,
        signer: Arc::new(key),
        post,
        consoles: vendor::consoles(&env::optional(env::PRODUCT_URLS).unwrap_or_default())?,
        clock,
        entropy,
    };
    http::serve(app, console).await
}
