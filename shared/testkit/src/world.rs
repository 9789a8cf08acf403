//! Tenants with people in them, to start a test from.

use crate::{
    EmbeddedTable, FakeClock, FakeSealer, LocalKey, MemoryDirectory, MemoryDoorbell, SeededEntropy,
    ask,
};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use belfry_api::auth::Tokens;
use belfry_domain::account::{Factor, Identity, IdleLimit, Membership, Role, Source, Tenant, User};
use belfry_domain::attribute::UserAttribute;
use belfry_domain::credential::{Credential, CredentialToken, Scope, Term};
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{CredentialId, IdentityId, TenantId, UserId};
use belfry_domain::language::Language;
use belfry_domain::license::product_key::KeyState;
use belfry_domain::license::{IssuedKey, License, LicenseKind, ProductKey, Terms};
use belfry_domain::outbox::Outgoing;
use belfry_domain::password::{Password, PasswordHash};
use belfry_domain::policy::{Action, Actor, Origin};
use belfry_domain::ports::{Clock as _, Day, Entropy};
use belfry_domain::product::Product;
use belfry_domain::session::{ClientInfo, RefreshToken, Session};
use belfry_domain::telemetry::stream::{Partitions, Stream};
use belfry_domain::telemetry::top::{List, TopList};
use belfry_domain::users::NewUser;
use belfry_runtime::authenticate::Authenticator;
use belfry_runtime::keys::Sealer as _;
use belfry_runtime::post::Post;
use belfry_store::Table;
use belfry_store::entity::{self, Entity};
use belfry_store::keys::{self, Key};
use belfry_store::{licenses, users};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, OnceLock};

/// The password of every member.
pub const PASSWORD: &str = "orbit-mustard-ninety-kelp";

/// A table, a clock, chance and a key, and the people that a test puts there.
#[derive(Debug, Clone)]
pub struct World {
    /// The table.
    pub db: EmbeddedTable,
    /// The time: 2026-11-22, noon, at the start.
    pub clock: FakeClock,
    /// Chance.
    pub entropy: Arc<SeededEntropy>,
    /// The key that signs tokens.
    pub key: LocalKey,
    /// The key that seals.
    pub sealer: FakeSealer,
    /// The bell of the outbox.
    pub bell: MemoryDoorbell,
    /// Rings for imports.
    pub imports: MemoryDoorbell,
    /// Rings for work on tags.
    pub tagging: MemoryDoorbell,
    /// Rings for work on directories.
    pub syncs: MemoryDoorbell,
    /// The directory that every provider of LDAP is.
    pub directory: MemoryDirectory,
}

/// A person in a tenant.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who.
    pub identity: IdentityId,
    /// In which tenant.
    pub tenant: TenantId,
    /// As which user.
    pub user: UserId,
    /// With which address.
    pub email: EmailAddress,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            db: EmbeddedTable::new(),
            clock: FakeClock::at("2026-11-22T12:00:00Z"),
            entropy: Arc::new(SeededEntropy::new(1)),
            key: LocalKey::new(),
            sealer: FakeSealer::new(),
            bell: MemoryDoorbell::new(),
            imports: MemoryDoorbell::new(),
            tagging: MemoryDoorbell::new(),
            syncs: MemoryDoorbell::new(),
            directory: MemoryDirectory::default(),
        }
    }

    /// The table, called straight through.
    pub fn table(&self) -> Table {
        self.db.table()
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets so many seconds go by.
    pub fn wait(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// Drafts and checks tokens of this world's key.
    pub fn tokens(&self) -> Tokens {
        Tokens::new(ask::ORIGIN, &self.key.public_key()).expect("a key")
    }

    /// Where mails are handed in.
    pub fn post(&self) -> Post {
        Post {
            sealer: Arc::new(self.sealer.clone()),
            bell: Arc::new(self.bell.clone()),
            console: ask::ORIGIN.to_owned(),
            entropy: self.entropy.clone(),
        }
    }

    /// Changes a person, and what its memberships show of it.
    pub async fn change_person(&self, member: &Member, change: impl FnOnce(&mut Identity)) {
        let key = keys::identity(member.identity);
        let mut identity: Identity = self.get(&key).await.expect("a person");
        change(&mut identity);
        self.put(&key, &identity).await;
        let memberships = self.table().memberships(member.identity).await;
        for Membership { tenant, user, .. } in memberships.expect("the table answers") {
            let mut user: User = self.get(&keys::user(tenant, user)).await.expect("a user");
            user.factor = Factor::of(&identity);
            self.keep(&user).await;
        }
    }

    /// Checks who is asking, over this handle to the table.
    pub fn authenticator(&self, table: Table) -> Authenticator {
        let (clock, entropy) = (Arc::new(self.clock.clone()), self.entropy.clone());
        Authenticator::new(table, self.tokens(), clock, entropy)
    }

    /// Puts a value at a key, whatever was there.
    pub async fn put<T: Entity>(&self, key: &Key, value: &T) {
        let item = entity::item(key, value).expect("an item");
        let table = self.table();
        let call = table.client().put_item().table_name(table.name()).set_item(Some(item));
        call.send().await.expect("the table takes it");
    }

    /// A product credential, made by the store as an admin of the tenant makes it.
    pub async fn credential(&self, tenant: TenantId, product: Product) -> CredentialId {
        self.credential_for(tenant, product, &[Scope::TelemetryWrite]).await.id
    }

    /// The same for these scopes, with its secret.
    pub async fn credential_for(
        &self,
        tenant: TenantId,
        product: Product,
        scopes: &[Scope],
    ) -> CredentialToken {
        let email =
            format!("{}@credentials.example", UserId::new(self.now(), self.entropy.as_ref()));
        let member = self.member(tenant, &email, Role::Admin).await;
        let (session, _) = self.session(&member).await;
        let person = self.get(&keys::identity(member.identity)).await.expect("a person");
        let user = self.get(&keys::user(tenant, member.user)).await.expect("a user");
        let (idle, now) = (IdleLimit::default(), self.now());
        let actor = Actor::of(&session, &person, &user, idle, now, Origin::default());
        let grant = actor.expect("an admin").may(Action::CreateCredential).expect("it may");
        let license = self.table().license(tenant, product).await.expect("the table answers");
        let (term, entropy) = (Term::Current { until: None }, self.entropy.as_ref());
        let license = license.expect("a licence");
        let scopes = scopes.iter().copied().collect();
        let (credential, token) = Credential::issue(tenant, &license, (scopes, term), now, entropy);
        let made = self.table().create_credential(&grant, &credential, None, entropy).await;
        made.expect("a credential");
        token
    }

    /// A user without a console, who is in no tag yet.
    pub async fn user(
        &self,
        tenant: TenantId,
        email: &str,
        attributes: &[(UserAttribute, &str)],
    ) -> User {
        let own = |_| {
            let own = attributes.iter().map(|(name, text)| (*name, (*text).to_owned()));
            (email.to_owned(), own)
        };
        self.users(tenant, 1, own).await.remove(0)
    }

    /// So many users without a console, who are in no tag yet: the address and the attributes of each.
    pub async fn users<A: IntoIterator<Item = (UserAttribute, String)>>(
        &self,
        tenant: TenantId,
        count: usize,
        what: impl Fn(usize) -> (String, A),
    ) -> Vec<User> {
        let (now, entropy) = (self.now(), self.entropy.as_ref());
        let made = (0..count).map(|n| {
            let (email, attributes) = what(n);
            let attributes = attributes.into_iter();
            let attributes =
                attributes.map(|(name, text)| (name, text.parse().expect("an attribute")));
            let new = NewUser {
                first_name: "Kim".parse().expect("a name"),
                last_name: "Berg".parse().expect("a name"),
                email: email.parse().expect("an address"),
                mobile: None,
                phone: None,
                attributes: attributes.collect(),
                role: Role::User,
                two_factor_required: false,
            };
            User::new(tenant, new, Source::Manual, None, now, entropy)
        });
        let made: Vec<_> = made.collect();
        let items = made.iter().map(|user| users::item(user).expect("an item")).collect();
        entity::put_many(&self.table(), items).await.expect("the table takes them");
        let key = keys::tenant(tenant);
        let mut counted: Tenant = self.get(&key).await.expect("a tenant");
        counted.users += u32::try_from(count).expect("a number");
        self.put(&key, &counted).await;
        made
    }

    /// The top list of a stream and day, as `rollup` keeps it.
    pub async fn top(&self, stream: Stream, day: Day, list: List, top: &TopList) {
        let key = keys::top(stream, day, list);
        let number = |n: &str| AttributeValue::N(n.to_owned());
        let bytes = Blob::new(top.to_bytes().expect("a list"));
        let table = self.table();
        let call = table
            .client()
            .put_item()
            .table_name(table.name())
            .item("pk", AttributeValue::S(key.pk))
            .item("sk", AttributeValue::S(key.sk))
            .item("et", AttributeValue::S("top".to_owned()))
            .item("v", number("1"))
            .item("applied", number("1"))
            .item("expires_at", number("4102444800"))
            .item("list", AttributeValue::B(bytes));
        call.send().await.expect("the table takes it");
    }

    /// Takes away what is at a key.
    pub async fn remove(&self, key: &Key) {
        let table = self.table();
        let key = belfry_store::table::key_item(key);
        let call = table.client().delete_item().table_name(table.name()).set_key(Some(key));
        call.send().await.expect("the table takes it");
    }

    /// A product key of 50 seats for a year in edition `Total`, that nobody has registered.
    pub async fn product_key(&self, product: Product) -> ProductKey {
        let (now, entropy) = (self.now(), self.entropy.as_ref());
        let edition = "Total".parse().expect("an edition");
        let partitions = Partitions::ONE;
        let key = ProductKey::new(entropy);
        let (seats, term_days) = (50, 365);
        let (state, issued_at, version) = (KeyState::Free, now, 1);
        let issued = IssuedKey {
            key,
            product,
            edition,
            seats,
            term_days,
            partitions,
            issued_at,
            state,
            version,
        };
        self.put(&keys::product_key(key), &issued).await;
        key
    }

    /// The value at a key.
    pub async fn get<T: Entity>(&self, key: &Key) -> Option<T> {
        entity::get(&self.table(), key).await.expect("the table answers")
    }

    /// A tenant.
    pub async fn tenant(&self, company: &str) -> TenantId {
        let id = TenantId::new(self.now(), self.entropy.as_ref());
        let tenant = Tenant {
            id,
            company: company.parse().expect("a name"),
            country: "IN".parse().expect("a country"),
            language: Language::En,
            registered_email: "office@globex.example".parse().expect("an address"),
            session_timeout: IdleLimit::default(),
            users: 0,
            super_admins: 0,
            suspended_at: None,
            created_at: self.now(),
            version: 1,
        };
        self.put(&keys::tenant(id), &tenant).await;
        id
    }

    /// Sets the idle limit of a tenant, in minutes.
    pub async fn set_idle_limit(&self, tenant: TenantId, minutes: u8) {
        let key = keys::tenant(tenant);
        let mut value: Tenant = self.get(&key).await.expect("a tenant");
        value.session_timeout = minutes.try_into().expect("5 to 120");
        self.put(&key, &value).await;
    }

    /// A licence.
    pub async fn license(&self, tenant: TenantId, product: Product, partitions: u8) -> License {
        let terms = Terms {
            product,
            edition: "Advance".parse().expect("an edition"),
            kind: LicenseKind::Commercial,
            seats: 100,
            term_days: 365,
            partitions: Partitions::try_from(partitions).expect("1, 4 or 16"),
        };
        let license = License::new(terms, self.now(), self.entropy.as_ref());
        self.keep_license(tenant, &license).await;
        license
    }

    /// Keeps a licence as its tenant's.
    pub async fn keep_license(&self, tenant: TenantId, license: &License) {
        let item = licenses::item(tenant, license).expect("an item");
        let table = self.table();
        let call = table.client().put_item().table_name(table.name()).set_item(Some(item));
        call.send().await.expect("the table takes it");
    }

    /// An active member with [`PASSWORD`], of a person who may be in other tenants already.
    pub async fn member(&self, tenant: TenantId, email: &str, role: Role) -> Member {
        let email: EmailAddress = email.parse().expect("an address");
        let table = self.table();
        let known = table.identity_of(&email).await.expect("the table answers");
        let enrolled = match known {
            Some(id) => Factor::of(&self.get(&keys::identity(id)).await.expect("a person")),
            None => None,
        };
        let identity = known.unwrap_or_else(|| IdentityId::new(self.now(), self.entropy.as_ref()));
        if known.is_none() {
            let value = Identity {
                id: identity,
                password: Some(hashed()),
                password_set_at: Some(self.now()),
                ..Identity::new(email.clone(), Language::En, self.now(), self.entropy.as_ref())
            };
            self.put(&keys::identity(identity), &value).await;
            self.leads(keys::email(&email), "email", ("identity", identity.to_string())).await;
        }
        let new = NewUser {
            first_name: "Ann".parse().expect("a name"),
            last_name: "Lindqvist".parse().expect("a name"),
            email: email.clone(),
            mobile: Some("+919876543210".parse().expect("a number")),
            phone: None,
            attributes: belfry_domain::attribute::UserAttributes::new(),
            role,
            two_factor_required: false,
        };
        let (now, entropy) = (self.now(), self.entropy.as_ref());
        let value = User {
            identity: Some(identity),
            factor: enrolled,
            ..User::new(tenant, new, Source::Manual, None, now, entropy)
        };
        let user = value.id;
        self.keep(&value).await;
        let of_tenant = keys::tenant_email(tenant, &email);
        self.leads(of_tenant, "tenant_email", ("user", user.to_string())).await;
        let edge = Membership { tenant, user, opened_at: None };
        self.put(&keys::membership(identity, tenant), &edge).await;
        let key = keys::tenant(tenant);
        let mut counted: Tenant = self.get(&key).await.expect("a tenant");
        counted.users += 1;
        counted.super_admins += u32::from(role == Role::SuperAdmin);
        self.put(&key, &counted).await;
        Member { identity, tenant, user, email }
    }

    /// Puts an item of one attribute, to which an address leads.
    async fn leads(&self, key: Key, kind: &str, (name, id): (&str, String)) {
        let text = |text: String| AttributeValue::S(text);
        let table = self.table();
        let call = table
            .client()
            .put_item()
            .table_name(table.name())
            .item("pk", text(key.pk))
            .item("sk", text(key.sk))
            .item("et", text(kind.to_owned()))
            .item("v", AttributeValue::N("1".to_owned()))
            .item(name, text(id));
        call.send().await.expect("the table takes it");
    }

    /// Changes a member's user.
    pub async fn change(&self, member: &Member, change: impl FnOnce(&mut User)) {
        let key = keys::user(member.tenant, member.user);
        let mut user: User = self.get(&key).await.expect("a user");
        change(&mut user);
        self.keep(&user).await;
    }

    /// Puts a user with its place in the list, whatever was there.
    pub async fn keep(&self, user: &User) {
        let item = users::item(user).expect("an item");
        let table = self.table();
        let call = table.client().put_item().table_name(table.name()).set_item(Some(item));
        call.send().await.expect("the table takes it");
    }

    /// The mails that were rung for since the last look, with their links opened: to whom, subject, text.
    pub async fn posted(&self) -> Vec<[String; 3]> {
        let mut posted = Vec::new();
        for ring in self.bell.drain() {
            let id = ring.parse().expect("an outbox id");
            let claim = self.table().claim_outbox(id, self.now()).await.expect("an answer");
            let Outgoing::Mail(mail) = claim.expect("due").entry().outgoing.clone() else {
                continue;
            };
            let context = [("purpose", "mail-link"), ("outbox", ring.as_str())];
            let link = match &mail.sealed_link {
                Some(sealed) => Some(self.sealer.open(sealed, &context).await.expect("sealed")),
                None => None,
            };
            let link = link.map(|link| String::from_utf8(link).expect("text"));
            let rendered = mail.render(link.as_deref()).expect("a mail");
            posted.push([mail.to.into(), rendered.subject, rendered.text]);
        }
        posted
    }

    /// A session of a member, as a log-in makes it.
    pub async fn session(&self, member: &Member) -> (Session, RefreshToken) {
        let Member { identity, tenant, user, .. } = *member;
        let person: Identity = self.get(&keys::identity(identity)).await.expect("a person");
        let user: User = self.get(&keys::user(tenant, user)).await.expect("a user");
        let (client, entropy) = (ClientInfo::default(), self.entropy.as_ref());
        let opened = Session::open(&person, &user, false, client, self.now(), entropy);
        self.put(&keys::session(identity, opened.0.id), &opened.0).await;
        opened
    }

    /// An access token of a session.
    pub fn token_of(&self, session: &Session) -> String {
        let draft = self.tokens().draft(session, self.now());
        let signature = self.key.sign_bytes(draft.signing_input());
        draft.signed(signature)
    }

    /// An access token of a new session of a member.
    pub async fn token(&self, member: &Member) -> String {
        self.token_of(&self.session(member).await.0)
    }
}

/// Hashing takes its time on purpose: once is enough.
fn hashed() -> PasswordHash {
    struct Salt;
    impl Entropy for Salt {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }
    static HASH: OnceLock<PasswordHash> = OnceLock::new();
    HASH.get_or_init(|| PasswordHash::of(&Password::new(PASSWORD), &Salt).expect("a hash")).clone()
}
