// A model that thinks nothing: OpenAI's chat completions, streamed, on a port of loopback.
//
// It runs on the program under examination, which is Bun with opencode in it, so that nothing else has to be there.
// Arguments: the name of the model, the key it is asked with, and a port (0 for any). Standard output has the port
// on the first line and then one JSON object for each request. It ends when standard input does, so that it never
// outlives its starter.
//
// What it answers depends on the last words of the user: on what stands between <wish> and </wish>, because plugins
// add words of their own to the user's.
//     RUN command     calls the tool `bash`, and then says DONE: and the tool's output
//     FAIL status     answers with this status
//     HANG            answers nothing until the client goes away
//     anything else   says PONG and the words

const [model, key, port] = process.argv.slice(1);
const say = (line) => process.stdout.write(`${line}\n`);
const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

const words = ({ content }) =>
  typeof content === "string" ? content : (content ?? []).map((part) => part.text ?? "").join("");

const chunk = (choices, more = {}) =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model, choices, ...more })}\n\n`;

const delta = (delta) => chunk([{ index: 0, delta: { role: "assistant", ...delta }, finish_reason: null }]);

const end = (reason) =>
  chunk([{ index: 0, delta: {}, finish_reason: reason }]) + chunk([], { usage }) + "data: [DONE]\n\n";

const streamed = (start) =>
  new Response(new ReadableStream({ start }), { headers: { "content-type": "text/event-stream" } });

const spoken = (...pieces) =>
  streamed((stream) => {
    for (const piece of pieces) stream.enqueue(piece);
    stream.close();
  });

const failed = (status) =>
  Response.json({ error: { message: `told to fail with ${status}` } }, { status });

function answer({ messages, tools }) {
  const users = messages.filter(({ role }) => role === "user");
  const wish = users.length ? words(users.at(-1)).match(/<wish>([^]*)<\/wish>/)?.[1] ?? "" : "";
  // A title is asked for without tools, and wants no work.
  const atWork = (tools ?? []).length > 0;
  if (atWork && wish.startsWith("FAIL ")) return failed(Number(wish.split(/\s+/)[1]));
  if (atWork && wish.startsWith("HANG")) return streamed(() => {});
  const last = messages.at(-1);
  if (last.role === "tool") return spoken(delta({ content: `DONE: ${words(last)}` }), end("stop"));
  if (atWork && wish.startsWith("RUN ")) {
    const wanted = JSON.stringify({ command: wish.slice(4), description: "what was asked for" });
    const call = { name: "bash", arguments: wanted };
    return spoken(
      delta({ tool_calls: [{ index: 0, id: "call_1", type: "function", function: call }] }),
      end("tool_calls"),
    );
  }
  return spoken(delta({ content: "PONG " }), delta({ content: wish.slice(0, 200) }), end("stop"));
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port ?? 0),
  // One that hangs is to hang.
  idleTimeout: 0,
  async fetch(request) {
    const asked = await request.json();
    const ours = request.headers.get("authorization") === `Bearer ${key}`;
    const { pathname: path } = new URL(request.url);
    const { stream, tools } = asked;
    say(JSON.stringify({ path, key: ours, model: asked.model, stream, tools: (tools ?? []).length }));
    return ours ? answer(asked) : failed(401);
  },
});
say(server.port);
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
