//! For tests only: the table inside the test process behind a transport that records, fails and
//! reorders calls; a clock and random numbers that tests decide; queues that remember; tenants with
//! people in them, and requests as the gateway sends them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "test code: whatever goes wrong here is a failed test"
)]

pub mod ask;
pub mod bridge;
pub mod condition;
pub mod gate;
pub mod keys;
pub mod ldap;
pub mod lockstep;
pub mod mail;
pub mod queue;
pub mod siem;
pub mod signer;
pub mod slapd;
pub mod table;
pub mod time;
pub mod transport;
pub mod vendor;
pub mod world;

pub use ask::{Answer, Ask, ask};
pub use gate::{Crash, Gate, Held, Moment, Turnstile, Verdict};
pub use keys::FakeSealer;
pub use ldap::MemoryDirectory;
pub use lockstep::in_lockstep;
pub use mail::{MailFault, MemoryMailer, Sent};
pub use queue::{Fault, MemoryDoorbell, MemoryQueue};
pub use siem::{FixedResolver, MemoryReceiver, Reception, public_network};
pub use signer::LocalKey;
pub use slapd::{Ldif, Slapd};
pub use table::EmbeddedTable;
pub use time::{FakeClock, SeededEntropy};
pub use transport::{Call, Outcome, Transport};
pub use vendor::{MemoryCaptcha, Vendor};
pub use world::{Member, World};
