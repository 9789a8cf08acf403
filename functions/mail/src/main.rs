//! Composition root of `mail`.

use belfry_runtime::aws::Aws;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::mail::SesMailer;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::SystemClock;
use belfry_runtime::{Error, env, events, log};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let app = mail::App {
        table: aws.table()?,
        mailer: Box::new(SesMailer::new(aws.ses(), env::required(env::MAIL_SENDER)?)),
        sealer: Box::new(KmsKey::new(aws.kms(), env::required(env::SEALING_KEY_ID)?)),
        telemetry: Box::new(SqsQueue::new(aws.sqs(), env::required(env::TELEMETRY_QUEUE_URL)?)),
        clock: Box::new(SystemClock),
    };
    // The other connections open with the first mail: nobody waits for it, and four clients fill the
    // budget of a start.
    app.table.warm_up().await?;
    events::serve(app, SystemClock, "mail", env::required(env::STAGE)?).await
}
