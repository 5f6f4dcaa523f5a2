//! What has to be in an image: one line for every requirement, and how it is seen.

use super::check::{Check, fails, has, is, succeeds};

/// Programs of Debian packages: requirement, command, what it prints. Their exact versions are compared with
/// the lock elsewhere.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("IMG-022", "zsh --version", "zsh 5."),
    ("IMG-024", "starship --version", "starship 1."),
    ("IMG-025", "tmux -V", "tmux 3."),
    ("IMG-026", "vim --version", "VIM - Vi IMproved 9."),
    ("IMG-027", "nvim --version", "NVIM v0."),
    ("IMG-028", "nano --version", "GNU nano, version"),
    ("IMG-030", "python3 --version", "Python 3."),
    (
        "IMG-030",
        "python3 -m venv --without-pip /tmp/venv && /tmp/venv/bin/python --version",
        "Python 3.",
    ),
    ("IMG-030", "pip --version", "python 3."),
    ("IMG-031", "rustc --version", "rustc 1."),
    ("IMG-031", "cargo --version", "cargo 1."),
    ("IMG-032", "go version", "go version go1."),
    ("IMG-040", "curl --version", "curl 8."),
    ("IMG-040", "wget --version", "GNU Wget"),
    ("IMG-040", "htop --version", "htop 3."),
    ("IMG-041", "gcc --version", "gcc (Debian"),
    ("IMG-041", "g++ --version", "g++ (Debian"),
    ("IMG-041", "make --version", "GNU Make"),
    ("IMG-042", "echo '{\"a\":[1,2]}' | jq '.a|length'", "2"),
    ("IMG-043", "echo 'a: [1, 2]' | yq '.a|length'", "2"),
    ("IMG-044", "lazygit --version", "version="),
    ("IMG-045", "delta --version", "delta 0."),
    ("IMG-047", "direnv version", "2."),
    ("IMG-048", "printf 'one\\ntwo\\n' | fzf --filter=tw", "two"),
    ("IMG-049", "fd --version", "fdfind"),
    ("IMG-050", "rg --version", "ripgrep 1"),
    ("IMG-051", "bat --version", "bat 0."),
    ("IMG-052", "eza --version", "v0."),
    ("IMG-053", "tree --version", "tree v2."),
    ("IMG-054", "echo '# Title' | glow -", "Title"),
    ("IMG-055", "just --version", "just 1."),
    ("IMG-056", "http --version", "3."),
    ("IMG-057", "shellcheck --version", "ShellCheck"),
    ("IMG-058", "echo 'if true;then :;fi' | shfmt", "if true; then"),
    ("IMG-059", "procs --version", "procs 0."),
    ("IMG-060", "dust --version", "Dust 1."),
    ("IMG-061", "duf --version", "duf 0."),
    ("IMG-062", "btop --version", "btop version"),
    ("IMG-063", "gh --version", "gh version 2."),
    (
        "IMG-064",
        "cd /tmp && echo x >f && zip -q f.zip f && unzip -p f.zip && xz -k f && xzcat f.xz",
        "x x",
    ),
    ("IMG-064", "cd /tmp && echo x >g && 7z a g.7z g >/dev/null && 7z t g.7z", "Everything is Ok"),
    ("IMG-065", "sqlite3 :memory: 'select 40 + 2'", "42"),
    ("IMG-066", "psql --version", "psql (PostgreSQL)"),
    ("IMG-067", "mysql --version", "MariaDB"),
    ("IMG-068", "kubectl version --client", "Client Version"),
    ("IMG-073", "gitleaks help", "secrets"),
    ("IMG-075", "age --version; age-keygen --version", "1."),
    ("IMG-077", "mkcert -version", "1."),
    ("IMG-082", "sccache --version", "sccache 0."),
    (
        "IMG-083",
        "echo 'int main(){return 0;}' | gcc -fuse-ld=mold -x c - -o /tmp/m && /tmp/m && mold --version",
        "mold 2.",
    ),
    ("IMG-086", "echo 'x=1' | black -q -", "x = 1"),
    ("IMG-090", "pytest --version", "pytest 8."),
    ("IMG-091", "protoc --version", "libprotoc 3."),
];

/// Tools of the recipe: requirement, name, and a command that proves more than that it knows its version;
/// an image without the tool is not asked.
const TOOLS: &[(&str, &str, &str, &str)] = &[
    ("IMG-023", "oh-my-zsh", "zsh -ic 'echo $plugins'", "git"),
    ("IMG-029", "node", "node -p '40 + 2'", "42"),
    ("IMG-033", "npm", "npm config get prefix", "/.programs/npm"),
    ("IMG-034", "pnpm", "pnpm store path", "/.programs/pnpm/store"),
    ("IMG-036", "uv", "cd /tmp && uv venv --offline uv && uv/bin/python -c 'print(42)'", "42"),
    ("IMG-037", "mise", "mise --version", "."),
    (
        "IMG-038",
        "typescript",
        "cd /tmp && echo 'let a: number = 1' >a.ts && tsc a.ts && cat a.js",
        "a = 1",
    ),
    ("IMG-039", "gsd-opencode", "gsd-opencode --help", "install"),
    ("IMG-046", "difftastic", "difft --version", "Difftastic"),
    ("IMG-069", "helm", "helm version --short", "v"),
    ("IMG-070", "k9s", "k9s version --short", "v"),
    ("IMG-071", "dive", "dive --version", "dive"),
    ("IMG-072", "trivy", "trivy --version", "Version"),
    ("IMG-074", "hadolint", "printf 'FROM a\\n' | hadolint -", "DL3006"),
    ("IMG-076", "sops", "sops --version --disable-version-check", "sops"),
    ("IMG-078", "act", "act --version", "act"),
    ("IMG-079", "cargo-nextest", "cargo nextest --version", "cargo-nextest"),
    ("IMG-080", "cargo-audit", "cargo audit --version", "cargo-audit"),
    ("IMG-081", "cargo-deny", "cargo deny --version", "cargo-deny"),
    ("IMG-084", "cross", "cross --version", "cross"),
    ("IMG-085", "prettier", "echo 'a=1' | prettier --parser babel", "a = 1;"),
    (
        "IMG-087",
        "eslint",
        "cd /tmp && echo 'export default [{rules:{\"no-debugger\":2}}]' >eslint.config.mjs && \
         echo 'debugger' >e.js && eslint e.js",
        "no-debugger",
    ),
    ("IMG-088", "ruff", "echo 'import os' | ruff check -", "F401"),
    ("IMG-089", "biome", "echo 'a=1' | biome format --stdin-file-path=a.js", "a = 1;"),
    (
        "IMG-090",
        "jest",
        "mkdir -p /tmp/j && cd /tmp/j && echo '{}' >package.json && \
         echo 'test(\"t\", () => expect(1).toBe(1))' >t.test.js && jest",
        "1 passed",
    ),
    (
        "IMG-090",
        "vitest",
        "mkdir -p /tmp/v && cd /tmp/v && \
         echo 'test(\"t\", () => expect(1).toBe(1))' >t.test.js && vitest run --globals",
        "1 passed",
    ),
    ("IMG-092", "grpcurl", "grpcurl --version", "grpcurl"),
    ("IMG-120", "pi", "pi --help && ls $PI_CODING_AGENT_DIR", "auth.json"),
];

/// What is left out on purpose.
const ABSENT: &[(&str, &[&str])] = &[
    ("IMG-035", &["yarn", "yarnpkg", "corepack"]),
    ("IMG-093", &["claude"]),
    ("IMG-094", &["aws", "gcloud", "az"]),
    ("IMG-095", &["zoxide"]),
    ("IMG-096", &["grex", "navi"]),
    ("IMG-097", &["jless"]),
];

/// User, clock, shell and settings.
pub(super) fn system() -> Vec<Check> {
    vec![
        is(
            "IMG-004",
            "id -un; id -u; id -gn; id -g; sudo -n id -u",
            "opencode 1000 opencode 1000 0",
        ),
        is("IMG-005", "echo ~; pwd", "/home/opencode /home/opencode/workspace"),
        is("IMG-008", "date +%Z", "UTC"),
        is("IMG-009", "locale charmap; printf ä | wc -m", "UTF-8 1"),
        is("IMG-018", "cd /tmp && git init -q r && git -C r branch --show-current", "main"),
        is(
            "IMG-018",
            "sudo install -d -o root /tmp/s && sudo git init -q /tmp/s && git -C /tmp/s status --short",
            "",
        ),
        is(
            "IMG-018",
            "git config --global user.name Me && cat ~/.programs/gitconfig && git config user.name",
            "[user] name = Me Me",
        ),
        // Without a terminal no pager may wait.
        has(
            "IMG-018",
            "cd /tmp && git init -q p && cd p && \
             git -c user.name=a -c user.email=b commit -q --allow-empty -m first && git log",
            "first",
        ),
        succeeds("IMG-019", "test -s ~/.zshrc && test -s /etc/tmux.conf && test -s /etc/gitconfig"),
        is("IMG-022", "getent passwd opencode | cut -d: -f7", "/usr/bin/zsh"),
        // The first start writes down what can be completed. It is silent all the same, and so is a later one.
        is("IMG-022", "zsh -lic exit && zsh -lic exit", ""),
        is(
            "IMG-022",
            "zsh -lic 'echo $HISTFILE'",
            "/home/opencode/.local/state/opencode/zsh_history",
        ),
        is("IMG-022", "zsh -ic 'whence -w _git compdef' | cut -d: -f2", "function function"),
        has("IMG-024", "TERM=xterm zsh -ic 'echo $PROMPT'", "starship"),
        is(
            "IMG-025",
            "tmux new-session -d 'sleep 9' && tmux show -gv mouse && tmux kill-server",
            "on",
        ),
        is(
            "IMG-025",
            "tmux new-session -d && sleep 1 && tmux list-panes -F '#{pane_current_command}'; \
             tmux kill-server",
            "zsh",
        ),
        // A terminal in the browser is started like this.
        has(
            "IMG-022",
            "printf 'echo shell:$0\\nexit\\n' | script -qec $SHELL /dev/null",
            "shell:/usr/bin/zsh",
        ),
        has("IMG-047", "zsh -ic 'echo $precmd_functions'", "_direnv_hook"),
        // A login that begins without the image's environment has it all the same.
        has("IMG-019", "sudo su - opencode -c 'echo $PATH'", "/home/opencode/.programs/npm/bin"),
        has("IMG-019", "bash -lc 'echo $PATH'", "/home/opencode/.programs/npm/bin"),
        is("IMG-019", "sudo sh -c 'echo $NPM_CONFIG_PREFIX'", ""),
    ]
}

/// Every other requirement for an image whose tools are those of which `has_tool` says so.
pub(super) fn programs(has_tool: impl Fn(&str) -> bool) -> Vec<Check> {
    let debian = PROGRAMS.iter().map(|(id, command, text)| has(id, *command, text));
    let there = TOOLS.iter().filter(|(_, tool, ..)| has_tool(tool));
    let tools = there.map(|(id, _, command, text)| has(id, *command, text));
    let absent = ABSENT.iter().flat_map(|(id, names)| {
        names.iter().map(move |name| fails(id, format!("command -v {name}")))
    });
    debian.chain(tools).chain(absent).collect()
}

#[test]
fn every_requirement_of_the_contents_is_in_the_table() {
    let mut ids: Vec<String> = system().iter().map(|check| check.id.clone()).collect();
    ids.extend(programs(|_| true).iter().map(|check| check.id.clone()));
    let missing: Vec<String> = [4, 5, 8, 9, 18, 19]
        .into_iter()
        .chain(22..=97)
        .map(|number| format!("IMG-{number:03}"))
        .filter(|id| !ids.contains(id))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_tool_of_the_table_is_one_of_the_recipe() {
    let recipe = occ_image::Recipe::embedded().unwrap();
    let unknown: Vec<_> =
        TOOLS.iter().map(|row| row.1).filter(|tool| !recipe.tools.contains_key(*tool)).collect();
    assert_eq!(unknown, [""; 0]);
}
