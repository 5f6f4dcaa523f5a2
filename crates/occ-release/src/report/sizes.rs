//! How large images were, release after release: a curve for each, and the figures.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use occ_image::Size;
use occ_oci::Platform;

use super::escaped;
use crate::history::{Growth, GrowthPoint};

/// Size of the curves, in their own units.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;
/// Room that curves leave at the edges.
const EDGE: f64 = 12.0;
/// How many colours there are.
const COLOURS: usize = 4;
/// Most releases that are told in figures.
const TOLD: usize = 8;

pub(super) fn write(images: &[Growth], page: &mut String) {
    page.push_str("<h2>Sizes, release after release</h2>\n");
    let order = order(images);
    alerts(images, order.last(), page);
    let colours = colours(images);
    if order.len() > 1 {
        chart(images, &order, &colours, page);
    }
    figures(images, &order, page);
}

/// Tells which images of the newest release grew too much.
fn alerts(images: &[Growth], newest: Option<&String>, page: &mut String) {
    let alerts = images.iter().filter_map(|image| {
        let last = image.points.last().filter(|last| last.alert)?;
        let growth = last.growth.filter(|_| Some(&last.channel.to_string()) == newest)?;
        let (variant, platform) = (escaped(&image.variant), image.platform);
        Some(format!("<li>{variant} {platform} grew by {:.1} %</li>", growth * 100.0))
    });
    let alerts: String = alerts.collect();
    if !alerts.is_empty() {
        _ = writeln!(page, "<ul class=\"bad\">{alerts}</ul>");
    }
}

/// Returns the releases by their order, oldest first.
fn order(images: &[Growth]) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for image in images {
        let mut at = 0;
        for point in &image.points {
            let name = point.channel.to_string();
            let known = order.iter().position(|known| *known == name);
            let here = known.unwrap_or(at);
            if known.is_none() {
                order.insert(here, name);
            }
            at = here + 1;
        }
    }
    order
}

/// A colour for each variant.
fn colours(images: &[Growth]) -> BTreeMap<&str, usize> {
    let mut colours = BTreeMap::new();
    for image in images {
        let next = colours.len() % COLOURS;
        colours.entry(image.variant.as_str()).or_insert(next);
    }
    colours
}

fn chart(images: &[Growth], order: &[String], colours: &BTreeMap<&str, usize>, page: &mut String) {
    let sizes = || images.iter().flat_map(|image| image.points.iter().map(|point| point.size));
    let (low, high) = (sizes().min().unwrap_or_default(), sizes().max().unwrap_or_default());
    _ = writeln!(
        page,
        "<div class=\"chart\"><div class=\"scale\"><span>{}</span><span>{}</span></div>\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"sizes of images\">",
        Size(high),
        Size(low)
    );
    for y in [EDGE, HEIGHT / 2.0, HEIGHT - EDGE] {
        _ = write!(page, "<line class=\"grid\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\"/>");
    }
    for image in images {
        let room = Room { order, low, high };
        curve(image, &room, colours[image.variant.as_str()], page);
    }
    let ends = (order.first().map(String::as_str), order.last().map(String::as_str));
    _ = writeln!(
        page,
        "</svg><div class=\"ends\"><span>{}</span><span>{}</span></div></div>",
        escaped(ends.0.unwrap_or_default()),
        escaped(ends.1.unwrap_or_default())
    );
    page.push_str("<ul class=\"legend\">\n");
    for image in images {
        let (colour, dash) = (colours[image.variant.as_str()], dash(image.platform));
        _ = writeln!(
            page,
            "<li><svg viewBox=\"0 0 40 10\" aria-hidden=\"true\"><path class=\"curve s{colour}{dash}\" \
             d=\"M0 5H40\"/></svg>{} {}</li>",
            escaped(&image.variant),
            image.platform
        );
    }
    page.push_str("</ul>\n<p class=\"weak\">The scale does not begin at zero.</p>\n");
}

fn dash(platform: Platform) -> &'static str {
    if platform == Platform::LinuxAmd64 { "" } else { " dashed" }
}

/// Where sizes are on the curves.
struct Room<'a> {
    order: &'a [String],
    low: u64,
    high: u64,
}

impl Room<'_> {
    #[allow(clippy::cast_precision_loss, reason = "counts and sizes far below 2^52")]
    fn place(&self, point: &GrowthPoint) -> (f64, f64) {
        let name = point.channel.to_string();
        let number = self.order.iter().position(|known| *known == name).unwrap_or_default();
        let last = self.order.len().saturating_sub(1).max(1);
        let x = EDGE + number as f64 / last as f64 * (WIDTH - 2.0 * EDGE);
        let part = (point.size - self.low) as f64 / self.high.abs_diff(self.low).max(1) as f64;
        (x, HEIGHT - EDGE - part * (HEIGHT - 2.0 * EDGE))
    }
}

fn curve(image: &Growth, room: &Room<'_>, colour: usize, page: &mut String) {
    let places: Vec<(f64, f64)> = image.points.iter().map(|point| room.place(point)).collect();
    let points: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    _ = writeln!(
        page,
        "<polyline class=\"curve s{colour}{}\" points=\"{}\"/>",
        dash(image.platform),
        points.join(" ")
    );
    for (point, (x, y)) in image.points.iter().zip(places) {
        _ = writeln!(
            page,
            "<path class=\"dot s{colour}\" d=\"M{x:.1} {y:.1}h0\"><title>{} {} {}: {}</title></path>",
            escaped(&image.variant),
            image.platform,
            escaped(&point.channel.to_string()),
            Size(point.size)
        );
    }
}

fn figures(images: &[Growth], order: &[String], page: &mut String) {
    let told = &order[order.len().saturating_sub(TOLD)..];
    page.push_str("<div class=\"wide\"><table><tr><th>image");
    for name in told {
        _ = write!(page, "<th class=\"n\">{}", escaped(name));
    }
    page.push_str("</tr>\n");
    for image in images {
        _ = write!(page, "<tr><td>{} {}", escaped(&image.variant), image.platform);
        for name in told {
            let point = image.points.iter().find(|point| point.channel.to_string() == *name);
            match point {
                Some(point) => figure(point, page),
                None => page.push_str("<td class=\"n weak\">none"),
            }
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

fn figure(point: &GrowthPoint, page: &mut String) {
    let class = if point.alert { "n bad" } else { "n" };
    _ = write!(page, "<td class=\"{class}\">{}", Size(point.size));
    if let Some(growth) = point.growth {
        _ = write!(page, " <span class=\"weak\">{:+.1} %</span>", growth * 100.0);
    }
}
