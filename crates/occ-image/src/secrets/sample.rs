//! Files of packages that show what a secret looks like: tests, examples and documentation that everybody has.

/// Beginnings of paths below which package managers install.
const INSTALLED_AT: [&str; 6] =
    ["usr/lib/", "usr/share/", "usr/local/lib/", "usr/local/share/", "usr/local/go/", "usr/src/"];
/// Folders in which package managers install wherever they are.
const INSTALLED_IN: [&str; 6] =
    ["node_modules", "site-packages", "dist-packages", "gems", "registry", "mod"];
/// Folders of tests, examples and documentation, in small letters.
const FOLDERS: [&str; 20] = [
    "test",
    "tests",
    "testing",
    "testdata",
    "test-data",
    "test_data",
    "__tests__",
    "spec",
    "specs",
    "fixtures",
    "certdata",
    "example",
    "examples",
    "sample",
    "samples",
    "demo",
    "demos",
    "doc",
    "docs",
    "man",
];
/// Parts of the names of files that are one of these, in small letters.
const NAMES: [&str; 8] =
    ["_test.", ".test.", ".spec.", "test_", "readme", "changelog", ".md", ".rst"];

/// Returns whether a path is that of a test, an example or documentation of an installed package. Whoever put a
/// file anywhere else put it there themselves.
pub(super) fn is_sample(path: &str) -> bool {
    let small = path.to_ascii_lowercase();
    let (folders, name) = small.rsplit_once('/').unwrap_or(("", &small));
    let folders = folders.split('/');
    let installed = INSTALLED_AT.iter().any(|start| small.starts_with(start))
        || folders.clone().any(|folder| INSTALLED_IN.contains(&folder));
    let parts: Vec<&str> = folders.collect();
    // Go's own sources have the keys of their tests beside them.
    let is_go = |pair: &[&str]| pair[0].starts_with("go") && pair[1] == "src";
    installed
        && (parts.iter().any(|folder| FOLDERS.contains(folder))
            || parts.windows(2).any(is_go)
            || NAMES.iter().any(|part| name.contains(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_packages_bring_is_a_sample() {
        for path in [
            "usr/share/doc/openssl/key.pem",
            "usr/lib/python3.13/test/certdata/keycert.pem",
            "home/a/app/node_modules/tls/test/fixtures/key.pem",
            "opt/venv/lib/python3.13/site-packages/tornado/test/test.key",
            "usr/local/go/src/crypto/tls/handshake_test.go",
            "usr/share/go-1.24/src/crypto/x509/platform_root_key.pem",
            "usr/local/lib/node_modules/npm/README.md",
        ] {
            assert!(is_sample(path), "{path}");
        }
        for path in [
            "home/a/tests/key.pem",
            "root/docs/README.md",
            "app/test/.env",
            "usr/lib/node_modules/tool/lib/key.pem",
            "etc/ssl/private/key.pem",
            "usr/share/tool/src/key.pem",
            "home/a/go/src/key.pem",
            "test",
        ] {
            assert!(!is_sample(path), "{path}");
        }
    }
}
