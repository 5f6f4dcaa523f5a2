//! Who knows weaknesses: Grype or Trivy, whichever is installed, over an image's bill of materials.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use occ_registry::Cause;
use occ_release::{Scanned, Weakness};
use serde_json::Value;
use tokio::process::Command;

/// Returns what is known of the weaknesses of what a bill of materials (`CycloneDX`) names. `find` says where a
/// program is.
pub(super) async fn scan(
    bill: &[u8],
    find: impl Fn(&str) -> Option<PathBuf>,
    temporary: &Path,
) -> Result<Scanned, Cause> {
    let file = tempfile::Builder::new().suffix(".cdx.json").tempfile_in(temporary)?;
    std::fs::write(file.path(), bill)?;
    let path = file.path().to_string_lossy().into_owned();
    let (program, name, arguments, read): (_, _, _, fn(&Value) -> Vec<Weakness>) =
        if let Some(grype) = find("grype") {
            let source = format!("sbom:{path}");
            (grype, "grype", vec![source, "--output".to_owned(), "json".to_owned()], of_grype)
        } else if let Some(trivy) = find("trivy") {
            let arguments = ["sbom", "--quiet", "--format", "json", &path];
            (trivy, "trivy", arguments.map(str::to_owned).to_vec(), of_trivy)
        } else {
            return Err(
                "no scanner is installed: grype or trivy; --no-scan says aloud that none looks"
                    .into(),
            );
        };
    let version = run(&program, &["--version".to_owned()]).await?;
    let said = run(&program, &arguments).await?;
    let said: Value =
        serde_json::from_str(&said).map_err(|error| format!("{name} answers no JSON: {error}"))?;
    let mut weaknesses = read(&said);
    weaknesses
        .sort_by(|one, other| (!one.critical, &one.name).cmp(&(!other.critical, &other.name)));
    weaknesses.dedup();
    let version = version.lines().next().unwrap_or_default().trim().to_owned();
    Ok(Scanned { by: format!("{name}, {version}"), weaknesses })
}

async fn run(program: &Path, arguments: &[String]) -> Result<String, Cause> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.trim().lines().last().unwrap_or_default();
        return Err(format!("{} ended with {}: {last}", program.display(), output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn is_critical(severity: &Value) -> bool {
    severity.as_str().is_some_and(|severity| severity.eq_ignore_ascii_case("critical"))
}

fn of_grype(said: &Value) -> Vec<Weakness> {
    let matches = said["matches"].as_array().cloned().unwrap_or_default();
    let one = |found: &Value| Weakness {
        name: text(&found["vulnerability"]["id"]),
        package: text(&found["artifact"]["name"]),
        version: text(&found["artifact"]["version"]),
        fixed: found["vulnerability"]["fix"]["versions"][0].as_str().map(str::to_owned),
        critical: is_critical(&found["vulnerability"]["severity"]),
    };
    matches.iter().map(one).collect()
}

fn of_trivy(said: &Value) -> Vec<Weakness> {
    let results = said["Results"].as_array().cloned().unwrap_or_default();
    let found = results
        .iter()
        .flat_map(|result| result["Vulnerabilities"].as_array().cloned().unwrap_or_default());
    let one = |found: Value| Weakness {
        name: text(&found["VulnerabilityID"]),
        package: text(&found["PkgName"]),
        version: text(&found["InstalledVersion"]),
        fixed: found["FixedVersion"].as_str().filter(|it| !it.is_empty()).map(str::to_owned),
        critical: is_critical(&found["Severity"]),
    };
    found.map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRYPE: &str = r#"{"matches":[{"vulnerability":{"id":"CVE-1","severity":"Medium","fix":{"versions":[]}},
"artifact":{"name":"bash","version":"5.2"}},{"vulnerability":{"id":"CVE-2","severity":"Critical",
"fix":{"versions":["5.6.1"]}},"artifact":{"name":"liblzma5","version":"5.6.0"}}]}"#;
    const TRIVY: &str = r#"{"Results":[{"Target":"x"},{"Vulnerabilities":[{"VulnerabilityID":"CVE-3",
"PkgName":"git","InstalledVersion":"1","FixedVersion":"","Severity":"CRITICAL"}]}]}"#;

    /// Writes a scanner that answers this, and says where it is.
    fn scanner(
        folder: &Path,
        name: &str,
        answer: &str,
    ) -> impl Fn(&str) -> Option<PathBuf> + use<> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.join(name);
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && echo \"{name} 1.2\" && exit\ncat <<'END'\n{answer}\nEND\n"
        );
        std::fs::write(&path, script).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
            .expect("it is ours");
        let name = name.to_owned();
        move |wanted| (wanted == name).then(|| path.clone())
    }

    #[tokio::test]
    async fn both_scanners_are_understood_and_the_worst_comes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let find = scanner(folder.path(), "grype", GRYPE);
        let found = scan(b"{}", find, folder.path()).await.expect("an answer");
        assert_eq!(found.by, "grype, grype 1.2");
        let names: Vec<_> =
            found.weaknesses.iter().map(|it| (it.name.as_str(), it.critical)).collect();
        assert_eq!(names, [("CVE-2", true), ("CVE-1", false)]);
        assert_eq!(found.weaknesses[0].fixed.as_deref(), Some("5.6.1"));
        let find = scanner(folder.path(), "trivy", TRIVY);
        let found = scan(b"{}", find, folder.path()).await.expect("an answer");
        assert_eq!((found.weaknesses.len(), found.weaknesses[0].critical), (1, true));
        assert_eq!(found.weaknesses[0].fixed, None);
    }

    #[tokio::test]
    async fn a_scanner_that_is_missing_or_fails_is_no_clean_bill() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = scan(b"{}", |_: &str| None, folder.path()).await.expect_err("there is none");
        assert!(error.to_string().contains("no scanner is installed"), "{error}");
        let find = scanner(folder.path(), "grype", "no database");
        let error = scan(b"{}", find, folder.path()).await.expect_err("that is no answer");
        assert!(error.to_string().contains("answers no JSON"), "{error}");
    }
}
