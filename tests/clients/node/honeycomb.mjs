// libhoney for JavaScript: events with odd values, and the statuses it heard, as one JSON line.
// node honeycomb.mjs URL KEY COUNT
import Libhoney from "libhoney";

const [apiHost, writeKey, count] = process.argv.slice(2);
const heard = [];
const honey = new Libhoney({
  apiHost,
  writeKey,
  dataset: "js shop",
  sampleRate: 1,
  responseCallback: (answers) => heard.push(...answers),
});
for (let number = 0; number < Number(count); number++) {
  honey.sendNow({ duration_ms: number / 7, status_code: 200, "user.id": `u${number}`, deep: { a: [1, "b"] }, nothing: null, odd: NaN });
}
await honey.flush();
console.log(JSON.stringify(heard.map((one) => one.status_code)));
