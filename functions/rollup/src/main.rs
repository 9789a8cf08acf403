//! Composition root of `rollup`.

use belfry_runtime::aws::Aws;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::SystemClock;
use belfry_runtime::{Error, env, events, log};
use rollup::Rollup;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let table = aws.table()?;
    table.warm_up().await?;
    // This connection opens with the first ring: few tenants export.
    let rings = Arc::new(SqsQueue::new(aws.sqs(), env::required(env::SIEM_QUEUE_URL)?));
    let rollup = Rollup::new(table, rings, Arc::new(SystemClock));
    events::serve(rollup, SystemClock, "rollup", env::required(env::STAGE)?).await
}
