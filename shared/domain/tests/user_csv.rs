//! The CSV of users: what is read, what is said of each row, and that what we write is read again.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by a panic"
)]

use belfry_domain::account::{Role, Source, Status, User};
use belfry_domain::failure::{Failure as _, FailureKind};
use belfry_domain::id::TenantId;
use belfry_domain::ports::Entropy;
use belfry_domain::user_csv::{
    Fault, MOST_BYTES, MOST_ROWS, Row, Unreadable, header, judge, line, read, refused, template,
};
use belfry_domain::users::NewUser;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::Config;

const HEADER: &str =
    "First Name,Last Name,Email,Country Code,Mobile Number,Phone Number,Role,2FA\r\n";

/// What a super admin is told of a file.
fn judged(file: &str) -> Vec<Result<NewUser, Vec<Fault>>> {
    judge(&read(file.as_bytes()).unwrap(), |_| true, true)
}

/// What a super admin is told of one row: `Column code`.
fn faults(row: &str) -> Vec<String> {
    faults_of(&judged(&format!("{HEADER}{row}"))[0])
}

fn faults_of(verdict: &Result<NewUser, Vec<Fault>>) -> Vec<String> {
    let faults = verdict.as_ref().err().into_iter().flatten();
    faults.map(|fault| format!("{} {}", fault.field, fault.code)).collect()
}

fn refusal(file: impl AsRef<[u8]>) -> (&'static str, FailureKind, String) {
    let error = read(file.as_ref()).unwrap_err();
    (error.code(), error.kind(), error.to_string())
}

/// A user in short: what a person would read.
fn short(user: &NewUser) -> String {
    let number = |number: &Option<belfry_domain::text::Telephone>| {
        number.as_ref().map_or("-", |number| number.as_str()).to_owned()
    };
    let parts = [
        user.first_name.as_str(),
        user.last_name.as_str(),
        user.email.as_str(),
        &number(&user.mobile),
        &number(&user.phone),
        user.role.name(),
        if user.two_factor_required { "2fa" } else { "-" },
    ];
    parts.join("|")
}

#[test]
fn a_file_of_a_spreadsheet() {
    let rows = read(include_bytes!("users-from-a-spreadsheet.csv")).unwrap();
    let verdicts = judge(&rows, |_| true, true);
    let told: Vec<String> = rows
        .iter()
        .zip(&verdicts)
        .map(|(row, verdict)| match verdict {
            Ok(user) => format!("{} {}", row.line, short(user)),
            Err(_) => format!("{} {}", row.line, faults_of(verdict).join(", ")),
        })
        .collect();
    let expected = [
        "2 太郎|山田|taro.yamada@example.com|+819012345678|-|admin|2fa",
        "3 민준|김|minjun.kim@example.com|+821012345678|+8223123456|help_desk|-",
        "5 Asha Devi|Rao; née \"Iyer\"|asha.rao@example.com|+919876543210|-|read_only|-",
        "8 =Sean|O'Neil|o.neil@gmail.com|-|-|user|-",
        "9 First Name required, Country Code country_code_required, Role invalid, 2FA invalid",
        "10 Row too_many_cells",
    ];
    assert_eq!(told, expected);
}

#[test]
fn every_fault() {
    for (row, expected) in [
        ("Ann,Lee,ann@example.com,91,9876543210,,Admin,Enable", &[] as &[&str]),
        ("Ann,Lee,ann@example.com,,,,Read Only", &[]),
        ("Ann,Lee,ann@example.com,nonsense,,,read_only,", &[]),
        ("Ann,Lee,ann@gmail.com,,,,User,Disable", &[]),
        ("Ann,Lee,ann@example.com,,,,HELP DESK,,,,", &[]),
        (",Lee,ann@example.com,,,,User,", &["First Name required"]),
        ("Ann,' ,ann@example.com,,,,User,", &[]),
        ("Ann, ,ann@example.com,,,,User,", &["Last Name required"]),
        ("<b>,Lee,ann@example.com,,,,User,", &["First Name invalid"]),
        ("Ann,Lee,,,,,User,", &["Email required"]),
        ("Ann,Lee,ann,,,,User,", &["Email invalid"]),
        ("Ann,Lee,ann@gmail.com,,,,Admin,", &["Email business_email_required"]),
        ("Ann,Lee,ann@x.yahoo.co.jp,,,,Help Desk,", &["Email business_email_required"]),
        ("Ann,Lee,ann@mailinator.com,,,,Read Only,", &["Email business_email_required"]),
        ("Ann,Lee,ann@example.com,,98765 43210,,User,", &["Country Code country_code_required"]),
        ("Ann,Lee,ann@example.com,,,98765 43210,User,", &["Country Code country_code_required"]),
        ("Ann,Lee,ann@example.com,,9876543,9876544,User,", &["Country Code country_code_required"]),
        ("Ann,Lee,ann@example.com,IN,9876543,9876544,User,", &["Country Code invalid"]),
        ("Ann,Lee,ann@example.com,91,12,,User,", &["Mobile Number invalid"]),
        ("Ann,Lee,ann@example.com,91,9.87654E+11,,User,", &["Mobile Number invalid"]),
        ("Ann,Lee,ann@example.com,,,+12,User,", &["Phone Number invalid"]),
        ("Ann,Lee,ann@example.com,,,,,", &["Role required"]),
        ("Ann,Lee,ann@example.com,,,,Boss,", &["Role invalid"]),
        ("Ann,Lee,ann@example.com,,,,Super Admin,", &["Role role_not_allowed"]),
        ("Ann,Lee,ann@example.com,,,,super_admin,", &["Role role_not_allowed"]),
        ("Ann,Lee,ann@example.com,,,,User,Enable", &["2FA two_factor_not_allowed"]),
        ("Ann,Lee,ann@example.com,,,,Admin,yes", &["2FA invalid"]),
        ("Ann,Lee,ann@example.com,,,,Admin,,more", &["Row too_many_cells"]),
        (
            ",<,x,IN,1,+1,Boss,x",
            &[
                "First Name required",
                "Last Name invalid",
                "Email invalid",
                "Country Code invalid",
                "Phone Number invalid",
                "Role invalid",
                "2FA invalid",
            ],
        ),
    ] {
        assert_eq!(faults(row), expected, "{row}");
    }
    let long = "x".repeat(61);
    assert_eq!(
        faults(&format!("{long},{long},ann@example.com,,,,User,")),
        ["First Name too_long", "Last Name too_long"]
    );
}

#[test]
fn what_the_importer_may_not() {
    let file = format!(
        "{HEADER}A,A,a@example.com,,,,Admin,Enable\nB,B,b@example.com,,,,Help Desk,\n\
         C,C,c@example.com,,,,User,Enable\nD,D,d@example.com,,,,Read Only,disable\n"
    );
    let help_desk = |role| !matches!(role, Role::SuperAdmin | Role::Admin);
    let verdicts = judge(&read(file.as_bytes()).unwrap(), help_desk, false);
    let told: Vec<Vec<String>> = verdicts.iter().map(faults_of).collect();
    assert_eq!(
        told,
        [
            vec!["Role role_not_allowed".to_owned(), "2FA two_factor_not_allowed".to_owned()],
            vec![],
            vec!["2FA two_factor_not_allowed".to_owned()],
            vec![],
        ]
    );
}

#[test]
fn an_address_twice() {
    let verdicts = judged(&format!(
        "{HEADER}\nA,A,a@example.com,,,,User,\n,,A@Example.com ,,,,,\nB,B,b@example.com,,,,User,\n\
         C,C,a@example.com,,,,User,\n"
    ));
    assert!(verdicts[0].is_ok() && verdicts[2].is_ok());
    assert_eq!(faults_of(&verdicts[3]), ["Email duplicate_in_file"]);
    for verdict in [&verdicts[1], &verdicts[3]] {
        let faults = verdict.as_ref().unwrap_err();
        let fault = faults.iter().find(|fault| fault.code == "duplicate_in_file").unwrap();
        assert_eq!(fault.detail, "the same address is on line 3");
    }
}

#[test]
fn files_refused_whole() {
    use FailureKind::{Invalid, Malformed, TooLarge};
    let known = "the first line must name the columns";
    let row = "A,A,a@example.com,,,,User,\n";
    for (file, code, kind, detail) in [
        ("", "csv_empty", Invalid, "the file is empty"),
        ("\u{feff}\r\n \r\n", "csv_empty", Invalid, "the file is empty"),
        (",,,\n , ,\n", "csv_empty", Invalid, "the file is empty"),
        (HEADER, "csv_no_rows", Invalid, "the file has a header and no rows"),
        (
            &format!("{HEADER},,,\r\n\r\n"),
            "csv_no_rows",
            Invalid,
            "the file has a header and no rows",
        ),
        (
            &format!("{HEADER}{row}\"A,B\n{row}{row}"),
            "csv_malformed",
            Malformed,
            "line 3 opens a quote that the file does not close",
        ),
        (
            "First Name,Surname,Email,Role,E-Mail,,email,ROLE,2FA\nA",
            "csv_columns",
            Invalid,
            &format!(
                "{known}; unknown columns: Surname, E-Mail, (one without a name); \
                 missing columns: Last Name; columns given more than once: Email, Role"
            ),
        ),
        (
            "Line,line,Line,First Name,Last Name,Email,Role\nA",
            "csv_columns",
            Invalid,
            &format!("{known}; columns given more than once: Line"),
        ),
        // No header: a person's row, which is not repeated.
        (
            "Ann,Lee,ann@example.com\nBob,Lee,bob@example.com",
            "csv_columns",
            Invalid,
            &format!(
                "{known}; unknown columns: all 3; missing columns: First Name, Last Name, Email, Role"
            ),
        ),
        (
            &format!("{HEADER}{}", row.repeat(1_001)),
            "csv_too_many_rows",
            Invalid,
            "a file has at most 1,000 rows; this one has 1001",
        ),
        (
            &"x".repeat(1_000_001),
            "csv_too_large",
            TooLarge,
            "a file has at most 1,000,000 bytes; this one has 1000001",
        ),
    ] as [(&str, &str, FailureKind, &str); 11]
    {
        assert_eq!(refusal(file), (code, kind, detail.to_owned()), "{file:.100}");
    }
    let utf16: Vec<u8> = "\u{feff}First Name".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let detail = "the file is in UTF-16; save it as CSV in UTF-8";
    assert_eq!(refusal(utf16), ("csv_encoding", Malformed, detail.to_owned()));
    assert_eq!(read(b"\xfe\xff\0a"), Err(Unreadable::Utf16));
    // Shift_JIS.
    let file = [HEADER.as_bytes(), row.as_bytes(), b"\r\n\x8eR\x93c,A,a@example.com"].concat();
    let detail = "line 4 is not in UTF-8; save the file as CSV in UTF-8";
    assert_eq!(refusal(file), ("csv_encoding", Malformed, detail.to_owned()));
}

#[test]
fn names_of_columns_are_cut_and_counted() {
    let long = "é".repeat(100);
    let names: Vec<String> = (0..60).map(|at| format!("{long}{at}")).collect();
    let (code, _, detail) = refusal(format!("Email,a\u{7}b,{}\nA", names.join(",")));
    assert_eq!(code, "csv_columns");
    assert!(detail.contains(&format!("unknown columns: ab, {}, ", "é".repeat(64))), "{detail}");
    assert!(detail.contains(" and 11 more; missing columns: First Name"), "{detail}");
    assert!(!detail.contains(&"é".repeat(65)));
    // Quadratic work would take minutes.
    let twice = refusal(format!("2FA{},x\n", ",2FA".repeat(240_000))).2;
    assert!(twice.ends_with("Role; columns given more than once: 2FA"), "{twice}");
    let wide = HEADER.trim_end().to_owned() + &",".repeat(900_000) + "\n";
    assert_eq!(read((wide + &"a\n".repeat(MOST_ROWS)).as_bytes()).unwrap().len(), MOST_ROWS);
    let many = refusal(format!("Email{}", ",".repeat(900_000))).2;
    assert_eq!(
        many,
        "the first line must name the columns; missing columns: First Name, Last Name, Role"
    );
}

#[test]
fn limits_are_reached_and_not_passed() {
    let rows: Vec<String> =
        (0..MOST_ROWS).map(|at| format!("A,A,a{at}@example.com,,,,User,\n\n")).collect();
    let rows = rows.concat();
    let file = format!("{HEADER}{rows},,,,\n");
    assert_eq!(judged(&file).iter().filter(|verdict| verdict.is_ok()).count(), 1_000);
    let full = format!("{HEADER}A,A,a@example.com,,,,User,\n");
    let full = format!("{full}{}", " ".repeat(MOST_BYTES - full.len()));
    assert_eq!(read(full.as_bytes()).unwrap().len(), 1);
}

#[test]
fn delimiters_ends_of_line_and_order() {
    let wanted = "Ann|Lee, Dr.; x|ann@example.com|+919876543210|-|user|-";
    for (delimiter, end) in [(',', "\r\n"), (';', "\r\n"), ('\t', "\n"), (';', "\r"), (',', "\n")] {
        for bom in ["", "\u{feff}"] {
            let cells = |cells: &[&str]| cells.join(&delimiter.to_string()) + end;
            let file = [
                bom,
                end,
                &cells(&[
                    "ROLE",
                    "\" email \"",
                    "Last name",
                    "first name",
                    "Mobile Number",
                    "Country code",
                ]),
                &cells(&[
                    "User",
                    "ann@example.com",
                    "\"Lee, Dr.; x\"",
                    "Ann",
                    "98765-43210",
                    "+91",
                ]),
                end,
                &cells(&["User", "bob@example.com", "\"Lee\n\r\nX\"", "Bob"]),
                &cells(&["User", "cat@example.com", "Lee", "\"Cat\""]),
            ]
            .concat();
            let rows = read(file.as_bytes()).unwrap();
            let lines: Vec<u32> = rows.iter().map(|row| row.line).collect();
            assert_eq!(lines, [3, 5, 8], "{file:?}");
            let verdicts = judge(&rows, |_| true, true);
            assert_eq!(short(verdicts[0].as_ref().unwrap()), wanted);
            assert!(verdicts.iter().all(Result::is_ok));
        }
    }
}

#[test]
fn the_template_can_be_imported_by_whoever_imports() {
    assert!(template().starts_with(&format!("\u{feff}{HEADER}")));
    let rows = read(template().as_bytes()).unwrap();
    let help_desk = |role| matches!(role, Role::HelpDesk | Role::ReadOnly | Role::User);
    let users: Vec<String> =
        judge(&rows, help_desk, false).iter().map(|user| short(user.as_ref().unwrap())).collect();
    assert_eq!(
        users,
        [
            "Asha|Rao|asha.rao@example.com|+12025550142|+12025550143|help_desk|-",
            "Ken|Mori|ken.mori@example.com|+447700900123|-|user|-",
        ]
    );
}

#[test]
fn refused_rows_come_back_mended() {
    let file = format!(
        "{HEADER}\"=cmd|'/C calc'!A0\",'=Lee,ann@gmail.com,+91,98765 43210,-1+1,Boss,\n\
         \"Bob\n\"\"B\"\"\",Lee,bob@example.com,91,(98765) 43211,,User,Enable\n,,x,,,,User,\n"
    );
    let rows = read(file.as_bytes()).unwrap();
    let verdicts = judge(&rows, |_| true, true);
    let faulty =
        rows.iter().zip(verdicts.iter().map(|verdict| verdict.as_ref().unwrap_err().as_slice()));
    let written = refused(faulty);
    let expected = "\u{feff}First Name,Last Name,Email,Country Code,Mobile Number,Phone Number,Role,2FA,Line,Reason\r\n\
        '=cmd|'/C calc'!A0,'=Lee,ann@gmail.com,+91,98765 43210,'-1+1,Boss,,2,\"Phone Number: must be a telephone number with its country code, like +91 98765 43210; Role: must be Admin, Help Desk, Read Only or User\"\r\n\
        \"Bob\n\"\"B\"\"\",Lee,bob@example.com,91,(98765) 43211,,User,Enable,3,\"2FA: the role User has no log-in, so no two-factor authentication\"\r\n\
        ,,x,,,,User,,5,\"First Name: must not be empty; Last Name: must not be empty; Email: not an e-mail address\"\r\n";
    assert_eq!(written, expected);
    let again = judge(&read(written.as_bytes()).unwrap(), |_| true, true);
    assert_eq!(again, verdicts);
    let mended = written.replace("Boss", "User").replace("'-1+1", "").replace("Enable", "");
    let mended: Vec<bool> = judged(&mended).iter().map(Result::is_ok).collect();
    assert_eq!(mended, [true, true, false]);
}

#[test]
fn rows_are_kept_and_print_nothing() {
    let rows = read(format!("{HEADER}Ann,Lee,ann@example.com,,,,User,,x").as_bytes()).unwrap();
    let json = serde_json::to_string(&rows).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Row>>(&json).unwrap(), rows);
    assert_eq!(format!("{rows:?}"), "[Row(2, ..)]");
    let faults = judge(&rows, |_| true, true).remove(0).unwrap_err();
    let json = serde_json::to_string(&faults).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Fault>>(&json).unwrap(), faults);
}

#[test]
fn a_line_of_an_export() {
    let mut user = user("ann@example.com", "Ann", "Lee", Role::SuperAdmin);
    assert_eq!(
        header(),
        "\u{feff}First Name,Last Name,Email,Country Code,Mobile Number,Phone Number,Role,2FA,Status,Source,Last Log-in\r\n"
    );
    assert_eq!(line(&user), "Ann,Lee,ann@example.com,,,,Super Admin,Disable,Active,Manual,\r\n");
    user.mobile = Some("+819012345678".parse().unwrap());
    user.phone = Some("+911123456789".parse().unwrap());
    user.first_name = "=HYPERLINK(\"x\")".parse().unwrap();
    user.last_name = "@山田, Dr.".parse().unwrap();
    user.email = "+x@example.com".parse().unwrap();
    user.role = Role::HelpDesk;
    user.two_factor_required = true;
    user.status = Status::Deactivated;
    user.source = Source::Csv;
    user.last_login_at = Some("2026-11-22T23:59:59.999+09:00".parse().unwrap());
    assert_eq!(
        line(&user),
        "\"'=HYPERLINK(\"\"x\"\")\",\"'@山田, Dr.\",'+x@example.com,+81,9012345678,+91 1123456789,\
         Help Desk,Enable,Deactivated,CSV,2026-11-22T14:59:59Z\r\n"
    );
}

fn user(email: &str, first_name: &str, last_name: &str, role: Role) -> User {
    struct Seven;
    impl Entropy for Seven {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }
    let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
    let new = NewUser {
        first_name: first_name.parse().unwrap(),
        last_name: last_name.parse().unwrap(),
        email: email.parse().unwrap(),
        mobile: None,
        phone: None,
        attributes: belfry_domain::attribute::UserAttributes::new(),
        role,
        two_factor_required: false,
    };
    User::new(TenantId::new(now, &Seven), new, Source::Manual, None, now, &Seven)
}

/// What spreadsheets and readers of CSV stumble over, and any other text.
fn any_name() -> impl Strategy<Value = String> {
    let nasty = "[=+@\\-']{0,3}[\"',;=+@|山田김민준éA-Za-z .-]{0,20}";
    prop_oneof![nasty, "\\PC{1,40}", "'{0,3}=cmd\\|' /C calc'!A0"]
        .prop_filter("a name", |name| name.parse::<belfry_domain::text::PersonName>().is_ok())
}

fn any_number() -> impl Strategy<Value = Option<String>> {
    let codes = "(1|7|20|39|44|81|82|91|353|880|971|[1-9])";
    proptest::option::of(
        (codes, "[0-9]{4,14}")
            .prop_map(|(code, rest)| format!("+{code}{rest}"))
            .prop_filter("at most 15 digits", |number| (8..=16).contains(&number.len())),
    )
}

fn any_user() -> impl Strategy<Value = User> {
    let email = "[a-z='+-][a-z0-9'=+-]{0,10}@[a-z]{1,10}\\.example";
    let role = prop_oneof![
        Just(Role::Admin),
        Just(Role::HelpDesk),
        Just(Role::ReadOnly),
        Just(Role::User)
    ];
    let names = (any_name(), any_name());
    (email, names, any_number(), any_number(), role, any::<bool>()).prop_map(
        |(email, (first_name, last_name), mobile, phone, role, two_factor)| User {
            mobile: mobile.map(|number| number.parse().unwrap()),
            phone: phone.map(|number| number.parse().unwrap()),
            two_factor_required: two_factor && role != Role::User,
            ..user(&email, &first_name, &last_name, role)
        },
    )
}

/// As many cases as a second affords; a failure prints the smallest one and nothing is kept.
fn config() -> Config {
    Config { cases: 512, failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_exported_can_be_imported(users in proptest::collection::vec(any_user(), 1..8)) {
        let mut users = users;
        users.sort_by(|a, b| a.email.cmp(&b.email));
        users.dedup_by(|a, b| a.email == b.email);
        let lines: String = users.iter().map(line).collect();
        let file = header() + &lines;
        let verdicts = judged(&file);
        prop_assert_eq!(verdicts.len(), users.len());
        for (user, verdict) in users.into_iter().zip(verdicts) {
            let expected = NewUser {
                first_name: user.first_name,
                last_name: user.last_name,
                email: user.email,
                mobile: user.mobile,
                phone: user.phone,
                attributes: user.attributes,
                role: user.role,
                two_factor_required: user.two_factor_required,
            };
            match verdict {
                Ok(made) => prop_assert_eq!(short(&made), short(&expected)),
                Err(faults) => prop_assert!(false, "{} {:?}", short(&expected), faults),
            }
        }
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes).map(|rows| judge(&rows, |_| true, true));
        let file = [HEADER.as_bytes(), &bytes].concat();
        let _ = read(&file).map(|rows| judge(&rows, |_| true, true));
    }

    #[test]
    fn rows_of_any_text_are_judged_and_refused_alike(text in "[\"',;\t\r\n =+@a-c91山-]{0,200}") {
        let Ok(rows) = read(format!("{HEADER}{text}").as_bytes()) else { return Ok(()) };
        let verdicts = judge(&rows, |_| true, true);
        let lines: Vec<u32> = rows.iter().map(|row| row.line).collect();
        prop_assert!(lines.is_sorted() && lines.first().is_none_or(|first| *first >= 2));
        let (rows, verdicts): (Vec<Row>, Vec<_>) = rows
            .into_iter()
            .zip(verdicts)
            .filter_map(|(row, verdict)| Some((row, verdict.err()?)))
            .filter(|(_, faults)| faults.iter().all(|fault| fault.code != "too_many_cells"))
            .unzip();
        if rows.is_empty() {
            return Ok(());
        }
        let written = refused(rows.iter().zip(verdicts.iter().map(Vec::as_slice)));
        let again = read(written.as_bytes()).unwrap();
        let reread: Vec<Vec<Fault>> =
            judge(&again, |_| true, true).into_iter().map(|verdict| verdict.unwrap_err()).collect();
        let told = |faults: &[Vec<Fault>]| -> Vec<Vec<String>> {
            faults.iter().map(|row| row.iter().map(|f| format!("{} {}", f.field, f.code)).collect()).collect()
        };
        prop_assert_eq!(told(&reread), told(&verdicts));
    }
}
