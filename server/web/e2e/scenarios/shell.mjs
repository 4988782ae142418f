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

export async function signsInAndOut(t) {
  const page = await t.window();
  await page.goto(`${t.services.keyed}/#/seen?q=104.161.20.102`);
  await page.getByLabel("API key").fill("els_aaaaaaaaaaaa_" + "a".repeat(52));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await t.signIn(page, "analyst");
  await t.address(page, (a) => a === "#/seen?q=104.161.20.102", "signing in leads to what was asked for");
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  t.expect(!kept.includes("els_"), `the page keeps ${kept}`);
  await page.getByRole("button", { name: /Sign out/ }).click();
  await page.getByLabel("API key").waitFor();
  await t.becomes(() => t.parts(page).allTextContents(), [], "parts that are shown to nobody");
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
    await t.becomes(() => t.parts(page).allTextContents(), parts[role], `the parts of ${role}`);
    await page.getByRole("button", { name: /Sign out/ }).click();
    await page.getByLabel("API key").waitFor();
  }
  const open = await t.signedIn("open");
  await t.quiet(open);
  await t.becomes(() => t.parts(open).allTextContents(), parts.open, "the parts without keys");
}

export async function keysOfThePage(t) {
  const page = await t.signedIn("analyst", "#/cases");
  await t.quiet(page);
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Help" });
  await help.waitFor();
  await t.until(async () => (await help.textContent()).includes("search"), "the help has the search");
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "hidden" });
  await page.keyboard.press("/");
  await page.keyboard.type("104.161.20.102");
  await page.keyboard.press("Enter");
  await t.address(page, (a) => a === "#/seen?q=104.161.20.102", "a search leads to the search");
}
