//! AWS clients. Credentials come from the environment; on the local stack any will do.

use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::failure::{Failure, Result};
use crate::stack::Stack;

/// Credentials of the person who runs the tool.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Keys {
    #[arg(long, global = true, hide = true, env = "AWS_ACCESS_KEY_ID", hide_env_values = true)]
    access_key_id: Option<String>,
    #[arg(long, global = true, hide = true, env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    secret_access_key: Option<String>,
    #[arg(long, global = true, hide = true, env = "AWS_SESSION_TOKEN", hide_env_values = true)]
    session_token: Option<String>,
}

impl Keys {
    fn credentials(&self, stack: &Stack) -> Result<Credentials> {
        if stack.aws_endpoint.is_some() {
            return Ok(Credentials::new("test", "test", None, None, "local"));
        }
        match (&self.access_key_id, &self.secret_access_key) {
            (Some(id), Some(secret)) => {
                Ok(Credentials::new(id, secret, self.session_token.clone(), None, "environment"))
            }
            _ => Err(Failure::new("there are no AWS credentials in the environment")
                .next("Run: eval \"$(aws configure export-credentials --format env)\"")),
        }
    }
}

/// Builds a client's configuration: the same for every service, though of different types.
macro_rules! client {
    ($(#[$doc:meta])* $name:ident, $sdk:ident) => {
        $(#[$doc])*
        pub(crate) fn $name(stack: &Stack, keys: &Keys) -> Result<$sdk::Client> {
            let connector = Builder::new()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .build_https();
            let mut config = $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .region($sdk::config::Region::new(stack.region.clone()))
                .credentials_provider(keys.credentials(stack)?)
                .sleep_impl(TokioSleep::new())
                .http_client(connector);
            config.set_endpoint_url(stack.aws_endpoint.clone());
            Ok($sdk::Client::from_conf(config.build()))
        }
    };
}

client!(
    /// KMS: a key of the vendor signs activation keys.
    kms, aws_sdk_kms
);
client!(
    /// Lambda: the back office is called directly.
    lambda, aws_sdk_lambda
);
client!(
    /// SQS: queue depths and redrive.
    sqs, aws_sdk_sqs
);
