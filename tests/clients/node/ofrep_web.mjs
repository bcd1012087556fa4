// The web SDK with its OFREP provider: evaluates one flag at once, after each change it is told of,
// and for another user. One JSON line each: {what, at, value, variant, reason, version}.
// node ofrep_web.mjs URL KEY FLAG SECONDS
import { OpenFeature, ProviderEvents } from "@openfeature/web-sdk";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { EventSource } from "eventsource";

globalThis.EventSource ??= EventSource;
const [baseUrl, key, flag, seconds] = process.argv.slice(2);
const client = OpenFeature.getClient();

function say(what) {
  const found = client.getBooleanDetails(flag, false);
  const { value, variant, reason, flagMetadata, errorCode } = found;
  console.log(JSON.stringify({ what, at: Date.now(), value, variant, reason, errorCode, version: flagMetadata.version }));
}

await OpenFeature.setContext({ targetingKey: "u1", plan: "free" });
const headers = [["Authorization", `Bearer ${key}`]];
await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl, headers, cacheMode: "disabled" }));
say("ready");
client.addHandler(ProviderEvents.ConfigurationChanged, () => say("changed"));
client.addHandler(ProviderEvents.Error, () => say("error"));
await OpenFeature.setContext({ targetingKey: "u1", plan: "pro" });
say("other context");
await OpenFeature.setContext({ targetingKey: "u1", plan: "free" });
say("listening");
await new Promise((done) => setTimeout(done, Number(seconds) * 1000));
say("end");
await OpenFeature.close();
process.exit(0);
