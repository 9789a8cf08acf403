//! The routes, as one table: which function answers, who may call, what goes in and out. From it
//! comes infra/openapi.json (`OpenAPI` 3.1); tests hold the table, the functions' `match`,
//! template.yaml and real answers together. No function carries it (feature `openapi`).
#![expect(
    clippy::indexing_slicing,
    reason = "writes into JSON objects made here; run by tests only"
)]

use crate::schemas;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Anybody.
    Anyone,
    /// A person at the console, with an access token, whose company is not suspended.
    Console,
    /// A person at the console, with an access token.
    Visitor,
    /// Either: a person who is logged in says so.
    AnyoneOrConsole,
    /// A product, with its credential.
    Product,
    /// A receiver that asks, with the token of its SIEM destination.
    Puller,
}

/// A parameter of the query or a header.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// `query` or `header`.
    pub place: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Its schema.
    pub schema: fn() -> Value,
}

/// A route.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The function that answers.
    pub function: &'static str,
    /// `"POST /auth/login"`, the same string as in the function and in template.yaml.
    pub route: &'static str,
    /// Name of the operation, `camelCase`.
    pub operation: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Who may call.
    pub caller: Caller,
    /// Parameters beside those of the path.
    pub parameters: &'static [Parameter],
    /// Media type and schema of the body.
    pub body: Option<(&'static str, &'static str)>,
    /// Statuses and schemas of the answers; no schema where there is no body.
    pub answers: &'static [(u16, Option<&'static str>)],
    /// Statuses of problems and their codes; [`Route::problems`] has those of the caller too.
    problems: &'static [(u16, &'static str)],
}

impl Route {
    /// Statuses of problems and their codes, in the order of the statuses.
    pub fn problems(&self) -> BTreeMap<u16, String> {
        let mut problems: BTreeMap<_, _> =
            self.problems.iter().map(|(status, codes)| (*status, (*codes).to_owned())).collect();
        if self.caller == Caller::Console {
            let suspended = "tenant_suspended";
            let forbidden = problems.entry(403).or_default();
            *forbidden = [forbidden.as_str(), suspended]
                .into_iter()
                .filter(|codes| !codes.is_empty())
                .collect::<Vec<_>>()
                .join(", ");
        }
        problems
    }
}

const JSON: &str = "application/json";

const BROWSER: Parameter = Parameter {
    name: "X-Belfry-Client",
    place: "header",
    description: "`browser` keeps the refresh token in a `__Host-` cookie, out of reach of scripts.",
    schema: || json!({"enum": ["browser"]}),
};

const BACKGROUND: Parameter = Parameter {
    name: "X-Background",
    place: "header",
    description: "`1` marks a request that is no activity of the person: it does not prolong the session.",
    schema: || json!({"enum": ["1"]}),
};

const IDEMPOTENCY_KEY: Parameter = Parameter {
    name: "Idempotency-Key",
    place: "header",
    description: "Names the request: within 24 hours the same one does nothing twice.",
    schema: || json!({"type": "string", "pattern": "^[ -~]{1,128}$"}),
};

const ACCEPT_LANGUAGE: Parameter = Parameter {
    name: "Accept-Language",
    place: "header",
    description: "`en`, `ja` or `ko` (RFC 9110, section 12.5.4); `en` when none of them is named.",
    schema: || json!({"type": "string"}),
};

const LIMIT: Parameter = query(
    "limit",
    "Rows of a page; default 50.",
    || json!({"type": "integer", "minimum": 1, "maximum": 200}),
);

const CURSOR: Parameter = query(
    "cursor",
    "`next_cursor` of the page before; the other parameters as there.",
    || json!({"type": "string"}),
);

const FORCE: Parameter = query(
    "force",
    "`true` takes what is in use away from all who have it.",
    || json!({"type": "boolean"}),
);

const TAG: Parameter = query("tag", "Only those with the tag of this key.", schemas::filter);

const TAG_VALUE: Parameter =
    query("tag_value", "Only those with this value of `tag`.", schemas::filter);

const CHANGED_SINCE: Parameter = query(
    "changed_since",
    "`changed_since` of the last page of the round before: answers what changed after it. Without it, all.",
    || json!({"type": "string"}),
);

/// What reading as a product can meet.
const FEED_PROBLEMS: &[(u16, &str)] = &[
    (400, "cursor_invalid"),
    (401, "unauthenticated"),
    (403, "license_expired, scope_missing, tenant_suspended"),
    (410, "changes_expired"),
    (422, "invalid"),
];

const fn query(name: &'static str, description: &'static str, schema: fn() -> Value) -> Parameter {
    Parameter { name, place: "query", description, schema }
}

/// Every route of the API.
pub const ROUTES: &[Route] = &[
    Route {
        function: "auth",
        route: "POST /auth/login",
        operation: "logIn",
        summary: "Opens a session, or answers what it still takes. Unknown address, wrong password and inactive user have one answer.",
        caller: Caller::Anyone,
        parameters: &[BROWSER],
        body: Some((JSON, "LogIn")),
        answers: &[(200, Some("LoggedIn"))],
        problems: &[
            (400, "malformed"),
            (401, "invalid_credentials"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
            (423, "two_factor_locked"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /auth/two-factor",
        operation: "answerTwoFactor",
        summary: "Answers a challenge with a code of the authenticator app, or with a recovery code, which leads to a new enrolment.",
        caller: Caller::Anyone,
        parameters: &[BROWSER],
        body: Some((JSON, "TwoFactor")),
        answers: &[(200, Some("LoggedIn"))],
        problems: &[
            (400, "malformed"),
            (401, "invalid_code, code_used, invalid_credentials"),
            (410, "challenge_gone"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
            (423, "two_factor_locked"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /auth/two-factor/enrolment",
        operation: "enrolTwoFactor",
        summary: "The first code of the secret that the log-in showed makes it the second factor, opens the session and shows ten recovery codes, this once.",
        caller: Caller::Anyone,
        parameters: &[BROWSER],
        body: Some((JSON, "FirstCode")),
        answers: &[(200, Some("Authenticated"))],
        problems: &[
            (400, "malformed"),
            (401, "invalid_code, invalid_credentials"),
            (410, "challenge_gone"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /auth/two-factor/reset",
        operation: "acceptTwoFactorReset",
        summary: "Agrees, by a mailed link, to the reset of the second factor that one of the person's companies asked for. Ends all sessions.",
        caller: Caller::Anyone,
        parameters: &[],
        body: Some((JSON, "MailedToken")),
        answers: &[(204, None)],
        problems: &[
            (400, "malformed"),
            (410, "link_gone"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /auth/confirm",
        operation: "confirm",
        summary: "Proves anew that it is the person who asks: 10 minutes for what answers 403 `confirmation_required`.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "Confirm")),
        answers: &[(200, Some("Confirmed"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated, invalid_credentials, invalid_code, code_used"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
            (423, "two_factor_locked"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /auth/tenant",
        operation: "switchTenant",
        summary: "Goes on in another of the person's tenants, under a new session id; the session in this one ends.",
        caller: Caller::Visitor,
        parameters: &[BROWSER],
        body: Some((JSON, "SwitchTenant")),
        answers: &[(200, Some("Authenticated"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated, session_over"),
            (403, "two_factor_required"),
            (404, "not_found"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /auth/password/forgotten",
        operation: "forgotPassword",
        summary: "Mails a link that sets a new password. The answer does not tell whether somebody has the address.",
        caller: Caller::Anyone,
        parameters: &[],
        body: Some((JSON, "Forgotten")),
        answers: &[(202, Some("Accepted"))],
        problems: &[
            (400, "malformed"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /auth/password/reset",
        operation: "resetPassword",
        summary: "Sets a new password by a mailed link and ends all sessions. Opens none: the second factor stays.",
        caller: Caller::Anyone,
        parameters: &[],
        body: Some((JSON, "ResetPassword")),
        answers: &[(204, None)],
        problems: &[
            (400, "malformed"),
            (410, "link_gone"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /auth/refresh",
        operation: "refresh",
        summary: "Exchanges a refresh token for an access token and the next refresh token. \
                  A browser sends the cookie and no body.",
        caller: Caller::Anyone,
        parameters: &[BROWSER, BACKGROUND],
        body: Some((JSON, "Refresh")),
        answers: &[(200, Some("Refreshed"))],
        problems: &[
            (400, "malformed"),
            (401, "session_over"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /auth/logout",
        operation: "logOut",
        summary: "Ends the session of the access token or, without one, of the refresh token.",
        caller: Caller::AnyoneOrConsole,
        parameters: &[BROWSER],
        body: Some((JSON, "Refresh")),
        answers: &[(204, None)],
        problems: &[
            (400, "malformed"),
            (401, "session_over, unauthenticated"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /auth/activation/check",
        operation: "checkActivation",
        summary: "Says what a mailed link wants; changes nothing.",
        caller: Caller::Anyone,
        parameters: &[],
        body: Some((JSON, "CheckActivation")),
        answers: &[(200, Some("ActivationChecked"))],
        problems: &[
            (400, "malformed"),
            (410, "link_gone"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /auth/activation",
        operation: "activate",
        summary: "Accepts an invitation: with a first password or, for a person who has one, with a log-in.",
        caller: Caller::AnyoneOrConsole,
        parameters: &[],
        body: Some((JSON, "Activate")),
        answers: &[(200, Some("Activated"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated, invalid_credentials"),
            (403, "other_person"),
            (409, "login_required"),
            (410, "link_gone"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "auth",
        route: "GET /me",
        operation: "getMe",
        summary: "The caller's own profile in the session's tenant.",
        caller: Caller::Visitor,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("Me"))],
        problems: &[(401, "unauthenticated")],
    },
    Route {
        function: "auth",
        route: "PATCH /me",
        operation: "changeMe",
        summary: "Changes one's own names, mobile number and language; what is absent stays, an empty mobile number is taken away.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "ChangeMe")),
        answers: &[(200, Some("Me"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (409, "version_conflict, not_editable"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /me/password",
        operation: "changePassword",
        summary: "Sets another password. Every other session ends; this one goes on under a new id.",
        caller: Caller::Console,
        parameters: &[BROWSER],
        body: Some((JSON, "NewPassword")),
        answers: &[(200, Some("Authenticated"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "confirmation_required"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "auth",
        route: "GET /me/sessions",
        operation: "listSessions",
        summary: "The person's sessions in all tenants, the latest used first.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("SessionPage"))],
        problems: &[(401, "unauthenticated")],
    },
    Route {
        function: "auth",
        route: "DELETE /me/sessions/{id}",
        operation: "endSession",
        summary: "Ends one of the person's sessions: its next request is refused.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(204, None)],
        problems: &[(401, "unauthenticated"), (404, "not_found")],
    },
    Route {
        function: "auth",
        route: "POST /me/two-factor",
        operation: "requireOwnTwoFactor",
        summary: "A super admin's own second factor in this tenant. Enabling answers a secret and takes effect with its first code; disabling takes effect at once and answers new tokens.",
        caller: Caller::Console,
        parameters: &[BROWSER],
        body: Some((JSON, "OwnTwoFactor")),
        answers: &[(200, Some("EnrolledOrAuthenticated"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /me/two-factor/enrolment",
        operation: "enrolOwnTwoFactor",
        summary: "The first code of the secret that the profile showed. Every other session ends; this one goes on under a new id.",
        caller: Caller::Console,
        parameters: &[BROWSER],
        body: Some((JSON, "FirstCode")),
        answers: &[(200, Some("Authenticated"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated, invalid_code"),
            (403, "forbidden, confirmation_required"),
            (410, "challenge_gone"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "auth",
        route: "POST /me/two-factor/reset",
        operation: "resetOwnTwoFactor",
        summary: "Shows a super admin a new secret; the present one works until the new one's first code.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(200, Some("EnrolmentRequired"))],
        problems: &[(401, "unauthenticated"), (403, "forbidden, confirmation_required")],
    },
    Route {
        function: "auth",
        route: "POST /me/recovery-codes",
        operation: "replaceRecoveryCodes",
        summary: "Ten other recovery codes, shown this once; the present ones are void.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(200, Some("RecoveryCodes"))],
        problems: &[
            (401, "unauthenticated"),
            (403, "confirmation_required"),
            (409, "two_factor_off"),
        ],
    },
    Route {
        function: "users",
        route: "GET /users",
        operation: "listUsers",
        summary: "The users of the company in the order of their names; eventually consistent. A page may be short and still have a next one.",
        caller: Caller::Console,
        parameters: &[
            BACKGROUND,
            query("role", "Only with this role.", schemas::role),
            query("source", "Only from this source.", schemas::source),
            query(
                "two_factor",
                "Only where the second factor stands so.",
                schemas::two_factor_state,
            ),
            query(
                "search",
                "Only whose first, last or whole name, address or mobile number begins so; case and width do not count.",
                schemas::filter,
            ),
            query(
                "status",
                "Only with this status; the deleted are listed only when asked for.",
                schemas::status,
            ),
            TAG,
            TAG_VALUE,
            LIMIT,
            CURSOR,
        ],
        body: None,
        answers: &[(200, Some("UserPage"))],
        problems: &[(400, "cursor_invalid"), (401, "unauthenticated"), (422, "invalid")],
    },
    Route {
        function: "users",
        route: "POST /users",
        operation: "createUser",
        summary: "Adds a user. One with a console is invited by mail; one of role `user` is active at once and is sent nothing.",
        caller: Caller::Console,
        parameters: &[IDEMPOTENCY_KEY],
        body: Some((JSON, "CreateUser")),
        answers: &[(201, Some("User"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (409, "already_exists, already_created, user_limit"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "users",
        route: "GET /users/{id}",
        operation: "getUser",
        summary: "One user; a deleted one too, which is kept for the audit trail.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("User"))],
        problems: &[(401, "unauthenticated"), (404, "not_found")],
    },
    Route {
        function: "users",
        route: "PATCH /users/{id}",
        operation: "changeUser",
        summary: "Changes names, numbers, role (it takes the right for the old and the new one) or status. An absent field stays; an empty number is taken away.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "ChangeUser")),
        answers: &[(200, Some("User"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (404, "not_found"),
            (
                409,
                "version_conflict, own_account, last_super_admin, csv_not_editable, \
                 directory_not_editable, directory_status, not_activated, user_deactivated",
            ),
            (415, "unsupported_media_type"),
            (422, "invalid"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "users",
        route: "DELETE /users/{id}",
        operation: "deleteUser",
        summary: "Deletes a user: sessions end, the address is free again. Whose last company it was has no password and no second factor any more.",
        caller: Caller::Console,
        parameters: &[query(
            "version",
            "Only if it is still this one.",
            || json!({"type": "integer"}),
        )],
        body: None,
        answers: &[(204, None)],
        problems: &[
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (404, "not_found"),
            (409, "version_conflict, own_account, last_super_admin, directory_not_deletable"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "users",
        route: "POST /users/{id}/activation",
        operation: "inviteUserAgain",
        summary: "Mails an invited user a new activation link; the one before is void.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(202, Some("Sent"))],
        problems: &[
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (404, "not_found"),
            (409, "not_invited"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "users",
        route: "GET /users/{id}/data",
        operation: "getUserData",
        summary: "All that is held of a person here, for the person who asks for it.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(200, Some("UserData"))],
        problems: &[(401, "unauthenticated"), (403, "forbidden"), (404, "not_found")],
    },
    Route {
        function: "users",
        route: "POST /users/{id}/erasure",
        operation: "eraseUser",
        summary: "Erases what says who a deleted user was; the audit trail stays whole. Repeating it is harmless.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(200, Some("User"))],
        problems: &[
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (404, "not_found"),
            (409, "not_deleted"),
        ],
    },
    Route {
        function: "users",
        route: "GET /users/export",
        operation: "exportUsers",
        summary: "The users as CSV, with the columns of the import and three more, in the order of their names.",
        caller: Caller::Console,
        parameters: &[
            query("role", "Only with this role.", schemas::role),
            query("source", "Only from this source.", schemas::source),
            query(
                "two_factor",
                "Only where the second factor stands so.",
                schemas::two_factor_state,
            ),
            query(
                "search",
                "Only whose first, last or whole name, address or mobile number begins so; case and width do not count.",
                schemas::filter,
            ),
            query(
                "status",
                "Only with this status; deleted users are not exported.",
                schemas::status,
            ),
            query(
                "ids",
                "Only these users, at most 200 ids between commas.",
                || json!({"type": "string"}),
            ),
            TAG,
            TAG_VALUE,
        ],
        body: None,
        answers: &[(200, Some("Csv"))],
        problems: &[(401, "unauthenticated"), (409, "export_too_large"), (422, "invalid")],
    },
    Route {
        function: "users",
        route: "GET /users/imports/template",
        operation: "getImportTemplate",
        summary: "A CSV file to begin with.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(200, Some("Csv"))],
        problems: &[(401, "unauthenticated"), (403, "forbidden")],
    },
    Route {
        function: "users",
        route: "POST /users/imports",
        operation: "importUsers",
        summary: "Imports a CSV of at most 1,000 users in the background. Repeating an import is harmless: an address that exists is refused by its row.",
        caller: Caller::Console,
        parameters: &[
            IDEMPOTENCY_KEY,
            query(
                "mode",
                "`strict`, the default: one refused row, and nothing is imported. `partial`: the good rows are.",
                || json!({"enum": ["strict", "partial"]}),
            ),
            query(
                "dry_run",
                "`true` answers 200 with every row's verdict at once and changes nothing.",
                || json!({"type": "boolean"}),
            ),
        ],
        body: Some(("text/csv", "Csv")),
        answers: &[(200, Some("Import")), (202, Some("Import"))],
        problems: &[
            (400, "csv_encoding, csv_malformed"),
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (413, "csv_too_large"),
            (415, "unsupported_media_type"),
            (422, "invalid, csv_empty, csv_columns, csv_no_rows, csv_too_many_rows"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "users",
        route: "GET /users/imports/{id}",
        operation: "getImport",
        summary: "How far an import is, with every row's verdict so far; kept for 30 days.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("Import"))],
        problems: &[(401, "unauthenticated"), (403, "forbidden"), (404, "not_found")],
    },
    Route {
        function: "users",
        route: "GET /users/imports/{id}/errors",
        operation: "getImportErrors",
        summary: "The refused rows of an import with their reasons, as CSV; mended, it can be imported.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(200, Some("Csv"))],
        problems: &[(401, "unauthenticated"), (403, "forbidden"), (404, "not_found")],
    },
    Route {
        function: "users",
        route: "PUT /users/{id}/two-factor",
        operation: "requireTwoFactor",
        summary: "Whether this tenant requires a user's second factor; ends the user's sessions in it.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "RequireTwoFactor")),
        answers: &[(200, Some("UserTwoFactor"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (404, "not_found"),
            (409, "own_account, no_console"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "users",
        route: "POST /users/{id}/two-factor/reset",
        operation: "resetTwoFactor",
        summary: "Resets a user's second factor: at once when the person is in no other company, else when the person follows the mailed link.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(202, Some("TwoFactorReset"))],
        problems: &[
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (404, "not_found"),
            (409, "own_account, no_console, two_factor_not_enrolled"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "onboarding",
        route: "GET /onboarding/options",
        operation: "getOnboardingOptions",
        summary: "The closed lists of the sign-up, in the language of `Accept-Language`, and its captcha.",
        caller: Caller::Anyone,
        parameters: &[ACCEPT_LANGUAGE],
        body: None,
        answers: &[(200, Some("OnboardingOptions"))],
        problems: &[],
    },
    Route {
        function: "onboarding",
        route: "GET /onboarding/countries/{code}/states",
        operation: "listStates",
        summary: "The states of a country (ISO 3166-2), in the language of `Accept-Language`.",
        caller: Caller::Anyone,
        parameters: &[ACCEPT_LANGUAGE],
        body: None,
        answers: &[(200, Some("States"))],
        problems: &[(404, "not_found")],
    },
    Route {
        function: "onboarding",
        route: "POST /onboarding/trials",
        operation: "signUpForTrial",
        summary: "Signs a company up for a trial: mails a link, and nothing begins before it is used. \
                  The answer does not tell whether somebody has the address. A field's code may be \
                  `business_email_required`, or `captcha_failed`.",
        caller: Caller::Anyone,
        parameters: &[],
        body: Some((JSON, "SignUpForTrial")),
        answers: &[(202, Some("SignUpAccepted"))],
        problems: &[
            (400, "malformed"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "onboarding",
        route: "POST /onboarding/registrations",
        operation: "registerProductKeys",
        summary: "Signs a company up with product keys that it bought. The keys are held until the \
                  mailed link is used, for 72 hours. A field's code may be `business_email_required`, \
                  `captcha_failed`, or `product_key_unknown`.",
        caller: Caller::Anyone,
        parameters: &[],
        body: Some((JSON, "RegisterProductKeys")),
        answers: &[(202, Some("SignUpAccepted"))],
        problems: &[
            (400, "malformed"),
            (409, "product_key_used, product_key_held, product_key_revoked"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "onboarding",
        route: "POST /onboarding/confirmation",
        operation: "confirmSignUp",
        summary: "Uses the mailed link: tenant, licences and the days of a trial begin. The same token \
                  then activates the first user by `POST /auth/activation`; until that is done, \
                  confirming again does nothing and answers the same.",
        caller: Caller::Anyone,
        parameters: &[],
        body: Some((JSON, "ConfirmSignUp")),
        answers: &[(200, Some("SignUpConfirmed"))],
        problems: &[
            (400, "malformed"),
            (409, "product_key_used, product_key_held, product_key_revoked"),
            (410, "link_gone"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "licenses",
        route: "GET /licenses",
        operation: "listLicenses",
        summary: "The tenant's licences, at most one a product, with seats used and history.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("Licenses"))],
        problems: &[(401, "unauthenticated")],
    },
    Route {
        function: "licenses",
        route: "GET /licenses/{product}",
        operation: "getLicense",
        summary: "One licence.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("License"))],
        problems: &[(401, "unauthenticated"), (404, "not_found")],
    },
    Route {
        function: "licenses",
        route: "POST /licenses/{product}/activation",
        operation: "activateLicense",
        summary: "Redeems an activation key: converts a trial, renews or extends a licence; the product \
                  key stays. A repeat is answered the same; five keys an hour that are not accepted.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "ActivateLicense")),
        answers: &[(200, Some("LicenseActivation"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden"),
            (404, "not_found"),
            (
                409,
                "activation_key_revoked, activation_key_used, license_ended, license_limit, license_missing, license_revoked, \
                 purpose_mismatch",
            ),
            (415, "unsupported_media_type"),
            (422, "activation_key_invalid, invalid"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "licenses",
        route: "POST /licenses/{product}/trial",
        operation: "addTrial",
        summary: "Adds a product to try it out for 30 days.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "AddTrial")),
        answers: &[(201, Some("License"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden"),
            (404, "not_found"),
            (409, "edition_exists"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "licenses",
        route: "POST /licenses/{product}/registration",
        operation: "registerProduct",
        summary: "Adds a product with the key of what was bought, where it is none with the field's code \
                  `product_key_unknown`; to whom it was added before, it answers the same again.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "RegisterProduct")),
        answers: &[(201, Some("License"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden"),
            (404, "not_found"),
            (409, "edition_exists, product_key_used, product_key_held, product_key_revoked"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "tenant",
        route: "GET /products",
        operation: "listProducts",
        summary: "All products, which of them the tenant has, and whether their consoles can be opened.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("Products"))],
        problems: &[(401, "unauthenticated")],
    },
    Route {
        function: "auth",
        route: "POST /products/{product}/launch",
        operation: "launchProduct",
        summary: "A hand-off to the product's own console, good for 60 seconds: post `token` as a form's \
                  field to `url`. The product checks it against `GET /.well-known/jwks.json`.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(200, Some("Launch"))],
        problems: &[
            (401, "unauthenticated"),
            (404, "not_found"),
            (409, "license_missing, product_not_configured"),
        ],
    },
    Route {
        function: "tenant",
        route: "POST /recoveries/stop",
        operation: "stopRecovery",
        summary: "Stops what the vendor's staff has announced to do for a company whose last super admin \
                  is locked out or gone, by the link that was mailed to its admins.",
        caller: Caller::Anyone,
        parameters: &[],
        body: Some((JSON, "StopRecovery")),
        answers: &[(200, Some("RecoveryStopped"))],
        problems: &[
            (400, "malformed"),
            (410, "link_gone"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "tenant",
        route: "GET /products/{product}/credentials",
        operation: "listCredentials",
        summary: "The tenant's credentials for a product, the oldest first; never a secret.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("CredentialPage"))],
        problems: &[(401, "unauthenticated"), (404, "not_found")],
    },
    Route {
        function: "tenant",
        route: "POST /products/{product}/credentials",
        operation: "createCredential",
        summary: "Makes a credential and shows its secret, this once. At most two are live, for rotation.",
        caller: Caller::Console,
        parameters: &[IDEMPOTENCY_KEY],
        body: Some((JSON, "CreateCredential")),
        answers: &[(201, Some("NewCredential"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (404, "not_found"),
            (409, "credential_limit, license_missing, already_created, tenant_suspended"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "tenant",
        route: "DELETE /products/{product}/credentials/{id}",
        operation: "revokeCredential",
        summary: "Revokes a credential: the next request with it is refused.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(204, None)],
        problems: &[
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (404, "not_found"),
        ],
    },
    Route {
        function: "tenant",
        route: "GET /settings",
        operation: "getSettings",
        summary: "What holds for everybody in the tenant.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("Settings"))],
        problems: &[(401, "unauthenticated")],
    },
    Route {
        function: "tenant",
        route: "PUT /settings",
        operation: "changeSettings",
        summary: "Changes the settings; a shorter session timeout acts on the next request of every session.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "ChangeSettings")),
        answers: &[(200, Some("Settings"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden"),
            (409, "version_conflict"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "tenant",
        route: "GET /audit",
        operation: "listAudit",
        summary: "What was changed, and who came or tried to, of the last 400 days, the latest first. \
                  Changes are numbered; accesses are not.",
        caller: Caller::Console,
        parameters: &[
            BACKGROUND,
            query("actor", "Only what this user did.", || json!({"type": "string"})),
            query("action", "Only this action; also when it was denied.", schemas::filter),
            query("entity", "Only what was done to the thing with this id.", schemas::filter),
            query("from", "Not before this time.", schemas::time),
            query("to", "Before this time.", schemas::time),
            LIMIT,
            CURSOR,
        ],
        body: None,
        answers: &[(200, Some("AuditPage"))],
        problems: &[
            (400, "cursor_invalid"),
            (401, "unauthenticated"),
            (403, "forbidden"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "tenant",
        route: "GET /audit/verification",
        operation: "verifyAudit",
        summary: "Whether the numbered changes are all there and as they were written. Starts at the \
                  anchor before `from`; without `from`, at the oldest one after which nothing may \
                  have been dropped for its age. At most 5,000 changes a call: go on at `next_from`.",
        caller: Caller::Console,
        parameters: &[
            BACKGROUND,
            query("from", "The first number.", schemas::number),
            query("to", "The last number; the end when absent.", schemas::number),
        ],
        body: None,
        answers: &[(200, Some("AuditVerification"))],
        problems: &[(401, "unauthenticated"), (403, "forbidden"), (422, "invalid")],
    },
    Route {
        function: "tenant",
        route: "GET /support",
        operation: "getSupport",
        summary: "How to reach support.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("Support"))],
        problems: &[(401, "unauthenticated")],
    },
    Route {
        function: "tenant",
        route: "POST /support/tickets",
        operation: "createTicket",
        summary: "Asks support for help; the answer comes by mail. Support is told who asks, of \
                  which company, and its product keys.",
        caller: Caller::Console,
        parameters: &[IDEMPOTENCY_KEY],
        body: Some((JSON, "CreateTicket")),
        answers: &[(202, Some("Ticket"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "tenant",
        route: "GET /.well-known/jwks.json",
        operation: "getKeys",
        summary: "The public key of access tokens (RFC 7517).",
        caller: Caller::Anyone,
        parameters: &[],
        body: None,
        answers: &[(200, Some("KeySet"))],
        problems: &[],
    },
    Route {
        function: "ingest",
        route: "POST /telemetry",
        operation: "sendTelemetry",
        summary: "Takes a batch of CloudEvents 1.0. Each event is judged by itself. Deduplication is by \
                  batch, not by event id: repeating a batch is safe for 30 days. gzip is accepted.",
        caller: Caller::Product,
        parameters: &[Parameter {
            name: "Idempotency-Key",
            place: "header",
            description: "Id of the batch; without it the SHA-256 of the inflated body.",
            schema: || json!({"type": "string", "pattern": "^[ -~]{1,128}$"}),
        }],
        body: Some(("application/cloudevents-batch+json", "Batch")),
        answers: &[(202, Some("BatchTaken"))],
        problems: &[
            (400, "bad_idempotency_key, empty_batch, not_gzip, not_json"),
            (401, "unauthenticated"),
            (403, "license_expired, scope_missing, tenant_suspended"),
            (413, "batch_too_large, too_many_events"),
            (415, "unsupported_media_type"),
            (422, "all_rejected"),
        ],
    },
    Route {
        function: "dashboard",
        route: "GET /dashboard",
        operation: "getDashboard",
        summary: "The figures of the dashboard. A day is a UTC day; the period selects endpoints by the \
                  day of their latest contact, infection or violation, and events by their day.",
        caller: Caller::Console,
        parameters: &[BACKGROUND, query("period", "Default `0-2d`.", schemas::period)],
        body: None,
        answers: &[(200, Some("Dashboard"))],
        problems: &[(401, "unauthenticated"), (422, "invalid")],
    },
    Route {
        function: "dashboard",
        route: "GET /endpoints",
        operation: "listEndpoints",
        summary: "Endpoints of all products.",
        caller: Caller::Console,
        parameters: &[
            BACKGROUND,
            query("product", "Only of this product.", schemas::product),
            query("kind", "Only of this kind.", schemas::kind),
            query("os", "Only with this operating system.", schemas::filter),
            query("infected", "Only infected ones, or only others.", || json!({"type": "boolean"})),
            query("last_seen", "Only those last seen in this period.", schemas::period),
            LIMIT,
            CURSOR,
        ],
        body: None,
        answers: &[(200, Some("EndpointPage"))],
        problems: &[(400, "cursor_invalid"), (401, "unauthenticated"), (422, "invalid")],
    },
    Route {
        function: "dashboard",
        route: "GET /endpoints/{product}/{id}",
        operation: "getEndpoint",
        summary: "One endpoint.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("Endpoint"))],
        problems: &[(401, "unauthenticated"), (404, "not_found")],
    },
    Route {
        function: "dashboard",
        route: "DELETE /endpoints/{product}/{id}",
        operation: "removeEndpoint",
        summary: "Takes a dead endpoint out of every figure, in the background.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(202, Some("EndpointRemoval"))],
        problems: &[(401, "unauthenticated"), (403, "forbidden"), (404, "not_found")],
    },
    Route {
        function: "tags",
        route: "GET /tags",
        operation: "listTags",
        summary: "The tags of the company in the order in which they were made, with how many have each value at this moment.",
        caller: Caller::Console,
        parameters: &[
            BACKGROUND,
            query("applies_to", "Only those of users, or of applications.", schemas::tag_subject),
            query("kind", "Only those of this kind.", schemas::tag_kind),
            query("search", "Only those whose key begins so.", schemas::filter),
            LIMIT,
            CURSOR,
        ],
        body: None,
        answers: &[(200, Some("TagPage"))],
        problems: &[(400, "cursor_invalid"), (401, "unauthenticated"), (422, "invalid")],
    },
    Route {
        function: "tags",
        route: "POST /tags",
        operation: "createTag",
        summary: "Makes a tag; a dynamic one gets its members in the background. At most 500 tags, 50 values of a tag, 20 conditions of a rule.",
        caller: Caller::Console,
        parameters: &[IDEMPOTENCY_KEY],
        body: Some((JSON, "CreateTag")),
        answers: &[(201, Some("Tag"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden"),
            (409, "already_exists, already_created, tag_worn_out"),
            (415, "unsupported_media_type"),
            (422, "invalid, tag_limit"),
        ],
    },
    Route {
        function: "tags",
        route: "POST /tags/preview",
        operation: "previewTag",
        summary: "Whom a rule would fit, before it is saved, and why it fits a given member or does not. Eventually consistent.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "PreviewTag")),
        answers: &[(200, Some("TagPreview"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "tags",
        route: "GET /tags/{id}",
        operation: "getTag",
        summary: "A tag, how far its members are with its rules, and its last assignment by a filter.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("Tag"))],
        problems: &[(401, "unauthenticated"), (404, "not_found")],
    },
    Route {
        function: "tags",
        route: "PUT /tags/{id}",
        operation: "changeTag",
        summary: "Gives a tag other values and rules; who has a value that stays keeps it. Members follow in the background.",
        caller: Caller::Console,
        parameters: &[FORCE],
        body: Some((JSON, "ChangeTag")),
        answers: &[(200, Some("Tag"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden"),
            (404, "not_found"),
            (409, "tag_in_use, tag_worn_out, version_conflict"),
            (415, "unsupported_media_type"),
            (422, "invalid, tag_limit"),
        ],
    },
    Route {
        function: "tags",
        route: "DELETE /tags/{id}",
        operation: "deleteTag",
        summary: "Deletes a tag. It is gone at once; products hear of each member that loses it in the background.",
        caller: Caller::Console,
        parameters: &[FORCE],
        body: None,
        answers: &[(204, None)],
        problems: &[
            (401, "unauthenticated"),
            (403, "forbidden"),
            (404, "not_found"),
            (409, "tag_in_use"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "tags",
        route: "GET /tags/{id}/members",
        operation: "listTagMembers",
        summary: "Who has a tag, in the order of their names; eventually consistent. A page may be short and still have a next one.",
        caller: Caller::Console,
        parameters: &[
            BACKGROUND,
            query("value", "Only those with this value.", schemas::filter),
            LIMIT,
            CURSOR,
        ],
        body: None,
        answers: &[(200, Some("TagMemberPage"))],
        problems: &[
            (400, "cursor_invalid"),
            (401, "unauthenticated"),
            (404, "not_found"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "tags",
        route: "POST /tags/{id}/members",
        operation: "assignTag",
        summary: "Assigns a value of a static tag: to at most 80 by their ids, all or none; or, in the background, to all that a filter lets pass.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "AssignTag")),
        answers: &[(200, Some("TagAssigned")), (202, Some("TagAssignment"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden"),
            (404, "not_found"),
            (409, "tag_dynamic, assignment_running"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "tags",
        route: "DELETE /tags/{id}/members",
        operation: "unassignTag",
        summary: "Takes a value of a static tag away: from those with the ids, or in the background from all that the filters let pass.",
        caller: Caller::Console,
        parameters: &[
            query("value", "Which value; required.", schemas::filter),
            query("ids", "At most 80 ids, between commas.", || json!({"type": "string"})),
            query("all", "From everybody who has it.", || json!({"type": "boolean"})),
            query("role", "From users with this role.", schemas::role),
            query("status", "From users with this status.", schemas::live_status),
            query("source", "From users of this source.", schemas::source),
            query(
                "two_factor",
                "From users whose second factor stands so.",
                schemas::two_factor_state,
            ),
            query("category", "From applications of this category.", schemas::filter),
            query("search", "From those whose name begins so.", schemas::filter),
        ],
        body: None,
        answers: &[(200, Some("TagAssigned")), (202, Some("TagAssignment"))],
        problems: &[
            (401, "unauthenticated"),
            (403, "forbidden"),
            (404, "not_found"),
            (409, "tag_dynamic, assignment_running"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "tags",
        route: "GET /applications",
        operation: "listApplications",
        summary: "The applications of the company in the order of their names; eventually consistent.",
        caller: Caller::Console,
        parameters: &[
            BACKGROUND,
            query("search", "Only those whose name or host begins so.", schemas::filter),
            query("category", "Only those of this category.", schemas::filter),
            TAG,
            TAG_VALUE,
            LIMIT,
            CURSOR,
        ],
        body: None,
        answers: &[(200, Some("ApplicationPage"))],
        problems: &[(400, "cursor_invalid"), (401, "unauthenticated"), (422, "invalid")],
    },
    Route {
        function: "tags",
        route: "POST /applications",
        operation: "createApplication",
        summary: "Adds an application. At most 2,000.",
        caller: Caller::Console,
        parameters: &[IDEMPOTENCY_KEY],
        body: Some((JSON, "CreateApplication")),
        answers: &[(201, Some("Application"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden"),
            (409, "already_exists, already_created"),
            (415, "unsupported_media_type"),
            (422, "invalid, application_limit"),
        ],
    },
    Route {
        function: "tags",
        route: "GET /applications/{id}",
        operation: "getApplication",
        summary: "An application, its tags, and how often access to it was blocked, today and in the six days before.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("Application"))],
        problems: &[(401, "unauthenticated"), (404, "not_found")],
    },
    Route {
        function: "tags",
        route: "PUT /applications/{id}",
        operation: "changeApplication",
        summary: "Describes an application anew. Its dynamic tags follow at once.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "ChangeApplication")),
        answers: &[(200, Some("Application"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden"),
            (404, "not_found"),
            (409, "already_exists, version_conflict"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "tags",
        route: "DELETE /applications/{id}",
        operation: "deleteApplication",
        summary: "Deletes an application.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(204, None)],
        problems: &[(401, "unauthenticated"), (403, "forbidden"), (404, "not_found")],
    },
    Route {
        function: "product",
        route: "GET /product/users",
        operation: "readUsers",
        summary: "All users that are not deleted, page by page, or those that changed since the last round, each as it is now. \
                  An active user may use an application that has tags when each of them is among the user's, by key and value.",
        caller: Caller::Product,
        parameters: &[CHANGED_SINCE, LIMIT, CURSOR],
        body: None,
        answers: &[(200, Some("ProductUsers"))],
        problems: FEED_PROBLEMS,
    },
    Route {
        function: "product",
        route: "GET /product/tags",
        operation: "readTags",
        summary: "All tags, page by page, or those that changed since the last round, each as it is now. Who has them is told by users and applications.",
        caller: Caller::Product,
        parameters: &[CHANGED_SINCE, LIMIT, CURSOR],
        body: None,
        answers: &[(200, Some("ProductTags"))],
        problems: FEED_PROBLEMS,
    },
    Route {
        function: "product",
        route: "GET /product/applications",
        operation: "readApplications",
        summary: "All applications, page by page, or those that changed since the last round, each as it is now.",
        caller: Caller::Product,
        parameters: &[CHANGED_SINCE, LIMIT, CURSOR],
        body: None,
        answers: &[(200, Some("ProductApplications"))],
        problems: FEED_PROBLEMS,
    },
    Route {
        function: "siem",
        route: "GET /siem/event-types",
        operation: "listEventTypes",
        summary: "What a SIEM destination can be sent, by source.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("EventTypePage"))],
        problems: &[(401, "unauthenticated")],
    },
    Route {
        function: "siem",
        route: "GET /siem/destinations",
        operation: "listDestinations",
        summary: "The tenant's SIEM destinations, the oldest first; never a secret. There are at most ten.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("DestinationPage"))],
        problems: &[(401, "unauthenticated"), (422, "invalid")],
    },
    Route {
        function: "siem",
        route: "POST /siem/destinations",
        operation: "createDestination",
        summary: "Adds a destination, from now on. Every unusable setting is named before anything is saved; a token that is made here is shown this once.",
        caller: Caller::Console,
        parameters: &[IDEMPOTENCY_KEY],
        body: Some((JSON, "CreateDestination")),
        answers: &[(201, Some("NewDestination"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (409, "destination_limit, already_created"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "siem",
        route: "POST /siem/destinations/test",
        operation: "testDestinationSettings",
        summary: "Tries settings out that are not saved: one marked event, step by step. No stored secret is used.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "CreateDestination")),
        answers: &[(200, Some("DestinationTest"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden"),
            (409, "not_delivered_to"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "siem",
        route: "GET /siem/destinations/{id}",
        operation: "getDestination",
        summary: "One destination.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("Destination"))],
        problems: &[(401, "unauthenticated"), (404, "not_found")],
    },
    Route {
        function: "siem",
        route: "PUT /siem/destinations/{id}",
        operation: "changeDestination",
        summary: "Changes a destination. A secret that is not given stays; where records then go elsewhere, it has to be given again.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "ChangeDestination")),
        answers: &[(200, Some("NewDestination"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (404, "not_found"),
            (409, "version_conflict"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "siem",
        route: "DELETE /siem/destinations/{id}",
        operation: "deleteDestination",
        summary: "Deletes a destination with its progress.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(204, None)],
        problems: &[
            (401, "unauthenticated"),
            (403, "forbidden, confirmation_required"),
            (404, "not_found"),
        ],
    },
    Route {
        function: "siem",
        route: "POST /siem/destinations/{id}/test",
        operation: "testDestination",
        summary: "Tries a destination out by the way that records take: one marked event, step by step.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(200, Some("DestinationTest"))],
        problems: &[
            (401, "unauthenticated"),
            (403, "forbidden"),
            (404, "not_found"),
            (409, "not_delivered_to"),
            (429, "throttled"),
        ],
    },
    Route {
        function: "siem",
        route: "POST /siem/destinations/{id}/preview",
        operation: "previewDestination",
        summary: "One sample of every type that was chosen, as it would be sent.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(200, Some("PreviewPage"))],
        problems: &[(401, "unauthenticated"), (404, "not_found")],
    },
    Route {
        function: "siem",
        route: "POST /siem/destinations/{id}/replay",
        operation: "replayDestination",
        summary: "Has records that are settled sent once more, from a sequence or a time on; they are counted apart.",
        caller: Caller::Console,
        parameters: &[],
        body: Some((JSON, "Replay")),
        answers: &[(202, Some("ReplayPage"))],
        problems: &[
            (400, "malformed"),
            (401, "unauthenticated"),
            (403, "forbidden"),
            (404, "not_found"),
            (409, "not_delivered_to, nothing_to_replay"),
            (415, "unsupported_media_type"),
            (422, "invalid"),
        ],
    },
    Route {
        function: "siem",
        route: "POST /siem/destinations/{id}/resume",
        operation: "resumeDestination",
        summary: "Has a destination tried at once that waits or is suspended.",
        caller: Caller::Console,
        parameters: &[],
        body: None,
        answers: &[(200, Some("Destination"))],
        problems: &[
            (401, "unauthenticated"),
            (403, "forbidden"),
            (404, "not_found"),
            (409, "not_delivered_to"),
        ],
    },
    Route {
        function: "siem",
        route: "GET /siem/destinations/{id}/statistics",
        operation: "getDestinationStatistics",
        summary: "How far a destination is. At every moment `produced` is the sum of `confirmed`, `refused`, `skipped`, `expired` and `backlog`.",
        caller: Caller::Console,
        parameters: &[BACKGROUND],
        body: None,
        answers: &[(200, Some("DestinationStatistics"))],
        problems: &[(401, "unauthenticated"), (404, "not_found")],
    },
    Route {
        function: "siem",
        route: "GET /events",
        operation: "pullEvents",
        summary: "The log of a stream by sequence, for a destination that is asked; at most 7 days back. Without `stream`, the streams with their first and last sequence.",
        caller: Caller::Puller,
        parameters: &[
            query(
                "stream",
                "Which one, as `EPP/0`; without it the streams are listed.",
                || json!({"type": "string"}),
            ),
            query(
                "after",
                "The last sequence that the caller has.",
                || json!({"type": "integer", "minimum": 0}),
            ),
            query(
                "limit",
                "Records of an answer; default 1000.",
                || json!({"type": "integer", "minimum": 1, "maximum": 1000}),
            ),
        ],
        body: None,
        answers: &[(200, Some("Events"))],
        problems: &[
            (401, "unauthenticated"),
            (403, "destination_off, tenant_suspended"),
            (404, "not_found"),
            (410, "sequence_expired"),
            (422, "invalid"),
        ],
    },
];

/// The whole document.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let (method, path) = route.route.split_once(' ').unwrap_or_default();
        let operations = paths.entry(path).or_insert_with(|| json!({}));
        operations[method.to_ascii_lowercase()] = operation(route, path);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Belfry",
            "version": "1",
            "description": "Security management of many point products in one console. Errors are \
                problem details (RFC 9457); clients act on `code`, and expect values of `status` \
                and attributes that they do not know yet.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{
            "url": "https://{api}.execute-api.{region}.amazonaws.com/v1",
            "variables": {"api": {"default": "api"}, "region": {"default": "us-east-1"}},
        }],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {
                "console": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "Access token of a person, ES256, at most 5 minutes.",
                },
                "product": {
                    "type": "http", "scheme": "bearer",
                    "description": "Product credential, shown once when it is created.",
                },
                "pull": {
                    "type": "http", "scheme": "bearer",
                    "description": "Token of a SIEM destination that is asked, shown once when it is created.",
                },
            },
            "headers": {
                "X-Request-Id": {
                    "description": "Names the request in our logs.",
                    "schema": {"type": "string"},
                },
                "Retry-After": {
                    "description": "Seconds to wait.",
                    "schema": {"type": "integer", "minimum": 0},
                },
            },
        },
    })
}

fn operation(route: &Route, path: &str) -> Value {
    let mut operation = json!({
        "operationId": route.operation,
        "tags": [route.function],
        "summary": route.summary,
        "security": security(route.caller),
        "responses": responses(route),
    });
    let parameters: Vec<Value> =
        path_parameters(path).chain(route.parameters.iter().map(parameter)).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some((media, schema)) = route.body {
        // A browser's refresh token is in its cookie, and a person's session in the access token.
        operation["requestBody"] = json!({
            "required": schema != "Refresh",
            "content": {media: {"schema": schemas::reference(schema)}},
        });
    }
    operation
}

fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let schema = if name == "product" { schemas::product() } else { json!({"type": "string"}) };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    })
}

fn parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "schema": (parameter.schema)(),
    })
}

fn security(caller: Caller) -> Value {
    match caller {
        Caller::Anyone => json!([]),
        Caller::Console | Caller::Visitor => json!([{"console": []}]),
        Caller::AnyoneOrConsole => json!([{"console": []}, {}]),
        Caller::Product => json!([{"product": []}]),
        Caller::Puller => json!([{"pull": []}]),
    }
}

fn responses(route: &Route) -> Value {
    let request_id = json!({"$ref": "#/components/headers/X-Request-Id"});
    let problem = |description: &str| {
        json!({
            "description": description,
            "headers": {"X-Request-Id": request_id},
            "content": {"application/problem+json": {"schema": schemas::reference("Problem")}},
        })
    };
    let mut responses = Map::new();
    for (status, schema) in route.answers {
        let mut answer = json!({"description": "Done.", "headers": {"X-Request-Id": request_id}});
        if let Some(schema) = schema {
            let media = if *schema == "Csv" { "text/csv" } else { JSON };
            answer["content"] = json!({media: {"schema": schemas::reference(schema)}});
        }
        responses.insert(status.to_string(), answer);
    }
    for (status, codes) in route.problems() {
        responses.insert(status.to_string(), problem(&format!("Codes: {codes}.")));
    }
    let mut unavailable = problem("Codes end in `_unavailable`, or `busy`: send the same again.");
    unavailable["headers"]["Retry-After"] = json!({"$ref": "#/components/headers/Retry-After"});
    responses.insert("503".to_owned(), unavailable);
    responses.insert("500".to_owned(), problem("Code: internal."));
    Value::Object(responses)
}
