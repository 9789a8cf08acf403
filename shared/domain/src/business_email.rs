//! Whether an e-mail address is a company's: console roles need one.

use crate::email::EmailAddress;
use std::cmp::Ordering;

/// Domains of free and disposable mail as of 2026-11-22, lower-cased ASCII, sorted by bytes, one a
/// line; `free-mail.md` says from where.
const FREE_MAIL: &str = include_str!("free-mail.txt");

/// Said to who gives the address of a free mail provider.
pub const NOT_BUSINESS: &str =
    "Who uses the console needs a business address, not one of a free or disposable mail provider.";

/// Whether `email` may belong to a business: false when its domain, or one above it, is on a list
/// of free and of disposable mail providers, 15,000 domains as of 2026-11-22.
///
/// A list is never whole: this keeps honest people from the wrong address, and nobody else. Takes
/// some microseconds and no memory.
pub fn is_business(email: &EmailAddress) -> bool {
    let mut domain = email.domain();
    while !is_line_of(FREE_MAIL, domain) {
        let Some((_, above)) = domain.split_once('.') else { return true };
        domain = above;
    }
    false
}

/// Whether `wanted` is one of the `sorted` lines, each ended by a line feed.
fn is_line_of(mut sorted: &str, wanted: &str) -> bool {
    loop {
        // The line around the middle, between what precedes and what follows it.
        let middle = sorted.floor_char_boundary(sorted.len() / 2);
        let (left, right) = sorted.split_at(middle);
        let start = left.rfind('\n').map_or(0, |end| end + 1);
        let Some(end) = right.find('\n').map(|end| middle + end) else { return false };
        let (before, after) = (sorted.get(..start), sorted.get(end + 1..));
        let closer = match sorted.get(start..end).map(|line| wanted.cmp(line)) {
            Some(Ordering::Equal) => return true,
            Some(Ordering::Less) => before,
            Some(Ordering::Greater) => after,
            None => None,
        };
        let Some(closer) = closer else { return false };
        sorted = closer;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_business_domain(domain: &str) -> bool {
        is_business(&format!("ann@{domain}").parse().unwrap())
    }

    #[test]
    fn free_providers_of_many_countries() {
        for domain in "\
            gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com aol.com \
            icloud.com me.com proton.me protonmail.com tutanota.com fastmail.com zoho.com mail.com \
            yahoo.co.jp hotmail.co.jp outlook.jp excite.co.jp goo.jp docomo.ne.jp i.softbank.jp \
            naver.com daum.net hanmail.net nate.com kakao.com empal.com yahoo.co.kr \
            rediffmail.com yahoo.co.in zohomail.in indiatimes.com sify.com \
            qq.com 163.com 126.com sina.com sohu.com foxmail.com 139.com yeah.net \
            gmx.de gmx.net web.de t-online.de freenet.de posteo.de \
            mail.ru yandex.ru ya.ru rambler.ru inbox.ru list.ru bk.ru ukr.net \
            orange.fr laposte.net free.fr wanadoo.fr libero.it virgilio.it terra.es \
            wp.pl o2.pl onet.pl seznam.cz abv.bg sapo.pt uol.com.br bol.com.br mynet.com \
            comcast.net verizon.net btinternet.com bigpond.com gmx.ch telenet.be ziggo.nl walla.co.il"
            .split_ascii_whitespace()
        {
            assert!(!is_business_domain(domain), "{domain}");
            assert!(!is_business_domain(&format!("x.{domain}")), "x.{domain}");
            assert!(!is_business_domain(&domain.to_uppercase()), "{domain}");
            assert!(is_business_domain(&format!("biz-{domain}")), "biz-{domain}");
        }
    }

    #[test]
    fn disposable_mail_and_aliases() {
        for domain in "\
            mailinator.com guerrillamail.com sharklasers.com grr.la 10minutemail.com 10minutemail.net \
            yopmail.com yopmail.fr temp-mail.org temp-mail.io tempmail.com trashmail.com maildrop.cc \
            throwawaymail.com dispostable.com getnada.com mohmal.com mail.tm moakt.com mailnesia.com \
            emailondeck.com fakeinbox.com discard.email mailsac.com wegwerfmail.de spam4.me byom.de \
            1secmail.com harakirimail.com spamgourmet.com burnermail.io tempinbox.com \
            mozmail.com simplelogin.com anonaddy.com duck.com privaterelay.appleid.com passmail.net"
            .split_ascii_whitespace()
        {
            assert!(!is_business_domain(domain), "{domain}");
            assert!(!is_business_domain(&format!("a.b.{domain}")), "a.b.{domain}");
        }
    }

    #[test]
    fn companies() {
        for domain in "\
            example.com example.org example.net ann.example mail.ann.example \
            ibm.com microsoft.com google.com apple.com amazon.com oracle.com facebook.com \
            toyota.co.jp sony.co.jp nttdata.com rakuten.co.jp hitachi.co.jp u-tokyo.ac.jp \
            samsung.com lge.com hyundai.com navercorp.com kakaocorp.com snu.ac.kr \
            tcs.com infosys.com wipro.com reliance.com zohocorp.com iitb.ac.in \
            siemens.com sap.com bmw.de telekom.de allianz.de \
            alibaba-inc.com tencent.com huawei.com sberbank.ru yandex-team.ru airbus.com enel.it \
            x.sakura.ne.jp gmail.com.globex.com notgmail.company a.co zzzzz.zz"
            .split_ascii_whitespace()
        {
            assert!(is_business_domain(domain), "{domain}");
        }
    }

    #[test]
    fn idna_forms_are_one() {
        assert!(!is_business_domain("xn--yaho-sqa.com"));
        assert!(!is_business_domain("yah\u{f3}o.com"));
        assert!(!is_business_domain("yaho\u{301}o.com"));
        assert!(!is_business_domain("x。gmail。com"));
        assert!(is_business_domain("b\u{fc}cher.example"));
    }

    #[test]
    fn the_list_is_what_the_search_expects() {
        assert!(FREE_MAIL.len() <= 300_000 && FREE_MAIL.ends_with('\n'));
        let lines: Vec<&str> = FREE_MAIL.lines().collect();
        assert!(lines.len() > 15_000 && lines.is_sorted_by(|a, b| a < b));
        for line in lines {
            // In the form in which addresses are compared, else nobody would ever be found.
            let address: EmailAddress = format!("a@{line}").parse().expect(line);
            assert_eq!(address.domain(), line);
            assert!(is_line_of(FREE_MAIL, line), "{line}");
        }
        for absent in ["", "\n", "0", "zzzz", "gmail.co", "gmail.comm", "\u{fc}"] {
            assert!(!is_line_of(FREE_MAIL, absent), "{absent}");
        }
        assert!(!is_line_of("", "a") && !is_line_of("\n", "a") && is_line_of("a\n", "a"));
    }
}
