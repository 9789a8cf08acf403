//! Composition root of `directory-sync`.

use belfry_runtime::aws::Aws;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::ldap::{self, Network};
use belfry_runtime::outbound::{Outbound, Patience, SystemResolver};
use belfry_runtime::post::Post;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, events, log};
use directory_sync::App;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let table = aws.table()?;
    let bell = SqsQueue::new(aws.sqs(), env::required(env::MAIL_QUEUE_URL)?);
    let sealer = Arc::new(KmsKey::new(aws.kms(), env::required(env::SEALING_KEY_ID)?));
    let console = env::required(env::CONSOLE_URL)?;
    table.warm_up().await?;
    let post = Post { sealer, bell: Arc::new(bell), console, entropy: Arc::new(SystemEntropy) };
    let clock = Arc::new(SystemClock);
    let outbound = Outbound::new(Arc::new(SystemResolver), aws.reach(), Patience::default());
    let outbound = outbound.admitting(Arc::new(env::private_networks()?));
    let ldap = Arc::new(Network::new(outbound, ldap::Patience::default(), clock.clone()));
    let app = App { table, post, ldap, clock };
    events::serve(app, SystemClock, "directory-sync", env::required(env::STAGE)?).await
}
