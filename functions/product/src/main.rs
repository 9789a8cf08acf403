//! Composition root of `product`.

use belfry_runtime::aws::Aws;
use belfry_runtime::system::SystemClock;
use belfry_runtime::{Error, env, http, log};
use product::App;
use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let table = Aws::from_env()?.table()?;
    table.warm_up().await?;
    let app = App { table, clock: Arc::new(SystemClock) };
    http::serve(app, env::required(env::CONSOLE_URL)?).await
}
