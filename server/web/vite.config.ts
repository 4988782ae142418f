import { env } from "node:process";
import { defineConfig, type Plugin } from "vite";

export default defineConfig({
  // The page is served under / of the HTTP port; addresses of states stand after #.
  base: "/",
  plugins: [withoutNotes()],
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

/**
 * Takes comments out of the shaders of the drawing library: they are text to whatever
 * makes code small, and notes of its authors would stand in what we hand out. Its source
 * has a shader on one line, with \n where the shader's lines end; a comment has a space
 * behind its slashes, which an address has not. Lines that are comments themselves are
 * left to whatever makes code small.
 */
function withoutNotes(): Plugin {
  const cleaned = (line: string) => (/^\s*\/\//.test(line) ? line : line.replace(/ *\/\/ [^"\\]*(?=\\n)/g, ""));
  return {
    name: "without-notes",
    transform: (code, id) => (/\/node_modules\/cytoscape\//.test(id) ? { code: code.split("\n").map(cleaned).join("\n"), map: null } : undefined),
  };
}
