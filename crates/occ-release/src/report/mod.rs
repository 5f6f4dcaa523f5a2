//! Releases as one page that opens from disk: no script, no address, curves and bars as SVG.

mod images;
mod layers;
mod sizes;
mod style;
mod timeline;
mod verdicts;

use std::cmp::Reverse;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::base::BaseDecision;
use crate::channel::Channel;
use crate::history::{GROWTH_THRESHOLD, growth};
use crate::journal::Record;
use crate::receipt::Receipt;
use crate::verification::Checked;
use style::STYLE;

/// What is known of a release: of one that was made here its journal, of one that a registry has its receipt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reported {
    /// Its plan and journal.
    pub record: Option<Record>,
    /// Its receipt.
    pub receipt: Option<Receipt>,
    /// What was looked at in registries; empty when it was not verified.
    pub checked: Vec<Checked>,
}

impl Reported {
    fn channel(&self) -> Option<Channel> {
        let receipt = self.receipt.as_ref().map(|receipt| receipt.channel);
        receipt.or(self.record.as_ref().map(|record| record.plan.channel))
    }

    fn created(&self) -> Option<Timestamp> {
        let receipt = self.receipt.as_ref().map(|receipt| receipt.created);
        receipt.or(self.record.as_ref().map(|record| record.plan.created))
    }

    fn base(&self) -> Option<(&str, &BaseDecision)> {
        let receipt = self.receipt.as_ref().map(|it| (it.base.name.as_str(), &it.base.decision));
        let plan = self.record.as_ref().map(|it| &it.plan.base);
        receipt.or(plan.map(|base| (base.name.as_str(), &base.decision)))
    }

    fn state(&self) -> (&'static str, &'static str) {
        match (&self.record, &self.receipt) {
            (Some(record), _) if record.is_abandoned() => ("given up", "bad"),
            (Some(record), _) if record.at_work => ("at work", ""),
            (_, Some(_)) => ("released", "good"),
            (Some(_), None) => ("not finished", "bad"),
            (None, None) => ("nothing is known", "bad"),
        }
    }
}

/// Returns a page about some releases, in any order. The timeline is that of the newest one with a journal, images
/// and layers are those of the newest one with a receipt.
pub fn report(releases: &[Reported]) -> String {
    let mut ordered: Vec<&Reported> = releases.iter().collect();
    ordered.sort_by_key(|release| Reverse(release.created()));
    let title = ordered.iter().find_map(|release| {
        let places = release.receipt.as_ref().map(|it| &it.places);
        let places = places.or(release.record.as_ref().map(|it| &it.plan.places));
        places?.first().map(ToString::to_string)
    });
    let title = format!("Releases of {}", escaped(&title.unwrap_or_else(|| "nothing".to_owned())));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style>\n<h1>{title}</h1>\n"
    );
    overview(&ordered, &mut page);
    if let Some(record) = ordered.iter().find_map(|release| release.record.as_ref()) {
        timeline::write(record, &mut page);
    }
    let receipts: Vec<Receipt> = ordered.iter().filter_map(|it| it.receipt.clone()).collect();
    if let Some(newest) = receipts.first() {
        images::write(newest, &mut page);
        sizes::write(&growth(&receipts, GROWTH_THRESHOLD), &mut page);
        layers::write(newest, &mut page);
    }
    verdicts::write(&ordered, &mut page);
    page.push_str("</html>\n");
    page
}

fn overview(releases: &[&Reported], page: &mut String) {
    page.push_str(
        "<div class=\"wide\"><table><tr><th>release<th>made<th>state<th>base<th>commit</tr>\n",
    );
    for release in releases {
        let channel = release.channel().map(|channel| channel.to_string()).unwrap_or_default();
        let made = release.created().map(moment).unwrap_or_default();
        let (state, class) = release.state();
        let base = release.base().map(|(name, decision)| {
            let how = match decision {
                BaseDecision::Reuse { .. } => "used again",
                BaseDecision::Build { .. } => "built",
            };
            format!("<code>{}</code> {how}", escaped(name))
        });
        let receipt = release.receipt.as_ref().and_then(|it| it.revision.clone());
        let revision = receipt.or(release.record.as_ref().and_then(|it| it.plan.revision.clone()));
        let revision: String = revision.unwrap_or_default().chars().take(12).collect();
        _ = writeln!(
            page,
            "<tr><td><strong>{}</strong><td>{made}<td class=\"{class}\">{state}<td>{}<td><code>{}</code></tr>",
            escaped(&channel),
            base.unwrap_or_default(),
            escaped(&revision)
        );
    }
    page.push_str("</table></div>\n");
}

/// A moment to the second (UTC).
fn moment(moment: Timestamp) -> String {
    moment.to_string().chars().take(19).collect::<String>().replace('T', " ")
}

/// A text that stands for itself in HTML, between tags and in attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}
