//! What letters say of a SIEM destination.

use super::{Reader, Script, Words};
use crate::siem::progress::Notice;
use crate::text::DestinationName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What an administrator is told of a SIEM destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiemNotice {
    /// Who reads it.
    pub reader: Reader,
    /// What the destination is called.
    pub destination: DestinationName,
    /// What there is to tell.
    pub notice: Notice,
    /// Since when deliveries failed; of a recovery, when it came.
    pub since: Timestamp,
    /// Records that wait.
    pub backlog: u64,
    /// How old the oldest of them is, in minutes.
    pub age_minutes: u64,
    /// What last went wrong.
    pub reason: String,
}

impl SiemNotice {
    /// The value of a placeholder.
    pub(super) fn value(&self, name: &str) -> String {
        match name {
            "destination" => self.destination.as_str().to_owned(),
            "since" => self.since.strftime("%Y-%m-%d %H:%M").to_string(),
            "backlog" => self.backlog.to_string(),
            "age" => self.age_minutes.to_string(),
            "reason" => self.reason.clone(),
            _ => String::new(),
        }
    }
}

/// Closes what is no reason to act.
const NOTHING_LOST: Words = Words {
    en: "Nothing is lost: what waits is sent as soon as the receiver takes it again. The logs reach 35 days \
         back. The statistics of the destination show how far it is.",
    ja: "データは失われておりません。受信側が復旧し次第、未送信のイベントは送信されます。\
         ログは 35 日間保持されます。進捗は送信先の統計情報でご確認いただけます。",
    ko: "손실된 데이터는 없습니다. 수신 측이 복구되는 즉시 대기 중인 이벤트가 전송됩니다. 로그는 \
         35일 동안 보관되며, 진행 상황은 대상의 통계에서 확인하실 수 있습니다.",
};

static FAILING: Script = Script {
    subject: Words {
        en: "Belfry cannot reach the SIEM destination {destination}",
        ja: "【Belfry】SIEM 送信先 {destination} への送信エラーのお知らせ",
        ko: "[Belfry] SIEM 대상 {destination} 전송 실패 알림",
    },
    opening: Words {
        en: "Belfry has not been able to deliver events to the SIEM destination {destination} since {since} \
             UTC, and keeps trying.\n\nReason: {reason}\nEvents waiting: {backlog}\n\
             Age of the oldest: {age} minutes",
        ja: "{since}（UTC）以降、SIEM 送信先 {destination} へイベントを送信できておりません。\
             再試行を続けております。\n\n理由: {reason}\n未送信のイベント数: {backlog}\n\
             最も古いイベントの経過時間: {age} 分",
        ko: "{since}(UTC)부터 SIEM 대상 {destination}(으)로 이벤트를 전송하지 못하고 있으며, 계속 \
             재시도하고 있습니다.\n\n사유: {reason}\n대기 중인 이벤트: {backlog}\n\
             가장 오래된 이벤트의 경과 시간: {age}분",
    },
    link: None,
    closing: NOTHING_LOST,
};

static FAILING_FOR_A_DAY: Script = Script {
    subject: Words {
        en: "Belfry has not reached the SIEM destination {destination} for a day",
        ja: "【Belfry】SIEM 送信先 {destination} への送信エラーが 1 日続いております",
        ko: "[Belfry] SIEM 대상 {destination} 전송 실패 1일 경과 알림",
    },
    opening: Words {
        en: "Belfry has not been able to deliver events to the SIEM destination {destination} for a day, since \
             {since} UTC, and keeps trying.\n\nReason: {reason}\nEvents waiting: {backlog}\n\
             Age of the oldest: {age} minutes",
        ja: "{since}（UTC）より 1 日間、SIEM 送信先 {destination} へイベントを送信できておりません。\
             再試行を続けております。\n\n理由: {reason}\n未送信のイベント数: {backlog}\n\
             最も古いイベントの経過時間: {age} 分",
        ko: "{since}(UTC)부터 하루 동안 SIEM 대상 {destination}(으)로 이벤트를 전송하지 못하고 있으며, \
             계속 재시도하고 있습니다.\n\n사유: {reason}\n대기 중인 이벤트: {backlog}\n\
             가장 오래된 이벤트의 경과 시간: {age}분",
    },
    link: None,
    closing: NOTHING_LOST,
};

static SUSPENDED: Script = Script {
    subject: Words {
        en: "Belfry has suspended the export to the SIEM destination {destination}",
        ja: "【Belfry】SIEM 送信先 {destination} への送信を停止しました",
        ko: "[Belfry] SIEM 대상 {destination} 전송 중단 알림",
    },
    opening: Words {
        en: "Belfry has stopped delivering events to the SIEM destination {destination}, because what is wrong \
             does not heal by itself.\n\nReason: {reason}\nEvents waiting: {backlog}\n\
             Age of the oldest: {age} minutes",
        ja: "自動では解消されない問題のため、SIEM 送信先 {destination} への送信を停止いたしました。\
             \n\n理由: {reason}\n未送信のイベント数: {backlog}\n\
             最も古いイベントの経過時間: {age} 分",
        ko: "저절로 해결되지 않는 문제로 인해 SIEM 대상 {destination}(으)로의 전송을 중단하였습니다.\
             \n\n사유: {reason}\n대기 중인 이벤트: {backlog}\n\
             가장 오래된 이벤트의 경과 시간: {age}분",
    },
    link: None,
    closing: Words {
        en: "Please correct the settings of the destination, or resume it once its receiver is mended. Nothing \
             is lost until then: the logs reach 35 days back.",
        ja: "送信先の設定を修正していただくか、受信側の復旧後に送信を再開してください。\
             それまでのデータは失われません（ログは 35 日間保持されます）。",
        ko: "대상의 설정을 수정하시거나 수신 측을 복구한 후 전송을 재개해 주시기 바랍니다. 그때까지 \
             데이터는 손실되지 않습니다(로그 보관 기간 35일).",
    },
};

static RECOVERED: Script = Script {
    subject: Words {
        en: "Belfry reaches the SIEM destination {destination} again",
        ja: "【Belfry】SIEM 送信先 {destination} への送信復旧のお知らせ",
        ko: "[Belfry] SIEM 대상 {destination} 전송 복구 알림",
    },
    opening: Words {
        en: "The SIEM destination {destination} takes events again. What waited is being sent.\n\n\
             Events waiting: {backlog}\nAge of the oldest: {age} minutes",
        ja: "SIEM 送信先 {destination} への送信が復旧いたしました。未送信のイベントを送信しております。\n\n\
             未送信のイベント数: {backlog}\n最も古いイベントの経過時間: {age} 分",
        ko: "SIEM 대상 {destination}(으)로의 전송이 복구되었습니다. 대기 중이던 이벤트를 전송하고 있습니다.\n\n\
             대기 중인 이벤트: {backlog}\n가장 오래된 이벤트의 경과 시간: {age}분",
    },
    link: None,
    closing: Words {
        en: "There is nothing to do.",
        ja: "ご対応の必要はございません。",
        ko: "별도의 조치는 필요하지 않습니다.",
    },
};

/// What is said of a destination.
pub(super) const fn of_notice(notice: Notice) -> &'static Script {
    match notice {
        Notice::Failing => &FAILING,
        Notice::FailingForADay => &FAILING_FOR_A_DAY,
        Notice::Suspended => &SUSPENDED,
        Notice::Recovered => &RECOVERED,
    }
}
