import { layout, type LayoutInput } from "./layout.ts";

/** Lays out away from the page, which stays quick meanwhile. */
self.addEventListener("message", (e: MessageEvent<LayoutInput>) => {
  const at = layout(e.data);
  self.postMessage(at, { transfer: [at.buffer] });
});
