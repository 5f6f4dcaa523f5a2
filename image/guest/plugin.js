// What opencode does while no provider is configured.
//
// By itself it would send prompts to its own service with a public key; the managed configuration
// disables that provider, and this file gives it back to users who have a key for it. Should this file
// not load, it stays disabled.
import { readFile } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"

// A model that does not exist. Commands that need a model's name and not the model, such as the API's
// shell, work with it; a prompt fails here and at once: "Model not found: no-provider/configured".
const NOBODY = "no-provider/configured"

async function keys() {
  const data = process.env.XDG_DATA_HOME ?? join(homedir(), ".local/share")
  const text = process.env.OPENCODE_AUTH_CONTENT ?? readFile(join(data, "opencode/auth.json"), "utf8")
  try {
    return JSON.parse(await text)
  } catch {
    return {} // not there, or not readable for opencode either
  }
}

export const Unconfigured = async () => ({
  config: async (config) => {
    const known = await keys()
    if (known.opencode || process.env.OPENCODE_API_KEY) {
      config.disabled_providers = config.disabled_providers?.filter((id) => id !== "opencode")
    }
    const configured =
      Object.keys(known).length > 0 ||
      Object.keys(config.provider ?? {}).length > 0 ||
      Object.keys(process.env).some((name) => /_(KEY|TOKEN|KEY_ID)$/.test(name))
    if (!configured) config.model ??= NOBODY
  },
})
