//! The dashboard in the terminal, at most [`WIDTH`] columns.

use std::fmt::Write;

use belfry_demo::oracle::PERIODS;
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use crate::client::Client;
use crate::failure::Result;

/// Columns of the terminal that are used at most.
pub(crate) const WIDTH: usize = 100;

/// Rows of a list of systems or agents; the rest is summed up.
const ROWS: usize = 10;

/// All five periods, by name.
pub(crate) async fn fetch(client: &Client, access: &str) -> Result<Value> {
    let mut dashboards = Map::new();
    for (period, _) in PERIODS {
        dashboards.insert(period.to_owned(), client.dashboard(access, period).await?);
    }
    Ok(Value::Object(dashboards))
}

/// Bars and counts.
pub(crate) fn render(title: &str, dashboards: &Value) -> String {
    let present = dashboards.get("0-2d").unwrap_or(&Value::Null);
    let as_of = present.get("data_as_of").and_then(Value::as_str).unwrap_or("never");
    let mut page = String::new();
    let right = format!("data as of {as_of}");
    let gap = WIDTH.saturating_sub(title.width() + right.width());
    line(&mut page, &format!("{title}{}{right}", " ".repeat(gap)));
    line(&mut page, &"─".repeat(WIDTH));
    let figure = |pointer| grouped(number(present, pointer));
    line(
        &mut page,
        &format!(
            "  {} endpoints   {} computers   {} mobiles   infected now: {} computers, {} mobiles",
            figure("/endpoints/total"),
            figure("/endpoints/computers"),
            figure("/endpoints/mobiles"),
            figure("/endpoints/infected_now/computers"),
            figure("/endpoints/infected_now/mobiles"),
        ),
    );
    line(&mut page, "");
    ages(&mut page, dashboards);
    let list = |field: &str, labels: &[&str]| rows(present.get(field), labels);
    side_by_side(
        &mut page,
        ("Systems", list("operating_systems", &["os", "version"])),
        ("Agents", list("agent_versions", &["product", "version"])),
    );
    side_by_side(
        &mut page,
        ("Top classifiers, 7 days", list("top_classifiers", &["name"])),
        ("Top blocked applications, 7 days", list("top_blocked_applications", &["name"])),
    );
    side_by_side(
        &mut page,
        ("Top blocked users, 7 days", list("top_blocked_users", &["name"])),
        ("", Vec::new()),
    );
    if present.get("approximate").and_then(Value::as_bool) == Some(true) {
        line(&mut page, "  ~ some top lists are approximate; `--json` gives each error");
    }
    page
}

/// One row a period: endpoints by the day of their latest contact and infection, violations.
fn ages(page: &mut String, dashboards: &Value) {
    line(
        page,
        &format!(
            "  {:<7} {:<25} {:<25} {:<17} {}",
            "days", "last contact", "last infection", "policy violated", "application violated"
        ),
    );
    let both = |period: &Value, field: &str| {
        number(period, &format!("/{field}/computers"))
            + number(period, &format!("/{field}/mobiles"))
    };
    let of = |name: &str| dashboards.get(name).cloned().unwrap_or_default();
    let periods = PERIODS.map(|(name, _)| (name, of(name)));
    let most = |field: &str| periods.iter().map(|(_, p)| both(p, field)).max().unwrap_or_default();
    let (most_seen, most_infected) = (most("not_seen"), most("infected"));
    for (name, period) in &periods {
        let (seen, infected) = (both(period, "not_seen"), both(period, "infected"));
        let violation = |kind: &str| {
            let at = |field: &str| grouped(number(period, &format!("/violations/{kind}/{field}")));
            format!("{:>5} ({})", at("endpoints"), at("events"))
        };
        line(
            page,
            &format!(
                "  {:<7} {} {:>8} {} {:>8} {:<17} {}",
                name.trim_end_matches('d').replace("d+", "+"),
                bar(seen, most_seen, 16),
                grouped(seen),
                bar(infected, most_infected, 16),
                grouped(infected),
                violation("policy"),
                violation("application"),
            ),
        );
    }
    line(
        page,
        "  Endpoints by the UTC day of their latest sign; in brackets the events of those days.",
    );
    line(page, "");
}

/// The rows of a list, equal labels summed, the largest first, the tail as one.
fn rows(list: Option<&Value>, labels: &[&str]) -> Vec<(String, usize)> {
    let mut rows: Vec<(String, usize)> = Vec::new();
    for row in list.and_then(Value::as_array).into_iter().flatten() {
        let words = labels.iter().filter_map(|label| row.get(*label).and_then(Value::as_str));
        // A version is empty until an endpoint has told it.
        let words = words.map(|word| if word.is_empty() { "unknown" } else { word });
        let label = words.collect::<Vec<_>>().join(" ").replace("unknown unknown", "unknown");
        let count = number(row, "/count");
        match rows.iter_mut().find(|(other, _)| *other == label) {
            Some((_, sum)) => *sum += count,
            None => rows.push((label, count)),
        }
    }
    rows.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    if rows.len() > ROWS {
        let tail = rows.split_off(ROWS - 1);
        rows.push((format!("{} others", tail.len()), tail.iter().map(|(_, count)| count).sum()));
    }
    rows
}

/// Two lists with bars, each half as wide as the page.
fn side_by_side(
    page: &mut String,
    (left_title, left): (&str, Vec<(String, usize)>),
    (right_title, right): (&str, Vec<(String, usize)>),
) {
    const HALF: usize = WIDTH / 2 - 1;
    let column = |rows: &[(String, usize)]| -> Vec<String> {
        // The rest, summed up in the last row, is no measure for the others.
        let most = rows.iter().take(ROWS - 1).map(|(_, count)| *count).max().unwrap_or_default();
        rows.iter()
            .map(|(label, count)| {
                format!("  {} {} {:>7}", fitted(label, 24), bar(*count, most, 14), grouped(*count))
            })
            .collect()
    };
    line(page, &format!("  {} {right_title}", fitted(left_title, HALF)));
    let (left, right) = (column(&left), column(&right));
    for row in 0..left.len().max(right.len()) {
        let at = |side: &[String]| side.get(row).cloned().unwrap_or_default();
        line(page, &format!("{} {}", fitted(&at(&left), HALF), at(&right)));
    }
    line(page, "");
}

/// A bar of at most `width` columns, drawn in eighths; the smallest count shows too.
fn bar(count: usize, most: usize, width: usize) -> String {
    const PARTS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (count * width * 8).checked_div(most).unwrap_or_default();
    let eighths = eighths.clamp(usize::from(count > 0), width * 8);
    let part = PARTS.get(eighths % 8).filter(|_| eighths % 8 > 0);
    let drawn: String = std::iter::repeat_n('█', eighths / 8).chain(part.copied()).collect();
    fitted(&drawn, width)
}

/// Exactly `width` columns: filled up, or cut with a mark. Names may be of any script.
pub(crate) fn fitted(text: &str, width: usize) -> String {
    let mut fitted = text.to_owned();
    while fitted.width() > width {
        // The mark takes the place of what was cut.
        fitted.truncate(fitted.trim_end_matches('…').len());
        fitted.pop();
        fitted.push('…');
    }
    let room = width - fitted.width();
    fitted + &" ".repeat(room)
}

/// A count with its thousands apart.
pub(crate) fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn number(value: &Value, pointer: &str) -> usize {
    let number = value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn line(page: &mut String, text: &str) {
    // A string takes everything.
    let _ = writeln!(page, "{}", text.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;
    use belfry_demo::{Demo, Scale};

    #[test]
    fn a_page_shows_the_figures_and_fits_the_terminal() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let oracle = Demo::new(7, now, Scale::SMALL).oracle(now).unwrap();
        let answers = PERIODS.map(|(name, _)| (name.to_owned(), oracle.dashboard(name, now)));
        let dashboards = Value::Object(answers.into_iter().collect());
        let page = render("Harbor Works", &dashboards);
        assert!(page.lines().all(|line| line.width() <= WIDTH), "{page}");
        for (name, _) in PERIODS {
            let period = dashboards.get(name).unwrap();
            let events = number(period, "/violations/policy/events");
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("  {}", name.replace('d', ""))))
                .unwrap();
            assert!(row.contains(&format!("({})", grouped(events))), "{row}");
        }
        let total = number(&dashboards, "/0-2d/endpoints/total");
        assert!(page.contains(&format!("{} endpoints", grouped(total))), "{page}");
    }

    #[test]
    fn bars_are_as_long_as_their_share() {
        assert_eq!(bar(0, 10, 4), "    ");
        assert_eq!(bar(10, 10, 4), "████");
        assert_eq!(bar(5, 10, 4), "██  ");
        assert_eq!(bar(1, 1_000, 4), "▏   ");
        assert_eq!(bar(0, 0, 2), "  ");
    }

    #[test]
    fn names_of_any_script_take_the_same_columns() {
        assert_eq!(fitted("IBAN", 6), "IBAN  ");
        assert_eq!(fitted("Passport", 6), "Passp…");
        assert_eq!(fitted("주민등록번호", 6), "주민… ");
    }

    #[test]
    fn long_lists_end_in_a_sum() {
        let list: Value =
            (0..14).map(|n| serde_json::json!({"name": format!("n{n}"), "count": 1})).collect();
        let rows = rows(Some(&list), &["name"]);
        assert_eq!(rows.len(), ROWS);
        assert_eq!(rows.last(), Some(&("5 others".to_owned(), 5)));
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
