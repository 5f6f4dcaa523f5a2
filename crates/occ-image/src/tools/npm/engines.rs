//! Ranges of versions in npm's words, as far as packages use them to say on which Node.js they run.

use semver::{Comparator, Op, Version, VersionReq};

/// Returns whether a version is in a range; one that cannot be understood has no versions, as for npm.
///
/// SPEC: node-semver, "Range Grammar".
pub(super) fn allows(range: &str, version: &Version) -> bool {
    range.split("||").any(|part| all_of(part).is_some_and(|range| range.matches(version)))
}

/// Reads what must all be true: `1.2 - 3` or comparators one behind the other.
fn all_of(part: &str) -> Option<VersionReq> {
    if let Some((from, to)) = part.split_once(" - ") {
        let comparators = vec![comparator(&format!(">={from}"))?, comparator(&format!("<={to}"))?];
        return Some(VersionReq { comparators });
    }
    // An operator can stand apart from its version.
    let mut words: Vec<String> = Vec::new();
    for word in part.split_whitespace() {
        match words.last_mut() {
            Some(operator) if operator.ends_with(['<', '>', '=', '~', '^']) => {
                operator.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words.retain(|word| !is_anything(word));
    let comparators = words.iter().map(|word| comparator(word)).collect::<Option<_>>()?;
    Some(VersionReq { comparators })
}

fn is_anything(word: &str) -> bool {
    matches!(word.trim_start_matches(['>', '=', 'v']), "*" | "x" | "X" | "")
}

/// Reads one comparator. Without an operator it means just this version, which may be a part of one.
fn comparator(word: &str) -> Option<Comparator> {
    let version = word.trim_start_matches(['<', '>', '=', '~', '^']);
    let operator = &word[..word.len() - version.len()];
    let version = version.trim().trim_start_matches('v');
    let version = version.split(".x").next()?.split(".X").next()?.split(".*").next()?;
    let operator = match operator {
        "" => "=",
        "~>" => "~",
        other => other,
    };
    let comparator: Comparator = format!("{operator}{version}").parse().ok()?;
    (comparator.op != Op::Wildcard).then_some(comparator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_mean_what_they_mean_to_npm() {
        let node = Version::new(24, 15, 2);
        for range in [
            "",
            "*",
            "x",
            ">=18",
            ">= 18",
            "> 18",
            ">=18.0.0 <25",
            "^20.19.0 || >=22.12.0",
            "24",
            "24.x",
            "24.15.x",
            "=24.15.2",
            "v24.15.2",
            "24.15.2",
            "~24.15",
            "^24.1",
            "18 - 24",
            "18.0.0 - 24.15.2",
            ">=0.6 || garbage",
            "<=24",
            ">= v18",
            "^22.22.2 || ^24.15.0 || >=26.0.0",
            "~> 24.15",
            "18 || *",
        ] {
            assert!(allows(range, &node), "{range:?}");
        }
        for range in [
            ">=26.4.0",
            "^20",
            "24.14",
            "24.15.1",
            "<24",
            ">24",
            "18 - 22",
            "18 - 24.15.1",
            "garbage",
            ">=18 <20",
            "^22.14.0 || >=26.0.0",
            "~24.14",
            ">=18 garbage",
        ] {
            assert!(!allows(range, &node), "{range:?}");
        }
    }
}
