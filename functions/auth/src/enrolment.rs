//! Enrolling a second factor: the offer of a new secret, and its first code.

use crate::App;
use crate::answers;
use belfry_api::Problem;
use belfry_api::problem::ChallengeView;
use belfry_domain::account::Identity;
use belfry_domain::challenge::{Challenge, Wanted};
use belfry_domain::id::{IdentityId, SessionId, TenantId, UserId};
use belfry_domain::second_factor::Seed;
use belfry_domain::secret::{Secret, SecretHash};
use belfry_runtime::keys::SealError;
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct OfferView {
    status: &'static str,
    #[serde(flatten)]
    challenge: ChallengeView,
    secret: String,
    otpauth_uri: String,
    qr_svg: String,
}

/// A new secret: what the person sees of it, and the challenge that its first code answers.
pub(crate) struct Offer {
    pub(crate) hash: SecretHash,
    pub(crate) challenge: Challenge,
    pub(crate) view: OfferView,
}

/// Makes an offer; nothing is stored yet.
pub(crate) async fn offer(
    app: &App,
    identity: &Identity,
    tenant: TenantId,
    user: UserId,
    session: Option<SessionId>,
) -> Result<Offer, Problem> {
    let entropy = app.entropy.as_ref();
    let (seed, secret) = (Seed::new(entropy), Secret::new(entropy));
    let otpauth_uri =
        seed.otpauth_uri(&identity.email).map_err(|error| Problem::internal(&error))?;
    let qr = QrCode::new(&otpauth_uri).map_err(|error| Problem::internal(&error))?;
    let id = identity.id.to_string();
    let sealed_seed = app.post.sealer.seal(seed.expose(), &context(&id)).await?;
    let wanted = Wanted::FirstCode { sealed_seed, session };
    Ok(Offer {
        hash: secret.hash(),
        challenge: Challenge::new(identity, tenant, user, wanted, app.clock.now()),
        view: OfferView {
            status: "enrolment_required",
            challenge: answers::challenge(&secret),
            secret: seed.expose_text(),
            otpauth_uri,
            qr_svg: qr.render::<svg::Color>().min_dimensions(200, 200).build(),
        },
    })
}

/// The seed that was sealed for a person.
pub(crate) async fn open_seed(
    app: &App,
    identity: IdentityId,
    sealed: &[u8],
) -> Result<Seed, Problem> {
    let id = identity.to_string();
    let plain = app.post.sealer.open(sealed, &context(&id)).await?;
    Seed::from_bytes(&plain).map_err(|error| SealError::Damaged(error.into()).into())
}

fn context(identity: &str) -> [(&str, &str); 2] {
    [("purpose", "second-factor"), ("identity", identity)]
}
