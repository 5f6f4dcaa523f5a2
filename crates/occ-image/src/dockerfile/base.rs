//! The Dockerfile of the Debian base: one layer for each group of packages, in their exact versions.

use super::words::{docker, on_one_line, run, shell};
use super::{UnwritableText, base_name};
use crate::guest::{GID, HOME, UID, USER};
use crate::lock::DebianGroup;
use crate::plan::{BasePlan, BuildPlan};

pub(super) fn dockerfile(plan: &BuildPlan) -> Result<String, UnwritableText> {
    let (base, name) = (&plan.base, base_name(plan));
    let (suite, platform) = (on_one_line(&base.suite)?, base.platform);
    let mut text = format!(
        "\
# The base of all variants for {platform}, written by occ from recipe and lock.
#
#   docker build --file=Dockerfile.base --tag={name} .
#
#   --build-arg=BASE=...                     another Debian {suite} to begin with
#   --build-arg=DEBIAN_MIRROR=...            a mirror of Debian, for now and for later
#   --build-arg=DEBIAN_SECURITY_MIRROR=...   and of its security updates
#   --build-arg=http_proxy=...               a proxy, for now only
#
# Certificates to trust, now and later, are put into the folder ca.
#
# Debian keeps only the newest version of each package. If one of these is not to be had any more, write
# this file again from a newer lock.
ARG BASE=debian:{suite}
FROM ${{BASE}}
ARG DEBIAN_MIRROR
ARG DEBIAN_SECURITY_MIRROR
COPY ca/ /usr/local/share/ca-certificates/
COPY base/dpkg.cfg /etc/dpkg/dpkg.cfg.d/{USER}
COPY base/sources /tmp/sources
RUN sh /tmp/sources && rm /tmp/sources
ARG DEBIAN_FRONTEND=noninteractive
"
    );
    for packages in &base.groups {
        text.push_str(&group(packages)?);
    }
    text.push_str(&accounts(plan)?);
    Ok(text)
}

fn group(group: &DebianGroup) -> Result<String, UnwritableText> {
    let mut pins: Vec<_> = group.packages.iter().collect();
    pins.sort_by_key(|pin| &pin.name);
    // What it begins with may have a newer one.
    let mut install = "apt-get install --yes --no-install-recommends --allow-downgrades".to_owned();
    for pin in pins {
        let exact = shell(&format!("{}={}", pin.name, pin.version))?;
        install.push_str(&format!(" \\\n      {exact}"));
    }
    let commands = ["apt-get update", &install, "apt-get clean", "rm -rf /var/lib/apt/lists/*"];
    Ok(format!("\n# {}\n{}", on_one_line(&group.group)?, run(&commands.map(str::to_owned))))
}

fn accounts(plan: &BuildPlan) -> Result<String, UnwritableText> {
    let user = format!(
        "useradd --uid={UID} --gid={GID} --no-create-home --home-dir={HOME} --shell={} {USER}",
        shell(&plan.base.shell)?
    );
    // By now apt knows certificates as everybody else does.
    let for_apt = "rm -f /etc/apt/ca.crt /etc/apt/apt.conf.d/50ca";
    let for_apt = format!("if [ -e /etc/ssl/certs/ca-certificates.crt ]; then {for_apt}; fi");
    let commands = run(&[format!("groupadd --gid={GID} {USER}"), user, for_apt]);
    let (lang, timezone) = (docker(&plan.system.lang)?, docker(&plan.system.timezone)?);
    Ok(format!("\n{commands}ENV LANG={lang} TZ={timezone}\n"))
}

/// Returns the options that keep paths of packages out (dpkg(1), `path-exclude`).
pub(super) fn dpkg_options(base: &BasePlan) -> Result<String, UnwritableText> {
    let excludes = base.exclude.iter().map(|path| ("path-exclude", path));
    let includes = base.include.iter().map(|path| ("path-include", path));
    let mut text = String::new();
    for (option, path) in excludes.chain(includes) {
        text.push_str(&format!("{option}={}\n", on_one_line(path)?));
    }
    Ok(text)
}

/// Returns the script that makes Debian come from where the build's arguments say.
pub(super) fn sources(base: &BasePlan) -> Result<String, UnwritableText> {
    let suite = shell(&base.suite)?;
    Ok(format!(
        r#"#!/bin/sh
# Makes Debian come from the mirror that the build's arguments name, if they name one.
set -eu

[ -n "${{DEBIAN_MIRROR:-}}" ] || exit 0
suite={suite}
list=/etc/apt/sources.list.d

entry() {{
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$1" "$2"
	printf 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n'
}}

rm -f /etc/apt/sources.list "$list"/*
{{
	entry "$DEBIAN_MIRROR" "$suite $suite-updates"
	[ -z "${{DEBIAN_SECURITY_MIRROR:-}}" ] || entry "$DEBIAN_SECURITY_MIRROR" "$suite-security"
}} >"$list/debian.sources"

# apt is not to wait for the package that knows certificates: it may come from there.
cat /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates/*.crt >/etc/apt/ca.crt 2>/dev/null || true
if [ -s /etc/apt/ca.crt ]; then
	echo 'Acquire::https::CAInfo "/etc/apt/ca.crt";' >/etc/apt/apt.conf.d/50ca
else
	rm -f /etc/apt/ca.crt
fi
"#
    ))
}
