//! Names of members and targets of links, as strangers write them.

use crate::tree::normal;

use super::fault::Fault;

/// What Linux can open: `NAME_MAX` and `PATH_MAX`, in bytes.
const LONGEST_PART: usize = 255;
const LONGEST_PATH: usize = 4096;

/// Returns the path of a member in the tree; none for `./`, the tree itself.
pub(super) fn path(name: &[u8]) -> Result<Option<String>, Fault> {
    let name = text(name)?;
    if name.is_empty() {
        return Err(Fault::Nameless);
    }
    if name.starts_with('/') {
        return Err(Fault::Absolute);
    }
    if name.split('/').any(|part| part == "..") {
        return Err(Fault::Climbs);
    }
    // Of all that `normal` refuses, only the empty path is left.
    Ok(normal(name).ok())
}

/// Returns a name or target as text that can be shown and means one thing everywhere.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::NotUtf8)?;
    if text.contains(|letter: char| letter.is_control() || letter == '\\') {
        return Err(Fault::Unprintable);
    }
    if text.len() > LONGEST_PATH || text.split('/').any(|part| part.len() > LONGEST_PART) {
        return Err(Fault::TooLong);
    }
    Ok(text)
}

/// Returns whether a symbolic link at `link` leads nowhere but into its own tree.
///
/// INVARIANT: where every link of a tree obeys this and nothing lies behind a link, no chain of links
/// leads out: `..` comes only in front, where it walks through real folders, so it is counted exactly.
pub(crate) fn stays_inside(link: &str, target: &str) -> bool {
    let depth = link.matches('/').count();
    let parts = target.split('/').filter(|part| !part.is_empty() && *part != ".");
    let climbs = parts.clone().take_while(|part| *part == "..").count();
    let relative = !target.is_empty() && !target.starts_with('/');
    relative && climbs <= depth && !parts.skip(climbs).any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_climb_to_the_root_of_its_tree_and_no_further() {
        for (link, target) in [
            ("a", "b"),
            ("a", "b/c/"),
            ("a", "."),
            ("a/b", ".."),
            ("a/b", "../c"),
            ("a/b/c", "./.././../d"),
            ("a/b", "..."),
        ] {
            assert!(stays_inside(link, target), "{link} -> {target} is refused");
        }
        for (link, target) in [
            ("a", ""),
            ("a", "/"),
            ("a", "/b"),
            ("a", ".."),
            ("a", "./../b"),
            ("a/b", "../../c"),
            // Through a link to a folder higher up, this would climb twice.
            ("a", "b/c/../../d"),
            ("a/b/c", "../d/.."),
        ] {
            assert!(!stays_inside(link, target), "{link} -> {target} is let through");
        }
    }

    #[test]
    fn a_path_is_written_one_way() {
        assert_eq!(path(b"./a//b/./c/"), Ok(Some("a/b/c".to_owned())));
        assert_eq!(path(b"./"), Ok(None));
        assert_eq!(path("f\u{151}/..a".as_bytes()), Ok(Some("f\u{151}/..a".to_owned())));
    }
}
