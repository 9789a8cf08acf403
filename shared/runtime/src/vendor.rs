//! The vendor's signatures, and where its products have their consoles.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use belfry_domain::license::activation_key::{BadVendorKey, SignatureCheck, VendorKey};
use belfry_domain::product::{Product, UnknownProduct};
use std::collections::BTreeMap;

/// Ed25519 by aws-lc. As RFC 8032, section 5.1.7 has it: a scalar that is not reduced and a point that is
/// not encoded canonically are refused, so that nobody can make a second signature of the first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ed25519;

impl SignatureCheck for Ed25519 {
    fn is_signed(&self, key: &VendorKey, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, key.bytes()).verify(message, signature).is_ok()
    }
}

/// Pinned keys that are none.
#[derive(Debug, thiserror::Error)]
pub enum BadVendorKeys {
    /// One of them.
    #[error(transparent)]
    Key(#[from] BadVendorKey),
    /// One too many: two allow a rotation.
    #[error("at most two keys of the vendor are pinned")]
    TooMany,
}

/// The pinned keys, as the configuration names them; none where it names none.
///
/// # Errors
/// [`BadVendorKeys`].
pub fn pinned(text: &str) -> Result<Vec<VendorKey>, BadVendorKeys> {
    let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
    let keys = keys.map(str::parse).collect::<Result<Vec<VendorKey>, _>>()?;
    if keys.len() > 2 { Err(BadVendorKeys::TooMany) } else { Ok(keys) }
}

/// A text that names no consoles.
#[derive(Debug, thiserror::Error)]
pub enum BadProductUrls {
    /// Not a product.
    #[error(transparent)]
    Product(#[from] UnknownProduct),
    /// Not `PRODUCT=https://..`.
    #[error("the address of a product's console is PRODUCT=https://..")]
    Form,
}

/// Where the products have their consoles, as the configuration says; a product without one is left out.
///
/// # Errors
/// [`BadProductUrls`].
pub fn consoles(text: &str) -> Result<BTreeMap<Product, String>, BadProductUrls> {
    let mut consoles = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (product, url) = pair.split_once('=').ok_or(BadProductUrls::Form)?;
        let product = product.parse()?;
        if url.is_empty() {
            continue;
        }
        // Over anything else the hand-off could be read on its way.
        let local = url.strip_prefix("http://localhost");
        let local = local.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']));
        if !url.starts_with("https://") && !local {
            return Err(BadProductUrls::Form);
        }
        consoles.insert(product, url.to_owned());
    }
    Ok(consoles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_rfc_8032() {
        // Section 7.1, TEST 2.
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len() / 2)
                .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
                .collect()
        };
        let key = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let key = VendorKey::from_bytes(key.try_into().unwrap());
        let signature = hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
        assert!(Ed25519.is_signed(&key, &[0x72], &signature));
        for at in 0..signature.len() {
            let mut damaged = signature.clone();
            damaged[at] ^= 1;
            assert!(!Ed25519.is_signed(&key, &[0x72], &damaged), "byte {at}");
        }
        // The same scalar and the order of the group once more (section 5.1.7: refused).
        let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut twin = signature.clone();
        let mut carry = 0u16;
        for (digit, more) in twin[32..].iter_mut().zip(order) {
            let sum = u16::from(*digit) + u16::from(more) + carry;
            (*digit, carry) = (u8::try_from(sum & 0xff).unwrap(), sum >> 8);
        }
        assert!(!Ed25519.is_signed(&key, &[0x72], &twin));
        assert!(!Ed25519.is_signed(&key, &[0x73], &signature));
        assert!(!Ed25519.is_signed(&key, &[0x72], &signature[..63]));
    }

    #[test]
    fn what_the_configuration_names() {
        let key = VendorKey::from_bytes([7; 32]).text();
        assert_eq!(pinned("").unwrap(), []);
        assert_eq!(pinned(&format!("{key}, {key}")).unwrap().len(), 2);
        assert!(pinned(&format!("{key},{key},{key}")).is_err() && pinned("x").is_err());
        let urls = consoles("EPP=https://epp.example/in,EMM=,ZTNA=http://localhost:1/x").unwrap();
        assert_eq!(urls.keys().copied().collect::<Vec<_>>(), [Product::Epp, Product::Ztna]);
        let bad = ["EPP", "XYZ=https://x", "EPP=http://epp.example", "EPP=javascript:1"];
        for bad in bad.into_iter().chain(["EPP=http://localhost.evil.example/x"]) {
            assert!(consoles(bad).is_err(), "{bad}");
        }
    }
}
