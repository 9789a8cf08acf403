//! Sign-up: what a company says of itself, and what begins when the mailed link is used.

use crate::account::{IdleLimit, Role, Source, Tenant, User};
use crate::email::EmailAddress;
use crate::failure::FieldFault;
use crate::id::{IdentityId, TenantId};
use crate::language::Language;
use crate::license::ProductKey;
use crate::places::State;
use crate::ports::Entropy;
use crate::product::Product;
use crate::secret::SecretHash;
use crate::text::{City, CompanyName, Country, PersonName, Telephone};
use crate::users::NewUser;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// How long the mailed link works.
pub const LINK_LIFE: SignedDuration = SignedDuration::from_hours(72);

/// Whether a name is, or has in it, an address of the web. The sign-up mails names to an address that nobody
/// has confirmed yet: with such a one, our mail would carry a stranger's link.
pub fn names_a_link(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("://") || text.contains("www.")
}

/// A choice of a closed list, with its words in every language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// Its name in the API.
    pub code: &'static str,
    /// Its words.
    pub name: &'static str,
}

/// Not a choice of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the choices that GET /onboarding/options lists")]
pub struct UnknownChoice;

impl FieldFault for UnknownChoice {}

macro_rules! choices {
    ($(
        $(#[$doc:meta])* $list:ident {
            $($(#[$choice_doc:meta])* $choice:ident = $code:literal, $en:literal, $ja:literal, $ko:literal;)+
        }
    )+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $list {
            $($(#[$choice_doc])* #[serde(rename = $code)] $choice,)+
        }

        impl $list {
            /// All of them, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$choice,)+];

            /// The name used in the API.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$choice => $code,)+
                }
            }

            /// Its words.
            pub const fn label(self, language: Language) -> &'static str {
                match (self, language) {
                    $(
                        (Self::$choice, Language::En) => $en,
                        (Self::$choice, Language::Ja) => $ja,
                        (Self::$choice, Language::Ko) => $ko,
                    )+
                }
            }

            /// The list as it is shown.
            pub fn choices(language: Language) -> Vec<Choice> {
                let choice = |one: &Self| Choice { code: one.code(), name: one.label(language) };
                Self::ALL.iter().map(choice).collect()
            }
        }

        impl FromStr for $list {
            type Err = UnknownChoice;
            fn from_str(code: &str) -> Result<Self, UnknownChoice> {
                Self::ALL.iter().copied().find(|one| one.code() == code).ok_or(UnknownChoice)
            }
        }
    )+};
}

choices! {
    /// What somebody does in the company.
    JobRole {
        /// Leads the company.
        Executive = "executive", "Owner or executive", "経営者・役員", "대표·임원";
        /// Answers for information technology.
        ItManager = "it_manager", "IT manager or director", "IT 部門責任者", "IT 부서장";
        /// Answers for security.
        SecurityManager = "security_manager", "Security manager or CISO", "セキュリティ責任者・CISO", "보안 책임자·CISO";
        /// Runs systems.
        SystemAdministrator = "system_administrator", "System administrator", "システム管理者", "시스템 관리자";
        /// Runs networks.
        NetworkAdministrator = "network_administrator", "Network administrator", "ネットワーク管理者", "네트워크 관리자";
        /// Looks into incidents.
        SecurityAnalyst = "security_analyst", "Security analyst", "セキュリティアナリスト", "보안 분석가";
        /// Answers for compliance or privacy.
        Compliance = "compliance", "Compliance or privacy officer", "コンプライアンス・個人情報保護担当", "준법·개인정보 보호 담당";
        /// Advises others.
        Consultant = "consultant", "Consultant or service provider", "コンサルタント・サービス事業者", "컨설턴트·서비스 제공업체";
        /// Buys.
        Procurement = "procurement", "Procurement", "購買担当", "구매 담당";
        /// Anything else.
        Other = "other", "Other", "その他", "기타";
    }
    /// What a company does.
    Industry {
        /// Farming and food.
        Agriculture = "agriculture", "Agriculture and food", "農林水産・食品", "농림·식품";
        /// Vehicles.
        Automotive = "automotive", "Automotive", "自動車", "자동차";
        /// Banks and insurances.
        Finance = "finance", "Banking, finance and insurance", "銀行・金融・保険", "은행·금융·보험";
        /// Buildings.
        Construction = "construction", "Construction and real estate", "建設・不動産", "건설·부동산";
        /// Schools and universities.
        Education = "education", "Education", "教育", "교육";
        /// Power and water.
        Energy = "energy", "Energy and utilities", "エネルギー・公益事業", "에너지·공공 유틸리티";
        /// The state.
        Government = "government", "Government and public sector", "官公庁・公共機関", "정부·공공기관";
        /// Hospitals and medicine.
        Healthcare = "healthcare", "Healthcare and pharmaceuticals", "医療・製薬", "의료·제약";
        /// Hotels and travel.
        Hospitality = "hospitality", "Hospitality and travel", "宿泊・旅行", "숙박·여행";
        /// Software and hardware.
        Technology = "technology", "Information technology", "情報技術", "정보기술";
        /// Law and consulting.
        ProfessionalServices = "professional_services", "Legal and professional services", "法務・専門サービス", "법률·전문 서비스";
        /// Factories.
        Manufacturing = "manufacturing", "Manufacturing", "製造", "제조";
        /// News and entertainment.
        Media = "media", "Media and entertainment", "メディア・エンターテインメント", "미디어·엔터테인먼트";
        /// Charities.
        NonProfit = "non_profit", "Non-profit", "非営利団体", "비영리 단체";
        /// Shops.
        Retail = "retail", "Retail and wholesale", "小売・卸売", "소매·도매";
        /// Networks.
        Telecommunications = "telecommunications", "Telecommunications", "通信", "통신";
        /// Moving goods and people.
        Transportation = "transportation", "Transportation and logistics", "運輸・物流", "운송·물류";
        /// Anything else.
        Other = "other", "Other", "その他", "기타";
    }
    /// How many people work in a company.
    CompanySize {
        /// 1 to 10.
        UpTo10 = "1-10", "1 to 10 employees", "1～10 名", "1~10명";
        /// 11 to 50.
        UpTo50 = "11-50", "11 to 50 employees", "11～50 名", "11~50명";
        /// 51 to 100.
        UpTo100 = "51-100", "51 to 100 employees", "51～100 名", "51~100명";
        /// 101 to 250.
        UpTo250 = "101-250", "101 to 250 employees", "101～250 名", "101~250명";
        /// 251 to 500.
        UpTo500 = "251-500", "251 to 500 employees", "251～500 名", "251~500명";
        /// 501 to 1,000.
        UpTo1000 = "501-1000", "501 to 1,000 employees", "501～1,000 名", "501~1,000명";
        /// 1,001 to 5,000.
        UpTo5000 = "1001-5000", "1,001 to 5,000 employees", "1,001～5,000 名", "1,001~5,000명";
        /// More.
        Over5000 = "5001+", "More than 5,000 employees", "5,001 名以上", "5,001명 이상";
    }
}

/// What a language is called, in a language.
pub const fn language_name(of: Language, language: Language) -> &'static str {
    match (of, language) {
        (Language::En, Language::En) => "English",
        (Language::En, Language::Ja) => "英語",
        (Language::En, Language::Ko) => "영어",
        (Language::Ja, Language::En) => "Japanese",
        (Language::Ja, Language::Ja) => "日本語",
        (Language::Ja, Language::Ko) => "일본어",
        (Language::Ko, Language::En) => "Korean",
        (Language::Ko, Language::Ja) => "韓国語",
        (Language::Ko, Language::Ko) => "한국어",
    }
}

/// What a product is, in words.
pub const fn product_name(product: Product, language: Language) -> &'static str {
    match (product, language) {
        (Product::Epp, Language::En) => "Endpoint protection",
        (Product::Epp, Language::Ja) => "エンドポイント保護",
        (Product::Epp, Language::Ko) => "엔드포인트 보호",
        (Product::Emm, Language::En) => "Mobile management",
        (Product::Emm, Language::Ja) => "モバイル管理",
        (Product::Emm, Language::Ko) => "모바일 관리",
        (Product::DataPrivacy, Language::En) => "Data privacy",
        (Product::DataPrivacy, Language::Ja) => "データプライバシー",
        (Product::DataPrivacy, Language::Ko) => "데이터 개인정보 보호",
        (Product::Ztna, Language::En) => "Zero-trust access",
        (Product::Ztna, Language::Ja) => "ゼロトラストアクセス",
        (Product::Ztna, Language::Ko) => "제로 트러스트 액세스",
    }
}

/// The languages that a product speaks.
pub const fn product_languages(product: Product) -> &'static [Language] {
    match product {
        Product::Epp => &Language::ALL,
        Product::Emm | Product::DataPrivacy | Product::Ztna => &[Language::En],
    }
}

/// What a company said of itself when it signed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// What the first user does.
    pub job_role: JobRole,
    /// What the company does.
    pub industry: Industry,
    /// How large it is.
    pub company_size: CompanySize,
    /// Where it is; none in a country without states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Where it is.
    pub city: City,
    /// When licence agreement and privacy policy were accepted: by who registered product keys.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional", default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreements_accepted_at: Option<Timestamp>,
}

/// What a company signs up for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// A trial.
    Trial(Product),
    /// What was bought; at most one key a product.
    ProductKeys(Vec<(Product, ProductKey)>),
}

impl Order {
    /// The products.
    pub fn products(&self) -> Vec<Product> {
        match self {
            Self::Trial(product) => vec![*product],
            Self::ProductKeys(keys) => keys.iter().map(|(product, _)| *product).collect(),
        }
    }
}

/// A sign-up that waits for its mailed link to be used. Until then nothing is claimed: no tenant, no
/// person, no licence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignUp {
    /// First name of the first user.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Address: the first user's, and the tenant's registered one.
    pub email: EmailAddress,
    /// Mobile number.
    pub mobile: Telephone,
    /// The company.
    pub company: CompanyName,
    /// Where it is.
    pub country: Country,
    /// Of the tenant, for good, and of a first user who is new.
    pub language: Language,
    /// What it said of itself.
    pub profile: Profile,
    /// What it wants.
    pub order: Order,
    /// From when on the link is refused.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub valid_until: Timestamp,
}

impl SignUp {
    /// The tenant that begins.
    pub fn tenant(&self, id: TenantId, now: Timestamp) -> Tenant {
        Tenant {
            id,
            company: self.company.clone(),
            country: self.country.clone(),
            language: self.language,
            registered_email: self.email.clone(),
            session_timeout: IdleLimit::default(),
            users: 1,
            super_admins: 0,
            suspended_at: None,
            created_at: now,
            version: 1,
        }
    }

    /// Its first user: a super admin whose second factor is on, invited by this same link.
    pub fn first_user(
        &self,
        tenant: TenantId,
        identity: IdentityId,
        link: SecretHash,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> User {
        let new = NewUser {
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            email: self.email.clone(),
            mobile: Some(self.mobile.clone()),
            phone: None,
            attributes: crate::attribute::UserAttributes::new(),
            role: Role::SuperAdmin,
            two_factor_required: true,
        };
        User::new(tenant, new, Source::Manual, Some((identity, link)), now, entropy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_choice_has_its_own_words_in_every_language() {
        let lists: [fn(Language) -> Vec<Choice>; 3] =
            [JobRole::choices, Industry::choices, CompanySize::choices];
        for list in lists {
            let [en, ja, ko] = Language::ALL.map(list);
            for words in [&en, &ja, &ko] {
                let names: BTreeSet<_> = words.iter().map(|choice| choice.name).collect();
                assert_eq!(names.len(), words.len(), "{words:?}");
            }
            for ((en, ja), ko) in en.iter().zip(&ja).zip(&ko) {
                assert!(en.name.is_ascii() && !ja.name.is_ascii() && !ko.name.is_ascii(), "{en:?}");
                assert!(ja.name != ko.name && en.code == ja.code && ja.code == ko.code, "{en:?}");
            }
        }
        assert_eq!("5001+".parse(), Ok(CompanySize::Over5000));
        for bad in ["", "Other", "IT manager or director"] {
            assert_eq!(bad.parse::<JobRole>(), Err(UnknownChoice), "{bad}");
        }
        assert_eq!(serde_json::to_value(Industry::NonProfit).unwrap(), "non_profit");
    }

    #[test]
    fn languages_and_products_are_named_in_every_language() {
        for product in Product::ALL {
            let [en, ja, ko] = Language::ALL.map(|language| product_name(product, language));
            assert!(en.is_ascii() && !ja.is_ascii() && !ko.is_ascii() && ja != ko, "{product}");
            let three = product == Product::Epp;
            assert_eq!(product_languages(product).len() == 3, three, "{product}");
        }
        for of in Language::ALL {
            let [en, ja, ko] = Language::ALL.map(|language| language_name(of, language));
            assert!(en.is_ascii() && !ja.is_ascii() && !ko.is_ascii() && ja != ko, "{of:?}");
        }
    }
}
