//! Whether releases are what their receipts say, in every registry.

use std::fmt::Write as _;

use super::{Reported, escaped};
use crate::verification::Checked;

pub(super) fn write(releases: &[&Reported], page: &mut String) {
    page.push_str("<h2>Verification</h2>\n");
    if releases.iter().all(|release| release.checked.is_empty()) {
        page.push_str("<p class=\"weak\">No release was verified for this page.</p>\n");
        return;
    }
    for release in releases.iter().filter(|release| !release.checked.is_empty()) {
        let channel = release.channel().map(|channel| channel.to_string()).unwrap_or_default();
        let wrong: Vec<&Checked> = release.checked.iter().filter(|it| !it.holds).collect();
        let (class, verdict) = if wrong.is_empty() {
            ("good", "everything is as its receipt says".to_owned())
        } else {
            ("bad", format!("{} of {} do not hold", wrong.len(), release.checked.len()))
        };
        _ = writeln!(
            page,
            "<h3>{}: <span class=\"{class}\">{verdict}</span></h3>",
            escaped(&channel)
        );
        if !wrong.is_empty() {
            rows(wrong.into_iter(), page);
        }
        _ = writeln!(page, "<details><summary>All {} looks</summary>", release.checked.len());
        rows(release.checked.iter(), page);
        page.push_str("</details>\n");
    }
}

fn rows<'a>(checked: impl Iterator<Item = &'a Checked>, page: &mut String) {
    page.push_str("<div class=\"wide\"><table><tr><th>holds<th>what<th>found<th>registry</tr>\n");
    for one in checked {
        let (class, word) = if one.holds { ("good", "yes") } else { ("bad", "no") };
        _ = writeln!(
            page,
            "<tr><td class=\"{class}\">{word}<td>{}<td class=\"text\">{}<td>{}</tr>",
            escaped(&one.what),
            escaped(&one.found),
            escaped(&one.place.to_string())
        );
    }
    page.push_str("</table></div>\n");
}
