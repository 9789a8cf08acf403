//! Composition root of `siem`.

use belfry_api::auth::Tokens;
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::aws::Aws;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::outbound::{Outbound, Patience, SystemResolver};
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::siem::{self, Network};
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, http, log};
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let console = env::required(env::CONSOLE_URL)?;
    let table = aws.table()?;
    let sealer = KmsKey::new(aws.kms(), env::required(env::SEALING_KEY_ID)?);
    let rings = SqsQueue::new(aws.sqs(), env::required(env::SIEM_QUEUE_URL)?);
    table.warm_up().await?;
    let key = KmsKey::new(aws.kms(), env::required(env::SIGNING_KEY_ID)?).public_key().await?;
    let tokens = Tokens::new(console.clone(), &key)?;
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let outbound = Outbound::new(Arc::new(SystemResolver), aws.reach(), Patience::default());
    let app = ::siem::App {
        authenticator: Authenticator::new(table.clone(), tokens, clock.clone(), entropy.clone()),
        table,
        carrier: Arc::new(Network::new(outbound.clone(), clock.clone(), entropy.clone())),
        outbound,
        sealer: Arc::new(sealer),
        rings: Arc::new(rings),
        host: siem::sender(&console),
        clock,
        entropy,
    };
    http::serve(app, console).await
}
