use super::super::ber::frame;
use super::*;
use belfry_domain::directory::ldap::Filter;

fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

#[test]
fn questions_as_other_clients_ask_them() {
    assert_eq!(
        hex(&bind(1, "cn=a", "pw")),
        "3012020101600d020103 0404636e3d61 80027077".replace(' ', "")
    );
    assert_eq!(hex(&unbind(5)), "30050201054200");
    let oid = hex(START_TLS);
    assert_eq!(hex(&start_tls(2)), format!("301d02010277188016{oid}").replace(' ', ""));
    let all: Filter = "(objectClass=*)".parse().unwrap();
    let question = Question {
        base: "dc=x",
        scope: Scope::Subtree,
        size_limit: 0,
        filter: all.root(),
        attributes: &["cn".to_owned()],
        page: Some((500, b"ck")),
    };
    let operation = "6328 040464633d78 0a0102 0a0100 020100 020100 010100 870b6f626a656374436c617373 30040402636e";
    let control = format!("a02930270416{}0101ff040a 3008 020201f4 0402636b", hex(PAGED_RESULTS));
    let whole = search(3, &question);
    assert!(hex(&whole).contains(&operation.replace(' ', "")), "{}", hex(&whole));
    assert!(hex(&whole).ends_with(&control.replace(' ', "")), "{}", hex(&whole));
}

#[test]
fn filters_as_the_rfc_has_them() {
    let encoded = |text: &str| {
        let mut out = Vec::new();
        filter(text.parse::<Filter>().unwrap().root(), &mut out);
        hex(&out)
    };
    for (text, bytes) in [
        ("(a=b)", "a306 040161 040162"),
        ("(a>=b)", "a506 040161 040162"),
        ("(a<=b)", "a606 040161 040162"),
        ("(a~=b)", "a806 040161 040162"),
        ("(a=*)", "8701 61"),
        ("(!(a=b))", "a208 a306 040161 040162"),
        ("(&(a=*)(b=*))", "a006 870161 870162"),
        ("(|(a=*)(b=*))", "a106 870161 870162"),
        ("(a=i*m*n*f)", "a411 040161 300c 800169 81016d 81016e 820166"),
        ("(a=*m*)", "a408 040161 3003 81016d"),
        ("(a:dn:1.2:=v)", "a90e 8103312e32 820161 830176 8401ff"),
        ("(:1.2:=v)", "a908 8103312e32 830176"),
    ] {
        assert_eq!(encoded(text), bytes.replace(' ', ""), "{text}");
    }
}

/// An entry, and the end of a page.
fn said() -> Vec<Vec<u8>> {
    let entry = "301c02010264170404636e3d61300f300d0402636e310704016104026263";
    let control = {
        let mut value = Vec::new();
        put_all(SEQUENCE, &mut value, |out| {
            put_number(INTEGER, 0, out);
            put(OCTET_STRING, b"ck", out);
        });
        let mut out = Vec::new();
        put_all(CONTROLS, &mut out, |out| {
            put_all(SEQUENCE, out, |out| {
                put(OCTET_STRING, PAGED_RESULTS, out);
                put(BOOLEAN, &[0], out);
                put(OCTET_STRING, &value, out);
            });
        });
        out
    };
    let done = message(2, |out| {
        put_all(SEARCH_DONE, out, |out| {
            put_number(ENUMERATED, 0, out);
            put(OCTET_STRING, b"", out);
            put(OCTET_STRING, b"ok", out);
        });
        out.extend(control);
    });
    vec![hex::decode(entry).unwrap(), done]
}

#[test]
fn answers_are_read() {
    let [entry, done] = said().try_into().unwrap();
    let attributes = vec![("cn".to_owned(), vec![b"a".to_vec(), b"bc".to_vec()])];
    let raw = RawEntry { dn: "cn=a".into(), attributes };
    assert_eq!(raw.values(), 2);
    assert_eq!(read(&entry), Ok((2, Said::Entry(raw))));
    let outcome = Outcome { code: 0, words: "ok".into() };
    assert_eq!(read(&done), Ok((2, Said::Done(outcome, Some(b"ck".to_vec())))));
}

/// Every beginning of an answer, and every answer with one byte changed, is an answer or a fault.
#[test]
fn a_changed_answer_is_an_answer_or_a_fault() {
    for good in said() {
        for end in 0..good.len() {
            assert_eq!(read(&good[..end]), Err(LdapFault::NotLdap));
        }
        for at in 0..good.len() {
            for byte in 0..=u8::MAX {
                let mut bytes = good.clone();
                bytes[at] = byte;
                if let Ok(Some(length)) = frame(&bytes, 1 << 20) {
                    assert!(length >= 2);
                }
                let _ = read(&bytes);
            }
        }
    }
}
