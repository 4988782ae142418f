// Text of an attacker is shown, and nothing of it runs. That nothing ran is checked for
// every scenario: no dialog, no uncaught error, nothing blocked.

const markup = "<script>alert(1)</script>";

export async function valuesAreInert(t) {
  const page = await t.signedIn("open");
  const { links } = await t.ask("open", "GET", "/v1/cases/dogwood/hostile/links?minTier=TIER_LEAD");
  t.expect(links.length > 0, "the hostile cases are not linked");
  let shown = 0;
  for (const state of [
    "#/cases", "#/cases/dogwood/hostile", "#/cases/dogwood/hostile?tab=findings", "#/cases/dogwood/hostile?tab=observables", "#/cases/dogwood/hostile?tab=facts",
    "#/links/cedar/hostile/dogwood/hostile", "#/actors", `#/seen?q=${encodeURIComponent(`${markup} invoice\u202egnp.exe 91.92.109.43`)}`, "#/new",
    `#/cases/${encodeURIComponent(markup)}/x`, `#/actors/${encodeURIComponent(markup)}`, `#/${encodeURIComponent(markup)}`,
  ]) {
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 900 });
      await t.goto(page, state);
      await t.fits(page, `${state} at ${width}`);
    }
    const found = await page.evaluate(() => {
      const text = document.body.innerText;
      const made = [...document.querySelectorAll("body script, [onload], [onerror], img[src='x'], a[href^='javascript:' i], iframe, object, embed")];
      return { text, made: made.map((e) => e.outerHTML.slice(0, 200)) };
    });
    t.equal(found.made, [], `elements made of text on ${state}`);
    t.expect(!/[\u202a-\u202e\u2066-\u2069\u200b]/u.test(found.text), `characters that turn or hide text on ${state}`);
    if (found.text.includes(markup)) shown++;
  }
  t.expect(shown >= 2, `the text is shown on ${shown} states`);
}

export async function aLongNameStaysInItsPlace(t) {
  const page = await t.signedIn("open", "#/cases/dogwood/hostile");
  await t.quiet(page);
  const high = await page.evaluate(() => Math.max(0, ...[...document.querySelectorAll("main td, main li, main dd")].map((e) => e.getBoundingClientRect().height)));
  t.expect(high < 900, `a cell is ${high} px high`);
}
