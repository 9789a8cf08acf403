//! Mails: what each one says, in each language.
//!
//! Text and HTML are made of the same sentences, so that they cannot tell different stories.

use crate::email::EmailAddress;
use crate::language::Language;
use crate::text::{CompanyName, PersonName};
use serde::{Deserialize, Serialize};

/// Hours that an activation link lives.
pub const ACTIVATION_HOURS: u32 = 72;

/// A mail as the outbox keeps it: everything but its secret link, which is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// To whom.
    pub to: EmailAddress,
    /// In which language.
    pub language: Language,
    /// What about.
    pub letter: Letter,
    /// The address of its button, sealed for this outbox entry. Only `mail` opens it.
    #[serde(with = "serde_bytes")]
    pub sealed_link: Vec<u8>,
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
}

/// The sentences of one letter in one language, with `{placeholders}`.
struct Words {
    subject: &'static str,
    greeting: &'static str,
    opening: &'static str,
    /// Label of the link.
    button: &'static str,
    /// What to know about the link.
    link: &'static str,
    /// For whom the mail means nothing.
    unexpected: &'static str,
}

const fn activation(language: Language) -> Words {
    match language {
        Language::En => Words {
            subject: "Activate your Belfry account at {company}",
            greeting: "Hello {name},",
            opening: "An account has been created for you in Belfry, the security management \
                      console of {company}. Please follow this link to activate it:",
            button: "Activate account",
            link: "The link works once and expires {hours} hours after it was issued.",
            unexpected: "If you were not expecting this mail, please ignore it. Nothing is \
                         activated unless you follow the link and complete the steps there.",
        },
        Language::Ja => Words {
            subject: "【Belfry】{company} アカウント有効化のお願い",
            greeting: "{name} 様",
            opening: "{company} のセキュリティ管理コンソール「Belfry」に、お客様のアカウントが作成されました。\
                      お手数ですが、以下のリンクよりアカウントの有効化をお願いいたします。",
            button: "アカウントを有効化する",
            link: "リンクのご利用は一度限りで、有効期限は発行から {hours} 時間です。",
            unexpected: "本メールにお心当たりのない場合は、破棄していただきますようお願いいたします。\
                         リンク先でお手続きを完了されない限り、アカウントが有効になることはございません。",
        },
        Language::Ko => Words {
            subject: "[Belfry] {company} 계정 활성화 안내",
            greeting: "{name} 님, 안녕하세요.",
            opening: "{company}의 보안 관리 콘솔 Belfry에 고객님의 계정이 생성되었습니다. \
                      아래 링크에서 계정을 활성화해 주시기 바랍니다.",
            button: "계정 활성화하기",
            link: "이 링크는 한 번만 사용하실 수 있으며, 발급 후 {hours}시간이 지나면 만료됩니다.",
            unexpected: "이 메일에 대해 짐작 가시는 바가 없다면 무시하셔도 됩니다. 링크에서 절차를 \
                         완료하지 않으시면 계정은 활성화되지 않습니다.",
        },
    }
}

/// The last line of every mail.
const fn footer(language: Language) -> &'static str {
    match language {
        Language::En => "This mail was sent automatically; replies to it are not read.",
        Language::Ja => {
            "本メールは送信専用アドレスより自動送信しております。ご返信いただいてもお答えできませんので、ご了承ください。"
        }
        Language::Ko => {
            "본 메일은 발신 전용 주소에서 자동으로 발송되었으며, 회신하셔도 확인할 수 없는 점 양해 부탁드립니다."
        }
    }
}

impl Letter {
    fn words(&self, language: Language) -> Words {
        match self {
            Self::Activation { .. } => activation(language),
        }
    }

    /// The value of a placeholder.
    fn value(&self, name: &str, language: Language) -> String {
        match self {
            Self::Activation { first_name, last_name, company } => match name {
                "name" => full_name(first_name, last_name, language),
                "company" => company.as_str().to_owned(),
                "hours" => ACTIVATION_HOURS.to_string(),
                _ => String::new(),
            },
        }
    }
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
    pub fn render(&self, link: &str) -> Rendered {
        let words = self.letter.words(self.language);
        let value = |name: &str| self.letter.value(name, self.language);
        let plain = |sentence| fill(sentence, &value);
        let safe = |sentence| fill(sentence, &|name| escape(&value(name)));
        let footer = footer(self.language);
        let link_html = escape(link);
        Rendered {
            subject: plain(words.subject),
            text: format!(
                "{}\n\n{}\n\n{link}\n\n{}\n\n{}\n\n-- \n{footer}\n",
                plain(words.greeting),
                plain(words.opening),
                plain(words.link),
                plain(words.unexpected),
            ),
            html: format!(
                include_str!("mail.html"),
                language = self.language.name(),
                subject = safe(words.subject),
                greeting = safe(words.greeting),
                opening = safe(words.opening),
                button = words.button,
                link = link_html,
                about_link = safe(words.link),
                unexpected = safe(words.unexpected),
                footer = footer,
            ),
        }
    }
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
    use std::collections::BTreeSet;

    fn mail(language: Language, first: &str, last: &str, company: &str) -> Mail {
        let letter = Letter::Activation {
            first_name: first.parse().unwrap(),
            last_name: last.parse().unwrap(),
            company: company.parse().unwrap(),
        };
        let to = "ann@example.com".parse().unwrap();
        Mail { to, language, letter, sealed_link: vec![1, 2] }
    }

    fn sentences(words: &Words) -> [&'static str; 6] {
        let Words { subject, greeting, opening, button, link, unexpected } = words;
        [subject, greeting, opening, button, link, unexpected]
    }

    fn placeholders(sentence: &str) -> BTreeSet<&str> {
        sentence.split('{').skip(1).map(|tail| tail.split_once('}').unwrap().0).collect()
    }

    #[test]
    fn every_language_says_the_same_with_its_own_words() {
        let letters = [mail(Language::En, "Ann", "Lee", "Acme").letter];
        for letter in letters {
            let english = sentences(&letter.words(Language::En));
            for language in [Language::Ja, Language::Ko] {
                for (foreign, english) in sentences(&letter.words(language)).iter().zip(english) {
                    // A greeting may name the reader and nothing else in any language.
                    assert_eq!(placeholders(foreign), placeholders(english), "{language:?}");
                    assert_ne!(*foreign, english);
                    assert!(!foreign.is_ascii(), "{foreign}");
                }
                assert_ne!(footer(language), footer(Language::En));
            }
            for name in english.iter().flat_map(|sentence| placeholders(sentence)) {
                assert_ne!(letter.value(name, Language::En), "", "{name} has no value");
            }
        }
    }

    #[test]
    fn both_forms_hold_the_link_and_every_value() {
        let link = "https://console.example/activate#abc";
        for language in Language::ALL {
            let mail = mail(language, "Ann", "Lee", "Acme");
            let Rendered { subject, text, html } = mail.render(link);
            assert!(subject.contains("Acme") && !subject.contains('\n'), "{subject}");
            for form in [&text, &html] {
                for part in [link, "Ann Lee", "Acme", "72"] {
                    assert!(form.contains(part), "{part} in {form}");
                }
                assert!(!form.contains("{company}") && !form.contains("{name}"));
            }
            assert!(html.contains(&format!("lang=\"{}\"", language.name())));
        }
    }

    #[test]
    fn names_stand_in_the_order_of_the_language() {
        let text = |language, first, last| mail(language, first, last, "Acme").render("x").text;
        assert!(text(Language::Ja, "太郎", "山田").starts_with("山田 太郎 様"));
        assert!(text(Language::Ko, "길동", "홍").starts_with("홍길동 님"));
        assert!(text(Language::Ja, "Ann", "Lee").starts_with("Ann Lee 様"));
        assert!(text(Language::En, "太郎", "山田").starts_with("Hello 太郎 山田,"));
    }

    #[test]
    fn values_are_escaped_in_html_and_never_read_as_placeholders() {
        let mail = mail(Language::En, "O'Hara", "{hours}", "A & \"B\" {name}");
        let Rendered { subject, text, html } = mail.render("https://x/#a&b\"");
        assert!(subject.contains("A & \"B\" {name}"));
        assert!(text.contains("O'Hara {hours}") && text.contains("https://x/#a&b\""));
        assert!(
            html.contains("O&#39;Hara {hours}") && html.contains("A &amp; &quot;B&quot; {name}")
        );
        assert!(html.contains("href=\"https://x/#a&amp;b&quot;\""));
        assert!(!html.contains("A & "));
    }
}
