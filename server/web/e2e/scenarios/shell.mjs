// The frame around the parts: signing in and out, who sees which part, help, colours.

/** The parts in the navigation, by who is signed in. */
const parts = {
  submitter: ["Cases"],
  tenant: ["Seen elsewhere?", "Cases", "Feeds"],
  analyst: ["Seen elsewhere?", "Cases", "Actors", "New links", "Feeds", "Model"],
  lead: ["Seen elsewhere?", "Cases", "Actors", "New links", "Feeds", "Model"],
  admin: ["Tenants", "Keys", "Feeds", "Model", "Audit", "Health"],
  open: ["Seen elsewhere?", "Cases", "Actors", "New links", "Tenants", "Keys", "Feeds", "Model", "Audit", "Health"],
};

const named = (page) => page.getByRole("navigation", { name: "Parts" }).getByRole("link").allTextContents();

export async function signsInAndOut(t) {
  const page = await t.window();
  await page.goto(`${t.services.keyed}/#/seen?q=104.161.20.102`);
  await page.getByLabel("API key").fill("els_aaaaaaaaaaaa_" + "a".repeat(52));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await t.signIn(page, "analyst");
  t.expect(page.url().endsWith("#/seen?q=104.161.20.102"), `signing in leads to ${page.url()}`);
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  t.expect(!kept.includes("els_"), `the page keeps ${kept}`);
  await page.getByRole("button", { name: /Sign out/ }).click();
  await page.getByLabel("API key").waitFor();
  t.expect((await named(page)).length === 0, "parts are shown to nobody");
}
signsInAndOut.short = true;

export async function aReloadForgetsTheKey(t) {
  const page = await t.signedIn("analyst");
  await page.reload();
  await page.getByLabel("API key").waitFor();
}

export async function everyRoleHasItsParts(t) {
  const page = await t.window();
  await page.goto(`${t.services.keyed}/#/cases`);
  for (const role of Object.keys(parts).filter((r) => r !== "open")) {
    await t.signIn(page, role);
    await t.quiet(page);
    t.equal(await named(page), parts[role], `the parts of ${role}`);
    await page.getByRole("button", { name: /Sign out/ }).click();
    await page.getByLabel("API key").waitFor();
  }
  const open = await t.signedIn("open");
  await t.quiet(open);
  t.equal(await named(open), parts.open, "the parts without keys");
}

export async function keysOfThePage(t) {
  const page = await t.signedIn("analyst", "#/cases");
  await t.quiet(page);
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Help" });
  await help.waitFor();
  t.expect((await help.textContent()).includes("search"), "the help has no search");
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "hidden" });
  await page.keyboard.press("/");
  await page.keyboard.type("104.161.20.102");
  await page.keyboard.press("Enter");
  await t.until(() => page.url().endsWith("#/seen?q=104.161.20.102"), "a search leads to the search");
}
