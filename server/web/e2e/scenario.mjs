// What a scenario is handed: a browser, the service and ways to say what has to hold.
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const axeFile = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The size of a window unless a scenario asks for another. */
const desktop = { width: 1280, height: 900 };

/**
 * Has pictures and what waits for a time come late by up to so many milliseconds, as on a
 * busy machine: what was not ready before something was shown is found out by that.
 */
function comeLate(most) {
  const { requestAnimationFrame: draw, cancelAnimationFrame: leave, setTimeout: wait } = globalThis;
  const left = new Set();
  const late = () => Math.random() * most;
  globalThis.requestAnimationFrame = (then) => {
    const id = draw(() => wait(() => left.delete(id) || then(performance.now()), late()));
    return id;
  };
  globalThis.cancelAnimationFrame = (id) => {
    left.add(id);
    leave(id);
  };
  globalThis.setTimeout = (then, after = 0, ...of) => wait(then, after + late(), ...of);
}

/**
 * Counts what the page has asked for and not read yet, before anything of the page runs.
 * A stream that does not end is not waited for.
 */
function countQuestions() {
  const ask = globalThis.fetch;
  globalThis.elsewhereAwaits = 0;
  globalThis.fetch = async (...of) => {
    if (String(of[0]?.url ?? of[0]).includes(":watch")) return ask(...of);
    globalThis.elsewhereAwaits++;
    // The page has taken it in when what follows at once has run.
    const read = () => void setTimeout(() => setTimeout(() => globalThis.elsewhereAwaits--));
    try {
      const answer = await ask(...of);
      void answer.clone().arrayBuffer().then(read, read);
      return answer;
    } catch (e) {
      read();
      throw e;
    }
  };
}

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

  /** How many times slower the browser is made than the machine is. */
  get slow() {
    return this.#setup.slow;
  }

  /**
   * A window of its own, slower where the run is asked to be slow. `dark` and `motion` are what its user prefers; permissions as
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
    if (this.#setup.slow > 1) await (await context.newCDPSession(page)).send("Emulation.setCPUThrottlingRate", { rate: this.#setup.slow });
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
    if (this.slow > 1) await page.addInitScript(comeLate, 50 * this.slow);
    await page.addInitScript(countQuestions);
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
    await this.parts(page).first().waitFor();
    return page;
  }

  /** Pastes a key into the form. */
  async signIn(page, role) {
    await page.getByLabel("API key").fill(this.keys[role]);
    await page.getByRole("button", { name: "Sign in" }).click();
    await this.parts(page).first().waitFor();
  }

  /** The links of the navigation; without somebody who is signed in there are none. */
  parts(page) {
    return page.getByRole("navigation", { name: "Parts" }).getByRole("link");
  }

  /** Goes to a state without a reload, and waits until nothing is awaited any more. */
  async goto(page, state) {
    await this.turnTo(page, state);
    await this.quiet(page);
  }

  /** Goes to a state without a reload, and waits until the page has turned to it. */
  async turnTo(page, state) {
    await page.evaluate(
      (to) =>
        new Promise((done) => {
          const before = location.href;
          // The page heard of it first: it listens for longer.
          addEventListener("hashchange", () => done(), { once: true });
          location.hash = to;
          if (location.href === before) done();
        }),
      state,
    );
  }

  /**
   * Waits until the page shows what it asked for: no answer is awaited, nothing says that
   * one is, and that is still so when a picture was drawn and what is measured was.
   */
  async quiet(page) {
    const busy = () => globalThis.elsewhereAwaits > 0 || document.querySelector("main .waiting, main [aria-busy=true]") !== null || !document.querySelector("main")?.textContent;
    await this.until(async () => {
      if (await page.evaluate(busy)) return false;
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
      return !(await page.evaluate(busy));
    }, "the page is quiet");
  }

  /** Waits until the address after # is as it should be; it is read in the page, where it changes first. */
  async address(page, holds, what) {
    let hash = "";
    await this.until(
      async () => holds((hash = await page.evaluate(() => location.hash))),
      () => `${what}: the address is ${hash}`,
    );
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

  /** Waits until something holds; `what` says what, or how far it got. */
  async until(holds, what, within = 60_000) {
    const end = performance.now() + within;
    while (!(await holds())) {
      if (performance.now() >= end) throw new Error(`not within ${within} ms: ${typeof what === "function" ? what() : what}`);
      await new Promise((r) => setTimeout(r, 20));
    }
  }

  /** Waits until a value is the same as another as JSON. */
  async becomes(read, want, what) {
    let got;
    await this.until(
      async () => JSON.stringify((got = await read())) === JSON.stringify(want),
      () => `${what}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`,
    );
  }

  /** Every answer, once the bodies that have begun are there. */
  async answers() {
    await this.until(() => this.#reading.size === 0, "every body is there");
    return this.traffic;
  }

  /** Fails where axe-core finds something serious or critical on what is shown. */
  async accessible(page, what) {
    await this.quiet(page);
    await page.evaluate(await readFile(axeFile, "utf8"));
    const found = await page.evaluate(async () => {
      const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
      return violations
        .filter((v) => v.impact === "serious" || v.impact === "critical")
        .map((v) => `${v.impact} ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
    });
    for (const f of found) this.#faults.push(`${what}: ${f}`);
  }

  /** Fails where the page is wider than its window, and stays so. */
  async fits(page, what) {
    const wide = () => page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    await this.quiet(page);
    let [is, window] = await wide();
    await this.until(async () => ([is, window] = await wide())[0] <= window, "", 10_000).catch(() => this.#faults.push(`${what}: the page is ${is} px wide in a window of ${window}`));
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
