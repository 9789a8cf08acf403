//! Composition root of `onboarding`.

use belfry_runtime::aws::Aws;
use belfry_runtime::captcha::SiteVerify;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::post::Post;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, http, log};
use onboarding::App;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let console = env::required(env::CONSOLE_URL)?;
    let table = aws.table()?;
    let bell = SqsQueue::new(aws.sqs(), env::required(env::MAIL_QUEUE_URL)?);
    let sealer = KmsKey::new(aws.kms(), env::required(env::SEALING_KEY_ID)?);
    table.warm_up().await?;
    bell.warm_up().await?;
    sealer.warm_up().await?;
    let entropy = Arc::new(SystemEntropy);
    let (sealer, bell) = (Arc::new(sealer), Arc::new(bell));
    let post = Post { sealer, bell, console: console.clone(), entropy: entropy.clone() };
    let app = App {
        table,
        post,
        captcha: Arc::new(SiteVerify::new()?),
        trial_edition: env::required(env::TRIAL_EDITION)?.parse()?,
        clock: Arc::new(SystemClock),
        entropy,
    };
    http::serve(app, console).await
}
