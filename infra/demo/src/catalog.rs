//! What the fictional company runs: systems, agents, names. Every list is weighted; every list of
//! names is shorter than the 128 a day for which top lists are exact.

/// A system and its versions, newest first, each with its share.
pub(crate) struct System {
    pub(crate) os: &'static str,
    pub(crate) share: u32,
    pub(crate) versions: &'static [(&'static str, u32)],
}

pub(crate) const COMPUTERS: &[System] = &[
    System {
        os: "Windows",
        share: 70,
        versions: &[
            ("11 25H2", 34),
            ("11 24H2", 38),
            ("11 23H2", 12),
            ("10 22H2", 13),
            ("10 21H2 LTSC", 3),
        ],
    },
    System {
        os: "Windows Server",
        share: 7,
        versions: &[("2025", 20), ("2022", 50), ("2019", 25), ("2016", 5)],
    },
    System {
        os: "macOS",
        share: 16,
        versions: &[("26.1", 40), ("26.0", 15), ("15.7", 32), ("14.8", 13)],
    },
    System { os: "Ubuntu", share: 5, versions: &[("26.04", 5), ("24.04", 60), ("22.04", 35)] },
    System {
        os: "Red Hat Enterprise Linux",
        share: 2,
        versions: &[("10.0", 25), ("9.6", 55), ("8.10", 20)],
    },
];

pub(crate) const MOBILES: &[System] = &[
    System {
        os: "Android",
        share: 62,
        versions: &[("16", 30), ("15", 36), ("14", 22), ("13", 9), ("12", 3)],
    },
    System {
        os: "iOS",
        share: 31,
        versions: &[("26.1", 46), ("26.0.1", 20), ("18.7.2", 28), ("17.7", 6)],
    },
    System { os: "iPadOS", share: 7, versions: &[("26.1", 60), ("18.7.2", 40)] },
];

/// Agent versions of a product, oldest first, each with the day before `now` on which its
/// roll-out began.
pub(crate) fn agents(product: &str) -> &'static [(&'static str, i64)] {
    match product {
        "EPP" => &[("11.4.2", 400), ("11.5.0", 70), ("11.6.1", 33), ("12.0.0", 9)],
        "EMM" => &[("5.8.0", 400), ("5.9.3", 48), ("6.0.1", 16)],
        "DATA_PRIVACY" => &[("3.2.0", 400), ("3.3.0", 25)],
        _ => &[("2.1.7", 400), ("2.2.0", 20)],
    }
}

/// Site codes with their share and what the site calls its machines.
pub(crate) const SITES: &[(&str, u32)] =
    &[("PUNE", 34), ("BLR", 22), ("TOKYO", 14), ("SEOUL", 10), ("BERLIN", 9), ("AUSTIN", 11)];

pub(crate) const PEOPLE: &[&str] = &[
    "aarav", "aiko", "amelia", "ananya", "arjun", "ben", "carla", "chen", "diego", "divya",
    "elena", "emil", "farah", "grace", "hana", "haruto", "hyun", "ines", "ishaan", "jan", "jiho",
    "jonas", "kavya", "kenji", "lea", "lucas", "maria", "mateo", "meera", "minjun", "mira",
    "nikhil", "nora", "oliver", "pooja", "priya", "rahul", "ravi", "riku", "rohan", "sakura",
    "sara", "seo", "sofia", "sora", "sunita", "tara", "thomas", "vikram", "yuna",
];

/// Threats with their share and severity.
pub(crate) const THREATS: &[((&str, &str), u32)] = &[
    (("Trojan.Agent.GX", "high"), 20),
    (("Adware.BrowseFox", "low"), 26),
    (("PUA.Toolbar", "low"), 22),
    (("Backdoor.Remcos", "critical"), 5),
    (("Worm.Autorun", "medium"), 9),
    (("Spyware.KeyLog", "high"), 7),
    (("Exploit.CVE-2026-1187", "critical"), 3),
    (("Dropper.Macro", "medium"), 8),
];
/// What the outbreak brings.
pub(crate) const OUTBREAK: (&str, &str) = ("Ransom.NightHeron", "critical");
pub(crate) const MOBILE_THREATS: &[((&str, &str), u32)] = &[
    (("Android.Banker.Anatsa", "high"), 3),
    (("Android.Adware.Hidden", "low"), 6),
    (("Jailbreak.Tool", "medium"), 2),
];
pub(crate) const DETECTED: &[(&str, u32)] =
    &[("quarantined", 55), ("blocked", 25), ("deleted", 15), ("none", 5)];

pub(crate) const POLICIES: &[((&str, &str), u32)] = &[
    (("USB storage", "medium"), 30),
    (("Web category", "low"), 34),
    (("Disk encryption", "high"), 10),
    (("Firewall off", "high"), 8),
    (("Passcode missing", "high"), 9),
    (("Update overdue", "medium"), 20),
];
pub(crate) const APPLICATIONS: &[((&str, &str), u32)] = &[
    (("uTorrent", "medium"), 18),
    (("AnyDesk", "medium"), 14),
    (("Steam", "low"), 16),
    (("Telegram Desktop", "low"), 12),
    (("Tor Browser", "high"), 6),
    (("XMRig", "critical"), 2),
    (("KMSpico", "high"), 4),
];

pub(crate) const CLASSIFIERS: &[(&str, u32)] = &[
    ("Aadhaar number", 30),
    ("PAN", 26),
    ("Credit card number", 22),
    ("Passport number", 14),
    ("IBAN", 12),
    ("My Number (マイナンバー)", 10),
    ("주민등록번호", 8),
    ("US Social Security number", 8),
    ("Health record", 7),
    ("Source code", 6),
    ("Payroll", 5),
    ("Customer list", 4),
    ("Access key", 3),
    ("Driving licence", 2),
];

pub(crate) const PRIVATE_APPLICATIONS: &[(&str, u32)] = &[
    ("payroll.corp.example", 24),
    ("git.corp.example", 18),
    ("wiki.corp.example", 14),
    ("erp.corp.example", 12),
    ("crm.corp.example", 10),
    ("jump-host.corp.example", 6),
    ("backup.corp.example", 4),
    ("lab.corp.example", 2),
];
