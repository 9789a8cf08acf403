//! AWS clients, built once at start-up over one HTTP client.
//!
//! Three choices keep a start under its budget (see `infra/sizes.toml`): the TLS connector trusts
//! Amazon's roots only (reading the system's bundle is nine tenths of a plain SDK start), the
//! endpoint is computed from the region (the SDK's resolver parses its table of partitions for
//! each client), and credentials come straight from Lambda's environment.

use crate::env::{self, MissingVariable};
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use belfry_domain::outbound::Reach;
use belfry_store::Table;
use std::time::Duration;

const AMAZON_ROOTS: &[u8] = include_bytes!("../certs/amazon-roots.pem");

/// What every client is built from.
#[derive(Debug, Clone)]
pub struct Aws {
    http: SharedHttpClient,
    credentials: Credentials,
    region: String,
    endpoint: Option<String>,
}

/// Why no client can be built.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// A variable is missing.
    #[error(transparent)]
    Variable(#[from] MissingVariable),
    /// The TLS connector refused its certificates.
    #[error("the TLS connector cannot be built: {0}")]
    Tls(String),
}

/// A client's `Config` and a resolver that always answers one address: the same lines for each
/// service, whose types differ only by crate.
macro_rules! client {
    ($(#[$doc:meta])* $method:ident, $sdk:ident, $service:literal) => {
        $(#[$doc])*
        pub fn $method(&self) -> $sdk::Client {
            use $sdk::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};

            #[derive(Debug)]
            struct Fixed(Endpoint);
            impl ResolveEndpoint for Fixed {
                fn resolve_endpoint(&self, _: &Params) -> EndpointFuture<'_> {
                    EndpointFuture::ready(Ok(self.0.clone()))
                }
            }

            let url = self.endpoint_of($service);
            let config = $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .region($sdk::config::Region::new(self.region.clone()))
                .endpoint_resolver(Fixed(Endpoint::builder().url(url).build()))
                .credentials_provider(self.credentials.clone())
                .http_client(self.http.clone())
                .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
                .retry_config(RetryConfig::standard().with_max_attempts(3))
                .timeout_config(timeouts())
                .build();
            $sdk::Client::from_conf(config)
        }
    };
}

/// A call that hangs must leave time for another try before the function's own limit.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(6))
        .build()
}

impl Aws {
    /// Reads region, credentials and (on a local stack) the endpoint, and builds the connector.
    /// Makes no call.
    ///
    /// # Errors
    /// [`AwsError`].
    pub fn from_env() -> Result<Self, AwsError> {
        let credentials = Credentials::new(
            env::required("AWS_ACCESS_KEY_ID")?,
            env::required("AWS_SECRET_ACCESS_KEY")?,
            env::optional("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        let trust = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
        let tls = TlsContext::builder()
            .with_trust_store(trust)
            .build()
            .map_err(|error| AwsError::Tls(error.to_string()))?;
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(tls)
            .build_https();
        Ok(Self {
            http,
            credentials,
            region: env::required("AWS_REGION")?,
            endpoint: env::optional("AWS_ENDPOINT_URL"),
        })
    }

    /// Whether this is a stack on one machine.
    pub const fn is_local(&self) -> bool {
        self.endpoint.is_some()
    }

    /// Where a connection that a customer asks for may lead.
    pub const fn reach(&self) -> Reach {
        if self.is_local() { Reach::LocalStack } else { Reach::Public }
    }

    fn endpoint_of(&self, service: &str) -> String {
        self.endpoint
            .clone()
            .unwrap_or_else(|| format!("https://{service}.{}.amazonaws.com", self.region))
    }

    client! {
        /// `DynamoDB`, for the table.
        dynamodb, aws_sdk_dynamodb, "dynamodb"
    }
    client! {
        /// SQS, behind [`crate::queue`].
        sqs, aws_sdk_sqs, "sqs"
    }
    client! {
        /// SES, behind the mail adapter.
        ses, aws_sdk_ses, "email"
    }
    client! {
        /// KMS, behind the key adapter.
        kms, aws_sdk_kms, "kms"
    }

    /// The one table.
    ///
    /// # Errors
    /// [`MissingVariable`].
    pub fn table(&self) -> Result<Table, MissingVariable> {
        Ok(Table::new(self.dynamodb(), env::required(env::TABLE)?))
    }
}
