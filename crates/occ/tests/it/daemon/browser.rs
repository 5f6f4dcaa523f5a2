//! What somebody sees who opens the URL: in headless Chromium, with the password and without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{password, running};

/// What the browser made of a page.
struct Page {
    /// The document as it is after its scripts ran.
    document: String,
    /// What the browser complained about.
    complaints: String,
    picture: PathBuf,
}

/// Opens a URL in a browser that has never been anywhere.
fn open(url: &str, folder: &Path) -> Page {
    let picture = folder.join("page.png");
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--lang=en-US", "--window-size=1280,800"])
        .arg(format!("--user-data-dir={}", folder.join("browser").display()))
        // The page's own clock, which stands still while it waits for an answer.
        .args(["--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("--screenshot={}", picture.display()))
        .arg(url)
        .env("LANG", "C.UTF-8")
        .output()
        .unwrap_or_else(|error| panic!("chromium: {error}"));
    Page {
        document: String::from_utf8(output.stdout).unwrap(),
        complaints: String::from_utf8_lossy(&output.stderr).into_owned(),
        picture,
    }
}

/// Returns width and height as a PNG's first chunk states them.
fn dimensions(png: &[u8]) -> (u32, u32) {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn the_url_with_the_password_shows_opencodes_page_and_without_it_nothing() {
    let bench = running();
    let place = format!("127.0.0.1:{}/", bench.port());
    let (inside, outside) = (bench.folder().join("inside"), bench.folder().join("outside"));
    fs::create_dir(&inside).unwrap();
    fs::create_dir(&outside).unwrap();

    let page = open(&format!("http://opencode:{}@{place}", password(&bench)), &inside);
    assert!(page.document.contains("<title>OpenCode</title>"), "{}", page.complaints);
    // These words are not in the document that the server sends; its scripts put them there.
    for words in ["Add project", "Create a session to get started"] {
        assert!(page.document.contains(words), "{words:?} is not in {}", page.document);
    }
    let picture = fs::read(&page.picture).unwrap();
    assert_eq!(dimensions(&picture), (1280, 800));
    // scripts/screenshot takes it from there.
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("first-start.png"), picture).unwrap();

    let refused = open(&format!("http://{place}"), &outside);
    assert!(refused.complaints.contains("ERR_INVALID_AUTH_CREDENTIALS"), "{}", refused.complaints);
    assert!(!refused.document.contains("OpenCode"), "{}", refused.document);
}
