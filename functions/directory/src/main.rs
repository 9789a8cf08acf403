//! Composition root of `directory`.

use belfry_api::auth::Tokens;
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::aws::Aws;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::post::Post;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, http, log};
use directory::App;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let console = env::required(env::CONSOLE_URL)?;
    let (table, kms) = (aws.table()?, aws.kms());
    let bell = SqsQueue::new(aws.sqs(), env::required(env::MAIL_QUEUE_URL)?);
    table.warm_up().await?;
    let key = KmsKey::new(kms.clone(), env::required(env::SIGNING_KEY_ID)?).public_key().await?;
    let tokens = Tokens::new(console.clone(), &key)?;
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let sealer = Arc::new(KmsKey::new(kms, env::required(env::SEALING_KEY_ID)?));
    let post =
        Post { sealer, bell: Arc::new(bell), console: console.clone(), entropy: entropy.clone() };
    let authenticator = Authenticator::new(table.clone(), tokens, clock.clone(), entropy.clone());
    let app = App { table, authenticator, post, clock, entropy };
    http::serve(app, console).await
}
