// "New links": changes show as they happen.

const rows = (page) => page.evaluate(() => [...document.querySelectorAll(".watch .rows tr[data-at]")].map((tr) => tr.innerText.replace(/\s+/g, " ")));

/** A case like the published ones, in another tenant's name. */
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
      observables: ["104.161.20.102", "185.241.149.122", "20.232.202.245"].map((value) => ({ kind: "ip", value, roles: ["login_source"] })),
    },
    { id: "f2", technique: "T1098", operation: "New-TransportRule", observables: [{ kind: "rule_name", value: "Block Spoofing", roles: ["created"] }] },
  ],
});

export async function aNewLinkArrives(t) {
  const page = await t.signedIn("analyst", "#/new?tier=TIER_LEAD&since=3600s");
  await page.getByText("connected", { exact: true }).waitFor();
  const began = performance.now();
  await t.ask("lead", "POST", "/v1/cases", { case: copy("cedar", "watched-1") });
  await t.until(async () => (await rows(page)).some((r) => r.includes("cedar/watched-1") && / new /i.test(` ${r} `)), "the new link shows");
  t.note(`a link shows ${Math.round(performance.now() - began)} ms after the case was submitted`);
  const said = await page.locator('.watch [aria-live="polite"]').textContent();
  t.expect(/new/.test(said), `nothing is said aloud: ${said}`);
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
  t.expect(/tier=TIER_LEAD/.test(page.url()), page.url());
}
aNewLinkArrives.short = true;

export async function theTierIsKeptInTheAddress(t) {
  const page = await t.signedIn("analyst", "#/new");
  await page.getByText("connected", { exact: true }).waitFor();
  await page.getByLabel("From tier").selectOption("TIER_STRONG");
  await page.getByLabel("Since").selectOption("2592000s");
  await page.getByText("connected", { exact: true }).waitFor();
  t.expect(/tier=TIER_STRONG/.test(page.url()) && /since=2592000s/.test(page.url()), page.url());
  await t.until(async () => (await rows(page)).every((r) => !/ lead | possible /.test(r)), "only strong links show");
}

export async function aBrokenConnectionIsMadeAgain(t) {
  const page = await t.signedIn("analyst", "#/new?since=3600s");
  await page.getByText("connected", { exact: true }).waitFor();
  await page.context().setOffline(true);
  await page.route("**/v1/links:watch*", (r) => r.abort());
  await t.goto(page, "#/new?since=86400s");
  await page.getByText(/again in \d+ s/).waitFor();
  await page.context().setOffline(false);
  await page.unroute("**/v1/links:watch*");
  await page.getByText("connected", { exact: true }).waitFor();
}
