// Stands before the real server and alters what it answers, as FAULT says.
const real = "http://127.0.0.1:4100";
const page = () => new Response("<!doctype html>", { headers: { "content-type": "text/html" } });
const tool = (state) => Response.json({ info: {}, parts: [{ type: "tool", tool: "bash", state }] });
const is = (request, method, ending) =>
  request.method === method && new URL(request.url).pathname.endsWith(ending);

const faults = {
  none: () => undefined,
  "shell-error-body": (request) =>
    is(request, "POST", "/shell") &&
    Response.json({ name: "UnknownError", data: { message: "something went wrong" } }),
  "no-session-id": (request) =>
    is(request, "POST", "/session") && Response.json({ title: "New session", directory: "/" }),
  "completes-nothing": (request) =>
    is(request, "POST", "/shell") && tool({ status: "completed", output: "" }),
  "hides-codes": async (request) => {
    if (!is(request, "POST", "/shell")) return undefined;
    const { command } = await request.clone().json();
    // It runs nothing, and says of everything that it went well.
    const mark = /exit-[0-9a-f]{16}/.exec(command);
    return tool({ status: "completed", output: `\n${mark} 0\n` });
  },
  "silent-events": (request) =>
    is(request, "GET", "/event") &&
    new Response(new ReadableStream({ start: () => {} }), {
      headers: { "content-type": "text/event-stream" },
    }),
  "html-health": (request) => is(request, "GET", "/global/health") && page(),
  "health-only": (request) => !is(request, "GET", "/global/health") && page(),
  "wrong-version": (request) =>
    is(request, "GET", "/global/health") && Response.json({ healthy: true, version: "1.0.0" }),
};

const alter = faults[process.env.FAULT];
Bun.serve({
  hostname: "0.0.0.0",
  port: 4096,
  idleTimeout: 0,
  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    const copy = request.clone();
    const { method, headers } = request;
    const body = method === "GET" ? undefined : await request.arrayBuffer();
    let answer;
    try {
      answer = await fetch(real + pathname + search, { method, headers, body, redirect: "manual" });
    } catch {
      return new Response("not yet", { status: 503 });
    }
    // Strangers see what the real one shows them.
    return (answer.status !== 401 && (await alter(copy))) || answer;
  },
});
