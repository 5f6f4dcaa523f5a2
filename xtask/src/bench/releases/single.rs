//! One Dockerfile for all variants, as a published pipeline has it: made of the two that are rendered.
//!
//! Its shape is that pipeline's. The version of opencode is an argument at its top, and what only some variants have
//! is a step that an argument switches: every step behind one of them is another step for another value of it.

use crate::Outcome;

/// What only some variants have: the tool, and the argument that switches it.
const SWITCHES: [(&str, &str); 2] = [("oh-my-opencode-slim", "INSTALL_OMOS"), ("pi", "INSTALL_PI")];

/// Joins a base and the variant that has everything.
pub(super) fn join(base: &str, variant: &str, opencode: &str) -> Outcome<String> {
    let from = "FROM ${BASE}\n";
    let (head, base) = base.split_once(from).ok_or("the base begins with nothing")?;
    let (_, variant) =
        variant.split_once("FROM ${BASE} AS fetch\n").ok_or("the variant fetches nothing")?;
    let mut variant = variant.replace(from, "FROM base\n");
    for (tool, argument) in SWITCHES {
        variant = switched(&variant, tool, argument)?;
    }
    Ok(format!(
        "{head}FROM ${{BASE}} AS base\nARG OPENCODE_VERSION={opencode}\n{base}\nFROM base AS fetch\n{variant}"
    ))
}

/// Returns the build arguments that make a variant.
pub(super) fn arguments(variant: &str) -> Vec<String> {
    let has = |name: &str| variant.split('-').any(|part| part == name);
    let switches = [("INSTALL_OMOS", has("omos")), ("INSTALL_PI", has("pi"))];
    switches.map(|(name, is)| format!("--build-arg={name}={is}")).to_vec()
}

/// Lets an argument switch the step that fetches a tool.
fn switched(dockerfile: &str, tool: &str, argument: &str) -> Outcome<String> {
    let missing = || format!("no step fetches {tool}");
    let copy = "COPY --from=fetch ";
    let folder = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix(copy)?.split_once(' '))
        .map(|(folder, _)| folder.trim_end_matches('/'))
        .find(|folder| folder.rsplit('/').next() == Some(tool));
    let folder = folder.ok_or_else(missing)?;
    let title = format!("\n# {tool} ");
    let (before, after) = dockerfile.split_once(&title).ok_or_else(missing)?;
    let (version, after) = after.split_once("\nRUN ").ok_or_else(missing)?;
    let (step, rest) = after.split_once("\n\n").ok_or_else(missing)?;
    Ok(format!(
        "{before}{title}{version}\nARG {argument}=false\nRUN if [ \"${{{argument}}}\" = true ]; then {step}; \
         else mkdir -p {folder}; fi\n\n{rest}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "# about\nARG BASE=debian:x\nFROM ${BASE}\nARG MIRROR\nRUN apt\n";
    const VARIANT: &str = "# about\nARG BASE=on\nFROM ${BASE} AS fetch\nRUN clients\n\n# opencode 1.2\nRUN a \\\n && b\n\n\
        # oh-my-opencode-slim 3\nRUN c \\\n && d\n\n# pi 4\nRUN e\n\nFROM ${BASE}\n\
        COPY --from=fetch /out/opencode/ /\nCOPY --from=fetch /out/oh-my-opencode-slim/ /\n\
        COPY --from=fetch /out/pi/ /\nENV A=b\n";

    #[test]
    fn one_file_has_it_all_and_arguments_switch_it() {
        let joined = join(BASE, VARIANT, "1.2").expect("a Dockerfile");
        assert_eq!(
            joined,
            "# about\nARG BASE=debian:x\nFROM ${BASE} AS base\nARG OPENCODE_VERSION=1.2\nARG MIRROR\nRUN apt\n\n\
             FROM base AS fetch\nRUN clients\n\n# opencode 1.2\nRUN a \\\n && b\n\n\
             # oh-my-opencode-slim 3\nARG INSTALL_OMOS=false\n\
             RUN if [ \"${INSTALL_OMOS}\" = true ]; then c \\\n && d; else mkdir -p /out/oh-my-opencode-slim; fi\n\n\
             # pi 4\nARG INSTALL_PI=false\n\
             RUN if [ \"${INSTALL_PI}\" = true ]; then e; else mkdir -p /out/pi; fi\n\n\
             FROM base\nCOPY --from=fetch /out/opencode/ /\nCOPY --from=fetch /out/oh-my-opencode-slim/ /\n\
             COPY --from=fetch /out/pi/ /\nENV A=b\n"
        );
        assert!(join(BASE, "FROM ${BASE} AS fetch\n\nFROM ${BASE}\n", "1.2").is_err());
        assert!(join("RUN apt\n", VARIANT, "1.2").is_err());
    }

    #[test]
    fn a_variant_is_its_switches() {
        let of = |variant| arguments(variant).join(" ");
        assert_eq!(of("base"), "--build-arg=INSTALL_OMOS=false --build-arg=INSTALL_PI=false");
        assert_eq!(of("with-pi"), "--build-arg=INSTALL_OMOS=false --build-arg=INSTALL_PI=true");
        assert_eq!(of("omos-with-pi"), "--build-arg=INSTALL_OMOS=true --build-arg=INSTALL_PI=true");
    }
}
