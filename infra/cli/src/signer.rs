//! Who signs activation keys: a private key in a file, or one that never leaves KMS.

use std::path::PathBuf;

use aws_lc_rs::signature::Ed25519KeyPair;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use belfry_domain::license::activation_key::VendorKey;

use crate::aws::{self, Keys};
use crate::failure::{Doing, Failure, Result};
use crate::stack::Stack;
use crate::vendor_key;
use crate::workspace::Workspace;

/// Which key signs.
#[derive(Debug, clap::Args)]
pub(crate) struct With {
    /// File of the private key that signs; on the local stack .local/vendor-key-1.pem
    #[arg(long, value_name = "FILE", conflicts_with = "kms_key")]
    key: Option<PathBuf>,
    /// Id or ARN of an Ed25519 key in KMS that signs, in the stack's region
    #[arg(long, value_name = "ID")]
    kms_key: Option<String>,
}

/// A key of the vendor.
pub(crate) enum Signer {
    /// From a file.
    File(Ed25519KeyPair),
    /// In KMS.
    Kms { client: Client, id: String },
}

impl With {
    /// Finds the key.
    pub(crate) fn signer(
        &self,
        workspace: &Workspace,
        stack: &Stack,
        keys: &Keys,
    ) -> Result<Signer> {
        if let Some(id) = self.kms_key.clone() {
            return Ok(Signer::Kms { client: aws::kms(stack, keys)?, id });
        }
        let local = stack.aws_endpoint.is_some().then(|| vendor_key::local(workspace));
        let file = self.key.clone().or(local).ok_or_else(|| {
            Failure::new("which key signs?").next("Give --key FILE or --kms-key ID.")
        })?;
        vendor_key::read(&file).map(Signer::File)
    }
}

impl Signer {
    /// Its public half.
    pub(crate) async fn public(&self) -> Result<VendorKey> {
        let (client, id) = match self {
            Self::File(pair) => return vendor_key::public(pair),
            Self::Kms { client, id } => (client, id),
        };
        let told = client.get_public_key().key_id(id).send().await;
        let der = told.doing("ask KMS for the public key")?.public_key.map(Blob::into_inner);
        vendor_key::from_spki(&der.unwrap_or_default()).ok_or_else(|| {
            Failure::new(format!("{id} is no Ed25519 key"))
                .next("Make one of the key spec ECC_NIST_EDWARDS25519, to sign and verify.")
        })
    }

    /// Signs a message.
    pub(crate) async fn sign(&self, message: &[u8]) -> Result<[u8; 64]> {
        let bytes = match self {
            Self::File(pair) => pair.try_sign(message).doing("sign")?.as_ref().to_vec(),
            Self::Kms { client, id } => {
                let signed = client
                    .sign()
                    .key_id(id)
                    // The message itself: of its hash it would be another signature (Ed25519ph).
                    .message_type(MessageType::Raw)
                    .message(Blob::new(message))
                    .signing_algorithm(SigningAlgorithmSpec::Ed25519Sha512)
                    .send()
                    .await
                    .doing("let KMS sign")?;
                signed.signature.map(Blob::into_inner).unwrap_or_default()
            }
        };
        bytes.as_slice().try_into().doing("the signature")
    }
}
