import { Elsewhere } from "@elsewhere-project/client";
import { session } from "./session.ts";

export { answered, Problem, type Schemas } from "@elsewhere-project/client";

/**
 * The service that served the page. The extra header is how it tells a request of the
 * page from one that another site makes a browser send with a session's cookie.
 */
export const service = new Elsewhere({
  url: globalThis.location.origin,
  key: () => session.key(),
  headers: { "X-Elsewhere-Page": "1" },
});
