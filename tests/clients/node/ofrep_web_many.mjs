// Many browsers at once: the web SDK with an OFREP provider a client, each told by event streams.
// At the end one JSON line a client: {first, back}: milliseconds of the first true since 1970 (or
// null), and whether it was false again afterwards.
// node ofrep_web_many.mjs URL KEY FLAG COUNT UNTIL_MS
import { OpenFeature, ProviderEvents } from "@openfeature/web-sdk";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { EventSource } from "eventsource";

globalThis.EventSource ??= EventSource;
const [baseUrl, key, flag, count, until] = process.argv.slice(2);
const headers = [["Authorization", `Bearer ${key}`]];
const seen = [];
const looks = [];
for (let number = 0; number < Number(count); number++) {
  const domain = `browser ${number}`;
  await OpenFeature.setProviderAndWait(domain, new OFREPWebProvider({ baseUrl, headers, cacheMode: "disabled" }));
  const client = OpenFeature.getClient(domain);
  const one = { first: null, back: false };
  const look = () => {
    const value = client.getBooleanValue(flag, false);
    if (value && one.first === null) one.first = Date.now();
    if (!value && one.first !== null) one.back = true;
  };
  client.addHandler(ProviderEvents.ConfigurationChanged, look);
  looks.push(look);
  seen.push(one);
}
setInterval(() => looks.forEach((look) => look()), 50); // an old value without a notice is seen too
await new Promise((done) => setTimeout(done, Number(until) - Date.now()));
for (const one of seen) console.log(JSON.stringify(one));
process.exit(0);
