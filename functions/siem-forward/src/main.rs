//! Composition root of `siem-forward`.

use belfry_runtime::aws::Aws;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::outbound::{Outbound, Patience, SystemResolver};
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::siem::{self, Network};
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, events, log};
use siem_forward::App;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let table = aws.table()?;
    let sealer = KmsKey::new(aws.kms(), env::required(env::SEALING_KEY_ID)?);
    let rings = SqsQueue::new(aws.sqs(), env::required(env::SIEM_QUEUE_URL)?);
    let bell = SqsQueue::new(aws.sqs(), env::required(env::MAIL_QUEUE_URL)?);
    let host = siem::sender(&env::required(env::CONSOLE_URL)?);
    // The connections to keys and queues open with the first need: nobody waits for them.
    table.warm_up().await?;
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let outbound = Outbound::new(Arc::new(SystemResolver), aws.reach(), Patience::default());
    let app = App {
        table,
        carrier: Arc::new(Network::new(outbound, clock.clone(), entropy.clone())),
        sealer: Arc::new(sealer),
        rings: Arc::new(rings),
        bell: Arc::new(bell),
        host,
        clock,
        entropy,
    };
    events::serve(app, SystemClock, "siem-forward", env::required(env::STAGE)?).await
}
