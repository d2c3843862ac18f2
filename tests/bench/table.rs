//! The table of a report, in Markdown, and its place in README.

use std::fs;
use std::path::Path;

use harness::error::HarnessError;

use crate::BenchError;
use crate::figure::{Better, Figure, Goal, Series, Side};
use crate::report::Report;
use crate::rows::Row;

const BEGIN: &str = "<!-- bench -->\n";
const END: &str = "<!-- /bench -->";

/// README's table: the figures that have a goal, and what a level of clusters costs. README is for reading; the file has all.
pub(crate) fn markdown(report: &Report) -> String {
    let setting = &report.setting;
    let loads: Vec<&str> = report.rows.iter().map(|row| row.load_before.as_str()).collect();
    let shown = report.rows.iter().flat_map(|row| {
        let is_shown = |figure: &&Figure| figure.goal.is_some() || row.row == Row::Levels;
        row.figures.iter().filter(is_shown)
    });
    format!(
        "Measured {} on {} × {}, Linux {}, which had other work, too (load {} before the rows); {}. \
         In brackets: ours ÷ theirs, the median of same-round ratios.\n\n\
         | what | ours | beside it | goal |\n|---|---|---|---|\n{}",
        setting.date,
        setting.processors,
        setting.processor,
        setting.kernel,
        loads.join(", "),
        setting.peers.join(", "),
        lines(shown),
    )
}

/// One line a figure. In brackets: our value by theirs.
pub(crate) fn lines<'a>(figures: impl IntoIterator<Item = &'a Figure>) -> String {
    figures.into_iter().map(|figure| line(figure) + "\n").collect()
}

fn line(figure: &Figure) -> String {
    let ours = figure.side(Side::Ours).map_or_else(|| "–".to_owned(), |ours| digits(ours.median));
    let others = figure.series.iter().filter(|series| series.side != Side::Ours);
    let others: Vec<String> = others.map(beside).collect();
    format!(
        "| {}, {} | {ours} | {} | {} |",
        figure.what,
        figure.unit,
        others.join(" · "),
        goal(figure)
    )
}

fn beside(series: &Series) -> String {
    let ratio = series.ours_to_this.map(|ratio| format!(" (×{})", digits(ratio)));
    format!("{} {}{}", series.side.name(), digits(series.median), ratio.unwrap_or_default())
}

fn goal(figure: &Figure) -> String {
    let sign = match figure.better {
        Better::Higher => "≥",
        Better::Lower => "≤",
    };
    let Some(goal) = figure.goal else {
        return String::new();
    };
    let words = match goal {
        Goal::Value(bound) => format!("{sign} {}", digits(bound)),
        Goal::Ratio { against, bound } => {
            format!("{sign} {bound} × {}", against.name())
        }
    };
    match figure.reached {
        Some(true) => format!("{words}: reached"),
        Some(false) => format!("**{words}: not reached**"),
        None => words,
    }
}

/// Three digits: more would be noise.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{:.2} M", value / 1e6),
        size if size >= 10_000.0 => format!("{:.1} k", value / 1e3),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.2}"),
    }
}

/// Puts the table into README, in place of the old one.
///
/// # Errors
/// When README cannot be read or written, or has no place for it.
pub(crate) fn write_into(readme: &Path, report: &Report) -> Result<(), BenchError> {
    let text = fs::read_to_string(readme).map_err(HarnessError::io("read README.md"))?;
    let text = replaced(&text, &markdown(report))?;
    fs::write(readme, text).map_err(HarnessError::io("write README.md"))?;
    Ok(())
}

fn replaced(readme: &str, table: &str) -> Result<String, BenchError> {
    let place = readme.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = place.ok_or(BenchError::NoPlace { begin: BEGIN.trim(), end: END })?;
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_shows_the_newest_figures() {
        let report = Report::read(Path::new(crate::NEWEST)).unwrap();
        assert!(!report.setting.quick, "figures of a quick run mean nothing");
        let readme = fs::read_to_string(Path::new(crate::ROOT).join("README.md")).unwrap();
        let fresh = replaced(&readme, &markdown(&report)).unwrap();
        assert_eq!(readme, fresh, "run `cargo bench-peers --readme`");
    }

    #[test]
    fn a_line_names_every_side_with_its_ratio_and_judges_the_goal() {
        let samples = vec![
            (Side::Ours, vec![12.0, 12.0]),
            (Side::Haproxy, vec![16.0, 16.0]),
            (Side::Go, vec![120.0, 120.0]),
        ];
        let figure = Figure::new("small requests: CPU", "µs", Better::Lower, samples)
            .with_ratio_goal(Side::Haproxy, 0.9);
        assert_eq!(
            line(&figure),
            "| small requests: CPU, µs | 12.0 | haproxy 16.0 (×0.75) · Go 120 (×0.10) \
             | ≤ 0.9 × haproxy: reached |"
        );
    }

    #[test]
    fn the_table_takes_the_place_of_the_old_one() {
        let readme = format!("a\n{BEGIN}old\n{END}\nb\n");
        assert_eq!(replaced(&readme, "new\n").unwrap(), format!("a\n{BEGIN}new\n{END}\nb\n"));
        assert!(replaced("a\n", "new\n").is_err());
    }
}
