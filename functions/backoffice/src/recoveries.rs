//! `reset_super_admin`, `appoint_super_admin`: for a company whose last super admin is locked out or gone. All
//! its admins and its registered address are told, and it acts a day later unless one of them stops it.

use crate::App;
use belfry_api::fields::Fields;
use belfry_api::{Problem, answer};
use belfry_domain::account::{Factor, Role, Tenant, User};
use belfry_domain::business_email::{NOT_BUSINESS, is_business};
use belfry_domain::email::EmailAddress;
use belfry_domain::id::{OutboxId, RecoveryId, TenantId, UserId};
use belfry_domain::language::Language;
use belfry_domain::mail::{Letter, Reader};
use belfry_domain::policy::{Action, BackOffice};
use belfry_domain::recovery::{Appointee, DELAY, MOST_TOLD, NotNeeded, Recovery, Remedy, Stage};
use belfry_domain::secret::Secret;
use belfry_domain::text::Reason;
use belfry_runtime::post::{Draft, Page, reader};
use belfry_store::table::Item;
use belfry_store::tenants::back_office_log;
use belfry_store::{StoreError, outbox};
use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ResetCommand {
    operator: String,
    reason: String,
    tenant_id: String,
    /// May be left out where there is but one.
    user_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AppointCommand {
    operator: String,
    reason: String,
    tenant_id: String,
    first_name: String,
    last_name: String,
    email: String,
    mobile: String,
}

/// A company, and who has a say in it.
pub(crate) struct Company {
    pub(crate) tenant: Tenant,
    /// Its active super admins and admins, super admins first.
    admins: Vec<User>,
}

impl Company {
    pub(crate) async fn of(app: &App, id: TenantId) -> Result<Self, Problem> {
        let tenant = app.table.tenant(id).await?.ok_or_else(Problem::not_found)?;
        let admins = app.table.admins(id).await?;
        Ok(Self { tenant, admins })
    }

    pub(crate) fn super_admins(&self) -> impl Iterator<Item = &User> {
        self.admins.iter().filter(|user| user.role == Role::SuperAdmin)
    }

    /// Those that can log in, as far as can be seen.
    pub(crate) fn able(&self) -> impl Iterator<Item = &User> {
        self.super_admins().filter(|user| user.factor != Some(Factor::Locked))
    }
}

/// Nothing while another recovery waits.
async fn alone(app: &App, tenant: TenantId) -> Result<(), Problem> {
    let pending = app.table.recoveries(tenant).await?.iter().any(Recovery::is_open);
    if pending { Err(NotNeeded::Pending.into()) } else { Ok(()) }
}

pub(crate) async fn reset(app: &App, command: ResetCommand) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let tenant: Option<TenantId> = fields.read("/tenant_id", &command.tenant_id);
    let user = match &command.user_id {
        Some(text) => fields.read::<UserId>("/user_id", text).map(Some),
        None => Some(None),
    };
    let wanted = || Some((staff?, tenant?, user?));
    let wanted = wanted();
    let ((staff, reason), tenant, named) = fields.finish(wanted)?;
    let company = Company::of(app, tenant).await?;
    alone(app, tenant).await?;
    let candidates: Vec<_> =
        company.super_admins().filter(|user| named.is_none_or(|named| user.id == named)).collect();
    let target = match candidates[..] {
        [] => return Err(NotNeeded::NoSuperAdmin.into()),
        [target] => target,
        _ => {
            let ids: Vec<_> = candidates.iter().map(|user| user.id.to_string()).collect();
            let detail = format!("Name one of the super admins: {}.", ids.join(", "));
            return Err(Problem::new(409, "several_super_admins", detail));
        }
    };
    if company.able().any(|user| user.id != target.id) {
        return Err(NotNeeded::OtherSuperAdmins.into());
    }
    if target.factor.is_none() {
        return Err(NotNeeded::NothingEnrolled.into());
    }
    let (remedy, whom) = (Remedy::ResetTwoFactor { user: target.id }, reader(target));
    let action = Action::ResetSuperAdmin;
    announce(app, (&staff, &reason, action), &company, remedy, whom).await
}

pub(crate) async fn appoint(app: &App, command: AppointCommand) -> Result<Value, Problem> {
    let mut fields = Fields::new();
    let staff = app.staff(&mut fields, &command.operator, &command.reason);
    let tenant: Option<TenantId> = fields.read("/tenant_id", &command.tenant_id);
    let first_name = fields.read("/first_name", &command.first_name);
    let last_name = fields.read("/last_name", &command.last_name);
    let email: Option<EmailAddress> = fields.read("/email", &command.email);
    if email.as_ref().is_some_and(|email| !is_business(email)) {
        fields.fault("/email", "business_email_required", NOT_BUSINESS);
    }
    let mobile = fields.read("/mobile", &command.mobile);
    let user = UserId::new(app.clock.now(), app.entropy.as_ref());
    let wanted = || {
        let (first_name, last_name) = (first_name?, last_name?);
        let (email, mobile) = (email?, mobile?);
        let appointee = Appointee { user, first_name, last_name, email, mobile };
        Some((staff?, tenant?, appointee))
    };
    let wanted = wanted();
    let ((staff, reason), tenant, appointee) = fields.finish(wanted)?;
    let company = Company::of(app, tenant).await?;
    alone(app, tenant).await?;
    let appointee = match app.table.user_at(tenant, &appointee.email).await? {
        Some(user) => Appointee { user, ..appointee },
        None => appointee,
    };
    if company.super_admins().any(|user| user.email == appointee.email) {
        return Err(NotNeeded::AlreadySuperAdmin.into());
    }
    if company.able().count() > 1 {
        return Err(NotNeeded::OtherSuperAdmins.into());
    }
    let whom =
        Reader { first_name: appointee.first_name.clone(), last_name: appointee.last_name.clone() };
    let action = Action::AppointSuperAdmin;
    announce(app, (&staff, &reason, action), &company, Remedy::Appoint(appointee), whom).await
}

/// Writes it down and tells everybody.
async fn announce(
    app: &App,
    (staff, reason, action): (&BackOffice, &Reason, Action),
    company: &Company,
    remedy: Remedy,
    whom: Reader,
) -> Result<Value, Problem> {
    let (now, entropy) = (app.clock.now(), app.entropy.as_ref());
    let grant = staff.may(action, company.tenant.id)?;
    let secret = Secret::new(entropy);
    let recovery = Recovery {
        id: RecoveryId::new(now, entropy),
        tenant: company.tenant.id,
        remedy,
        operator: staff.operator.clone(),
        reason: reason.clone(),
        request_id: staff.origin.request_id.clone(),
        stop: secret.hash(),
        stage: Stage::Announced,
        acts_at: now.checked_add(DELAY).unwrap_or(now),
        version: 1,
    };
    let told = told(app, company).await?;
    let not_told = company.admins.len().saturating_sub(MOST_TOLD);
    let letter = Letter::RecoveryAnnounced {
        company: company.tenant.company.clone(),
        remedy: Box::new(recovery.remedy.clone()),
        whom,
        acts_at: recovery.acts_at,
    };
    let mails = told.iter().map(|(to, language)| {
        let (letter, link) = (letter.clone(), Some((Page::StopRecovery, &secret)));
        app.post.mail(Draft { to, language: *language, letter, link }, now)
    });
    let mails = try_join_all(mails).await?;
    let ids: Vec<OutboxId> = mails.iter().map(|mail| mail.id).collect();
    let items: Vec<Item> = mails.iter().map(outbox::item).collect::<Result<_, _>>()?;
    let log = back_office_log(staff, action, recovery.tenant, reason, now, entropy)?;
    let entry = recovery.record().set("stage", recovery.stage.name());
    let announced = (&company.tenant, &recovery, items);
    if !app.table.announce_recovery(&grant, &entry, announced, log, now, entropy).await? {
        return Err(Problem::busy("The company is being changed at this moment; try again."));
    }
    for id in &ids {
        app.post.ring(*id).await;
    }
    tracing::info!(tenant.id = %recovery.tenant, recovery.id = %recovery.id, "recovery announced");
    Ok(json!({"status": "ok", "recovery": {
        "id": recovery.id,
        "remedy": recovery.remedy.name(),
        "user_id": match &recovery.remedy {
            Remedy::ResetTwoFactor { user } => Some(*user),
            Remedy::Appoint(_) | Remedy::Appointed { .. } => None,
        },
        "acts_at": answer::time(recovery.acts_at),
        "told": ids.len(),
        "not_told": not_told,
    }}))
}

/// Whom to tell, each in the own language: the registered address, and the admins.
async fn told(app: &App, company: &Company) -> Result<Vec<(EmailAddress, Language)>, StoreError> {
    let admins = company.admins.get(..MOST_TOLD).unwrap_or(&company.admins);
    let persons = app.table.persons(admins).await?;
    let registered = &company.tenant.registered_email;
    let mut told: Vec<_> = persons
        .into_iter()
        .map(|(_, person)| (person.email, person.language))
        .filter(|(email, _)| email != registered)
        .collect();
    told.push((registered.clone(), company.tenant.language));
    Ok(told)
}
