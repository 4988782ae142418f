// Runs the scenarios in headless Chromium against a running service. Started by
// TestBrowser (Go), which writes what it set up to stdin as one line of JSON, and reads
// one line of JSON for each scenario that has ended.
import { readdir } from "node:fs/promises";
import { stdin, stdout } from "node:process";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { Scenario } from "./scenario.mjs";

/** What the Go side set up: {services, keys, chromium, short, only, screenshots, slow, together}. */
const setup = JSON.parse(await text(stdin));

const browser = await chromium.launch({
  executablePath: setup.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const left = await scenarios();
const running = Array.from({ length: setup.together }, async () => {
  for (let next = left.shift(); next; next = left.shift()) await report(next);
});
await Promise.all(running);
await browser.close();

/** Every exported function of every file of the folder is a scenario. */
async function scenarios() {
  const folder = new URL("./scenarios/", import.meta.url);
  const found = [];
  for (const file of (await readdir(folder)).filter((f) => f.endsWith(".mjs")).sort()) {
    const functions = await import(pathToFileURL(new URL(file, folder).pathname).href);
    for (const [name, run] of Object.entries(functions)) {
      const called = `${file.replace(/\.mjs$/, "")}/${name}`;
      if (typeof run !== "function" || (run.pictures === true) !== (setup.screenshots !== "")) continue;
      if (setup.short && !run.short) continue;
      if (setup.only && !called.includes(setup.only)) continue;
      found.push({ called, run });
    }
  }
  // Those that take long first, so that none runs alone at the end.
  return found.sort((a, b) => Number(b.run.long ?? 0) - Number(a.run.long ?? 0));
}

async function report({ called, run }) {
  const began = performance.now();
  const scenario = new Scenario(browser, setup);
  let error = "";
  try {
    await scenario.within(run, 300_000 * setup.slow);
  } catch (e) {
    error = e instanceof Error ? (e.stack ?? e.message) : String(e);
  }
  for (const f of await scenario.end()) error += `${error ? "\n" : ""}${f}`;
  stdout.write(JSON.stringify({ scenario: called, milliseconds: Math.round(performance.now() - began), error, notes: scenario.notes }) + "\n");
}
