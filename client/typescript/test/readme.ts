/** What the README shows. */
import { answered, Elsewhere, type Schemas } from "../src/index.ts";

declare const process: { env: Record<string, string | undefined> };

const service = new Elsewhere({ url: "http://127.0.0.1:7432", key: () => process.env["ELSEWHERE_KEY"] });
const { results } = await answered(service.api.POST("/v1/seen", { body: { observables: [{ value: "104.161.20.102" }] } }));
for await (const m of service.stream<Schemas["WatchLinksResponse"]>("/v1/links:watch?since=3600s")) {
  console.log(m.event?.change, m.event?.link?.ref);
}
console.log(results?.[0]?.status);
