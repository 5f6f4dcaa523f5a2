//! The files that the built-in recipe names; a test compares the two.

/// Makes the name of a file, as the recipe has it, and its text.
macro_rules! guest {
    ($name:literal) => {
        (concat!("guest/", $name), include_str!(concat!("../../../../image/guest/", $name)))
    };
}

/// Name in the recipe and text.
pub(super) const FILES: &[(&str, &str)] = &[
    guest!("gitconfig"),
    guest!("home.zprofile"),
    guest!("home.zshrc"),
    guest!("oh-my-opencode-slim.json"),
    guest!("plugins"),
    guest!("starship.toml"),
    guest!("tmux.conf"),
    guest!("zshrc"),
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_recipe_names_each_of_them() {
        for (name, _) in super::FILES {
            assert!(crate::recipe::EMBEDDED.contains(&format!("source = {name:?}")), "{name}");
        }
    }
}
