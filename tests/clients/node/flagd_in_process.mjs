// flagd's provider in process, fed by our gRPC sync: one JSON line at the start, and whenever the
// value changes: {at, value, variant, reason, version}.
// node flagd_in_process.mjs HOST PORT KEY FLAG SECONDS
import { OpenFeature } from "@openfeature/server-sdk";
import { FlagdProvider } from "@openfeature/flagd-provider";

const [host, port, selector, flag, seconds] = process.argv.slice(2);
const provider = new FlagdProvider({ host, port: Number(port), resolverType: "in-process", selector, deadlineMs: 15000 });
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();
let before;
const until = Date.now() + Number(seconds) * 1000;
while (Date.now() < until) {
  const { value, variant, reason, errorCode, flagMetadata } = await client.getBooleanDetails(flag, false, { targetingKey: "u1" });
  if (value !== before) console.log(JSON.stringify({ at: Date.now(), value, variant, reason, errorCode, version: flagMetadata?.version }));
  before = value;
  await new Promise((done) => setTimeout(done, 20));
}
await OpenFeature.close();
process.exit(0);
