import { env } from "node:process";
import { defineConfig } from "vite";

export default defineConfig({
  // The page is served under / of the HTTP port; addresses of states stand after #.
  base: "/",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    // The policy of the page allows nothing inline, so nothing is made inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/v1": { target: env["ELSEWHERE_URL"] ?? "http://127.0.0.1:7432", changeOrigin: true } } },
});
