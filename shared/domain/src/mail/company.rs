//! What letters to a company say: its sign-up, its licences, a recovery of its console.

use super::{Link, Script, Words};
use crate::license::watch::Notice;
use crate::license::{LicenseChange, LicenseKind};
use crate::recovery::{Remedy, Stage};

/// Hours that the link of a sign-up lives.
pub(super) const SIGN_UP_HOURS: u32 = 72;
/// Hours in which a recovery can be stopped.
pub(super) const RECOVERY_HOURS: u32 = 24;

/// The first line of what goes to a company's registered address, which is nobody's name.
pub(super) const GREETING: Words = Words {
    en: "Hello {company},",
    ja: "{company} ご担当者様",
    ko: "{company} 담당자님, 안녕하세요.",
};

/// The licence as it stands, on lines of their own.
macro_rules! facts {
    (en $text:literal) => {
        concat!(
            $text,
            "\n\nProduct: {product}\nEdition: {edition} ({kind})\nSeats: {seats}\n\
             End of the term: {ends_on}\nProduct key: {key}"
        )
    };
    (ja $text:literal) => {
        concat!(
            $text,
            "\n\n製品: {product}\nエディション: {edition}（{kind}）\nシート数: {seats}\n\
             有効期限: {ends_on}\nプロダクトキー: {key}"
        )
    };
    (ko $text:literal) => {
        concat!(
            $text,
            "\n\n제품: {product}\n에디션: {edition}({kind})\n시트 수: {seats}\n\
             만료일: {ends_on}\n제품 키: {key}"
        )
    };
}

/// Closes a notice of a licence.
const QUOTE_KEY: Words = Words {
    en: "Please quote the product key whenever you contact support. The licence page of the console \
         shows this licence with its history.",
    ja: "サポートへお問い合わせの際は、プロダクトキーをお知らせください。ライセンスの内容と履歴は、\
         コンソールのライセンス画面でご確認いただけます。",
    ko: "지원 센터에 문의하실 때에는 제품 키를 알려 주시기 바랍니다. 라이선스 내용과 이력은 콘솔의 \
         라이선스 페이지에서 확인하실 수 있습니다.",
};

/// Closes a warning of the end of a licence.
const RENEW: Words = Words {
    en: "To go on, please ask your vendor for an activation key and enter it on the licence page of \
         the console.",
    ja: "引き続きご利用いただくには、販売元よりアクティベーションキーをお取り寄せのうえ、\
         コンソールのライセンス画面でご入力ください。",
    ko: "계속 사용하시려면 판매처에 활성화 키를 요청하신 후 콘솔의 라이선스 페이지에 입력해 주시기 \
         바랍니다.",
};

/// Closes a warning of few seats.
const MORE_SEATS: Words = Words {
    en: "Telemetry of further endpoints is still taken, and marked as over the limit. For more seats, \
         please ask your vendor for an activation key.",
    ja: "シート数を超えたエンドポイントのテレメトリーも引き続き受信し、超過として表示いたします。\
         シートの追加については、販売元へアクティベーションキーをご依頼ください。",
    ko: "시트 수를 초과한 엔드포인트의 텔레메트리도 계속 수신하며 초과로 표시합니다. 시트를 추가하시려면 \
         판매처에 활성화 키를 요청해 주시기 바랍니다.",
};

/// Closes a notice of what the vendor did.
const ASK_VENDOR: Words = Words {
    en: "If you have questions about this, please contact your vendor.",
    ja: "ご不明な点がございましたら、販売元へお問い合わせくださいますようお願いいたします。",
    ko: "궁금하신 점이 있으시면 판매처에 문의해 주시기 바랍니다.",
};

pub(super) static SIGN_UP: Script = Script {
    subject: Words {
        en: "Confirm the sign-up of {company} for Belfry",
        ja: "【Belfry】{company} ご登録の確認のお願い",
        ko: "[Belfry] {company} 가입 확인 안내",
    },
    opening: Words {
        en: "{company} has been signed up for Belfry with this address. Please follow this link to \
             confirm it and to set up the account of its first administrator:",
        ja: "このメールアドレスで {company} の Belfry へのご登録を承りました。お手数ですが、\
             以下のリンクよりご登録の確認と、最初の管理者アカウントの設定をお願いいたします。",
        ko: "이 메일 주소로 {company}의 Belfry 가입 신청이 접수되었습니다. 아래 링크에서 가입을 확인하고 \
             첫 관리자 계정을 설정해 주시기 바랍니다.",
    },
    link: Some(Link {
        button: Words {
            en: "Confirm sign-up", ja: "登録を確認する", ko: "가입 확인하기"
        },
        hours: SIGN_UP_HOURS,
    }),
    closing: Words {
        en: "If you did not sign up, please ignore this mail. Nothing begins unless you follow the \
             link and complete the steps there.",
        ja: "お心当たりのない場合は、本メールを破棄していただきますようお願いいたします。\
             リンク先でお手続きを完了されない限り、ご利用が開始されることはございません。",
        ko: "직접 신청하신 것이 아니라면 이 메일을 무시하셔도 됩니다. 링크에서 절차를 완료하지 않으시면 \
             아무것도 시작되지 않습니다.",
    },
};

static STARTED: Script = Script {
    subject: Words {
        en: "{product} was added to Belfry",
        ja: "【Belfry】{product} 追加のお知らせ",
        ko: "[Belfry] {product} 추가 알림",
    },
    opening: Words {
        en: facts!(en "{product} has been added to your Belfry console."),
        ja: facts!(ja "お客様の Belfry コンソールに {product} が追加されました。"),
        ko: facts!(ko "고객님의 Belfry 콘솔에 {product} 제품이 추가되었습니다."),
    },
    link: None,
    closing: QUOTE_KEY,
};

static CONVERTED: Script = Script {
    subject: Words {
        en: "Your {product} trial in Belfry is now a commercial licence",
        ja: "【Belfry】{product} 製品版ライセンスへの移行完了のお知らせ",
        ko: "[Belfry] {product} 정식 라이선스 전환 완료 알림",
    },
    opening: Words {
        en: facts!(en "Your trial of {product} has been converted to a commercial licence. The product \
                      key has not changed."),
        ja: facts!(ja "{product} の試用版ライセンスが、製品版ライセンスに移行されました。\
                      プロダクトキーに変更はございません。"),
        ko: facts!(ko "{product} 평가판 라이선스가 정식 라이선스로 전환되었습니다. 제품 키는 변경되지 \
                      않았습니다."),
    },
    link: None,
    closing: QUOTE_KEY,
};

static RENEWED: Script = Script {
    subject: Words {
        en: "Your {product} licence in Belfry was renewed",
        ja: "【Belfry】{product} ライセンス更新のお知らせ",
        ko: "[Belfry] {product} 라이선스 갱신 알림",
    },
    opening: Words {
        en: facts!(en "Your licence for {product} has been renewed."),
        ja: facts!(ja "{product} のライセンスが更新されました。"),
        ko: facts!(ko "{product} 라이선스가 갱신되었습니다."),
    },
    link: None,
    closing: QUOTE_KEY,
};

static EXTENDED: Script = Script {
    subject: Words {
        en: "Your {product} licence in Belfry was extended",
        ja: "【Belfry】{product} ライセンス拡張のお知らせ",
        ko: "[Belfry] {product} 라이선스 확장 알림",
    },
    opening: Words {
        en: facts!(en "Your licence for {product} has been extended. It now reads:"),
        ja: facts!(ja "{product} のライセンスが拡張されました。現在の内容は以下のとおりです。"),
        ko: facts!(ko "{product} 라이선스가 확장되었습니다. 현재 내용은 다음과 같습니다."),
    },
    link: None,
    closing: QUOTE_KEY,
};

static CHANGED: Script = Script {
    subject: Words {
        en: "Your {product} licence in Belfry was changed by the vendor",
        ja: "【Belfry】{product} ライセンス変更のお知らせ",
        ko: "[Belfry] {product} 라이선스 변경 알림",
    },
    opening: Words {
        en: facts!(en "Your vendor has changed your licence for {product}. It now reads:"),
        ja: facts!(ja "販売元により {product} のライセンスが変更されました。\
                      現在の内容は以下のとおりです。"),
        ko: facts!(ko "판매처에서 {product} 라이선스를 변경하였습니다. 현재 내용은 다음과 같습니다."),
    },
    link: None,
    closing: ASK_VENDOR,
};

static REVOKED: Script = Script {
    subject: Words {
        en: "Your {product} licence in Belfry was revoked",
        ja: "【Belfry】{product} ライセンス失効のお知らせ",
        ko: "[Belfry] {product} 라이선스 취소 알림",
    },
    opening: Words {
        en: facts!(en "Your vendor has revoked your licence for {product}. Telemetry of this product \
                      is no longer taken; what was reported before stays."),
        ja: facts!(ja "販売元により {product} のライセンスが取り消されました。\
                      この製品のテレメトリーは受信されなくなります。\
                      これまでのデータは保持されます。"),
        ko: facts!(ko "판매처에서 {product} 라이선스를 취소하였습니다. 이 제품의 텔레메트리는 더 이상 \
                      수신되지 않으며, 이전 데이터는 유지됩니다."),
    },
    link: None,
    closing: ASK_VENDOR,
};

static RESTORED: Script = Script {
    subject: Words {
        en: "Your {product} licence in Belfry was restored",
        ja: "【Belfry】{product} ライセンス再開のお知らせ",
        ko: "[Belfry] {product} 라이선스 복원 알림",
    },
    opening: Words {
        en: facts!(en "Your vendor has restored your licence for {product}."),
        ja: facts!(ja "販売元により {product} のライセンスが再び有効になりました。"),
        ko: facts!(ko "판매처에서 {product} 라이선스를 복원하였습니다."),
    },
    link: None,
    closing: ASK_VENDOR,
};

/// What is said when this has happened to a licence.
pub(super) const fn of_change(change: LicenseChange) -> &'static Script {
    match change {
        LicenseChange::Started => &STARTED,
        LicenseChange::Converted => &CONVERTED,
        LicenseChange::Renewed => &RENEWED,
        LicenseChange::Extended => &EXTENDED,
        LicenseChange::EditionUpgraded | LicenseChange::TrialExtended | LicenseChange::SeatsSet => {
            &CHANGED
        }
        LicenseChange::Revoked => &REVOKED,
        LicenseChange::Restored => &RESTORED,
    }
}

static ENDS_IN_DAYS: Script = Script {
    subject: Words {
        en: "Your {product} licence in Belfry ends on {ends_on}",
        ja: "【Belfry】{product} ライセンス有効期限（{ends_on}）のご案内",
        ko: "[Belfry] {product} 라이선스 만료 예정({ends_on}) 안내",
    },
    opening: Words {
        en: facts!(en "Your licence for {product} ends soon. Days left: {days}."),
        ja: facts!(ja "{product} のライセンスの有効期限が近づいております。残り日数: {days} 日。"),
        ko: facts!(ko "{product} 라이선스의 만료일이 다가오고 있습니다. 남은 일수: {days}일."),
    },
    link: None,
    closing: RENEW,
};

static ENDS_TOMORROW: Script = Script {
    subject: Words {
        en: "Your {product} licence in Belfry ends within a day",
        ja: "【Belfry】{product} ライセンス有効期限まで残り 1 日のご案内",
        ko: "[Belfry] {product} 라이선스 만료 1일 전 안내",
    },
    opening: Words {
        en: facts!(en "Your licence for {product} ends within a day."),
        ja: facts!(ja "{product} のライセンスの有効期限まで、残り 1 日を切りました。"),
        ko: facts!(ko "{product} 라이선스가 하루 안에 만료됩니다."),
    },
    link: None,
    closing: RENEW,
};

static TRIAL_ENDED: Script = Script {
    subject: Words {
        en: "Your {product} trial in Belfry has ended",
        ja: "【Belfry】{product} 試用期間終了のお知らせ",
        ko: "[Belfry] {product} 평가판 종료 알림",
    },
    opening: Words {
        en: facts!(en "Your trial of {product} has ended. Telemetry of this product is no longer \
                      taken; what was reported before stays."),
        ja: facts!(ja "{product} の試用期間が終了いたしました。\
                      この製品のテレメトリーは受信されなくなります。\
                      これまでのデータは保持されます。"),
        ko: facts!(ko "{product} 평가판 사용 기간이 종료되었습니다. 이 제품의 텔레메트리는 더 이상 \
                      수신되지 않으며, 이전 데이터는 유지됩니다."),
    },
    link: None,
    closing: RENEW,
};

static COMMERCIAL_ENDED: Script = Script {
    subject: Words {
        en: "Your {product} licence in Belfry has ended",
        ja: "【Belfry】{product} ライセンス有効期限切れのお知らせ",
        ko: "[Belfry] {product} 라이선스 만료 알림",
    },
    opening: Words {
        en: facts!(en "Your licence for {product} has ended. Telemetry of this product is taken for \
                      another 15 days, and refused after that."),
        ja: facts!(ja "{product} のライセンスの有効期限が切れました。\
                      この製品のテレメトリーは今後 15 日間は受信し、その後は受信を停止いたします。"),
        ko: facts!(ko "{product} 라이선스가 만료되었습니다. 이 제품의 텔레메트리는 앞으로 15일 동안 \
                      수신되며, 그 후에는 수신되지 않습니다."),
    },
    link: None,
    closing: RENEW,
};

static SEATS_90: Script = Script {
    subject: Words {
        en: "90 percent of your {product} seats in Belfry are used",
        ja: "【Belfry】{product} シート使用率 90 % のお知らせ",
        ko: "[Belfry] {product} 시트 사용률 90% 알림",
    },
    opening: Words {
        en: facts!(en "Your licence for {product} is nearly used up. Seats used: {used}."),
        ja: facts!(ja "{product} のライセンスの残りシート数が少なくなっております。\
                      使用中のシート数: {used}。"),
        ko: facts!(ko "{product} 라이선스의 남은 시트 수가 얼마 없습니다. 사용 중인 시트 수: {used}."),
    },
    link: None,
    closing: MORE_SEATS,
};

static SEATS_100: Script = Script {
    subject: Words {
        en: "All of your {product} seats in Belfry are used",
        ja: "【Belfry】{product} シート使用率 100 % のお知らせ",
        ko: "[Belfry] {product} 시트 사용률 100% 알림",
    },
    opening: Words {
        en: facts!(en "All seats of your licence for {product} are used. Seats used: {used}."),
        ja: facts!(ja "{product} のライセンスのすべてのシートが使用されております。\
                      使用中のシート数: {used}。"),
        ko: facts!(ko "{product} 라이선스의 모든 시트가 사용 중입니다. 사용 중인 시트 수: {used}."),
    },
    link: None,
    closing: MORE_SEATS,
};

/// What is said of the end or the seats of a licence.
pub(super) const fn of_notice(notice: Notice, kind: LicenseKind) -> &'static Script {
    match (notice, kind) {
        (Notice::Days30 | Notice::Days7, _) => &ENDS_IN_DAYS,
        (Notice::Days1, _) => &ENDS_TOMORROW,
        (Notice::Ended, LicenseKind::Trial) => &TRIAL_ENDED,
        (Notice::Ended, LicenseKind::Commercial) => &COMMERCIAL_ENDED,
        (Notice::Seats90, _) => &SEATS_90,
        (Notice::Seats100, _) => &SEATS_100,
    }
}

/// What a kind of licence is called.
pub(super) const fn kind_name(kind: LicenseKind) -> Words {
    match kind {
        LicenseKind::Trial => Words { en: "trial", ja: "試用版", ko: "평가판" },
        LicenseKind::Commercial => Words { en: "commercial", ja: "製品版", ko: "정식판" },
    }
}

static RESET_ANNOUNCED: Script = Script {
    subject: Words {
        en: "The vendor will reset a super administrator's two-factor authentication at {company} in \
             Belfry",
        ja: "【Belfry】{company} スーパー管理者の二要素認証リセット予定のお知らせ",
        ko: "[Belfry] {company} 최고 관리자 2단계 인증 초기화 예정 알림",
    },
    opening: Words {
        en: "The support of the vendor was asked to reset the two-factor authentication of {whom}, the last \
             super administrator of {company}. This happens at {acts_at} UTC. If it is not meant to \
             happen, follow this link to stop it:",
        ja: "{company} の最後のスーパー管理者である {whom} 様の二要素認証をリセットするよう、\
             販売元のサポートに依頼がありました。リセットは {acts_at}（UTC）に実行されます。\
             意図しない場合は、以下のリンクより中止してください。",
        ko: "{company}의 마지막 최고 관리자인 {whom} 님의 2단계 인증을 초기화해 달라는 요청이 판매처 \
             지원 센터에 접수되었습니다. 초기화는 {acts_at}(UTC)에 실행됩니다. 의도하지 않은 것이라면 \
             아래 링크에서 중지해 주시기 바랍니다.",
    },
    link: Some(STOP),
    closing: STOP_CLOSING,
};

static APPOINTMENT_ANNOUNCED: Script = Script {
    subject: Words {
        en: "The vendor will appoint a super administrator at {company} in Belfry",
        ja: "【Belfry】{company} スーパー管理者任命予定のお知らせ",
        ko: "[Belfry] {company} 최고 관리자 임명 예정 알림",
    },
    opening: Words {
        en: "The support of the vendor was asked to make {whom} ({address}) a super administrator of {company}. This \
             happens at {acts_at} UTC. If it is not meant to happen, follow this link to stop it:",
        ja: "{whom} 様（{address}）を {company} のスーパー管理者に任命するよう、\
             販売元のサポートに依頼がありました。任命は {acts_at}（UTC）に実行されます。\
             意図しない場合は、以下のリンクより中止してください。",
        ko: "{whom} 님({address})을 {company}의 최고 관리자로 임명해 달라는 요청이 판매처 지원 센터에 \
             접수되었습니다. 임명은 {acts_at}(UTC)에 실행됩니다. 의도하지 않은 것이라면 아래 링크에서 \
             중지해 주시기 바랍니다.",
    },
    link: Some(STOP),
    closing: STOP_CLOSING,
};

const STOP: Link = Link {
    button: Words { en: "Stop it", ja: "中止する", ko: "중지하기" },
    hours: RECOVERY_HOURS,
};

const STOP_CLOSING: Words = Words {
    en: "If it is meant to happen, there is nothing to do. All administrators of the company and its \
         registered address are sent this mail.",
    ja: "意図したものである場合、お手続きは不要です。本メールは、\
         企業のすべての管理者および登録メールアドレスにお送りしております。",
    ko: "의도한 것이라면 별도의 조치가 필요하지 않습니다. 이 메일은 회사의 모든 관리자와 등록된 메일 \
         주소로 발송됩니다.",
};

/// What is said before the vendor steps in.
pub(super) const fn of_remedy(remedy: &Remedy) -> &'static Script {
    match remedy {
        Remedy::ResetTwoFactor { .. } => &RESET_ANNOUNCED,
        Remedy::Appoint(_) | Remedy::Appointed { .. } => &APPOINTMENT_ANNOUNCED,
    }
}

static RECOVERY_STOPPED: Script = Script {
    subject: Words {
        en: "What the vendor was asked to do at {company} in Belfry was stopped",
        ja: "【Belfry】{company} 管理者復旧作業中止のお知らせ",
        ko: "[Belfry] {company} 관리자 복구 작업 중지 알림",
    },
    opening: Words {
        en: "The change that the support of the vendor had announced for the administrators of {company} \
             was stopped by one of those who were told. Nothing has changed.",
        ja: "{company} の管理者について販売元のサポートが予告しておりました変更は、\
             通知を受けた方により中止されました。変更は行われておりません。",
        ko: "판매처 지원 센터에서 예고한 {company} 관리자 관련 변경은 안내를 받은 분에 의해 \
             중지되었습니다. 변경된 사항은 없습니다.",
    },
    link: None,
    closing: ASK_VENDOR,
};

static RECOVERY_DONE: Script = Script {
    subject: Words {
        en: "What the vendor was asked to do at {company} in Belfry was done",
        ja: "【Belfry】{company} 管理者復旧作業完了のお知らせ",
        ko: "[Belfry] {company} 관리자 복구 작업 완료 알림",
    },
    opening: Words {
        en: "The change that the support of the vendor had announced for the administrators of {company} \
             has been carried out. The audit trail of the console shows it.",
        ja: "{company} の管理者について販売元のサポートが予告しておりました変更が実行されました。\
             内容はコンソールの監査証跡でご確認いただけます。",
        ko: "판매처 지원 센터에서 예고한 {company} 관리자 관련 변경이 실행되었습니다. 내용은 콘솔의 감사 \
             기록에서 확인하실 수 있습니다.",
    },
    link: None,
    closing: ASK_VENDOR,
};

static RECOVERY_MOOT: Script = Script {
    subject: Words {
        en: "What the vendor was asked to do at {company} in Belfry is no longer needed",
        ja: "【Belfry】{company} 管理者復旧作業不要のお知らせ",
        ko: "[Belfry] {company} 관리자 복구 작업 불필요 알림",
    },
    opening: Words {
        en: "The change that the support of the vendor had announced for the administrators of {company} \
             was not carried out: it is no longer needed, or no longer possible. Nothing has changed.",
        ja: "{company} の管理者について販売元のサポートが予告しておりました変更は、\
             不要または実行できない状態となったため、行われませんでした。変更は行われておりません。",
        ko: "판매처 지원 센터에서 예고한 {company} 관리자 관련 변경은 더 이상 필요하지 않거나 실행할 수 \
             없게 되어 실행되지 않았습니다. 변경된 사항은 없습니다.",
    },
    link: None,
    closing: ASK_VENDOR,
};

/// What is said of how it has ended.
pub(super) const fn of_end(stage: Stage) -> &'static Script {
    match stage {
        Stage::Stopped => &RECOVERY_STOPPED,
        Stage::Done => &RECOVERY_DONE,
        // One that is only announced has not ended: nobody writes of it.
        Stage::Moot | Stage::Announced => &RECOVERY_MOOT,
    }
}

pub(super) static SUSPENDED: Script = Script {
    subject: Words {
        en: "Access of {company} to Belfry was suspended",
        ja: "【Belfry】{company} ご利用停止のお知らせ",
        ko: "[Belfry] {company} 이용 정지 알림",
    },
    opening: Words {
        en: "The vendor has suspended the access of {company} to Belfry. Nobody can use its console, \
             and telemetry is refused; what was reported before stays.",
        ja: "販売元により、{company} の Belfry のご利用が停止されました。\
             コンソールはご利用いただけず、テレメトリーも受信されません。\
             これまでのデータは保持されます。",
        ko: "판매처에서 {company}의 Belfry 이용을 정지하였습니다. 콘솔을 사용할 수 없고 텔레메트리도 \
             수신되지 않으며, 이전 데이터는 유지됩니다.",
    },
    link: None,
    closing: ASK_VENDOR,
};

pub(super) static RESUMED: Script = Script {
    subject: Words {
        en: "Access of {company} to Belfry is open again",
        ja: "【Belfry】{company} ご利用再開のお知らせ",
        ko: "[Belfry] {company} 이용 재개 알림",
    },
    opening: Words {
        en: "The vendor has reopened the access of {company} to Belfry.",
        ja: "販売元により、{company} の Belfry のご利用が再開されました。",
        ko: "판매처에서 {company}의 Belfry 이용을 재개하였습니다.",
    },
    link: None,
    closing: ASK_VENDOR,
};
