// What has to hold on every part of the page.
import { states } from "../states.mjs";

export async function isAccessible(t) {
  const out = await t.window();
  await out.goto(`${t.services.keyed}/`);
  await out.getByLabel("API key").waitFor();
  await t.accessible(out, "sign in");
  const page = await t.signedIn("open");
  for (const [name, state] of Object.entries(await states(t, "open"))) {
    await t.goto(page, state);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await t.accessible(page, `${name}, ${colorScheme}`);
    }
  }
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Help" }).waitFor();
  await t.accessible(page, "help");
}
isAccessible.long = true;

export async function fitsPhonesAndWalls(t) {
  for (const [width, height] of [[360, 740], [2560, 1300]]) {
    const page = await t.signedIn("open", "#/seen", { width, height });
    for (const [name, state] of Object.entries(await states(t, "open"))) {
      await t.goto(page, state);
      await t.fits(page, `${name} at ${width}`);
    }
    await page.context().close();
  }
  const out = await t.window({ width: 360, height: 740 });
  await out.goto(`${t.services.keyed}/`);
  await out.getByLabel("API key").waitFor();
  await t.fits(out, "sign in at 360");
}
fitsPhonesAndWalls.long = true;

export async function aStateIsTheSameForAColleague(t) {
  const page = await t.signedIn("open");
  const there = await t.signedIn("open");
  const look = (p) => p.evaluate(() => ({ headings: [...document.querySelectorAll("h1, h2")].map((h) => h.textContent), hash: location.hash, title: document.title }));
  for (const [name, state] of Object.entries(await states(t, "open"))) {
    await t.goto(page, state);
    await there.goto("about:blank");
    await there.goto(await page.evaluate(() => location.href));
    await t.quiet(there);
    const here = await look(page);
    await t.becomes(() => look(there), here, `${name}, opened by its address`);
  }
}
aStateIsTheSameForAColleague.long = true;

export async function colours(t) {
  const page = await t.signedIn("open", "#/seen", { dark: true });
  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const system = await back();
  const change = page.getByRole("button", { name: /Colours/ });
  // At once: who has clicked looks at it.
  await change.click();
  const light = await back();
  t.expect(light !== system, `chosen light is ${light}, as dark is`);
  await change.click();
  t.equal(await back(), system, "chosen dark");
  await page.reload();
  t.equal(await back(), system, "dark after a reload");
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  t.equal(stored, '[{"elsewhere-theme":"dark"},{}]', "what is stored");
}
