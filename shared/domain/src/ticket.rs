//! Tickets: what a customer asks of the vendor's support.

use crate::account::User;
use crate::email::EmailAddress;
use crate::id::TenantId;
use crate::license::{License, ProductKey};
use crate::mail::Reader;
use crate::ports::{Entropy, random};
use crate::product::Product;
use crate::text::{CompanyName, TicketMessage, TicketSubject};
use serde::{Deserialize, Serialize};

/// What both sides call a ticket: `TCK-` and 40 random bits in Crockford's base 32.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketReference(String);

impl TicketReference {
    /// A new one.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let bits = random::<5>(entropy).iter().fold(0, |bits, b| bits << 8 | u128::from(*b));
        let digit = |place: u32| ProductKey::symbol((bits >> (5 * place)) & 31);
        Self(format!("TCK-{}", (0..8).rev().map(digit).collect::<String>()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What support has to know of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// What both sides call it.
    pub reference: TicketReference,
    /// Of which tenant.
    pub tenant: TenantId,
    /// Its name.
    pub company: CompanyName,
    /// Who asks.
    pub reader: Reader,
    /// Where an answer goes.
    pub email: EmailAddress,
    /// What it is about.
    pub subject: TicketSubject,
    /// What it says.
    pub message: TicketMessage,
    /// The product that it is about, if it is about one.
    pub product: Option<Product>,
    /// The product keys of all the tenant's licences.
    pub keys: Vec<(Product, ProductKey)>,
}

impl Ticket {
    /// What `user` of the tenant with these licences asks.
    pub fn new(
        user: &User,
        company: &CompanyName,
        licenses: &[License],
        (subject, message): (TicketSubject, TicketMessage),
        product: Option<Product>,
        entropy: &dyn Entropy,
    ) -> Self {
        Self {
            reference: TicketReference::new(entropy),
            tenant: user.tenant,
            company: company.clone(),
            reader: Reader {
                first_name: user.first_name.clone(),
                last_name: user.last_name.clone(),
            },
            email: user.email.clone(),
            subject,
            message,
            product,
            keys: licenses.iter().map(|license| (license.product, license.product_key)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_uses_all_its_bits() {
        struct Bytes([u8; 5]);
        impl Entropy for Bytes {
            fn fill(&self, buffer: &mut [u8]) {
                buffer.copy_from_slice(&self.0);
            }
        }
        let of = |bytes| TicketReference::new(&Bytes(bytes)).0;
        assert_eq!(of([0; 5]), "TCK-00000000");
        assert_eq!(of([0xff; 5]), "TCK-ZZZZZZZZ");
        assert_eq!(of([0x80, 0, 0, 0, 1]), "TCK-G0000001");
    }
}
