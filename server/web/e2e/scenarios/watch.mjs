// "New links": changes show as they happen.

const rows = (page) => page.evaluate(() => [...document.querySelectorAll(".watch .rows tr[data-at]")].map((tr) => tr.innerText.replace(/\s+/g, " ")));

/** Cases that are linked to each other, and to none that another scenario looks at. */
const copy = (tenant, id) => ({
  tenant,
  id,
  title: "watched",
  state: "CASE_STATE_CLOSED",
  openedAt: "2023-06-01T00:00:00Z",
  findings: [
    {
      id: "f1",
      technique: "T1078.004",
      operation: "UserLoggedIn",
      firstSeen: "2023-06-01T00:00:00Z",
      lastSeen: "2023-06-02T00:00:00Z",
      observables: ["45.155.77.1", "91.92.77.1", "185.17.77.1"].map((value) => ({ kind: "ip", value, roles: ["login_source"] })),
    },
    { id: "f2", technique: "T1098", operation: "New-TransportRule", observables: [{ kind: "rule_name", value: "Block what is watched", roles: ["created"] }] },
  ],
});

export async function aNewLinkArrives(t) {
  await t.ask("lead", "POST", "/v1/cases", { case: copy("dogwood", "watched-0") });
  const page = await t.signedIn("analyst", "#/new?tier=TIER_LEAD&since=3600s");
  await page.getByText("connected", { exact: true }).waitFor();
  const began = performance.now();
  await t.ask("lead", "POST", "/v1/cases", { case: copy("cedar", "watched-1") });
  await t.until(async () => (await rows(page)).some((r) => r.includes("cedar/watched-1") && / new /i.test(` ${r} `)), "the new link shows");
  t.note(`a link shows ${Math.round(performance.now() - began)} ms after the case was submitted`);
  await t.until(async () => /new/.test(await page.locator('.watch [aria-live="polite"]').textContent()), "it is said aloud");
  await t.accessible(page, "new links");
  await t.fits(page, "new links");
  // A review shows too, and while the list is paused it waits.
  await page.keyboard.press("p");
  await page.getByText("connected, paused").waitFor();
  const before = (await rows(page)).length;
  await t.ask("lead", "DELETE", "/v1/cases/cedar/watched-1");
  await page.getByRole("button", { name: /Go on \(\d+ held\)/ }).waitFor();
  t.equal((await rows(page)).length, before, "lines of a paused list");
  await page.keyboard.press("p");
  await t.until(async () => (await rows(page)).some((r) => r.includes("cedar/watched-1") && r.includes("removed")), "the removed link shows");
  await t.address(page, (a) => /tier=TIER_LEAD/.test(a), "the tier");
  await t.ask("lead", "DELETE", "/v1/cases/dogwood/watched-0");
}
aNewLinkArrives.short = true;

export async function theTierIsKeptInTheAddress(t) {
  const page = await t.signedIn("analyst", "#/new");
  await page.getByText("connected", { exact: true }).waitFor();
  await page.getByLabel("From tier").selectOption("TIER_STRONG");
  await page.getByLabel("Since").selectOption("2592000s");
  await t.address(page, (a) => /tier=TIER_STRONG/.test(a) && /since=2592000s/.test(a), "tier and time");
  await page.getByText("connected", { exact: true }).waitFor();
  await t.until(async () => (await rows(page)).every((r) => !/ lead | possible /.test(r)), "only strong links show");
}

export async function aBrokenConnectionIsMadeAgain(t) {
  const page = await t.signedIn("analyst", "#/new?since=3600s");
  await page.getByText("connected", { exact: true }).waitFor();
  await page.context().setOffline(true);
  await page.route("**/v1/links:watch*", (r) => r.abort());
  await t.turnTo(page, "#/new?since=86400s");
  await page.getByText(/again in \d+ s/).waitFor();
  await page.context().setOffline(false);
  await page.unroute("**/v1/links:watch*");
  await page.getByText("connected", { exact: true }).waitFor();
}
