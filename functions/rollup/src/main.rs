//! Composition root of `rollup`.

use belfry_runtime::aws::Aws;
use belfry_runtime::system::SystemClock;
use belfry_runtime::{Error, env, events, log};
use rollup::Rollup;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let table = Aws::from_env()?.table()?;
    table.warm_up().await?;
    let rollup = Rollup::new(table, Arc::new(SystemClock));
    events::serve(rollup, SystemClock, "rollup", env::required(env::STAGE)?).await
}
