//! Composition root of `tenant`.

use belfry_api::auth::Tokens;
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::aws::Aws;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, http, log};
use std::sync::Arc;
use tenant::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let console = env::required(env::CONSOLE_URL)?;
    let table = aws.table()?;
    table.warm_up().await?;
    let key = KmsKey::new(aws.kms(), env::required(env::SIGNING_KEY_ID)?).public_key().await?;
    let tokens = Tokens::new(console.clone(), &key)?;
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let app = App {
        authenticator: Authenticator::new(table.clone(), tokens, clock.clone(), entropy.clone()),
        table,
        key,
        clock,
        entropy,
    };
    http::serve(app, console).await
}
