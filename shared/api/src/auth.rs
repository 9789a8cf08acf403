//! Access tokens: JWTs (RFC 7519, RFC 9068), ES256, five minutes. Made here as text, signed by a key
//! that is in no process, checked here against its public half.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use belfry_domain::account::Role;
use belfry_domain::failure::{Failure, FailureKind};
use belfry_domain::id::{IdentityId, SessionId, TenantId, UserId};
use belfry_domain::policy::{Actor, Origin};
use belfry_domain::product::Product;
use belfry_domain::secret::Secret;
use belfry_domain::session::Session;
use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use lambda_http::Request;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Who a token is for.
pub const AUDIENCE: &str = "belfry-console";
/// How long a token works, in seconds.
pub const LIFE: i64 = 300;
/// How far clocks may differ, in seconds.
const LEEWAY: i64 = 5;
/// A token of ours has about 700 characters.
const MAX_LENGTH: usize = 2_048;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Who issued it: the console's address.
    pub iss: String,
    /// Who it is for: [`AUDIENCE`].
    pub aud: String,
    /// The person.
    pub sub: IdentityId,
    /// The session.
    pub sid: SessionId,
    /// The session's tenant.
    pub tenant: TenantId,
    /// The session's user. The role is no claim: it is read on every request.
    pub user: UserId,
    /// When it was issued, in Unix seconds.
    pub iat: i64,
    /// From when on it is refused, in Unix seconds.
    pub exp: i64,
}

/// Why a token was refused. For the log and for tests; the answer is the same 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no bearer token.
    #[error("no token")]
    Missing,
    /// Too long.
    #[error("over-long token")]
    Length,
    /// Not three parts of base64url.
    #[error("not a token")]
    Form,
    /// Another algorithm, type or key, or anything else that our header does not have.
    #[error("foreign header")]
    Header,
    /// The signature is not our key's.
    #[error("wrong signature")]
    Signature,
    /// Claims are missing, unknown or of another form.
    #[error("wrong claims")]
    Claims,
    /// Issued by somebody else.
    #[error("foreign issuer")]
    Issuer,
    /// For somebody else.
    #[error("foreign audience")]
    Audience,
    /// Over.
    #[error("expired")]
    Expired,
    /// From the future, or valid for longer than we ever issue.
    #[error("impossible times")]
    Times,
    /// Its session is over, or its membership not active.
    #[error("session over")]
    Session,
}

/// The one answer to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("log in first")]
pub struct Unauthenticated(#[from] pub Refused);

impl Failure for Unauthenticated {
    fn kind(&self) -> FailureKind {
        FailureKind::Unauthenticated
    }
    fn code(&self) -> &'static str {
        "unauthenticated"
    }
}

/// A public key of P-256 with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    x: String,
    y: String,
    id: String,
}

/// Bytes that are not an uncompressed P-256 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a public key of P-256")]
pub struct BadPublicKey;

/// `SubjectPublicKeyInfo` of an uncompressed P-256 point up to its coordinates (RFC 5480, section 2).
const SPKI_PREFIX: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

impl PublicKey {
    /// From the DER that KMS gives (RFC 5280 `SubjectPublicKeyInfo`).
    ///
    /// # Errors
    /// [`BadPublicKey`].
    pub fn from_der(der: &[u8]) -> Result<Self, BadPublicKey> {
        let point = der.strip_prefix(&SPKI_PREFIX).filter(|point| point.len() == 64);
        let (x, y) = point.and_then(|point| point.split_at_checked(32)).ok_or(BadPublicKey)?;
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        // JWK thumbprint (RFC 7638): the required members in this order, without blanks.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(canonical));
        Ok(Self { x, y, id })
    }

    /// Its JWK thumbprint.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// As a JSON Web Key (RFC 7517).
    pub fn jwk(&self) -> Jwk<'_> {
        Jwk {
            kty: "EC",
            crv: "P-256",
            x: &self.x,
            y: &self.y,
            kid: &self.id,
            alg: "ES256",
            r#use: "sig",
        }
    }
}

/// A JSON Web Key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Jwk<'a> {
    kty: &'a str,
    crv: &'a str,
    x: &'a str,
    y: &'a str,
    kid: &'a str,
    alg: &'a str,
    r#use: &'a str,
}

/// Writes and checks access tokens of one issuer and one key.
#[derive(Clone)]
pub struct Tokens {
    issuer: String,
    header: String,
    key_id: String,
    key: DecodingKey,
    validation: Validation,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Tokens {
    /// For the console at `issuer` and the key that signs.
    ///
    /// # Errors
    /// [`BadPublicKey`].
    pub fn new(issuer: impl Into<String>, key: &PublicKey) -> Result<Self, BadPublicKey> {
        let issuer = issuer.into();
        let header = format!(r#"{{"alg":"ES256","kid":"{}","typ":"at+jwt"}}"#, key.id);
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[&issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // The library would ask the system's clock; `verify` asks ours.
        validation.validate_exp = false;
        let decoding = DecodingKey::from_ec_components(&key.x, &key.y).map_err(|_| BadPublicKey)?;
        let (header, key_id) = (URL_SAFE_NO_PAD.encode(header), key.id.clone());
        Ok(Self { issuer, header, key_id, key: decoding, validation })
    }

    /// The text that the key must sign for a token of this session.
    pub fn draft(&self, session: &Session, now: Timestamp) -> Draft {
        let iat = now.as_second();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: session.identity,
            sid: session.id,
            tenant: session.tenant,
            user: session.user,
            iat,
            exp: iat.saturating_add(LIFE),
        };
        // A struct of strings and numbers always serializes.
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        Draft(format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims)))
    }

    /// What a token says, if all of it is as we issue it and it is not over.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Refused> {
        if token.len() > MAX_LENGTH {
            return Err(Refused::Length);
        }
        // We write one header and accept no other: no choice of algorithm, key or type is left to
        // whoever sends it.
        let (header, rest) = token.split_once('.').ok_or(Refused::Form)?;
        let well_formed = |part: &str| !part.is_empty() && URL_SAFE_NO_PAD.decode(part).is_ok();
        let parts = rest.split_once('.').filter(|(claims, signature)| {
            well_formed(header) && well_formed(claims) && !signature.contains('.')
        });
        let (_, signature) = parts.ok_or(Refused::Form)?;
        if header != self.header {
            return Err(Refused::Header);
        }
        if !well_formed(signature) {
            return Err(Refused::Signature);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidIssuer => Refused::Issuer,
                ErrorKind::InvalidAudience => Refused::Audience,
                ErrorKind::Json(_) | ErrorKind::MissingRequiredClaim(_) => Refused::Claims,
                _ => Refused::Signature,
            })?
            .claims;
        let now = now.as_second();
        if claims.exp.saturating_add(LEEWAY) <= now {
            return Err(Refused::Expired);
        }
        let ahead = claims.iat.saturating_sub(LEEWAY) > now;
        let long = claims.exp.saturating_sub(claims.iat) > LIFE;
        if ahead || long { Err(Refused::Times) } else { Ok(claims) }
    }
}

/// How long a hand-off works, in seconds.
pub const HAND_OFF_LIFE: i64 = 60;

/// What a hand-off to a product's own console says. Its type is `handoff+jwt` and its audience the
/// product, so that it is no access token, nor the reverse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOff {
    /// Who issued it: the console's address.
    pub iss: String,
    /// For which product.
    pub aud: String,
    /// The person.
    pub sub: IdentityId,
    /// In which tenant.
    pub tenant: TenantId,
    /// As which user.
    pub user: UserId,
    /// With which role.
    pub role: Role,
    /// Names it: a product takes it once.
    pub jti: String,
    /// When it was issued, in Unix seconds.
    pub iat: i64,
    /// From when on it is refused, in Unix seconds.
    pub exp: i64,
}

impl Tokens {
    /// The text that the key must sign to hand a person over to a product's own console.
    pub fn hand_off(&self, actor: &Actor, product: Product, jti: &Secret, now: Timestamp) -> Draft {
        let iat = now.as_second();
        let claims = HandOff {
            iss: self.issuer.clone(),
            aud: product.name().to_owned(),
            sub: actor.identity(),
            tenant: actor.tenant(),
            user: actor.user(),
            role: actor.role(),
            jti: jti.expose_text(),
            iat,
            exp: iat.saturating_add(HAND_OFF_LIFE),
        };
        let header = format!(r#"{{"alg":"ES256","kid":"{}","typ":"handoff+jwt"}}"#, self.key_id);
        // A struct of strings and numbers always serializes.
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let (header, claims) = (URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        Draft(format!("{header}.{claims}"))
    }
}

/// A token without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft(String);

impl Draft {
    /// What is to be signed (RFC 7515, section 5.1).
    pub fn signing_input(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The token, with a signature of 64 bytes (RFC 7518, section 3.4).
    #[must_use]
    pub fn signed(self, signature: [u8; 64]) -> String {
        format!("{}.{}", self.0, URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Where a request came from.
pub fn origin(request: &Request) -> Origin {
    Origin {
        request_id: crate::request::request_id(request),
        source_address: crate::request::source_address(request),
    }
}

/// Whether a request says that nobody sits before it (`X-Background: 1`): then it is no activity.
pub fn is_background(request: &Request) -> bool {
    request.headers().get("x-background").is_some_and(|value| value == "1")
}
