// One tool call with an official TypeScript client; prints what became of it as one line of JSON.
//
// Its only argument is JSON: {packages, sdk: "v1"|"v2", era, url, token, tool, arguments, options,
// again}. `options.listen`: ask for progress. `again`: call so many times more when a call was
// given up. A result that says the call is pending is waited for with the tool that it names, as a
// model would do.
import { createRequire } from "node:module";

const asked = JSON.parse(process.argv[2]);
const require = createRequire(`${asked.packages}/package.json`);

function parts() {
  if (asked.sdk === "v2") {
    const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
    return { Client, Transport: StreamableHTTPClientTransport };
  }
  const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
  const http = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
  return { Client, Transport: http.StreamableHTTPClientTransport };
}

const { Client, Transport } = parts();
const began = Date.now();
const seconds = () => (Date.now() - began) / 1000;
const mode = asked.era === "modern" ? { pin: "2026-07-28" } : "legacy";
const client = new Client(
  { name: `judge-${asked.sdk}`, version: "1" },
  asked.sdk === "v2" ? { versionNegotiation: { mode } } : {},
);
const transport = new Transport(new URL(asked.url), {
  requestInit: { headers: { Authorization: `Bearer ${asked.token}` } },
});
let reports = 0;
const gaveUp = [];

let handovers = 0;

function call(name = asked.tool, given = asked.arguments) {
  const options = { ...asked.options };
  if (options.listen) options.onprogress = () => (reports += 1);
  delete options.listen;
  const params = { name, arguments: given };
  return asked.sdk === "v2"
    ? client.callTool(params, options)
    : client.callTool(params, undefined, options);
}

async function untilAnswered() {
  for (let left = asked.again ?? 0; ; left -= 1) {
    try {
      let result = await call();
      while (result.structuredContent?.status === "pending") {
        handovers += 1;
        const { next_tool: next, ticket_id } = result.structuredContent;
        result = await call(next, { ticket_id });
      }
      return { result };
    } catch (error) {
      gaveUp.push({ after: seconds(), code: error.code, message: String(error.message) });
      if (left <= 0) return { error: String(error.message), code: error.code };
    }
  }
}

await client.connect(transport);
const told = await untilAnswered();
console.log(JSON.stringify({ ...told, seconds: seconds(), reports, handovers, gaveUp }));
await client.close().catch(() => {});
process.exit(0);
