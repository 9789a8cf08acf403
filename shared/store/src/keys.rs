//! Every key of the table is built here, from typed values: tenant first, numbers zero-padded.
//! `infra/table.md` lists the access patterns.

use belfry_domain::account::User;
use belfry_domain::application::Application;
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{
    ActivationKeyId, ApplicationId, AuditId, CredentialId, DestinationId, GroupId, IdentityId,
    IdentityProviderId, ImportId, OutboxId, ProviderTokenId, RecoveryId, SessionId, SyncId, TagId,
    TenantId, UserId,
};
use belfry_domain::license::ProductKey;
use belfry_domain::outbox;
use belfry_domain::ports::Day;
use belfry_domain::product::Product;
use belfry_domain::secret::SecretHash;
use belfry_domain::siem::record::StreamName;
use belfry_domain::tag::Subject;
use belfry_domain::telemetry::part::PartId;
use belfry_domain::telemetry::stream::{Hash, Stream, sha256};
use belfry_domain::telemetry::top::List;
use belfry_domain::text::{ApplicationName, TagKey, folded};
use belfry_domain::throttle::Rule;
use jiff::Timestamp;

/// Name of the partition key attribute.
pub const PK: &str = "pk";
/// Name of the sort key attribute.
pub const SK: &str = "sk";
/// Name of the sparse index.
pub const GSI1: &str = "gsi1";
/// Time to live, Unix seconds.
pub const EXPIRES_AT: &str = "expires_at";

/// Primary key of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }
}

/// The tenant's own partition: tenant, users, licences, settings.
pub fn tenant_partition(tenant: TenantId) -> String {
    format!("T#{tenant}")
}

/// The tenant item.
pub fn tenant(tenant: TenantId) -> Key {
    Key::new(tenant_partition(tenant), "TENANT")
}

/// A licence.
pub fn license(tenant: TenantId, product: Product) -> Key {
    Key::new(tenant_partition(tenant), format!("LICENSE#{product}"))
}

/// A product credential, found by its public half.
pub fn credential(id: CredentialId) -> Key {
    Key::new(format!("C#{id}"), "CREDENTIAL")
}

/// Number of partition keys over which a product's endpoints are spread, so that a million of
/// them reporting at once stay below the 1,000 write units a second of one key.
pub const ENDPOINT_BUCKETS: u8 = 64;

/// The bucket of an endpoint.
pub fn endpoint_bucket(id: &str) -> u8 {
    // The first byte: the last one chooses the stream, and a stream should use all buckets.
    let [first, ..] = sha256(id.as_bytes());
    first % ENDPOINT_BUCKETS
}

/// All endpoints of one bucket.
pub fn endpoint_partition(tenant: TenantId, product: Product, bucket: u8) -> String {
    format!("T#{tenant}#EP#{product}#{bucket:02}")
}

/// An endpoint.
pub fn endpoint(tenant: TenantId, product: Product, id: &str) -> Key {
    Key::new(endpoint_partition(tenant, product, endpoint_bucket(id)), id)
}

/// Index partition of a tenant's infected endpoints.
pub fn infected_partition(tenant: TenantId) -> String {
    format!("T#{tenant}#INFECTED")
}

/// Index sort key of an infected endpoint.
pub fn infected_sort(product: Product, id: &str) -> String {
    format!("{product}#{id}")
}

/// All tallies of a tenant.
pub fn tally_partition(tenant: TenantId) -> String {
    format!("T#{tenant}#TALLY")
}

/// Beginning of the sort keys of stream heads.
pub const HEAD_PREFIX: &str = "HEAD#";

/// Head of a stream: its next sequence and all its tallies but the top lists.
pub fn head(stream: Stream) -> Key {
    let Stream { tenant, product, partition } = stream;
    Key::new(tally_partition(tenant), format!("{HEAD_PREFIX}{product}#{:02}", partition.number()))
}

/// Beginning of the sort keys of a day's top lists.
pub fn top_day(day: Day) -> String {
    format!("TOP#{}", day.compact())
}

/// One top list of a stream and day.
pub fn top(stream: Stream, day: Day, list: List) -> Key {
    let Stream { tenant, product, partition } = stream;
    Key::new(
        tally_partition(tenant),
        format!("{}#{}#{product}#{:02}", top_day(day), list.name(), partition.number()),
    )
}

/// A stream's event log.
pub fn log_partition(stream: Stream) -> String {
    let Stream { tenant, product, partition } = stream;
    format!("T#{tenant}#LG#{product}#{:02}", partition.number())
}

/// A chunk of the event log, by its first sequence.
pub fn chunk(stream: Stream, first: u64) -> Key {
    Key::new(log_partition(stream), format!("{first:020}"))
}

/// The parts of one batch that were taken.
pub fn batch_partition(tenant: TenantId, product: Product, batch: &Hash) -> String {
    format!("T#{tenant}#B#{product}#{}", hex::encode(batch))
}

/// A part that was taken.
pub fn marker(stream: Stream, id: &PartId) -> Key {
    Key::new(
        batch_partition(stream.tenant, stream.product, &id.batch),
        format!("{:06}#{}", id.number, hex::encode(id.content)),
    )
}

/// Everything of one person: identity, memberships, sessions.
pub fn identity_partition(identity: IdentityId) -> String {
    format!("I#{identity}")
}

/// A person who may log in.
pub fn identity(identity: IdentityId) -> Key {
    Key::new(identity_partition(identity), "IDENTITY")
}

/// What the sort keys of a person's memberships begin with.
pub const MEMBERSHIPS: &str = "T#";

/// Edge from a person to a membership.
pub fn membership(identity: IdentityId, tenant: TenantId) -> Key {
    Key::new(identity_partition(identity), format!("{MEMBERSHIPS}{tenant}"))
}

/// What the sort keys of a person's sessions begin with.
pub const SESSIONS: &str = "SESSION#";

/// A session: in its person's partition, so that all of a person's sessions are one strong query.
pub fn session(identity: IdentityId, session: SessionId) -> Key {
    Key::new(identity_partition(identity), format!("{SESSIONS}{session}"))
}

/// From an address to the identity, over all tenants.
pub fn email(email: &EmailAddress) -> Key {
    Key::new(format!("E#{}", email.as_str()), "EMAIL")
}

/// From an address to the user of a tenant, all roles.
pub fn tenant_email(tenant: TenantId, email: &EmailAddress) -> Key {
    Key::new(tenant_partition(tenant), format!("EMAIL#{}", email.as_str()))
}

/// A membership.
pub fn user(tenant: TenantId, user: UserId) -> Key {
    Key::new(tenant_partition(tenant), format!("{USERS}{user}"))
}

/// Index partition of a tenant's users in the order of their names; those that were deleted apart.
pub fn users_partition(tenant: TenantId, archived: bool) -> String {
    format!("T#{tenant}#{}", if archived { "ARCHIVED" } else { "USERS" })
}

/// Index sort key of a user: the name as it is compared, and, as names are not unique, the address, so
/// that the same users are in the same order in every tenant; of a deleted one, whose address another
/// may have by now, the id.
pub fn user_sort(user: &User) -> String {
    let name = folded(&format!("{} {}", user.first_name.as_str(), user.last_name.as_str()));
    let unique = if user.is_archived() { user.id.to_string() } else { user.email.as_str().into() };
    // Below every character that a name has, so that `Ann` comes before `Ann Lee`. A sort key
    // has at most 1,024 bytes; what is folded has 400 and an address 254.
    format!("{name}\t{unique}")
}

/// A mailed link, found by the hash of its secret.
pub fn link(hash: &SecretHash) -> Key {
    Key::new(format!("L#{}", hex::encode(hash.bytes())), "LINK")
}

/// A challenge, found by the hash of its secret.
pub fn challenge(hash: &SecretHash) -> Key {
    Key::new(format!("L#{}", hex::encode(hash.bytes())), "CHALLENGE")
}

/// The tries of somebody under a rule; of the subject (an address) only a hash is kept.
pub fn tries(rule: &Rule, subject: &str) -> Key {
    Key::new(format!("R#{}#{}", rule.name, hex::encode(sha256(subject.as_bytes()))), "TRIES")
}

/// A sign-up that waits for its mailed link, found by the hash of the link's secret.
pub fn sign_up(hash: &SecretHash) -> Key {
    Key::new(format!("L#{}", hex::encode(hash.bytes())), "SIGN_UP")
}

/// What a mailed link stops, found by the hash of its secret.
pub fn recovery_link(hash: &SecretHash) -> Key {
    Key::new(format!("L#{}", hex::encode(hash.bytes())), "RECOVERY")
}

/// What the sort keys of a tenant's recoveries begin with.
pub const RECOVERIES: &str = "RECOVERY#";

/// A recovery.
pub fn recovery(tenant: TenantId, id: RecoveryId) -> Key {
    Key::new(tenant_partition(tenant), format!("{RECOVERIES}{id}"))
}

/// All tenants.
pub const TENANTS: &str = "TENANTS";

/// That there is a tenant, in the order in which they were made.
pub fn tenant_entry(tenant: TenantId) -> Key {
    Key::new(TENANTS, tenant.to_string())
}

/// What a company said of itself when it signed up.
pub fn profile(tenant: TenantId) -> Key {
    Key::new(tenant_partition(tenant), "PROFILE")
}

/// How the sign-up is guarded.
pub fn captcha() -> Key {
    Key::new("CONFIGURATION", "CAPTCHA")
}

/// That an activation key was redeemed.
pub fn activation_key(id: ActivationKeyId) -> Key {
    Key::new(format!("AC#{id}"), "REDEEMED")
}

/// A product key that was issued.
pub fn product_key(key: ProductKey) -> Key {
    Key::new(format!("PK#{key}"), "PRODUCT_KEY")
}

/// Which credentials a tenant has for a product.
pub fn credential_roster(tenant: TenantId, product: Product) -> Key {
    Key::new(tenant_partition(tenant), format!("CREDENTIALS#{product}"))
}

/// An answer that must not be given twice: what a client's `Idempotency-Key` stands for.
pub fn idempotency(tenant: TenantId, actor: UserId, digest: &str) -> Key {
    Key::new(format!("T#{tenant}#IK"), format!("{actor}#{digest}"))
}

/// Everything of one import.
pub fn import_partition(tenant: TenantId, import: ImportId) -> String {
    format!("T#{tenant}#IM#{import}")
}

/// The import itself.
pub fn import(tenant: TenantId, import: ImportId) -> Key {
    Key::new(import_partition(tenant, import), "JOB")
}

/// What the sort keys of an import's verdicts begin with.
pub const VERDICTS: &str = "DONE#";

/// The verdicts of a batch.
pub fn import_verdicts(tenant: TenantId, import: ImportId, batch: usize) -> Key {
    Key::new(import_partition(tenant, import), format!("{VERDICTS}{batch:04}"))
}

/// What the sort keys of an import's rows begin with.
pub const ROWS: &str = "ROWS#";

/// Some of the rows of an import.
pub fn import_rows(tenant: TenantId, import: ImportId, part: usize) -> Key {
    Key::new(import_partition(tenant, import), format!("{ROWS}{part:04}"))
}

/// Over so many index partitions work that is due is spread.
pub const DUE_SHARDS: u8 = 8;

/// What can be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// An import to go on with.
    Import,
    /// A licence to be looked at.
    License,
    /// A recovery to be carried out.
    Recovery,
    /// A SIEM destination that is on.
    Siem,
    /// New rules of tags that members have to come to.
    Tagging,
    /// A tag that is being assigned.
    Assignment,
    /// A directory whose users are being changed, all of them.
    Directory,
    /// A group whose members are being told what became of it.
    Group,
}

/// Index partition of the work of this kind that is due.
pub fn due(kind: Due, shard: u8) -> String {
    let kind = match kind {
        Due::Import => "import",
        Due::License => "license",
        Due::Recovery => "recovery",
        Due::Siem => "siem",
        Due::Tagging => "tagging",
        Due::Assignment => "assignment",
        Due::Directory => "directory",
        Due::Group => "group",
    };
    format!("DUE#{kind}#{shard}")
}

/// The shard of work, by the bytes of its id.
pub fn due_shard(id: &[u8; 16]) -> u8 {
    // The last byte is chance.
    let [.., chance] = id;
    chance % DUE_SHARDS
}

/// Index sort key of work that is due.
pub fn due_sort(at: Timestamp, tenant: TenantId, id: &impl std::fmt::Display) -> String {
    format!("{}#{tenant}#{id}", due_time(at))
}

/// The time of work that is due, as it sorts.
pub fn due_time(at: Timestamp) -> String {
    format!("{:013}", at.as_millisecond())
}

/// A tenant's chain of audit records.
pub fn audit_partition(tenant: TenantId) -> String {
    format!("T#{tenant}#AU")
}

/// The end of the chain.
pub fn audit_head(tenant: TenantId) -> Key {
    Key::new(audit_partition(tenant), "HEAD")
}

/// What the sort keys of anchors begin with.
const ANCHOR: &str = "ANCHOR#";

/// The end of the chain as it was at a record from which a verification can start.
pub fn audit_anchor(tenant: TenantId, sequence: u64) -> Key {
    Key::new(audit_partition(tenant), format!("{ANCHOR}{sequence:020}"))
}

/// The sort keys between which the anchors of a trail lie.
pub fn audit_anchors() -> (String, String) {
    (format!("{ANCHOR}{:020}", 0), format!("{ANCHOR}{}", u64::MAX))
}

/// The number of a record or an anchor, by its sort key.
pub fn audit_sequence(sk: &str) -> Option<u64> {
    let digits = sk.strip_prefix(ANCHOR).unwrap_or(sk);
    let sequence = digits.parse().ok()?;
    // Only the form we write.
    (format!("{sequence:020}") == digits).then_some(sequence)
}

/// An audit record.
pub fn audit_record(tenant: TenantId, sequence: u64) -> Key {
    Key::new(audit_partition(tenant), format!("{sequence:020}"))
}

/// The erasable parts of a tenant's audit records.
pub fn audit_personal_partition(tenant: TenantId) -> String {
    format!("T#{tenant}#AUP")
}

/// The erasable part of an audit record.
pub fn audit_personal(tenant: TenantId, sequence: u64) -> Key {
    Key::new(audit_personal_partition(tenant), format!("{sequence:020}"))
}

/// What happened in a month at a tenant's door, or (without a tenant) at the door of nobody we know.
pub fn access_partition(tenant: Option<TenantId>, at: Timestamp) -> String {
    let month = at.strftime("%Y%m");
    tenant.map_or_else(|| format!("AC#{month}"), |tenant| format!("T#{tenant}#AC#{month}"))
}

/// One of these.
pub fn access(tenant: Option<TenantId>, at: Timestamp, id: AuditId) -> Key {
    Key::new(access_partition(tenant, at), id.to_string())
}

/// Index partition of what happened at a tenant's door and has no number yet.
pub fn unnumbered_partition(tenant: TenantId) -> String {
    format!("T#{tenant}#UNNUMBERED")
}

/// The same at the door of nobody we know, which is never numbered: it is there so that an unknown address costs what a
/// known one costs, and spread, as anybody can fill it.
pub fn nobodys_partition(id: AuditId) -> String {
    format!("AC#UNNUMBERED#{}", due_shard(id.bytes()))
}

/// The numbers of what happened at a tenant's door.
pub fn access_log_partition(tenant: TenantId) -> String {
    format!("T#{tenant}#LG#CONSOLE#01")
}

/// The next of these numbers.
pub fn access_log_head(tenant: TenantId) -> Key {
    Key::new(access_log_partition(tenant), "HEAD")
}

/// Those that were given at once, by the first.
pub fn access_chunk(tenant: TenantId, first: u64) -> Key {
    Key::new(access_log_partition(tenant), format!("{first:020}"))
}

/// What the sort keys of a tenant's SIEM destinations begin with.
pub const DESTINATIONS: &str = "SIEM#";

/// The settings of a SIEM destination.
pub fn destination(tenant: TenantId, id: DestinationId) -> Key {
    Key::new(tenant_partition(tenant), format!("{DESTINATIONS}{id}"))
}

/// How far a SIEM destination is: apart from its settings, as another writes it.
pub fn progress(tenant: TenantId, id: DestinationId) -> Key {
    Key::new(tenant_partition(tenant), format!("SIEM_PROGRESS#{id}"))
}

/// Which SIEM destinations a tenant has.
pub fn destination_roster(tenant: TenantId) -> Key {
    Key::new(tenant_partition(tenant), "SIEM_ROSTER")
}

/// The token of a pull destination, found by its public half.
pub fn pull_token(id: DestinationId) -> Key {
    Key::new(format!("C#{id}"), "PULL")
}

/// The records that a destination's receiver refused.
pub fn parked_partition(tenant: TenantId, id: DestinationId) -> String {
    format!("T#{tenant}#SP#{id}")
}

/// One of these.
pub fn parked(tenant: TenantId, id: DestinationId, stream: StreamName, sequence: u64) -> Key {
    Key::new(parked_partition(tenant, id), format!("{stream}#{sequence:020}"))
}

/// What the sort keys of a tenant's users begin with.
pub const USERS: &str = "USER#";

/// What the sort keys of a tenant's tags begin with.
pub const TAGS: &str = "TAG#";

/// A tag.
pub fn tag(tenant: TenantId, id: TagId) -> Key {
    Key::new(tenant_partition(tenant), format!("{TAGS}{id}"))
}

/// That a key is taken among the tags of a subject.
pub fn tag_key(tenant: TenantId, of: Subject, key: &TagKey) -> Key {
    let sk = format!("TAG_KEY#{}#{}", of.name(), folded(key.as_str()));
    Key::new(tenant_partition(tenant), sk)
}

/// The tags of a tenant as a whole.
pub fn tagging(tenant: TenantId) -> Key {
    Key::new(tenant_partition(tenant), "TAGGING")
}

/// How many members each tag value had at a change.
pub fn tag_counts(tenant: TenantId) -> Key {
    Key::new(tenant_partition(tenant), "TAG_COUNTS")
}

/// The last assignment of a tag by a filter.
pub fn assignment(tenant: TenantId, tag: TagId) -> Key {
    Key::new(tenant_partition(tenant), format!("TAG_ASSIGNMENT#{tag}"))
}

/// What the sort keys of a tenant's applications begin with.
pub const APPLICATIONS: &str = "APP#";

/// An application.
pub fn application(tenant: TenantId, id: ApplicationId) -> Key {
    Key::new(tenant_partition(tenant), format!("{APPLICATIONS}{id}"))
}

/// That a name is taken among a tenant's applications.
pub fn application_name(tenant: TenantId, name: &ApplicationName) -> Key {
    Key::new(tenant_partition(tenant), format!("APP_NAME#{}", folded(name.as_str())))
}

/// Index partition of a tenant's applications in the order of their names.
pub fn applications_partition(tenant: TenantId) -> String {
    format!("T#{tenant}#APPLICATIONS")
}

/// Index sort key of an application: the name as it is compared, and the id.
pub fn application_sort(application: &Application) -> String {
    format!("{}\t{}", folded(application.name.as_str()), application.id)
}

/// What the sort keys of a tenant's identity providers begin with.
pub const PROVIDERS: &str = "IDP#";

/// An identity provider.
pub fn provider(tenant: TenantId, id: IdentityProviderId) -> Key {
    Key::new(tenant_partition(tenant), format!("{PROVIDERS}{id}"))
}

/// Which identity providers a tenant has.
pub fn provider_roster(tenant: TenantId) -> Key {
    Key::new(tenant_partition(tenant), "IDP_ROSTER")
}

/// A token of an identity provider, found by its public half.
pub fn provider_token(id: ProviderTokenId) -> Key {
    Key::new(format!("C#{id}"), "SCIM")
}

/// What a directory says: its users, its groups, and what is taken among them.
pub fn directory_partition(tenant: TenantId, provider: IdentityProviderId) -> String {
    format!("T#{tenant}#D#{provider}")
}

/// What the sort keys of a directory's users begin with.
pub const DIRECTORY_USERS: &str = "U#";

/// What the sort keys of a directory's groups begin with.
pub const DIRECTORY_GROUPS: &str = "G#";

/// What the sort keys of a directory's syncs begin with.
pub const DIRECTORY_SYNCS: &str = "S#";

/// A sync of a directory.
pub fn directory_sync(tenant: TenantId, provider: IdentityProviderId, id: SyncId) -> Key {
    Key::new(directory_partition(tenant, provider), format!("{DIRECTORY_SYNCS}{id}"))
}

/// A user as its directory has it.
pub fn directory_user(tenant: TenantId, provider: IdentityProviderId, id: UserId) -> Key {
    Key::new(directory_partition(tenant, provider), format!("{DIRECTORY_USERS}{id}"))
}

/// A group of a directory.
pub fn directory_group(tenant: TenantId, provider: IdentityProviderId, id: GroupId) -> Key {
    Key::new(directory_partition(tenant, provider), format!("{DIRECTORY_GROUPS}{id}"))
}

/// What a directory has each value of once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Once<'a> {
    /// A `userName`, whose case does not count.
    UserName(&'a str),
    /// A user's `externalId`.
    UserExternalId(&'a str),
    /// A group's name, whose case does not count.
    GroupName(&'a str),
    /// A group's `externalId`.
    GroupExternalId(&'a str),
}

/// That a value is taken in a directory. By its hash: a sort key has at most 1,024 bytes.
pub fn directory_taken(tenant: TenantId, provider: IdentityProviderId, once: Once<'_>) -> Key {
    let fold = belfry_domain::scim::folded;
    let (kind, text) = match once {
        Once::UserName(text) => ("N", fold(text)),
        Once::UserExternalId(text) => ("X", text.to_owned()),
        Once::GroupName(text) => ("GN", fold(text)),
        Once::GroupExternalId(text) => ("GX", text.to_owned()),
    };
    let hash = hex::encode(sha256(text.as_bytes()));
    Key::new(directory_partition(tenant, provider), format!("{kind}#{hash}"))
}

/// Who is in a group.
pub fn group_partition(tenant: TenantId, provider: IdentityProviderId, group: GroupId) -> String {
    format!("{}#M#{group}", directory_partition(tenant, provider))
}

/// That somebody is.
pub fn group_member(
    tenant: TenantId,
    provider: IdentityProviderId,
    group: GroupId,
    member: UserId,
) -> Key {
    Key::new(group_partition(tenant, provider, group), member.to_string())
}

/// A line of the back-office log.
pub fn back_office(at: Timestamp, id: AuditId) -> Key {
    Key::new(format!("BO#{}", at.strftime("%Y%m")), id.to_string())
}

/// The outbox entries made on a day.
pub fn outbox_day(day: Day) -> String {
    format!("O#{}", day.compact())
}

/// Something that has to leave the system.
pub fn outbox(id: OutboxId) -> Key {
    Key::new(outbox_day(outbox::day(id)), id.to_string())
}
