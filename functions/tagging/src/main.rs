//! Composition root of `tagging`.

use belfry_runtime::aws::Aws;
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, events, log};
use std::sync::Arc;
use tagging::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let table = Aws::from_env()?.table()?;
    table.warm_up().await?;
    let app = App { table, clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) };
    events::serve(app, SystemClock, "tagging", env::required(env::STAGE)?).await
}
