//! The report in the form that CI systems read: `JUnit` XML, as Jenkins' schema has it.

use std::fmt::Write as _;

use crate::report::{Outcome, Report};

/// Returns the report as `JUnit` XML: one suite, one case for each check, its group as the class.
pub fn junit(report: &Report, suite: &str) -> String {
    let count = |wanted: fn(&Outcome) -> bool| {
        report.outcomes.iter().filter(|(_, outcome)| wanted(outcome)).count()
    };
    let failures = count(|o| matches!(o, Outcome::Failed { .. } | Outcome::NotReached));
    let skipped = count(|o| matches!(o, Outcome::Skipped { .. }));
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (tests, took) = (report.outcomes.len(), report.took.as_secs_f64());
    let suite = escaped(suite);
    // Writing into a text does not fail.
    _ = writeln!(
        xml,
        "<testsuite name=\"{suite}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" \
         skipped=\"{skipped}\" time=\"{took:.3}\">"
    );
    for (check, outcome) in &report.outcomes {
        let (took, inner) = match outcome {
            Outcome::Passed { took } => (took.as_secs_f64(), None),
            Outcome::Failed { why, took } => {
                (took.as_secs_f64(), Some(format!("<failure message=\"{}\"/>", escaped(why))))
            }
            Outcome::NotReached => {
                (0.0, Some("<failure message=\"what it builds on failed\"/>".to_owned()))
            }
            Outcome::Skipped { why } => {
                (0.0, Some(format!("<skipped message=\"{}\"/>", escaped(why))))
            }
        };
        let (class, name) = (check.group().name(), escaped(check.sentence()));
        _ = write!(xml, "  <testcase classname=\"{class}\" name=\"{name}\" time=\"{took:.3}\"");
        _ = match inner {
            Some(inner) => writeln!(xml, ">{inner}</testcase>"),
            None => writeln!(xml, "/>"),
        };
    }
    xml.push_str("</testsuite>\n");
    xml
}

/// Writes a text so that it may stand in an attribute (XML 1.0, 2.2 and 2.3).
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // No document may have them, not even written as a number.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::Check;

    #[test]
    fn every_kind_of_outcome_has_its_element() {
        let took = Duration::from_millis(1500);
        let report = Report {
            outcomes: vec![
                (Check::Ready, Outcome::Passed { took }),
                (Check::Git, Outcome::Failed { why: "\"a\" < b & \u{1b}[31mc".into(), took }),
                (Check::Prompt, Outcome::Skipped { why: "no model" }),
                (Check::Stops, Outcome::NotReached),
            ],
            exchanges: Vec::new(),
            took,
        };
        let xml = junit(&report, "an <image>");
        assert!(xml.contains(
            "<testsuite name=\"an &lt;image&gt;\" tests=\"4\" failures=\"2\" errors=\"0\" \
             skipped=\"1\" time=\"1.500\">"
        ));
        assert!(xml.contains("<failure message=\"&quot;a&quot; &lt; b &amp;  [31mc\"/>"), "{xml}");
        assert!(xml.contains("<skipped message=\"no model\"/>"));
        assert_eq!(xml.matches("<testcase ").count(), 4);
        assert_eq!(xml.matches("</testcase>").count(), 3);
    }
}
