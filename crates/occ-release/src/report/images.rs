//! The images of a release: what is fetched, what of that is shared, and what came of looking at them.

use std::fmt::Write as _;

use occ_image::Size;

use super::escaped;
use super::layers::Shared;
use crate::ports::{Scanned, Smoked};
use crate::receipt::{Receipt, Tried};

pub(super) fn write(receipt: &Receipt, page: &mut String) {
    _ = writeln!(page, "<h2>Images of {}</h2>", escaped(&receipt.channel.to_string()));
    page.push_str(
        "<div class=\"wide\"><table><tr><th>image<th class=\"n\">to fetch<th class=\"n\">shared \
         layers<th class=\"n\">own layers<th>run<th>weaknesses</tr>\n",
    );
    let shared = Shared::of(receipt);
    for variant in &receipt.variants {
        for image in &variant.images {
            let own: u64 = image.layers.iter().filter(|it| !shared.has(it)).map(|it| it.size).sum();
            let all: u64 = image.layers.iter().map(|layer| layer.size).sum();
            let of = (variant.name.as_str(), image.platform);
            _ = writeln!(
                page,
                "<tr><td>{} {}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td>{}<td>{}</tr>",
                escaped(&variant.name),
                image.platform,
                Size(image.size),
                Size(all - own),
                Size(own),
                smoke(find(&receipt.smoke, of)),
                weaknesses(find(&receipt.scans, of))
            );
        }
    }
    page.push_str("</table></div>\n");
    for gap in &receipt.gaps {
        let (tag, why) = (escaped(gap.tag.as_str()), escaped(&gap.why));
        _ = writeln!(page, "<p class=\"bad\">Known gap: {tag} is not there: {why}.</p>");
    }
}

fn find<'a, T>(all: &'a [Tried<T>], of: (&str, occ_oci::Platform)) -> Option<&'a T> {
    let is_it = |tried: &&Tried<T>| (tried.variant.as_str(), tried.platform) == of;
    all.iter().find(is_it).map(|tried| &tried.result)
}

fn smoke(smoked: Option<&Smoked>) -> String {
    match smoked {
        Some(Smoked::Passed { held, .. }) => format!("<span class=\"good\">{held} hold</span>"),
        Some(Smoked::Failed { findings }) => {
            format!("<span class=\"bad\">{}</span>", escaped(&findings.join("; ")))
        }
        Some(Smoked::NotHere { why }) => {
            format!("<span class=\"bad\">not run: {}</span>", escaped(why))
        }
        None => "<span class=\"bad\">not known</span>".to_owned(),
    }
}

fn weaknesses(scanned: Option<&Scanned>) -> String {
    match scanned {
        Some(scanned) => {
            let critical = scanned.weaknesses.iter().filter(|it| it.critical).count();
            let (all, by) = (scanned.weaknesses.len(), escaped(&scanned.by));
            format!("{all} known, {critical} critical <span class=\"weak\">({by})</span>")
        }
        None => "<span class=\"bad\">not looked for</span>".to_owned(),
    }
}
