//! What a registry's page says about the images: a short line, and a page that leads on to the README.

mod facts;
mod hub;

pub use facts::{Facts, FactsError};
pub use hub::{Hub, HubError, HubRepository, ParseHubRepositoryError};

use crate::template::{self, TemplateError};

/// The template that this program was built with.
pub const TEMPLATE: &str = include_str!("../../../../image/DOCKER_HUB.template.md");
/// Where it is in the repository.
pub const TEMPLATE_NAME: &str = "image/DOCKER_HUB.template.md";

/// The line of a template with the short description.
const SHORT: (&str, &str) = ("<!-- short: ", " -->");

/// What stands first in a page that was made from the template.
const NOTICE: &str = "<!-- Generated from image/DOCKER_HUB.template.md by `occ release describe`; do not edit. -->\n";

/// A short line and a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The line that lists of repositories show.
    pub short: String,
    /// The page, in Markdown.
    pub full: String,
}

/// One of the two parts of a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The line.
    Short,
    /// The page.
    Full,
}

impl Part {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Short, Self::Full];

    /// Returns the name that people see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Short => "short description",
            Self::Full => "full description",
        }
    }

    /// Returns how long it may be at Docker Hub, in bytes.
    pub fn limit(self) -> usize {
        match self {
            Self::Short => 100,
            Self::Full => 25_000,
        }
    }
}

/// Why there is no description.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// The template has no short description in its head.
    #[error("{template} has no line `<!-- short: … -->`")]
    NoShort {
        /// Name of the template.
        template: String,
    },
    /// The template asks for what is not there.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A part is longer than the registry takes.
    #[error("the {} has {bytes} bytes, and may have {}", part.name(), part.limit())]
    TooLong {
        /// Which part.
        part: Part,
        /// Its length, in bytes.
        bytes: usize,
    },
}

impl Description {
    /// Fills a template in; `template` is its name in messages.
    ///
    /// # Errors
    /// [`DescriptionError`], also for what is longer than it may be.
    pub fn render(template: &str, text: &str, facts: &Facts) -> Result<Self, DescriptionError> {
        let filled = template::fill(template, text, |name| facts.value(name))?;
        let (head, line) = filled
            .lines()
            .find_map(|line| {
                let short = line.strip_prefix(SHORT.0)?.strip_suffix(SHORT.1)?;
                Some((line, short.trim().to_owned()))
            })
            .ok_or_else(|| DescriptionError::NoShort { template: template.to_owned() })?;
        let body = filled.split_once(head).map_or("", |(_, body)| body);
        let full = format!("{NOTICE}\n{}\n", body.trim());
        let description = Self { short: line, full };
        for part in Part::ALL {
            let bytes = description.part(part).len();
            if bytes > part.limit() {
                return Err(DescriptionError::TooLong { part, bytes });
            }
        }
        Ok(description)
    }

    /// Returns one part.
    pub fn part(&self, part: Part) -> &str {
        match part {
            Part::Short => &self.short,
            Part::Full => &self.full,
        }
    }

    /// Returns the parts that another description has otherwise. Space at the end is nobody's meaning, and
    /// registries drop it.
    pub fn other_parts(&self, other: &Self) -> Vec<Part> {
        let differs = |part: &Part| self.part(*part).trim_end() != other.part(*part).trim_end();
        Part::ALL.into_iter().filter(differs).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let recipe = occ_image::Recipe::embedded().expect("valid");
        let lock = occ_image::Lock::embedded().expect("valid");
        Facts::of(&recipe, &lock).expect("there is opencode in it")
    }

    fn rendered(text: &str) -> Result<Description, DescriptionError> {
        Description::render("page.md", text, &facts())
    }

    #[test]
    fn doc_005_doc_009_the_page_has_the_facts_and_leads_on_to_the_readme() {
        let description = rendered(TEMPLATE).expect("it can be filled in");
        for text in [
            "https://github.com/prizz/opencode-cloud#readme",
            "| `omos-with-pi` |",
            "`latest-with-pi`",
            "| opencode |",
            "amd64 and arm64",
        ] {
            assert!(description.full.contains(text), "{text}\n{}", description.full);
        }
        assert!(description.full.starts_with(NOTICE));
        assert!(!description.full.contains("<<") && !description.full.contains("short:"));
        assert!(!description.short.is_empty());
        assert!(!description.full.contains("sha256:"), "nobody gave a digest");
    }

    #[test]
    fn given_digests_stand_beside_their_variants() {
        let mut facts = facts();
        let digest = occ_oci::Digest::sha256(b"x");
        facts.digests.insert("omos".to_owned(), digest.clone());
        let description = Description::render("page.md", TEMPLATE, &facts).expect("filled in");
        let line = description.full.lines().find(|line| line.starts_with("| `omos` ")).expect("it");
        assert!(line.contains(&digest.to_string()), "{line}");
    }

    #[test]
    fn doc_007_what_is_too_long_is_refused_with_its_count() {
        let short = |length: usize| format!("<!-- short: {} -->\nx\n", "é".repeat(length / 2));
        assert!(rendered(&short(100)).is_ok());
        let error = rendered(&short(102)).expect_err("too long").to_string();
        assert_eq!(error, "the short description has 102 bytes, and may have 100");
        let full = |length: usize| {
            let rest = length - NOTICE.len() - "\n\n".len();
            format!("<!-- short: x -->\n{}\n", "y".repeat(rest))
        };
        assert_eq!(rendered(&full(25_000)).expect("as long as it may be").full.len(), 25_000);
        let error = rendered(&full(25_001)).expect_err("too long").to_string();
        assert_eq!(error, "the full description has 25001 bytes, and may have 25000");
    }

    #[test]
    fn a_template_without_a_short_description_or_with_an_unknown_name_is_refused() {
        let error = rendered("# x\n").expect_err("no head").to_string();
        assert_eq!(error, "page.md has no line `<!-- short: … -->`");
        let error = rendered("<!-- short: x -->\n<<y>>\n").expect_err("unknown").to_string();
        assert_eq!(error, "page.md, line 2: nothing is called <<y>>");
    }

    #[test]
    fn space_at_the_end_is_no_difference() {
        let one = Description { short: "a".to_owned(), full: "b\n".to_owned() };
        let other = Description { short: "a".to_owned(), full: "b".to_owned() };
        assert_eq!(one.other_parts(&other), []);
        let other = Description { short: "x".to_owned(), ..one.clone() };
        assert_eq!(one.other_parts(&other), [Part::Short]);
    }
}
