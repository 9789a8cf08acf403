//! Composition root of `directory`.

use belfry_api::auth::Tokens;
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::aws::Aws;
use belfry_runtime::keys::KmsKey;
use belfry_runtime::ldap::{self, Network};
use belfry_runtime::outbound::{Outbound, Patience, SystemResolver};
use belfry_runtime::post::Post;
use belfry_runtime::queue::SqsQueue;
use belfry_runtime::system::{SystemClock, SystemEntropy};
use belfry_runtime::{Error, env, http, log};
use directory::App;
use std::sync::Arc;
use std::time::Duration;

/// For a directory that somebody waits for: the gateway does for 29 s, of which the connection may take 11.
const PATIENCE: ldap::Patience =
    ldap::Patience { answer: Duration::from_secs(8), whole: Duration::from_secs(12) };

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let aws = Aws::from_env()?;
    let console = env::required(env::CONSOLE_URL)?;
    let (table, kms) = (aws.table()?, aws.kms());
    let mails = SqsQueue::new(aws.sqs(), env::required(env::MAIL_QUEUE_URL)?);
    let bell = SqsQueue::new(aws.sqs(), env::required(env::DIRECTORY_QUEUE_URL)?);
    let networks = Arc::new(env::private_networks()?);
    table.warm_up().await?;
    let key = KmsKey::new(kms.clone(), env::required(env::SIGNING_KEY_ID)?).public_key().await?;
    let tokens = Tokens::new(console.clone(), &key)?;
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let sealer = Arc::new(KmsKey::new(kms, env::required(env::SEALING_KEY_ID)?));
    let post =
        Post { sealer, bell: Arc::new(mails), console: console.clone(), entropy: entropy.clone() };
    let authenticator = Authenticator::new(table.clone(), tokens, clock.clone(), entropy.clone());
    let outbound = Outbound::new(Arc::new(SystemResolver), aws.reach(), Patience::default());
    let outbound = outbound.admitting(networks);
    let ldap = Arc::new(Network::new(outbound.clone(), PATIENCE, clock.clone()));
    let bell = Arc::new(bell);
    let app = App { table, authenticator, post, ldap, outbound, bell, clock, entropy };
    http::serve(app, console).await
}
