// A pair: why it is linked or not, and what a person says of it.

const published = "#/links/alder/2023-0117/birch/2023-0142";

export async function explainsTheLink(t) {
  const page = await t.signedIn("analyst", published);
  await page.getByText(/^likelihood of same actor \(model \d+, uncalibrated\)$/).first().waitFor();
  const table = page.getByRole("table", { name: "The steps of the score in words" });
  await table.waitFor();
  await t.quiet(page);
  const rows = await table.getByRole("row").evaluateAll((list) => list.slice(1).map((r) => [...r.cells].map((c) => c.textContent)));
  const number = (text) => Math.round(Number(text) * 1000);
  const parts = rows.filter((r) => !r[1].startsWith("(") && !r[0].startsWith("total"));
  const total = rows.at(-1);
  t.equal(parts.reduce((n, r) => n + number(r[1]), 0), number(total[1]), "the steps add up to the total");
  t.equal(parts.at(-1)[2], total[1], "the running sum ends at the total");
  t.expect(rows.some((r) => r[3].includes("so 1/2 of it")), "a discount by rank is in words");
  t.equal(await page.locator(".waterfall svg .step").count(), rows.length, "steps of the picture");
  t.expect((await page.getByText("without").count()) >= 4, "there are no counterfactuals");
  t.expect((await page.locator(".timeline .span").count()) >= 4, "the time line has no values");
  t.expect((await page.locator(".tactics").textContent()).includes("only A"), "techniques of one case alone");
  t.equal(await page.getByRole("button", { name: /^Confirm/ }).count(), 0, "an analyst may not review");
  await t.accessible(page, "a link");
  for (const width of [360, 2560]) {
    await page.setViewportSize({ width, height: 900 });
    await t.until(async () => Math.abs((await page.locator(".waterfall svg").evaluate((e) => e.getBoundingClientRect().width)) - (await page.locator(".waterfall").evaluate((e) => e.clientWidth))) < 2, "the picture is as wide as its place");
    await t.fits(page, `a link, ${width} px`);
    const cut = () =>
      page.locator(".waterfall svg text, .timeline svg text").evaluateAll((list) =>
        list.filter((e) => e.getBoundingClientRect().right > e.ownerSVGElement.getBoundingClientRect().right + 1).map((e) => e.textContent),
      );
    await t.becomes(cut, [], `labels that are cut at ${width} px`);
  }
}
explainsTheLink.short = true;

export async function saysWhyThereIsNoLink(t) {
  const page = await t.signedIn("open", "#/links/cedar/gmail/dogwood/gmail");
  await t.quiet(page);
  const list = await t.ask("open", "GET", "/v1/cases?tenant=cedar");
  const id = list.cases.map((c) => c.id).find((x) => x.includes("gmail")) ?? list.cases[0].id;
  await t.goto(page, `#/links/cedar/${id}/dogwood/${id}`);
  await page.getByText(/^No link: /).waitFor();
}

/** Two cases of one actor that only this scenario uses. */
async function pair(t, role, id) {
  const seen = { firstSeen: "2024-05-01T00:00:00Z", lastSeen: "2024-05-09T00:00:00Z" };
  const observables = ["45.155.90.1", "91.92.90.1", "185.17.90.1", "5.188.90.1"].map((value) => ({ kind: "ip", value, roles: ["login_source"], ...seen }));
  for (const tenant of ["cedar", "dogwood"])
    await t.ask(role, "POST", "/v1/cases", { case: { tenant, id, kind: "bec", findings: [{ id: "f", technique: "T1078.004", ...seen, observables }] } });
  return `#/links/cedar/${id}/dogwood/${id}`;
}

export async function reviewsWithPreviewAndUndo(t) {
  const at = await pair(t, "lead", "reviewed");
  const page = await t.signedIn("lead", at);
  await page.getByText("Nobody has said anything of this pair.").waitFor();
  await page.keyboard.press("r");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("link before").waitFor();
  await t.address(page, (a) => a.endsWith("?review=refute"), "the dialog");
  await t.until(async () => (await dialog.textContent()).includes("refuted"), "the preview shows the link after");
  t.expect(await dialog.getByRole("button", { name: "Refute" }).isDisabled(), "a review needs a reason");
  await t.accessible(page, "a review");
  await dialog.getByLabel("Reason").fill("x".repeat(1001));
  await t.until(() => dialog.getByRole("button", { name: "Refute" }).isDisabled(), "a reason has a length");
  const before = await t.ask("lead", "GET", "/v1/cases/cedar/reviewed/links?minTier=TIER_LEAD");
  t.equal(before.links[0].review, "REVIEW_UNSPECIFIED", "a preview changes nothing");
  await dialog.getByLabel("Reason").fill("Different people: the sign-ins of dogwood are the owner's.");
  await dialog.getByRole("button", { name: "Refute" }).click();
  await page.getByRole("status").getByText("Said: refute.").waitFor();
  await page.locator(".history").getByText("Different people").waitFor();
  await page.locator(".verdict .refuted").waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await page.locator(".verdict .refuted").waitFor({ state: "detached" });
  await page.locator(".history").getByText("cleared").waitFor();
  await dialog.waitFor({ state: "detached" });
  await page.keyboard.press("c");
  await dialog.getByLabel("Reason").fill("The invoices are the same.");
  await dialog.getByRole("button", { name: "Confirm" }).click();
  await page.locator(".verdict .confirmed").waitFor();
  await page.getByRole("link", { name: /^act-/ }).waitFor();
  for (const tenant of ["cedar", "dogwood"]) await t.ask("lead", "DELETE", `/v1/cases/${tenant}/reviewed`);
}
reviewsWithPreviewAndUndo.short = true;
