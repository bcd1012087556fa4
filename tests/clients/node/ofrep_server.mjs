// The server SDK with its OFREP provider: each flag's details as one JSON line.
// node ofrep_server.mjs URL KEY boolean:KEY string:KEY …
import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";

const [baseUrl, key, ...flags] = process.argv.slice(2);
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers: [["Authorization", `Bearer ${key}`]] }));
const client = OpenFeature.getClient();
const context = { targetingKey: "u1", country: "NZ" };
const asked = {
  boolean: (flag) => client.getBooleanDetails(flag, false, context),
  string: (flag) => client.getStringDetails(flag, "default", context),
  number: (flag) => client.getNumberDetails(flag, -1, context),
  object: (flag) => client.getObjectDetails(flag, {}, context),
};
for (const one of flags) {
  const [type, ...rest] = one.split(":");
  const { flagKey, value, variant, reason, errorCode, flagMetadata } = await asked[type](rest.join(":"));
  console.log(JSON.stringify({ flag: flagKey, value, variant, reason, errorCode, version: flagMetadata?.version }));
}
await OpenFeature.close();
