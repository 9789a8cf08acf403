//! Composition root of `rollup`.

use belfry_runtime::aws::Aws;
use belfry_runtime::system::SystemClock;
use belfry_runtime::{Error, env, log};
use lambda_runtime::{LambdaEvent, service_fn};
use rollup::Rollup;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let table = Aws::from_env()?.table()?;
    table.warm_up().await?;
    let rollup = Rollup::new(table, Arc::new(SystemClock), env::required(env::STAGE)?);
    let rollup = &rollup;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| async move {
        Ok::<_, Error>(rollup.handle(event.payload).await)
    }))
    .await
}
