//! Schemas of bodies and answers (JSON Schema 2020-12), for [`crate::routes`]. Closed lists come
//! from the domain.
#![expect(
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "nested JSON objects made here; run by tests only"
)]

mod directory;
mod siem;
mod tags;

use belfry_domain::account::{Role, Source, Status};
use belfry_domain::captcha::Provider;
use belfry_domain::credential::Scope;
use belfry_domain::dashboard::Period;
use belfry_domain::language::Language;
use belfry_domain::license::activation_key::Purpose;
use belfry_domain::license::{LicenseChange, LicenseKind, LicenseState};
use belfry_domain::product::Product;
use belfry_domain::second_factor::State;
use belfry_domain::tag::{Kind as TagKind, Subject};
use belfry_domain::telemetry::batch::MOST_EVENTS;
use belfry_domain::telemetry::event::{EventType, Kind, Severity};
use serde_json::{Map, Value, json};

pub(crate) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// An object of these attributes; those whose name ends in `?` may be absent.
fn object<'a>(attributes: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, schema) in attributes {
        let bare = name.trim_end_matches('?');
        if bare == name {
            required.push(bare);
        }
        properties.insert(bare.to_owned(), schema);
    }
    json!({"type": "object", "properties": properties, "required": required})
}

/// An object of a request: any other attribute is refused.
fn closed<'a>(attributes: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let mut schema = object(attributes);
    schema["additionalProperties"] = false.into();
    schema
}

fn text() -> Value {
    json!({"type": "string"})
}

fn secret(description: &str) -> Value {
    json!({"type": "string", "format": "password", "description": description})
}

fn name() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 128, "description": "1 to 128 bytes of UTF-8."})
}

fn name_of_person() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 60})
}

fn id(prefix: &str) -> Value {
    json!({"type": "string", "pattern": format!("^{prefix}_[0-9a-f]{{32}}$")})
}

pub(crate) fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn date() -> Value {
    json!({"type": "string", "format": "date"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn flag() -> Value {
    json!({"type": "boolean"})
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn at_most(count: usize, items: Value) -> Value {
    json!({"type": "array", "items": items, "maxItems": count})
}

fn nullable(mut schema: Value) -> Value {
    if let Some(kind) = schema.get("type").cloned() {
        schema["type"] = json!([kind, "null"]);
        schema
    } else {
        json!({"anyOf": [schema, {"type": "null"}]})
    }
}

/// What went wrong with a server that an administrator named.
fn error() -> Value {
    object([("code", text()), ("detail", text())])
}

/// A step on the way to a server that an administrator named.
fn step() -> Value {
    let tls = object([
        ("version", text()),
        ("subject", nullable(text())),
        ("issuer", nullable(text())),
        ("not_after", nullable(time())),
    ]);
    object([
        (
            "step",
            one_of([
                "resolve", "connect", "starttls", "tls", "bind", "root", "base", "write", "answer",
                "close",
            ]),
        ),
        ("elapsed_ms", count()),
        ("ok", flag()),
        ("addresses?", list(text())),
        ("tls?", tls),
        ("bytes?", count()),
        ("status?", count()),
        ("clean_end?", flag()),
        ("error?", error()),
    ])
}

fn one_of(names: impl IntoIterator<Item = &'static str>) -> Value {
    json!({"enum": names.into_iter().collect::<Vec<_>>()})
}

pub(crate) fn product() -> Value {
    one_of(Product::ALL.map(Product::name))
}

pub(crate) fn kind() -> Value {
    one_of(Kind::ALL.map(Kind::name))
}

pub(crate) fn period() -> Value {
    one_of(Period::ALL.map(Period::name))
}

pub(crate) fn filter() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 256})
}

pub(crate) fn number() -> Value {
    json!({"type": "integer", "minimum": 1})
}

pub(crate) fn role() -> Value {
    one_of(Role::ALL.map(Role::name))
}

pub(crate) fn status() -> Value {
    one_of(Status::ALL.map(Status::name))
}

/// The status of a user that is not deleted.
pub(crate) fn live_status() -> Value {
    one_of(Status::ALL.into_iter().filter(|status| *status != Status::Archived).map(Status::name))
}

pub(crate) fn source() -> Value {
    one_of(Source::ALL.map(Source::name))
}

pub(crate) fn two_factor_state() -> Value {
    one_of(State::ALL.map(State::name))
}

fn scope() -> Value {
    one_of(Scope::ALL.map(Scope::name))
}

pub(crate) fn tag_subject() -> Value {
    one_of(Subject::ALL.map(Subject::name))
}

pub(crate) fn tag_kind() -> Value {
    one_of(TagKind::ALL.map(TagKind::name))
}

/// One of several answers, told apart by `status`.
fn any_of<const N: usize>(names: [&str; N]) -> Value {
    json!({"oneOf": names.map(reference).to_vec(), "discriminator": {"propertyName": "status"}})
}

fn tenant() -> Value {
    object([("id", id("ten")), ("name", text()), ("suspended?", json!({"const": true}))])
}

/// Every schema by name.
pub(crate) fn all() -> Value {
    let mut schemas = Map::new();
    for part in [
        problems(),
        log_in(),
        second_factor(),
        links(),
        profile(),
        users(),
        imports(),
        credentials(),
        licenses(),
        products(),
        sign_up(),
        settings(),
        audit(),
        support(),
        telemetry(),
        dashboard(),
        directory::schemas(),
        siem::schemas(),
        tags::schemas(),
    ] {
        schemas.extend(part);
    }
    Value::Object(schemas)
}

fn named<const N: usize>(schemas: [(&str, Value); N]) -> Map<String, Value> {
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn users() -> Map<String, Value> {
    let optional = |description: &str| json!({"type": "string", "description": description});
    let user = || {
        vec![
            ("id", id("usr")),
            ("first_name", text()),
            ("last_name", text()),
            ("email", text()),
            ("mobile", nullable(text())),
            ("phone", nullable(text())),
            ("attributes", tags::user_attributes(text())),
            ("role", role()),
            ("status", status()),
            ("source", source()),
            ("two_factor", object([("required", flag()), ("state", two_factor_state())])),
            ("groups", list(text())),
            ("role_pinned", flag()),
            ("tags", tags::shown()),
            ("last_login_at", nullable(time())),
            ("created_at", time()),
            ("erased_at?", time()),
            ("version", count()),
        ]
    };
    named([
        ("User", object(user())),
        ("UserPage", page(reference("User"))),
        (
            "CreateUser",
            closed([
                ("first_name", name_of_person()),
                ("last_name", name_of_person()),
                ("email", optional("A company's, unless the role is `user`.")),
                ("mobile?", nullable(optional("With its country code: `+91 98765 43210`."))),
                ("phone?", nullable(optional("Another number, likewise."))),
                ("attributes?", tags::user_attributes(nullable(tags::attribute_text()))),
                ("role", role()),
                ("two_factor_required?", flag()),
            ]),
        ),
        (
            "ChangeUser",
            closed([
                ("first_name?", name_of_person()),
                ("last_name?", name_of_person()),
                ("mobile?", optional("Empty takes it away.")),
                ("phone?", optional("Empty takes it away.")),
                ("attributes?", tags::user_attributes(nullable(tags::attribute_text()))),
                ("role?", role()),
                ("status?", one_of(["active", "deactivated"])),
                ("role_pinned?", flag()),
                ("version", count()),
            ]),
        ),
        ("Sent", object([("status", json!({"const": "sent"}))])),
        (
            "UserData",
            object([
                ("user", reference("User")),
                (
                    "person",
                    json!({"anyOf": [
                        object([
                            ("language", text()),
                            ("password_set_at", nullable(time())),
                            ("recovery_codes_left", nullable(count())),
                            ("created_at", time()),
                        ]),
                        {"type": "null"},
                    ]}),
                ),
                (
                    "sessions",
                    list(object([
                        ("id", id("ses")),
                        ("created_at", time()),
                        ("last_used_at", time()),
                        ("source_address", nullable(text())),
                        ("user_agent", nullable(text())),
                    ])),
                ),
                ("audit", list(text())),
            ]),
        ),
    ])
}

fn imports() -> Map<String, Value> {
    named([
        ("Csv", json!({"type": "string", "description": "RFC 4180, UTF-8."})),
        (
            "Import",
            object([
                ("id", nullable(id("imp"))),
                ("state", one_of(["running", "done", "refused", "stopped"])),
                ("mode", one_of(["strict", "partial"])),
                ("dry_run", flag()),
                (
                    "rows",
                    object([
                        ("total", count()),
                        ("done", count()),
                        ("imported", count()),
                        ("refused", count()),
                        ("skipped", count()),
                    ]),
                ),
                (
                    "verdicts",
                    list(object([
                        ("line", count()),
                        ("outcome", one_of(["imported", "refused", "skipped"])),
                        ("field?", text()),
                        ("code?", text()),
                        ("detail?", text()),
                    ])),
                ),
                ("created_at", nullable(time())),
                ("finished_at", nullable(time())),
            ]),
        ),
    ])
}

fn problems() -> Map<String, Value> {
    named([
        (
            "Problem",
            object([
                ("type", json!({"const": "about:blank"})),
                ("title", text()),
                ("status", json!({"type": "integer", "minimum": 400, "maximum": 599})),
                ("detail", text()),
                ("instance", json!({"type": "string", "description": "The request id."})),
                ("code", json!({"type": "string", "pattern": "^[a-z0-9_]+$"})),
                ("errors?", list(reference("FieldError"))),
                (
                    "challenge?",
                    secret("With `two_factor_locked`: to be sent back with a recovery code."),
                ),
                (
                    "expires_in?",
                    json!({"type": "integer", "description": "Seconds of the challenge."}),
                ),
                (
                    "version?",
                    json!({"type": "integer", "description": "With `version_conflict`: the present one."}),
                ),
                (
                    "count?",
                    json!({"type": "integer", "description": "With `tag_in_use`: how often."}),
                ),
            ]),
        ),
        (
            "FieldError",
            object([
                (
                    "pointer",
                    json!({"type": "string", "description":
                        "JSON pointer (RFC 6901) into the body, or `?name` for a query parameter."}),
                ),
                ("code", json!({"type": "string", "pattern": "^[a-z0-9_]+$"})),
                ("detail", text()),
            ]),
        ),
    ])
}

fn log_in() -> Map<String, Value> {
    let access_token = secret("For `Authorization: Bearer`; ES256, at most 5 minutes.");
    let refresh_token = secret("For the next refresh; absent for a browser, which has its cookie.");
    let expires_in = json!({"type": "integer", "minimum": 1, "description": "Seconds."});
    let challenge = secret("To be sent back with a code.");
    named([
        (
            "LogIn",
            closed([
                ("email", text()),
                ("password", secret("The password.")),
                (
                    "tenant_id?",
                    json!({"type": ["string", "null"], "description":
                        "Which tenant to open; the last used one when absent."}),
                ),
            ]),
        ),
        (
            "Authenticated",
            object([
                ("status", json!({"const": "authenticated"})),
                ("access_token", access_token.clone()),
                ("token_type", json!({"const": "Bearer"})),
                ("expires_in", expires_in.clone()),
                ("refresh_token?", refresh_token.clone()),
                ("tenant", tenant()),
                ("tenants", list(tenant())),
                ("user", object([("id", id("usr")), ("role", role())])),
                ("recovery_codes?", at_most(10, secret("After an enrolment, shown this once."))),
            ]),
        ),
        (
            "TwoFactorRequired",
            object([
                ("status", json!({"const": "two_factor_required"})),
                ("challenge", challenge.clone()),
                ("expires_in", expires_in.clone()),
            ]),
        ),
        (
            "EnrolmentRequired",
            object([
                ("status", json!({"const": "enrolment_required"})),
                ("challenge", challenge.clone()),
                ("expires_in", expires_in.clone()),
                ("secret", secret("For people who cannot scan; base32.")),
                ("otpauth_uri", secret("What the QR code says.")),
                ("qr_svg", secret("The QR code, as SVG.")),
            ]),
        ),
        ("LoggedIn", any_of(["Authenticated", "TwoFactorRequired", "EnrolmentRequired"])),
        ("Refresh", closed([("refresh_token", secret("The latest one."))])),
        (
            "Refreshed",
            object([
                ("access_token", access_token),
                ("token_type", json!({"const": "Bearer"})),
                ("expires_in", expires_in),
                ("refresh_token?", refresh_token),
            ]),
        ),
        (
            "Confirm",
            closed([
                ("password", secret("The password.")),
                (
                    "code?",
                    json!({"type": ["string", "null"], "description":
                    "Of the authenticator app, when one is enrolled and required."}),
                ),
            ]),
        ),
        ("Confirmed", object([("confirmed_until", time())])),
        (
            "SwitchTenant",
            closed([
                ("tenant_id", text()),
                (
                    "refresh_token?",
                    secret("The session's latest one; a browser's is in its cookie."),
                ),
            ]),
        ),
    ])
}

fn second_factor() -> Map<String, Value> {
    let challenge = secret("To be sent back with a code.");
    named([
        ("EnrolledOrAuthenticated", any_of(["Authenticated", "EnrolmentRequired"])),
        (
            "TwoFactor",
            closed([
                ("challenge", challenge.clone()),
                (
                    "code?",
                    json!({"type": ["string", "null"], "description":
                    "Six digits of the authenticator app."}),
                ),
                (
                    "recovery_code?",
                    json!({"type": ["string", "null"], "description":
                    "Instead of a code, also when the factor is locked."}),
                ),
            ]),
        ),
        ("FirstCode", closed([("challenge", challenge), ("code", text())])),
        ("OwnTwoFactor", closed([("enabled", flag())])),
        ("RecoveryCodes", object([("recovery_codes", at_most(10, secret("Shown this once.")))])),
        ("RequireTwoFactor", closed([("required", flag())])),
        (
            "UserTwoFactor",
            object([
                ("id", id("usr")),
                ("two_factor", object([("required", flag()), ("state", two_factor_state())])),
            ]),
        ),
        ("TwoFactorReset", object([("status", one_of(["reset", "offered"]))])),
    ])
}

fn links() -> Map<String, Value> {
    named([
        ("MailedToken", closed([("token", secret("What follows `#` in the mailed link."))])),
        ("Forgotten", closed([("email", text())])),
        ("Accepted", object([("status", json!({"const": "accepted"}))])),
        (
            "ResetPassword",
            closed([
                ("token", secret("What follows `#` in the mailed link.")),
                ("password", secret("12 to 128 characters.")),
            ]),
        ),
        ("CheckActivation", closed([("token", secret("What follows `#` in the mailed link."))])),
        (
            "ActivationChecked",
            object([
                (
                    "status",
                    one_of(["password_required", "login_required", "confirmation_required"]),
                ),
                ("tenant", tenant()),
                (
                    "user",
                    object([("first_name", text()), ("last_name", text()), ("email", text())]),
                ),
                ("expires_at", time()),
            ]),
        ),
        (
            "Activate",
            closed([
                ("token", secret("What follows `#` in the mailed link.")),
                (
                    "password?",
                    json!({"type": ["string", "null"], "format": "password", "description":
                        "12 to 128 characters; for a person without a password."}),
                ),
            ]),
        ),
        (
            "Activated",
            object([
                ("status", json!({"const": "activated"})),
                ("tenant_id", id("ten")),
                ("user_id", id("usr")),
            ]),
        ),
    ])
}

fn profile() -> Map<String, Value> {
    named([
        ("NewPassword", closed([("password", secret("12 to 128 characters."))])),
        (
            "ChangeMe",
            closed([
                ("first_name?", nullable(text())),
                ("last_name?", nullable(text())),
                ("mobile?", nullable(text())),
                ("language?", nullable(text())),
                ("version", count()),
            ]),
        ),
        (
            "Session",
            object([
                ("id", id("ses")),
                ("current", flag()),
                ("tenant", tenant()),
                ("created_at", time()),
                ("last_used_at", time()),
                ("ends_at", time()),
                ("source_address", nullable(text())),
                ("user_agent", nullable(text())),
            ]),
        ),
        ("SessionPage", page(reference("Session"))),
        (
            "Me",
            object([
                ("id", id("usr")),
                ("first_name", text()),
                ("last_name", text()),
                ("email", text()),
                ("mobile", nullable(text())),
                ("language", one_of(["en", "ja", "ko"])),
                ("role", role()),
                ("status", one_of(["invited", "active", "deactivated", "archived"])),
                ("source", one_of(["manual", "csv", "directory"])),
                (
                    "two_factor",
                    object([
                        ("required", flag()),
                        ("state", two_factor_state()),
                        ("recovery_codes_left", nullable(count())),
                    ]),
                ),
                ("tenant", tenant()),
                ("session_id", id("ses")),
                ("last_login_at", nullable(time())),
                ("created_at", time()),
                ("version", count()),
            ]),
        ),
    ])
}

fn credentials() -> Map<String, Value> {
    let credential = || {
        object([
            ("id", id("crd")),
            ("product", product()),
            ("scopes", list(scope())),
            ("max_event_age_days", count()),
            ("created_at", time()),
            ("expires_at", nullable(time())),
            ("last_used_at", nullable(time())),
        ])
    };
    let mut created = credential();
    created["properties"]["secret"] = secret("For `Authorization: Bearer`; never shown again.");
    if let Some(required) = created["required"].as_array_mut() {
        required.push("secret".into());
    }
    named([
        (
            "CreateCredential",
            closed([
                (
                    "expires_at?",
                    json!({"type": ["string", "null"], "format": "date-time", "description":
                        "When it ends; never when absent."}),
                ),
                (
                    "scopes?",
                    json!({"type": ["array", "null"], "items": scope(), "minItems": 1, "maxItems": 2,
                        "description": "`telemetry:write` alone, when absent."}),
                ),
            ]),
        ),
        ("Credential", credential()),
        ("NewCredential", created),
        ("CredentialPage", page(reference("Credential"))),
        (
            "KeySet",
            object([(
                "keys",
                list(object([
                    ("kty", json!({"const": "EC"})),
                    ("crv", json!({"const": "P-256"})),
                    ("x", text()),
                    ("y", text()),
                    ("kid", text()),
                    ("alg", json!({"const": "ES256"})),
                    ("use", json!({"const": "sig"})),
                ])),
            )]),
        ),
    ])
}

fn license_kind() -> Value {
    one_of(LicenseKind::ALL.map(LicenseKind::name))
}

fn license_state() -> Value {
    one_of(LicenseState::ALL.map(LicenseState::name))
}

fn product_key() -> Value {
    json!({"type": "string", "description": "As it is typed: any case, hyphens and blanks anywhere.",
        "examples": ["7ZZZZ-00000-ABCDE-FGHJK-M"]})
}

fn licenses() -> Map<String, Value> {
    let license = object([
        ("product", product()),
        ("product_key", text()),
        ("edition", text()),
        ("kind", license_kind()),
        ("state", license_state()),
        ("starts_at", time()),
        ("ends_at", time()),
        ("accepted_until", time()),
        ("seats", count()),
        ("used", count()),
        ("over", flag()),
        ("history", at_most(50, reference("LicenseChange"))),
    ]);
    named([
        (
            "LicenseChange",
            object([
                ("at", time()),
                ("change", one_of(LicenseChange::ALL.map(LicenseChange::name))),
                ("kind", license_kind()),
                ("edition", text()),
                ("seats", count()),
                ("ends_at", time()),
                ("activation_key_id?", id("ack")),
            ]),
        ),
        ("License", license),
        ("Licenses", object([("items", at_most(4, reference("License")))])),
        (
            "ActivateLicense",
            closed([
                ("activation_key", json!({"type": "string", "pattern": "^\\s*bfa_"})),
                ("dry_run?", json!({"type": "boolean", "description": "Shows what would change."})),
            ]),
        ),
        (
            "LicenseActivation",
            object([
                ("purpose", one_of(Purpose::ALL.map(Purpose::name))),
                ("dry_run", flag()),
                ("license", reference("License")),
            ]),
        ),
        ("AddTrial", closed([])),
        ("RegisterProduct", closed([("product_key", product_key())])),
    ])
}

fn products() -> Map<String, Value> {
    let license = object([
        ("kind", license_kind()),
        ("state", license_state()),
        ("edition", text()),
        ("ends_at", time()),
    ]);
    named([
        (
            "ProductEntry",
            object([
                ("product", product()),
                ("license", nullable(license)),
                (
                    "launch",
                    json!({"type": "boolean", "description": "Whether its console can be opened."}),
                ),
            ]),
        ),
        ("Products", object([("items", list(reference("ProductEntry")))])),
        (
            "Launch",
            object([
                ("url", json!({"type": "string", "format": "uri"})),
                ("method", json!({"const": "POST"})),
                (
                    "token",
                    secret(
                        "JWT, `typ` `handoff+jwt`, ES256, audience the product, good for 60 \
                         seconds; posted as a form's field, never in an address.",
                    ),
                ),
            ]),
        ),
        ("StopRecovery", closed([("token", secret("What follows `#` in the mailed link."))])),
        ("RecoveryStopped", object([("status", json!({"const": "stopped"}))])),
    ])
}

fn sign_up() -> Map<String, Value> {
    let choice = |description: &str| json!({"type": "string", "description": description});
    let company = || {
        vec![
            ("first_name", name_of_person()),
            ("last_name", name_of_person()),
            ("email", choice("A company's, not of a free or disposable mail provider.")),
            ("mobile", choice("With its country code: `+91 98765 43210`.")),
            ("job_role", choice("A code of the options.")),
            ("company", json!({"type": "string", "minLength": 1, "maxLength": 120})),
            ("industry", choice("A code of the options.")),
            ("company_size", choice("A code of the options.")),
            ("country", json!({"type": "string", "pattern": "^[A-Z]{2}$"})),
            ("state?", nullable(choice("ISO 3166-2; required where the country has states."))),
            ("city", json!({"type": "string", "minLength": 1, "maxLength": 80})),
            ("language", one_of(Language::ALL.map(Language::name))),
            ("captcha?", choice("What the captcha of the options gave the browser.")),
        ]
    };
    let mut trial = company();
    trial.push(("product", product()));
    let mut registration = company();
    registration.extend([
        (
            "products",
            json!({"type": "array", "minItems": 1, "maxItems": 4, "items":
                closed([("product", product()), ("product_key", product_key())])}),
        ),
        ("license_agreement_accepted", json!({"const": true})),
        ("privacy_policy_accepted", json!({"const": true})),
    ]);
    let choices = || list(reference("Choice"));
    let languages = || list(one_of(Language::ALL.map(Language::name)));
    named([
        ("Choice", object([("code", text()), ("name", text())])),
        (
            "OnboardingOptions",
            object([
                ("language", one_of(Language::ALL.map(Language::name))),
                (
                    "captcha",
                    nullable(object([
                        ("provider", one_of(Provider::ALL.map(Provider::name))),
                        ("site_key", text()),
                    ])),
                ),
                ("job_roles", choices()),
                ("industries", choices()),
                ("company_sizes", choices()),
                (
                    "countries",
                    list(object([("code", text()), ("name", text()), ("has_states", flag())])),
                ),
                ("languages", choices()),
                (
                    "products",
                    list(object([
                        ("code", product()),
                        ("name", text()),
                        ("languages", languages()),
                        ("trial_days", count()),
                    ])),
                ),
            ]),
        ),
        ("States", object([("items", choices())])),
        ("SignUpForTrial", closed(trial)),
        ("RegisterProductKeys", closed(registration)),
        ("SignUpAccepted", object([("status", json!({"const": "accepted"}))])),
        ("ConfirmSignUp", closed([("token", secret("What follows `#` in the mailed link."))])),
        (
            "SignUpConfirmed",
            object([
                ("status", json!({"const": "confirmed"})),
                ("tenant", object([("id", id("ten")), ("name", text())])),
                (
                    "user",
                    object([
                        ("id", id("usr")),
                        ("first_name", text()),
                        ("last_name", text()),
                        ("email", text()),
                    ]),
                ),
                ("products", list(product())),
            ]),
        ),
    ])
}

fn settings() -> Map<String, Value> {
    let minutes = json!({"type": "integer", "minimum": 5, "maximum": 120, "description":
        "After how long without use a session ends."});
    named([
        (
            "ChangeSettings",
            closed([("session_timeout_minutes", minutes.clone()), ("version", count())]),
        ),
        ("Settings", object([("session_timeout_minutes", minutes), ("version", count())])),
    ])
}

fn audit() -> Map<String, Value> {
    let actor = object([
        ("kind", one_of(["person", "directory", "back_office", "mailed_link"])),
        ("id", json!({"anyOf": [id("usr"), id("idp"), {"type": "null"}]})),
        ("role", json!({"anyOf": [role(), {"type": "null"}]})),
    ]);
    named([
        ("AuditChange", object([("field", text()), ("from", json!({})), ("to", json!({}))])),
        (
            "AuditRecord",
            object([
                ("id", id("aud")),
                ("sequence", nullable(number())),
                ("at", time()),
                ("actor", nullable(actor)),
                ("source_address", nullable(text())),
                ("request_id", text()),
                ("action", text()),
                ("entity", nullable(object([("kind", text()), ("id", text())]))),
                ("outcome", one_of(["success", "failure", "denied"])),
                ("changes", list(reference("AuditChange"))),
                (
                    "personal",
                    json!({"type": ["object", "null"], "description":
                        "Names and addresses, unless they were erased."}),
                ),
            ]),
        ),
        ("AuditPage", page(reference("AuditRecord"))),
        (
            "AuditVerification",
            object([
                ("status", one_of(["whole", "broken"])),
                ("from", count()),
                ("to", count()),
                ("checked", count()),
                ("broken_at", nullable(number())),
                (
                    "head",
                    object([
                        ("sequence", count()),
                        ("hash", json!({"type": "string", "pattern": "^[0-9a-f]{64}$"})),
                    ]),
                ),
                ("next_from", nullable(number())),
            ]),
        ),
    ])
}

fn support() -> Map<String, Value> {
    let sized = |most: u32| json!({"type": "string", "minLength": 1, "maxLength": most});
    named([
        (
            "Support",
            object([
                ("faq_url", text()),
                ("chat_url", text()),
                ("email", text()),
                (
                    "telephones",
                    list(object([
                        ("country", json!({"type": "string", "pattern": "^[A-Z]{2}$"})),
                        ("number", json!({"type": "string", "pattern": "^\\+[0-9]{7,15}$"})),
                        ("hours", text()),
                        ("toll_free", flag()),
                    ])),
                ),
            ]),
        ),
        (
            "CreateTicket",
            closed([
                ("subject", sized(120)),
                ("message", sized(5_000)),
                ("product?", json!({"anyOf": [product(), {"type": "null"}]})),
            ]),
        ),
        (
            "Ticket",
            object([(
                "reference",
                json!({"type": "string", "pattern": "^TCK-[0-9A-HJKMNP-TV-Z]{8}$"}),
            )]),
        ),
    ])
}

fn page(item: Value) -> Value {
    object([("items", list(item)), ("next_cursor", nullable(text()))])
}

fn telemetry() -> Map<String, Value> {
    let issue = object([
        (
            "index",
            json!({"type": "integer", "minimum": 0, "description": "Position in the batch."}),
        ),
        ("id?", text()),
        ("code", text()),
        ("pointer", json!({"type": "string", "description": "JSON pointer into the event."})),
        ("detail", text()),
    ]);
    let mut schemas = named([
        (
            "Batch",
            json!({"type": "array", "minItems": 1, "maxItems": MOST_EVENTS, "items":
                {"oneOf": EventType::ALL.map(|kind| reference(&schema_name(kind)))}}),
        ),
        ("EventIssue", issue),
        (
            "BatchTaken",
            object([
                ("batch_id", text()),
                (
                    "over_seats",
                    json!({"type": "boolean", "description": "More endpoints report than the licence \
                        covers, as of the last look at it; telemetry is taken all the same."}),
                ),
                ("accepted", count()),
                ("rejected", count()),
                ("errors", at_most(100, reference("EventIssue"))),
                ("errors_omitted", count()),
                ("warnings", at_most(100, reference("EventIssue"))),
                ("warnings_omitted", count()),
            ]),
        ),
    ]);
    schemas.extend(EventType::ALL.map(|kind| (schema_name(kind), event(kind))));
    schemas
}

/// `EndpointStatusEvent` of `endpoint.status`.
fn schema_name(kind: EventType) -> String {
    let words = kind.name().split('.').map(|word| {
        let (first, rest) = word.split_at(1);
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    format!("{}Event", words.collect::<String>())
}

/// A `CloudEvent` of one type. Other attributes are allowed; those of `data` are named in the answer
/// and not kept.
fn event(kind: EventType) -> Value {
    let products: Vec<&str> =
        Product::ALL.into_iter().filter(|p| kind.sent_by(*p)).map(Product::name).collect();
    let mut schema = object([
        ("specversion", json!({"const": "1.0"})),
        ("id", name()),
        ("source", name()),
        ("type", json!({"const": kind.name()})),
        ("time", time()),
        ("datacontenttype?", json!({"const": "application/json"})),
        ("data", data(kind)),
    ]);
    schema["description"] = format!("Sent by {}.", products.join(", ")).into();
    schema
}

fn data(of: EventType) -> Value {
    let endpoint = || object([("id", name()), ("kind", kind())]);
    let severity = || one_of(Severity::ALL.map(Severity::name));
    match of {
        EventType::EndpointStatus => object([(
            "endpoint",
            object([
                ("id", name()),
                ("kind", kind()),
                ("name?", nullable(name())),
                ("os", name()),
                ("os_version", name()),
                ("agent_version", name()),
            ]),
        )]),
        EventType::EndpointRemoved => object([("endpoint", endpoint())]),
        EventType::InfectionDetected | EventType::InfectionCleaned => object([
            ("endpoint", endpoint()),
            ("threat", name()),
            ("action", name()),
            ("severity", severity()),
            ("path_hash?", nullable(name())),
        ]),
        EventType::PolicyViolated => {
            object([("endpoint", endpoint()), ("policy", name()), ("severity", severity())])
        }
        EventType::ApplicationViolated => {
            object([("endpoint", endpoint()), ("application", name()), ("severity", severity())])
        }
        EventType::ClassifierMatched => {
            object([("endpoint", endpoint()), ("classifier", name()), ("count", count())])
        }
        EventType::AccessBlocked => object([("application", name()), ("user", name())]),
    }
}

fn dashboard() -> Map<String, Value> {
    let by_kind = || object([("computers", count()), ("mobiles", count())]);
    let violations = || object([("endpoints", count()), ("events", count())]);
    let by_period = || object(Period::ALL.map(|period| (period.name(), count())));
    let top = || object([("name", text()), ("count", count()), ("error", count())]);
    named([
        (
            "Dashboard",
            object([
                ("period", period()),
                ("data_as_of", nullable(time())),
                (
                    "endpoints",
                    object([
                        ("total", count()),
                        ("computers", count()),
                        ("mobiles", count()),
                        ("infected_now", by_kind()),
                    ]),
                ),
                ("not_seen", by_kind()),
                ("infected", by_kind()),
                ("violations", object([("policy", violations()), ("application", violations())])),
                (
                    "operating_systems",
                    list(object([
                        ("os", text()),
                        ("version", text()),
                        ("kind", kind()),
                        ("count", count()),
                    ])),
                ),
                (
                    "agent_versions",
                    list(object([
                        ("product", product()),
                        ("version", text()),
                        ("kind", kind()),
                        ("count", count()),
                    ])),
                ),
                ("top_classifiers", at_most(10, top())),
                ("top_blocked_applications", at_most(5, top())),
                ("top_blocked_users", at_most(5, top())),
                ("ageing", object([("not_seen", by_period()), ("infected", by_period())])),
                ("approximate", flag()),
            ]),
        ),
        (
            "Endpoint",
            object([
                ("product", product()),
                ("id", name()),
                ("kind", kind()),
                ("name", nullable(text())),
                ("os", text()),
                ("os_version", text()),
                ("agent_version", text()),
                ("infected", flag()),
                ("threat", nullable(text())),
                ("last_seen", date()),
                ("last_infection", nullable(date())),
                ("last_policy_violation", nullable(date())),
                ("last_application_violation", nullable(date())),
            ]),
        ),
        ("EndpointPage", page(reference("Endpoint"))),
        (
            "EndpointRemoval",
            object([
                ("product", product()),
                ("id", name()),
                ("status", json!({"const": "removing"})),
            ]),
        ),
    ])
}
