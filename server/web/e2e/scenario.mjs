// What a scenario is handed: a browser, the service and ways to say what has to hold.
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const axeFile = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The size of a window unless a scenario asks for another. */
const desktop = { width: 1280, height: 900 };

/**
 * One scenario: `export async function pastesAnEmail(t) {...}` in a file of `scenarios`.
 * Whatever it does, these fail it at its end: an uncaught error, a dialog, something that
 * the policy of the page blocked, a request to another origin.
 */
export class Scenario {
  /** Lines that are shown with the result, as times that were measured. */
  notes = [];
  /** Every answer so far: {url, status, body}, the newest last. */
  traffic = [];
  #browser;
  #setup;
  #faults = [];
  #contexts = [];
  #reading = new Set();

  constructor(browser, setup) {
    this.#browser = browser;
    this.#setup = setup;
  }

  /**
   * Where services are: `keyed` (with sessions), `open` (without keys), `spare` (without
   * keys, for what changes every link), `plain` (with keys, without sessions and cases), and
   * `other`, a site of somebody else.
   */
  get services() {
    return this.#setup.services;
  }
  /**
   * Secrets of keys by name: submitter and tenant (of alder), analyst, narrow (an analyst
   * of alder only), lead, admin, and plain (the admin of `plain`).
   */
  get keys() {
    return this.#setup.keys;
  }
  /** Refs of the two published cases. */
  get published() {
    return ["alder/2023-0117", "birch/2023-0142"];
  }
  /** Whether only the small set runs. */
  get short() {
    return this.#setup.short;
  }

  /**
   * A window of its own. `dark` and `motion` are what its user prefers; permissions as
   * browsers name them. One that is not `strict` may have errors in its console.
   */
  async window({ strict = true, width = desktop.width, height = desktop.height, dark = false, motion = true, touch = false, permissions = ["clipboard-read", "clipboard-write"] } = {}) {
    const context = await this.#browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? "dark" : "light",
      reducedMotion: motion ? "no-preference" : "reduce",
      hasTouch: touch,
      permissions,
    });
    this.#contexts.push(context);
    context.setDefaultTimeout(60_000);
    context.on("request", (r) => {
      const { protocol, origin } = new URL(r.url());
      const ours = Object.values(this.services).includes(origin) || protocol === "data:" || protocol === "blob:";
      if (!ours) this.#faults.push(`a request to ${r.url().slice(0, 200)}`);
    });
    context.on("response", (r) => {
      const kept = { url: r.url(), status: r.status(), method: r.request().method(), body: "" };
      this.traffic.push(kept);
      // A stream that does not end has no body to read.
      if (r.url().includes(":watch")) return;
      const read = r.text().then((b) => void (kept.body = b), () => undefined);
      this.#reading.add(read);
      void read.finally(() => this.#reading.delete(read));
    });
    const page = await context.newPage();
    page.on("dialog", (d) => {
      this.#faults.push(`a dialog: ${d.message()}`);
      void d.dismiss();
    });
    page.on("pageerror", (e) => this.#faults.push(`an uncaught error: ${e.stack ?? e.message}`));
    page.on("console", (m) => {
      // What the service refuses is told by the browser as an error, too.
      if (strict && m.type() === "error" && !m.text().startsWith("Failed to load resource")) this.#faults.push(`in the console: ${m.text()}`);
    });
    await context.exposeBinding("elsewhereViolation", (_, what) => void this.#faults.push(`the policy blocked ${what}`));
    await page.addInitScript(() =>
      addEventListener("securitypolicyviolation", (e) => globalThis.elsewhereViolation(`${e.effectiveDirective} ${e.blockedURI} in ${e.sourceFile}`)),
    );
    return page;
  }

  /**
   * A window that is signed in with one of `keys`, at a state such as `#/seen`. With
   * role "open" it is of the service without keys. The key is in the page's memory:
   * go on with `goto`, a reload signs out.
   */
  async signedIn(role, state = "#/seen", options = {}) {
    const page = await this.window(options);
    const at = role === "open" ? this.services.open : this.services.keyed;
    await page.goto(`${at}/${state}`);
    if (role !== "open") await this.signIn(page, role);
    return page;
  }

  /** Pastes a key into the form. */
  async signIn(page, role) {
    await page.getByLabel("API key").fill(this.keys[role]);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("navigation", { name: "Parts" }).getByRole("link").first().waitFor();
  }

  /** Goes to a state without a reload, and waits until nothing is awaited any more. */
  async goto(page, state) {
    await page.evaluate((to) => void (location.hash = to), state);
    await this.quiet(page);
  }

  /** Waits until the page shows what it asked for. */
  async quiet(page) {
    await page.waitForFunction(() => !document.querySelector("main .waiting, main [aria-busy=true]") && document.querySelector("main")?.textContent);
  }

  /** Asks the REST API as a role, beside the page; the answer has to be one of 2xx. */
  async ask(role, method, path, body) {
    const at = role === "open" ? this.services.open : this.services.keyed;
    const headers = { "Content-Type": "application/json" };
    if (role !== "open") headers["Authorization"] = `Bearer ${this.keys[role]}`;
    const res = await fetch(at + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const answer = await res.text();
    this.expect(res.ok, `${method} ${path}: ${res.status} ${answer}`);
    return answer ? JSON.parse(answer) : undefined;
  }

  /** Fails the scenario unless something holds. */
  expect(holds, otherwise) {
    if (!holds) throw new Error(otherwise);
  }

  /** Fails the scenario unless two values are the same as JSON. */
  equal(got, want, what) {
    const [g, w] = [JSON.stringify(got), JSON.stringify(want)];
    this.expect(g === w, `${what}: ${g}, want ${w}`);
  }

  /** Waits until something holds. */
  async until(holds, what, within = 60_000) {
    const end = performance.now() + within;
    while (!(await holds())) {
      this.expect(performance.now() < end, `not within ${within} ms: ${what}`);
      await new Promise((r) => setTimeout(r, 20));
    }
  }

  /** Every answer, once the bodies that have begun are there. */
  async answers() {
    await Promise.race([Promise.all([...this.#reading]), new Promise((r) => setTimeout(r, 3_000))]);
    return this.traffic;
  }

  /** Fails where axe-core finds something serious or critical on what is shown. */
  async accessible(page, what) {
    await page.evaluate(await readFile(axeFile, "utf8"));
    const found = await page.evaluate(async () => {
      const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
      return violations
        .filter((v) => v.impact === "serious" || v.impact === "critical")
        .map((v) => `${v.impact} ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
    });
    for (const f of found) this.#faults.push(`${what}: ${f}`);
  }

  /** Fails where the page is wider than its window. */
  async fits(page, what) {
    const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    if (wide > window) this.#faults.push(`${what}: the page is ${wide} px wide in a window of ${window}`);
  }

  /** Keeps a picture of what is shown, where pictures are made: `name` has the ending .png. */
  async picture(page, name) {
    if (this.#setup.screenshots) await page.screenshot({ path: join(this.#setup.screenshots, name) });
  }

  /** Keeps a line that is shown with the result. */
  note(line) {
    this.notes.push(line);
  }

  /** Runs a scenario, within a time. */
  async within(run, milliseconds) {
    let timer;
    const late = new Promise((_, fail) => (timer = setTimeout(() => fail(new Error(`not over after ${milliseconds} ms`)), milliseconds)));
    await Promise.race([run(this), late]).finally(() => clearTimeout(timer));
  }

  /** Closes the windows and returns what must not have happened. */
  async end() {
    for (const c of this.#contexts) await c.close().catch(() => undefined);
    return this.#faults;
  }
}
