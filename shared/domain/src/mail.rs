//! Mails: what each one says, in each language.
//!
//! Text and HTML are made of the same sentences, so that they cannot tell different stories.

mod company;
mod siem;
pub use siem::SiemNotice;

use crate::email::EmailAddress;
use crate::language::Language;
use crate::license::watch::Notice;
use crate::license::{License, LicenseChange, LicenseKind, ProductKey};
use crate::ports::Day;
use crate::product::Product;
use crate::recovery::{Remedy, Stage};
use crate::text::{CompanyName, Edition, PersonName};
use crate::ticket::Ticket;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Hours that an activation link lives.
pub const ACTIVATION_HOURS: u32 = 72;

/// Hours that a link lives which resets a password or the second factor.
pub const RESET_HOURS: u32 = 1;

/// A mail as the outbox keeps it: everything but its secret link, which is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// To whom.
    pub to: EmailAddress,
    /// In which language.
    pub language: Language,
    /// What about.
    pub letter: Letter,
    /// The address of its button, sealed for this outbox entry, if its letter has one. Only
    /// `mail` opens it.
    #[serde(default, with = "serde_bytes", skip_serializing_if = "Option::is_none")]
    pub sealed_link: Option<Vec<u8>>,
}

/// To whom a letter speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reader {
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
}

/// What a mail is about, with what it has to name. Closed: a new mail is a new variant, and the
/// compiler asks for its words in every language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Letter {
    /// A new membership waits to be accepted.
    Activation {
        /// First name of the reader.
        first_name: PersonName,
        /// Last name of the reader.
        last_name: PersonName,
        /// The company whose console it is.
        company: CompanyName,
    },
    /// Somebody asked for a new password; the link leads to it.
    PasswordReset(Reader),
    /// The password was changed.
    PasswordChanged(Reader),
    /// Log-ins ask for the second factor from now on.
    TwoFactorEnabled(Reader),
    /// A company no longer requires the second factor.
    TwoFactorDisabled {
        /// To whom it speaks.
        reader: Reader,
        /// The company.
        company: CompanyName,
    },
    /// The second factor was reset, to be set up anew.
    TwoFactorReset(Reader),
    /// A company asks to reset the second factor; the link agrees.
    TwoFactorResetLink {
        /// To whom it speaks.
        reader: Reader,
        /// The company.
        company: CompanyName,
    },
    /// Wrong codes locked the second factor.
    TwoFactorLocked(Reader),
    /// An import of users that the reader asked for has ended.
    ImportFinished {
        /// To whom it speaks.
        reader: Reader,
        /// How many users there are now that were not before.
        imported: u32,
        /// Rows that could not be imported.
        refused: u32,
        /// Rows that there was no need to import.
        skipped: u32,
    },
    /// A recovery code was used to log in.
    RecoveryCodeUsed {
        /// To whom it speaks.
        reader: Reader,
        /// How many remain.
        left: u32,
    },
    /// New recovery codes took the place of the old ones.
    RecoveryCodesReplaced(Reader),
    /// A sign-up waits to be confirmed; the link does it.
    SignUp {
        /// To whom it speaks.
        reader: Reader,
        /// The company.
        company: CompanyName,
    },
    /// Something happened to a licence.
    LicenseChanged {
        /// The company.
        company: CompanyName,
        /// What happened.
        change: LicenseChange,
        /// The licence as it is now.
        license: Box<LicenseFacts>,
    },
    /// A licence or its seats come to their end.
    LicenseNotice {
        /// The company.
        company: CompanyName,
        /// What of it.
        notice: Notice,
        /// The licence.
        license: Box<LicenseFacts>,
        /// Seats used.
        used: u64,
        /// Whole days that are left.
        days: u32,
    },
    /// The vendor's staff will step in; the link stops it.
    RecoveryAnnounced {
        /// The company.
        company: CompanyName,
        /// What will be done.
        remedy: Box<Remedy>,
        /// Whom it is about.
        whom: Reader,
        /// When.
        acts_at: Timestamp,
    },
    /// How what the vendor's staff would do has ended.
    RecoveryEnded {
        /// The company.
        company: CompanyName,
        /// How.
        stage: Stage,
    },
    /// The vendor lets nobody of a company in.
    TenantSuspended {
        /// The company.
        company: CompanyName,
    },
    /// The vendor lets a company in again.
    TenantResumed {
        /// The company.
        company: CompanyName,
    },
    /// A SIEM destination fails, or works again.
    SiemNotice(Box<SiemNotice>),
    /// A customer asks support for help.
    Ticket(Box<Ticket>),
}

/// What letters say of a licence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseFacts {
    product: Product,
    product_key: ProductKey,
    edition: Edition,
    kind: LicenseKind,
    seats: u32,
    ends_at: Timestamp,
}

impl From<&License> for LicenseFacts {
    fn from(license: &License) -> Self {
        Self {
            product: license.product,
            product_key: license.product_key,
            edition: license.edition.clone(),
            kind: license.kind,
            seats: license.seats,
            ends_at: license.ends_at,
        }
    }
}

/// A mail ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Subject, one line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML, with every value escaped.
    pub html: String,
    /// Whom a reply shall reach; where absent, replies are not read.
    pub reply_to: Option<EmailAddress>,
}

/// A letter that speaks of a link came without one, or the reverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the letter and its link do not belong together")]
pub struct LinkMismatch;

/// One sentence or more in every language, with `{placeholders}`.
struct Words {
    en: &'static str,
    ja: &'static str,
    ko: &'static str,
}

impl Words {
    const fn of(&self, language: Language) -> &'static str {
        match language {
            Language::En => self.en,
            Language::Ja => self.ja,
            Language::Ko => self.ko,
        }
    }
}

/// What one letter says, between the greeting and the footer.
struct Script {
    subject: Words,
    opening: Words,
    /// The link to follow; a notice has none.
    link: Option<Link>,
    /// What else to know, above all for whom the mail comes unexpected.
    closing: Words,
}

/// What a letter says of its link.
struct Link {
    button: Words,
    hours: u32,
}

/// The first line of every mail but those to support.
const GREETING: Words =
    Words { en: "Hello {name},", ja: "{name} 様", ko: "{name} 님, 안녕하세요." };

/// What to know about every link. The English fits one hour as well as many.
const ABOUT_LINK: Words = Words {
    en: "The link works once and only within the {hours}-hour period after it was issued.",
    ja: "リンクのご利用は一度限りで、有効期限は発行から {hours} 時間です。",
    ko: "이 링크는 한 번만 사용하실 수 있으며, 발급 후 {hours}시간이 지나면 만료됩니다.",
};

/// The first line of what goes to support, which is nobody's name.
const TICKET_GREETING: Words =
    Words {
        en: "Hello,", ja: "サポートご担当者様", ko: "지원 담당자님, 안녕하세요."
    };

/// The last line of every mail but those to support.
const FOOTER: Words = Words {
    en: "This mail was sent automatically; replies to it are not read.",
    ja: "本メールは送信専用アドレスより自動送信しております。\
         ご返信いただいてもお答えできませんので、ご了承ください。",
    ko: "본 메일은 발신 전용 주소에서 자동으로 발송되었으며, 회신하셔도 확인할 수 없는 점 양해 \
         부탁드립니다.",
};

/// The last line of a mail to support.
const TICKET_FOOTER: Words = Words {
    en: "This mail was sent by the Belfry console.",
    ja: "本メールは Belfry コンソールより送信されました。",
    ko: "본 메일은 Belfry 콘솔에서 발송되었습니다.",
};

/// Closes a notice of what an administrator may have done.
const ASK_ADMINISTRATOR: Words = Words {
    en: "If you were not expecting this, please contact your administrator.",
    ja: "お心当たりのない場合は、管理者へお問い合わせくださいますようお願いいたします。",
    ko: "짐작 가시는 바가 없다면 관리자에게 문의해 주시기 바랍니다.",
};

/// Closes a notice of what only the reader, or who has the password, can have done.
const CHANGE_PASSWORD: Words = Words {
    en: "If this was not you, please change your password at once and tell your administrator.",
    ja: "お心当たりのない場合は、直ちにパスワードを変更のうえ、\
         管理者へご連絡くださいますようお願いいたします。",
    ko: "본인이 하신 것이 아니라면 즉시 비밀번호를 변경하시고 관리자에게 알려 주시기 바랍니다.",
};

static ACTIVATION: Script = Script {
    subject: Words {
        en: "Activate your Belfry account at {company}",
        ja: "【Belfry】{company} アカウント有効化のお願い",
        ko: "[Belfry] {company} 계정 활성화 안내",
    },
    opening: Words {
        en: "An account has been created for you in Belfry, the security management console of \
             {company}. Please follow this link to activate it:",
        ja: "{company} のセキュリティ管理コンソール「Belfry」に、\
             お客様のアカウントが作成されました。お手数ですが、\
             以下のリンクよりアカウントの有効化をお願いいたします。",
        ko: "{company}의 보안 관리 콘솔 Belfry에 고객님의 계정이 생성되었습니다. 아래 링크에서 \
             계정을 활성화해 주시기 바랍니다.",
    },
    link: Some(Link {
        button: Words {
            en: "Activate account",
            ja: "アカウントを有効化する",
            ko: "계정 활성화하기",
        },
        hours: ACTIVATION_HOURS,
    }),
    closing: Words {
        en: "If you were not expecting this mail, please ignore it. Nothing is activated unless \
             you follow the link and complete the steps there.",
        ja: "本メールにお心当たりのない場合は、破棄していただきますようお願いいたします。\
             リンク先でお手続きを完了されない限り、アカウントが有効になることはございません。",
        ko: "이 메일에 대해 짐작 가시는 바가 없다면 무시하셔도 됩니다. 링크에서 절차를 완료하지 \
             않으시면 계정은 활성화되지 않습니다.",
    },
};

static PASSWORD_RESET: Script = Script {
    subject: Words {
        en: "Reset your Belfry password",
        ja: "【Belfry】パスワード再設定のご案内",
        ko: "[Belfry] 비밀번호 재설정 안내",
    },
    opening: Words {
        en: "A password reset has been requested for your Belfry account. Please follow this link \
             to set a new password:",
        ja: "お客様の Belfry アカウントについて、パスワード再設定のご依頼を承りました。\
             お手数ですが、以下のリンクより新しいパスワードの設定をお願いいたします。",
        ko: "고객님의 Belfry 계정에 대한 비밀번호 재설정 요청이 접수되었습니다. 아래 링크에서 새 \
             비밀번호를 설정해 주시기 바랍니다.",
    },
    link: Some(Link {
        button: Words {
            en: "Reset password",
            ja: "パスワードを再設定する",
            ko: "비밀번호 재설정하기",
        },
        hours: RESET_HOURS,
    }),
    closing: Words {
        en: "Setting a new password ends all your sessions. If you did not ask for this, please \
             ignore this mail; your password stays as it is.",
        ja: "新しいパスワードを設定されますと、すべてのセッションが終了いたします。\
             お心当たりのない場合は、本メールを破棄していただきますようお願いいたします。\
             その場合、パスワードが変更されることはございません。",
        ko: "새 비밀번호를 설정하시면 모든 세션이 종료됩니다. 직접 요청하신 것이 아니라면 이 \
             메일을 무시하셔도 되며, 이 경우 비밀번호는 변경되지 않습니다.",
    },
};

static PASSWORD_CHANGED: Script = Script {
    subject: Words {
        en: "Your Belfry password was changed",
        ja: "【Belfry】パスワード変更のお知らせ",
        ko: "[Belfry] 비밀번호 변경 알림",
    },
    opening: Words {
        en: "The password of your Belfry account has been changed, and all your other sessions \
             have been ended.",
        ja: "お客様の Belfry アカウントのパスワードが変更され、\
             ほかのすべてのセッションが終了いたしました。",
        ko: "고객님의 Belfry 계정 비밀번호가 변경되었으며, 다른 모든 세션이 종료되었습니다.",
    },
    link: None,
    closing: Words {
        en: "If this was not you, please request a password reset on the log-in page at once and \
             tell your administrator.",
        ja: "お心当たりのない場合は、直ちにログイン画面よりパスワードの再設定をご依頼のうえ、\
             管理者へご連絡くださいますようお願いいたします。",
        ko: "본인이 변경하신 것이 아니라면 즉시 로그인 화면에서 비밀번호 재설정을 요청하시고 \
             관리자에게 알려 주시기 바랍니다.",
    },
};

static TWO_FACTOR_ENABLED: Script = Script {
    subject: Words {
        en: "Two-factor authentication is on for your Belfry account",
        ja: "【Belfry】二要素認証有効化のお知らせ",
        ko: "[Belfry] 2단계 인증 설정 알림",
    },
    opening: Words {
        en: "Two-factor authentication has been turned on for your Belfry account. From now on, \
             each log-in asks for a code from your authenticator app.",
        ja: "お客様の Belfry アカウントで二要素認証が有効になりました。今後はログインのたびに、\
             認証アプリに表示されるコードの入力が必要となります。",
        ko: "고객님의 Belfry 계정에 2단계 인증이 설정되었습니다. 앞으로 로그인하실 때마다 인증 \
             앱에 표시되는 코드를 입력하셔야 합니다.",
    },
    link: None,
    closing: ASK_ADMINISTRATOR,
};

static TWO_FACTOR_DISABLED: Script = Script {
    subject: Words {
        en: "{company} no longer requires two-factor authentication for Belfry",
        ja: "【Belfry】{company} 二要素認証の必須設定解除のお知らせ",
        ko: "[Belfry] {company} 2단계 인증 필수 설정 해제 알림",
    },
    opening: Words {
        en: "{company} no longer requires two-factor authentication for your Belfry account.",
        ja: "{company} において、\
             お客様の Belfry アカウントに二要素認証を必須とする設定が解除されました。",
        ko: "{company}에서 고객님의 Belfry 계정에 대한 2단계 인증 필수 설정을 해제하였습니다.",
    },
    link: None,
    closing: Words {
        en: "Log-ins still ask for a code if another company whose console you use requires it. \
             If you were not expecting this, please contact your administrator.",
        ja: "ご利用中のほかの企業で必須とされている場合は、\
             引き続きログイン時にコードの入力が必要となります。お心当たりのない場合は、\
             管理者へお問い合わせくださいますようお願いいたします。",
        ko: "이용 중이신 다른 회사에서 2단계 인증을 필수로 설정한 경우에는 로그인하실 때 계속 \
             코드를 입력하셔야 합니다. 짐작 가시는 바가 없다면 관리자에게 문의해 주시기 바랍니다.",
    },
};

static TWO_FACTOR_RESET: Script = Script {
    subject: Words {
        en: "Two-factor authentication for your Belfry account was reset",
        ja: "【Belfry】二要素認証リセットのお知らせ",
        ko: "[Belfry] 2단계 인증 초기화 알림",
    },
    opening: Words {
        en: "Two-factor authentication for your Belfry account has been reset, and all your \
             sessions have been ended. Your next log-in will ask you to set up the authenticator \
             app anew.",
        ja: "お客様の Belfry アカウントの二要素認証がリセットされ、\
             すべてのセッションが終了いたしました。次回ログインされる際に、\
             認証アプリの再設定をお願いいたします。",
        ko: "고객님의 Belfry 계정의 2단계 인증이 초기화되었으며, 모든 세션이 종료되었습니다. \
             다음에 로그인하실 때 인증 앱을 다시 설정해 주시기 바랍니다.",
    },
    link: None,
    closing: ASK_ADMINISTRATOR,
};

static TWO_FACTOR_RESET_LINK: Script = Script {
    subject: Words {
        en: "{company} asks to reset your two-factor authentication for Belfry",
        ja: "【Belfry】{company} 二要素認証リセットのご確認のお願い",
        ko: "[Belfry] {company} 2단계 인증 초기화 확인 요청",
    },
    opening: Words {
        en: "An administrator of {company} asks to reset two-factor authentication for your \
             Belfry account. Please follow this link to agree to the reset:",
        ja: "{company} の管理者より、\
             お客様の Belfry アカウントの二要素認証をリセットする依頼がありました。お手数ですが、\
             以下のリンクよりリセットの承認をお願いいたします。",
        ko: "{company}의 관리자가 고객님의 Belfry 계정의 2단계 인증 초기화를 요청하였습니다. 아래 \
             링크에서 초기화를 승인해 주시기 바랍니다.",
    },
    link: Some(Link {
        button: Words {
            en: "Agree to the reset",
            ja: "二要素認証のリセットを承認する",
            ko: "2단계 인증 초기화 승인하기",
        },
        hours: RESET_HOURS,
    }),
    closing: Words {
        en: "If you were not expecting this mail, please ignore it. Nothing is reset unless you \
             follow the link and complete the steps there.",
        ja: "本メールにお心当たりのない場合は、破棄していただきますようお願いいたします。\
             リンク先でお手続きを完了されない限り、リセットが行われることはございません。",
        ko: "이 메일에 대해 짐작 가시는 바가 없다면 무시하셔도 됩니다. 링크에서 절차를 완료하지 \
             않으시면 초기화는 이루어지지 않습니다.",
    },
};

static TWO_FACTOR_LOCKED: Script = Script {
    subject: Words {
        en: "Two-factor authentication for your Belfry account is locked",
        ja: "【Belfry】二要素認証ロックのお知らせ",
        ko: "[Belfry] 2단계 인증 잠금 알림",
    },
    opening: Words {
        en: "Two-factor authentication for your Belfry account has been locked after three wrong \
             codes. To log in again, please use a recovery code or ask a super administrator to \
             reset it.",
        ja: "誤ったコードが 3 回入力されたため、\
             お客様の Belfry アカウントの二要素認証がロックされました。ログインされる際は、\
             リカバリーコードをご利用いただくか、\
             スーパー管理者へリセットをご依頼くださいますようお願いいたします。",
        ko: "잘못된 코드가 3회 입력되어 고객님의 Belfry 계정의 2단계 인증이 잠겼습니다. \
             로그인하시려면 복구 코드를 사용하시거나 최고 관리자에게 초기화를 요청해 주시기 \
             바랍니다.",
    },
    link: None,
    closing: Words {
        en: "If this was not you, somebody knows your password: please change it at once.",
        ja: "お心当たりのない場合は、第三者がお客様のパスワードを知っていることになります。\
             直ちにパスワードを変更してくださいますようお願いいたします。",
        ko: "본인이 입력하신 것이 아니라면 다른 사람이 고객님의 비밀번호를 알고 있는 것이므로 \
             즉시 비밀번호를 변경해 주시기 바랍니다.",
    },
};

static IMPORT_FINISHED: Script = Script {
    subject: Words {
        en: "Your import of users into Belfry has ended",
        ja: "【Belfry】ユーザーインポート終了のお知らせ",
        ko: "[Belfry] 사용자 가져오기 종료 알림",
    },
    opening: Words {
        en: "Your import of users has ended. Rows imported: {imported}, refused: {refused}, \
             skipped: {skipped}.",
        ja: "ご依頼いただいたユーザーのインポートが終了いたしました。\
             インポート済み {imported} 行、拒否 {refused} 行、スキップ {skipped} 行です。",
        ko: "요청하신 사용자 가져오기가 종료되었습니다. 가져온 행은 {imported}개, 거부된 행은 \
             {refused}개, 건너뛴 행은 {skipped}개입니다.",
    },
    link: None,
    closing: Words {
        en: "The users page of the console shows why a row was refused, and gives the refused rows \
             back as a file.",
        ja: "拒否された行の理由は、コンソールのユーザー画面でご確認いただけます。\
             拒否された行はファイルとして取得いただけます。",
        ko: "행이 거부된 이유는 콘솔의 사용자 페이지에서 확인하실 수 있으며, 거부된 행은 파일로 \
             받으실 수 있습니다.",
    },
};

static RECOVERY_CODE_USED: Script = Script {
    subject: Words {
        en: "A recovery code was used to log in to Belfry",
        ja: "【Belfry】リカバリーコード使用のお知らせ",
        ko: "[Belfry] 복구 코드 사용 알림",
    },
    opening: Words {
        en: "A recovery code was used to log in to your Belfry account. Recovery codes left until \
             the authenticator app is set up anew: {left}.",
        ja: "お客様の Belfry アカウントへのログインに、リカバリーコードが使用されました。\
             認証アプリを再設定されるまでにご利用いただけるリカバリーコードは、\
             残り {left} 個です。",
        ko: "복구 코드를 사용하여 고객님의 Belfry 계정에 로그인하였습니다. 인증 앱을 다시 \
             설정하실 때까지 사용하실 수 있는 복구 코드는 {left}개 남았습니다.",
    },
    link: None,
    closing: CHANGE_PASSWORD,
};

static RECOVERY_CODES_REPLACED: Script = Script {
    subject: Words {
        en: "Your Belfry recovery codes were replaced",
        ja: "【Belfry】リカバリーコード再発行のお知らせ",
        ko: "[Belfry] 복구 코드 재발급 알림",
    },
    opening: Words {
        en: "The recovery codes of your Belfry account have been replaced by new ones. The old \
             codes no longer work.",
        ja: "お客様の Belfry アカウントのリカバリーコードが再発行されました。\
             以前のリカバリーコードはご利用いただけません。",
        ko: "고객님의 Belfry 계정의 복구 코드가 재발급되었습니다. 이전 복구 코드는 더 이상 \
             사용하실 수 없습니다.",
    },
    link: None,
    closing: CHANGE_PASSWORD,
};

static TICKET: Script = Script {
    subject: Words {
        en: "Belfry ticket {reference} of {company}: {subject}",
        ja: "【Belfry】{company} サポート依頼 {reference}: {subject}",
        ko: "[Belfry] {company} 지원 요청 {reference}: {subject}",
    },
    opening: Words {
        en: "{name} ({email}) of {company} asks for help.\n\n\
             Reference: {reference}\n\
             Tenant: {tenant}\n\
             Product: {product}\n\
             Product keys: {keys}\n\
             Subject: {subject}\n\n\
             {message}",
        ja: "{company} の {name} 様（{email}）よりお問い合わせがありました。\n\n\
             受付番号: {reference}\n\
             テナント: {tenant}\n\
             製品: {product}\n\
             プロダクトキー: {keys}\n\
             件名: {subject}\n\n\
             {message}",
        ko: "{company}의 {name}님({email})이 문의하셨습니다.\n\n\
             접수 번호: {reference}\n\
             테넌트: {tenant}\n\
             제품: {product}\n\
             제품 키: {keys}\n\
             제목: {subject}\n\n\
             {message}",
    },
    link: None,
    closing: Words {
        en: "A reply to this mail goes to {email}.",
        ja: "本メールへの返信は {email} に届きます。",
        ko: "이 메일에 회신하시면 {email}(으)로 전달됩니다.",
    },
};

impl Letter {
    /// Whether it speaks of a link, which its mail then has to bring.
    pub const fn has_link(&self) -> bool {
        self.script().link.is_some()
    }

    const fn script(&self) -> &'static Script {
        match self {
            Self::Activation { .. } => &ACTIVATION,
            Self::PasswordReset(_) => &PASSWORD_RESET,
            Self::PasswordChanged(_) => &PASSWORD_CHANGED,
            Self::TwoFactorEnabled(_) => &TWO_FACTOR_ENABLED,
            Self::TwoFactorDisabled { .. } => &TWO_FACTOR_DISABLED,
            Self::TwoFactorReset(_) => &TWO_FACTOR_RESET,
            Self::TwoFactorResetLink { .. } => &TWO_FACTOR_RESET_LINK,
            Self::TwoFactorLocked(_) => &TWO_FACTOR_LOCKED,
            Self::ImportFinished { .. } => &IMPORT_FINISHED,
            Self::RecoveryCodeUsed { .. } => &RECOVERY_CODE_USED,
            Self::RecoveryCodesReplaced(_) => &RECOVERY_CODES_REPLACED,
            Self::SignUp { .. } => &company::SIGN_UP,
            Self::LicenseChanged { change, .. } => company::of_change(*change),
            Self::LicenseNotice { notice, license, .. } => {
                company::of_notice(*notice, license.kind)
            }
            Self::RecoveryAnnounced { remedy, .. } => company::of_remedy(remedy),
            Self::RecoveryEnded { stage, .. } => company::of_end(*stage),
            Self::TenantSuspended { .. } => &company::SUSPENDED,
            Self::TenantResumed { .. } => &company::RESUMED,
            Self::SiemNotice(siem) => siem::of_notice(siem.notice),
            Self::Ticket(_) => &TICKET,
        }
    }

    /// How it begins and ends.
    const fn frame(&self) -> (&'static Words, &'static Words) {
        match self {
            Self::Ticket(_) => (&TICKET_GREETING, &TICKET_FOOTER),
            Self::LicenseChanged { .. }
            | Self::LicenseNotice { .. }
            | Self::RecoveryAnnounced { .. }
            | Self::RecoveryEnded { .. }
            | Self::TenantSuspended { .. }
            | Self::TenantResumed { .. } => (&company::GREETING, &FOOTER),
            _ => (&GREETING, &FOOTER),
        }
    }

    /// First and last name of the reader; of a ticket, of who asks. None of what goes to a company.
    fn names(&self) -> Option<(&PersonName, &PersonName)> {
        Some(match self {
            Self::Activation { first_name, last_name, .. }
            | Self::PasswordReset(Reader { first_name, last_name })
            | Self::PasswordChanged(Reader { first_name, last_name })
            | Self::TwoFactorEnabled(Reader { first_name, last_name })
            | Self::TwoFactorDisabled { reader: Reader { first_name, last_name }, .. }
            | Self::TwoFactorReset(Reader { first_name, last_name })
            | Self::TwoFactorResetLink { reader: Reader { first_name, last_name }, .. }
            | Self::TwoFactorLocked(Reader { first_name, last_name })
            | Self::ImportFinished { reader: Reader { first_name, last_name }, .. }
            | Self::SignUp { reader: Reader { first_name, last_name }, .. }
            | Self::RecoveryCodeUsed { reader: Reader { first_name, last_name }, .. }
            | Self::RecoveryCodesReplaced(Reader { first_name, last_name }) => {
                (first_name, last_name)
            }
            Self::SiemNotice(siem) => (&siem.reader.first_name, &siem.reader.last_name),
            Self::Ticket(ticket) => (&ticket.reader.first_name, &ticket.reader.last_name),
            Self::LicenseChanged { .. }
            | Self::LicenseNotice { .. }
            | Self::RecoveryAnnounced { .. }
            | Self::RecoveryEnded { .. }
            | Self::TenantSuspended { .. }
            | Self::TenantResumed { .. } => return None,
        })
    }

    /// The licence that it is about.
    fn license(&self) -> Option<&LicenseFacts> {
        match self {
            Self::LicenseChanged { license, .. } | Self::LicenseNotice { license, .. } => {
                Some(license)
            }
            _ => None,
        }
    }

    /// The value of a placeholder.
    fn value(&self, name: &str, language: Language) -> String {
        match (name, self) {
            ("name", _) => {
                let names = self.names();
                names.map(|(first, last)| full_name(first, last, language)).unwrap_or_default()
            }
            (
                "company",
                Self::Activation { company, .. }
                | Self::TwoFactorDisabled { company, .. }
                | Self::TwoFactorResetLink { company, .. }
                | Self::SignUp { company, .. }
                | Self::LicenseChanged { company, .. }
                | Self::LicenseNotice { company, .. }
                | Self::RecoveryAnnounced { company, .. }
                | Self::RecoveryEnded { company, .. }
                | Self::TenantSuspended { company }
                | Self::TenantResumed { company },
            ) => company.as_str().to_owned(),
            ("used", Self::LicenseNotice { used, .. }) => used.to_string(),
            ("days", Self::LicenseNotice { days, .. }) => days.to_string(),
            ("whom", Self::RecoveryAnnounced { whom, .. }) => {
                full_name(&whom.first_name, &whom.last_name, language)
            }
            ("address", Self::RecoveryAnnounced { remedy, .. }) => match remedy.as_ref() {
                Remedy::Appoint(appointee) => appointee.email.as_str().to_owned(),
                Remedy::ResetTwoFactor { .. } | Remedy::Appointed { .. } => String::new(),
            },
            ("acts_at", Self::RecoveryAnnounced { acts_at, .. }) => {
                acts_at.strftime("%Y-%m-%d %H:%M").to_string()
            }
            ("imported", Self::ImportFinished { imported, .. }) => imported.to_string(),
            ("refused", Self::ImportFinished { refused, .. }) => refused.to_string(),
            ("skipped", Self::ImportFinished { skipped, .. }) => skipped.to_string(),
            ("left", Self::RecoveryCodeUsed { left, .. }) => left.to_string(),
            ("hours", _) => {
                self.script().link.as_ref().map(|link| link.hours.to_string()).unwrap_or_default()
            }
            (name, Self::SiemNotice(siem)) => siem.value(name),
            (name, Self::Ticket(ticket)) => told(ticket, name),
            (name, _) => {
                let license = self.license();
                license.map(|license| license.value(name, language)).unwrap_or_default()
            }
        }
    }
}

impl LicenseFacts {
    /// The value of a placeholder.
    fn value(&self, name: &str, language: Language) -> String {
        match name {
            "product" => self.product.to_string(),
            "edition" => self.edition.as_str().to_owned(),
            "kind" => company::kind_name(self.kind).of(language).to_owned(),
            "seats" => self.seats.to_string(),
            "ends_on" => Day::of(self.ends_at).date(),
            "key" => self.product_key.to_string(),
            _ => String::new(),
        }
    }
}

/// The value of a ticket's placeholder.
fn told(ticket: &Ticket, name: &str) -> String {
    let keys = || ticket.keys.iter().map(|(product, key)| format!("{product} {key}"));
    let told = match name {
        "company" => ticket.company.as_str().to_owned(),
        "reference" => ticket.reference.as_str().to_owned(),
        "tenant" => ticket.tenant.to_string(),
        "email" => ticket.email.as_str().to_owned(),
        "subject" => ticket.subject.as_str().to_owned(),
        "message" => ticket.message.as_str().to_owned(),
        "product" => ticket.product.map_or_else(String::new, |product| product.to_string()),
        "keys" => keys().collect::<Vec<_>>().join(", "),
        _ => String::new(),
    };
    if told.is_empty() { "-".to_owned() } else { told }
}

/// First and last name in the order of the language, unless they are written in Latin letters.
fn full_name(first: &PersonName, last: &PersonName, language: Language) -> String {
    let (first, last) = (first.as_str(), last.as_str());
    let western = first.is_ascii() || last.is_ascii();
    match language {
        Language::Ja if !western => format!("{last} {first}"),
        Language::Ko if !western => format!("{last}{first}"),
        _ => format!("{first} {last}"),
    }
}

impl Mail {
    /// The mail with its opened link.
    ///
    /// # Errors
    ///
    /// [`LinkMismatch`] when the letter speaks of a link and there is none, or the reverse.
    pub fn render(&self, link: Option<&str>) -> Result<Rendered, LinkMismatch> {
        let script = self.letter.script();
        let value = |name: &str| self.letter.value(name, self.language);
        let plain = |words: &Words| fill(words.of(self.language), &value);
        let safe = |words: &Words| {
            fill(words.of(self.language), &|name| escape(&value(name))).replace('\n', "<br>\n")
        };
        let (greeting, footer) = self.letter.frame();
        let reply_to = match &self.letter {
            Letter::Ticket(ticket) => Some(ticket.email.clone()),
            _ => None,
        };
        let (text_link, html_link) = match (&script.link, link) {
            (Some(Link { button, .. }), Some(link)) => (
                format!("{link}\n\n{}\n\n", plain(&ABOUT_LINK)),
                link_html(&escape(link), &safe(button), &safe(&ABOUT_LINK)),
            ),
            (None, None) => (String::new(), String::new()),
            _ => return Err(LinkMismatch),
        };
        Ok(Rendered {
            subject: plain(&script.subject),
            text: format!(
                "{}\n\n{}\n\n{text_link}{}\n\n-- \n{}\n",
                plain(greeting),
                plain(&script.opening),
                plain(&script.closing),
                plain(footer),
            ),
            html: format!(
                include_str!("mail.html"),
                language = self.language.name(),
                subject = safe(&script.subject),
                greeting = safe(greeting),
                opening = safe(&script.opening),
                link = html_link,
                closing = safe(&script.closing),
                footer = safe(footer),
            ),
            reply_to,
        })
    }
}

/// The link as HTML: a button, and the address for those who cannot press it.
fn link_html(link: &str, button: &str, about: &str) -> String {
    format!(
        r#"<p style="margin:28px 0"><a href="{link}" style="display:inline-block;padding:12px 24px;background:#1d4ed8;color:#ffffff;border-radius:6px;text-decoration:none">{button}</a></p>
<p style="font-size:13px;color:#4b5563;word-break:break-all">{link}</p>
<p>{about}</p>
"#
    )
}

/// Replaces `{name}` in one pass, so that a value which looks like a placeholder stays as it is.
fn fill(sentence: &str, value: &dyn Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(sentence.len() * 2);
    let mut rest = sentence;
    while let Some((before, tail)) = rest.split_once('{') {
        filled.push_str(before);
        let (name, after) = tail.split_once('}').unwrap_or((tail, ""));
        filled.push_str(&value(name));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// Escapes text for HTML content and for attributes in double quotes.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{TenantId, UserId};
    use crate::license::Terms;
    use crate::ports::Entropy;
    use crate::recovery::Appointee;
    use crate::siem::progress::Notice as SiemWord;
    use crate::ticket::TicketReference;
    use std::collections::BTreeSet;

    const LINK: &str = "https://console.example/go#abc";

    /// Every letter. Each names the one after it, so that the compiler asks for a new one here.
    fn letters(first: &str, last: &str, company: &str) -> Vec<Letter> {
        let company: CompanyName = company.parse().unwrap();
        let reader =
            Reader { first_name: first.parse().unwrap(), last_name: last.parse().unwrap() };
        let Reader { first_name, last_name } = reader.clone();
        let activation = Letter::Activation { first_name, last_name, company: company.clone() };
        std::iter::successors(Some(activation), |letter| {
            let (reader, company) = (reader.clone(), company.clone());
            Some(match letter {
                Letter::Activation { .. } => Letter::PasswordReset(reader),
                Letter::PasswordReset(_) => Letter::PasswordChanged(reader),
                Letter::PasswordChanged(_) => Letter::TwoFactorEnabled(reader),
                Letter::TwoFactorEnabled(_) => Letter::TwoFactorDisabled { reader, company },
                Letter::TwoFactorDisabled { .. } => Letter::TwoFactorReset(reader),
                Letter::TwoFactorReset(_) => Letter::TwoFactorResetLink { reader, company },
                Letter::TwoFactorResetLink { .. } => Letter::TwoFactorLocked(reader),
                Letter::TwoFactorLocked(_) => {
                    Letter::ImportFinished { reader, imported: 7, refused: 2, skipped: 1 }
                }
                Letter::ImportFinished { .. } => Letter::RecoveryCodeUsed { reader, left: 8 },
                Letter::RecoveryCodeUsed { .. } => Letter::RecoveryCodesReplaced(reader),
                Letter::RecoveryCodesReplaced(_) => Letter::SignUp { reader, company },
                Letter::SignUp { .. } => changed(company, LicenseChange::Started),
                Letter::LicenseChanged { change, .. } => match after(&LicenseChange::ALL, change) {
                    // Three changes of the vendor's are one letter.
                    Some(LicenseChange::TrialExtended | LicenseChange::SeatsSet) => {
                        changed(company, LicenseChange::Revoked)
                    }
                    Some(change) => changed(company, change),
                    None => noticed(company, Notice::Days7, LicenseKind::Trial),
                },
                Letter::LicenseNotice { notice, license, .. } => match (notice, license.kind) {
                    (Notice::Days30 | Notice::Days7, kind) => noticed(company, Notice::Days1, kind),
                    (Notice::Days1, kind) => noticed(company, Notice::Ended, kind),
                    (Notice::Ended, LicenseKind::Trial) => {
                        noticed(company, Notice::Ended, LicenseKind::Commercial)
                    }
                    (Notice::Ended, kind) => noticed(company, Notice::Seats90, kind),
                    (Notice::Seats90, kind) => noticed(company, Notice::Seats100, kind),
                    (Notice::Seats100, _) => {
                        let user = UserId::new(Timestamp::UNIX_EPOCH, &Ones);
                        announced(company, reader, Remedy::ResetTwoFactor { user })
                    }
                },
                Letter::RecoveryAnnounced { remedy, .. } => match remedy.as_ref() {
                    Remedy::ResetTwoFactor { .. } => {
                        let Reader { first_name, last_name } = reader.clone();
                        let email = "ann@example.com".parse().unwrap();
                        let mobile = "+919876543210".parse().unwrap();
                        let user = UserId::new(Timestamp::UNIX_EPOCH, &Ones);
                        let appointee = Appointee { user, first_name, last_name, email, mobile };
                        announced(company, reader, Remedy::Appoint(appointee))
                    }
                    Remedy::Appoint(_) | Remedy::Appointed { .. } => {
                        Letter::RecoveryEnded { company, stage: Stage::Stopped }
                    }
                },
                Letter::RecoveryEnded { stage: Stage::Stopped, .. } => {
                    Letter::RecoveryEnded { company, stage: Stage::Done }
                }
                Letter::RecoveryEnded { stage: Stage::Done, .. } => {
                    Letter::RecoveryEnded { company, stage: Stage::Moot }
                }
                Letter::RecoveryEnded { .. } => Letter::TenantSuspended { company },
                Letter::TenantSuspended { .. } => Letter::TenantResumed { company },
                Letter::TenantResumed { .. } => exported(reader, SiemWord::Failing),
                Letter::SiemNotice(siem) => match siem.notice {
                    SiemWord::Failing => exported(reader, SiemWord::FailingForADay),
                    SiemWord::FailingForADay => exported(reader, SiemWord::Suspended),
                    SiemWord::Suspended => exported(reader, SiemWord::Recovered),
                    SiemWord::Recovered => Letter::Ticket(Box::new(ticket(reader, company))),
                },
                Letter::Ticket(_) => return None,
            })
        })
        .collect()
    }

    fn after<T: Copy + PartialEq>(all: &[T], one: &T) -> Option<T> {
        all.iter().skip_while(|other| *other != one).nth(1).copied()
    }

    fn facts(kind: LicenseKind) -> LicenseFacts {
        let terms = Terms { kind, ..Terms::trial(Product::Epp, "Advance".parse().unwrap()) };
        (&License::new(terms, Timestamp::UNIX_EPOCH, &Ones)).into()
    }

    fn changed(company: CompanyName, change: LicenseChange) -> Letter {
        Letter::LicenseChanged {
            company,
            change,
            license: Box::new(facts(LicenseKind::Commercial)),
        }
    }

    fn noticed(company: CompanyName, notice: Notice, kind: LicenseKind) -> Letter {
        Letter::LicenseNotice { company, notice, license: Box::new(facts(kind)), used: 95, days: 6 }
    }

    fn announced(company: CompanyName, whom: Reader, remedy: Remedy) -> Letter {
        let acts_at = Timestamp::UNIX_EPOCH;
        Letter::RecoveryAnnounced { company, remedy: Box::new(remedy), whom, acts_at }
    }

    fn exported(reader: Reader, notice: SiemWord) -> Letter {
        let (destination, since) = ("Head office".parse().unwrap(), Timestamp::UNIX_EPOCH);
        let (backlog, age_minutes, reason) = (12, 34, "The connection was refused.".to_owned());
        Letter::SiemNotice(Box::new(SiemNotice {
            reader,
            destination,
            notice,
            since,
            backlog,
            age_minutes,
            reason,
        }))
    }

    struct Ones;
    impl Entropy for Ones {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0xff);
        }
    }

    fn ticket(reader: Reader, company: CompanyName) -> Ticket {
        Ticket {
            reference: TicketReference::new(&Ones),
            tenant: TenantId::new(Timestamp::UNIX_EPOCH, &Ones),
            company,
            reader,
            email: "ann@example.com".parse().unwrap(),
            subject: "No <b>".parse().unwrap(),
            message: "One & two\n\n  <script>three".parse().unwrap(),
            product: Some(Product::Epp),
            keys: vec![
                (Product::Epp, ProductKey::new(&Ones)),
                (Product::Emm, ProductKey::new(&Ones)),
            ],
        }
    }

    /// Every letter in a language, each with a sealed link if it has one.
    fn mails(language: Language, first: &str, last: &str, company: &str) -> Vec<Mail> {
        let mail = |letter: Letter| Mail {
            to: "ann@example.com".parse().unwrap(),
            language,
            sealed_link: letter.has_link().then(|| vec![1, 2]),
            letter,
        };
        letters(first, last, company).into_iter().map(mail).collect()
    }

    fn render(mail: &Mail, link: &str) -> Rendered {
        mail.render(mail.letter.has_link().then_some(link)).unwrap()
    }

    /// What a letter says in text and in HTML.
    fn body(letter: &Letter) -> Vec<&'static Words> {
        let Script { opening, link, closing, .. } = letter.script();
        let about_link = link.iter().map(|_| &ABOUT_LINK);
        let (greeting, footer) = letter.frame();
        [greeting, opening, closing, footer].into_iter().chain(about_link).collect()
    }

    /// Everything that a letter says.
    fn all(letter: &Letter) -> Vec<&'static Words> {
        let Script { subject, link, .. } = letter.script();
        let button = link.iter().map(|link| &link.button);
        body(letter).into_iter().chain([subject]).chain(button).collect()
    }

    fn placeholders(sentence: &str) -> BTreeSet<&str> {
        sentence.split('{').skip(1).map(|tail| tail.split_once('}').unwrap().0).collect()
    }

    #[test]
    fn every_language_says_the_same_with_its_own_words() {
        for letter in letters("Ann", "Lee", "Acme") {
            for words in all(&letter) {
                assert!(words.en.is_ascii(), "{}", words.en);
                assert_ne!(words.ja, words.ko);
                for foreign in [words.ja, words.ko] {
                    assert_eq!(placeholders(foreign), placeholders(words.en), "{foreign}");
                    assert!(!foreign.is_ascii(), "{foreign}");
                }
                for name in placeholders(words.en) {
                    assert_ne!(letter.value(name, Language::En), "", "{name} in {letter:?}");
                }
            }
        }
    }

    #[test]
    fn an_appointment_names_the_address_that_will_get_in() {
        for language in Language::ALL {
            let mails = mails(language, "Ann", "Lee", "Acme");
            let appoints = |mail: &&Mail| match &mail.letter {
                Letter::RecoveryAnnounced { remedy, .. } => matches!(**remedy, Remedy::Appoint(_)),
                _ => false,
            };
            let mail = mails.iter().find(appoints).unwrap();
            let Rendered { text, html, .. } = render(mail, LINK);
            for said in [text, html] {
                assert!(said.contains("ann@example.com"), "{said}");
            }
        }
    }

    #[test]
    fn every_letter_has_its_own_subject_of_one_line() {
        for language in Language::ALL {
            let mails = mails(language, "Ann", "Lee", "Acme");
            let subjects: BTreeSet<_> =
                mails.iter().map(|mail| render(mail, LINK).subject).collect();
            assert_eq!(subjects.len(), mails.len());
            for subject in subjects {
                assert!(subject.contains("Belfry") && !subject.contains('\n'), "{subject}");
            }
        }
    }

    #[test]
    fn both_forms_hold_the_same_sentences_with_every_value() {
        for mail in Language::ALL.into_iter().flat_map(|l| mails(l, "Ann", "Lee", "Acme")) {
            let (letter, language) = (&mail.letter, mail.language);
            let Rendered { text, html, .. } = render(&mail, LINK);
            for form in [&text, &html] {
                let greeted = letter.names().map_or("Acme", |_| "Ann Lee");
                assert!(form.contains(greeted) && !form.contains('{'), "{form}");
                assert_eq!(form.contains(LINK), letter.has_link(), "{form}");
            }
            for words in body(letter) {
                let sentence = fill(words.of(language), &|name| letter.value(name, language));
                let marked = escape(&sentence).replace('\n', "<br>\n");
                assert!(text.contains(&sentence) && html.contains(&marked), "{sentence}");
            }
            assert!(html.contains(&format!("lang=\"{}\"", language.name())));
        }
    }

    #[test]
    fn a_letter_speaks_of_a_link_exactly_when_it_has_one() {
        for mail in Language::ALL.into_iter().flat_map(|l| mails(l, "Ann", "Lee", "Acme")) {
            let wanted = matches!(
                mail.letter,
                Letter::Activation { .. }
                    | Letter::PasswordReset(_)
                    | Letter::TwoFactorResetLink { .. }
                    | Letter::SignUp { .. }
                    | Letter::RecoveryAnnounced { .. }
            );
            assert_eq!(mail.letter.has_link(), wanted, "{:?}", mail.letter);
            let Rendered { text, html, .. } = render(&mail, LINK);
            let said = ["link", "リンク", "링크"].iter().any(|word| text.contains(word));
            assert_eq!((said, html.contains("<a href")), (wanted, wanted), "{text}");
            let other = mail.render((!wanted).then_some(LINK));
            assert_eq!(other.err(), Some(LinkMismatch));
        }
    }

    #[test]
    fn a_link_lives_as_long_as_its_letter_says() {
        let hours = |letter: &Letter| letter.script().link.as_ref().map(|link| link.hours);
        let hours: Vec<_> = letters("Ann", "Lee", "Acme").iter().filter_map(hours).collect();
        let of_company = [company::SIGN_UP_HOURS, company::RECOVERY_HOURS, company::RECOVERY_HOURS];
        let of_persons = [ACTIVATION_HOURS, RESET_HOURS, RESET_HOURS];
        assert_eq!(hours, [of_persons, of_company].concat());
        let hours = |life: jiff::SignedDuration| u32::try_from(life.as_hours()).unwrap();
        assert_eq!(hours(crate::sign_up::LINK_LIFE), company::SIGN_UP_HOURS);
        assert_eq!(hours(crate::recovery::DELAY), company::RECOVERY_HOURS);
    }

    #[test]
    fn names_stand_in_the_order_of_the_language() {
        let starts = |language, first, last, start: &str| {
            // Support is greeted without a name, a company by its own.
            let to_people = |mail: &Mail| {
                mail.letter.names().is_some() && !matches!(mail.letter, Letter::Ticket(_))
            };
            for mail in mails(language, first, last, "Acme").into_iter().filter(to_people) {
                let text = render(&mail, LINK).text;
                assert!(text.starts_with(start), "{text}");
            }
        };
        starts(Language::Ja, "太郎", "山田", "山田 太郎 様");
        starts(Language::Ko, "길동", "홍", "홍길동 님");
        starts(Language::Ja, "Ann", "Lee", "Ann Lee 様");
        starts(Language::En, "太郎", "山田", "Hello 太郎 山田,");
    }

    #[test]
    fn values_are_escaped_in_html_and_never_read_as_placeholders() {
        for mail in mails(Language::En, "O'Hara", "{hours}", "A & \"B\" {name}") {
            let Rendered { subject, text, html, .. } = render(&mail, "https://x/#a&b\"");
            let named = mail.letter.names().is_some();
            assert_eq!(text.contains("O'Hara {hours}"), named || text.contains("O'Hara"));
            assert_eq!(html.contains("O&#39;Hara {hours}"), html.contains("O&#39;Hara"));
            assert!(!named || html.contains("O&#39;Hara"));
            let company = mail.letter.value("company", Language::En);
            // What is about a licence names its product in the subject.
            assert!(mail.letter.license().is_some() || subject.contains(&company), "{subject}");
            assert!(text.contains(&company));
            assert!(html.contains(&escape(&company)) && !html.contains("A & "));
            let link = mail.letter.has_link();
            assert_eq!(text.contains("https://x/#a&b\""), link);
            assert_eq!(html.contains("href=\"https://x/#a&amp;b&quot;\""), link);
        }
        assert_eq!(escape("<A & \"B\">'"), "&lt;A &amp; &quot;B&quot;&gt;&#39;");
    }

    #[test]
    fn a_ticket_says_all_that_support_needs_and_a_reply_reaches_who_asks() {
        let mail = mails(Language::En, "Ann", "Lee", "Acme").pop().unwrap();
        let Rendered { subject, text, html, reply_to } = render(&mail, LINK);
        assert_eq!(subject, "Belfry ticket TCK-ZZZZZZZZ of Acme: No <b>");
        for line in [
            "Ann Lee (ann@example.com) of Acme asks for help.",
            "Reference: TCK-ZZZZZZZZ",
            "Tenant: ten_0000000000007fffbfffffffffffffff",
            "Product: EPP",
            "Product keys: EPP ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-B, EMM ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-B",
            "Subject: No <b>",
            "One & two",
            "  <script>three",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(html.contains("One &amp; two<br>\n<br>\n  &lt;script&gt;three"), "{html}");
        assert_eq!(reply_to, Some("ann@example.com".parse().unwrap()));
        let notice = mails(Language::En, "Ann", "Lee", "Acme").swap_remove(0);
        assert_eq!(render(&notice, LINK).reply_to, None);
        let Letter::Ticket(ticket) = mail.letter else { panic!("the last letter is a ticket") };
        let none = Ticket { product: None, keys: Vec::new(), ..*ticket };
        assert_eq!((told(&none, "product"), told(&none, "keys")), ("-".into(), "-".into()));
    }

    #[test]
    fn a_stored_mail_reads_as_it_was() {
        for mail in mails(Language::En, "Ann", "Lee", "Acme") {
            let stored = serde_json::to_value(&mail).unwrap();
            assert_eq!(stored.get("sealed_link").is_some(), mail.letter.has_link());
            assert_eq!(serde_json::from_value::<Mail>(stored).unwrap(), mail);
        }
        // As it was stored when every mail had a link.
        let old = r#"{"to":"ann@example.com","language":"en","letter":{"Activation":
            {"first_name":"Ann","last_name":"Lee","company":"Acme"}},"sealed_link":[1,2]}"#;
        let activation = mails(Language::En, "Ann", "Lee", "Acme").swap_remove(0);
        assert_eq!(serde_json::from_str::<Mail>(old).unwrap(), activation);
    }
}
