// What a key does not permit does not reach its browser: not shown, not hidden, not in an
// answer that nobody looks at.

/** What only other tenants' cases have: names, ids, days, words. */
const others = [
  "birch", "cedar", "dogwood", "elder", "2023-0142", "SECRET-77", "elder-only", "elder-victim-name", "Quiet matter",
  "2019-03-07", "2019-03-08", "2022-12-05", "2023-02-23", "1551920523", "1552017906", "91.92.109.4",
];

/** States that a curious person opens. */
const tried = [
  "#/seen", "#/seen?q=104.161.20.102+20.232.202.245+185.241.149.122+Block%20Phishing+elder-victim-name.com", "#/cases", "#/cases?tenant=birch",
  "#/cases/alder/2023-0117", "#/cases/alder/2023-0117?tab=links", "#/cases/birch/2023-0142", "#/cases/elder/SECRET-77", "#/cases/elder/none",
  "#/links/alder/2023-0117/birch/2023-0142", "#/links/alder/2023-0117/elder/SECRET-77", "#/actors", "#/actors/act-aaaaaaaaaa", "#/new", "#/tenants",
  "#/keys", "#/feeds", "#/model", "#/audit", "#/health",
];

export async function aTenantSeesItself(t) {
  await beyondNothing(t, "tenant");
}

export async function aSubmitterSeesItself(t) {
  await beyondNothing(t, "submitter");
}

export async function anAnalystSeesTheTenantsOfTheKey(t) {
  await beyondNothing(t, "narrow");
}

async function beyondNothing(t, role) {
  const page = await t.signedIn(role, "#/cases");
  for (const state of tried) {
    await t.goto(page, state);
    const shown = await page.evaluate(() => {
      // What somebody asked for by its address is no answer.
      for (const e of document.querySelectorAll("input, textarea")) e.value = "";
      return document.documentElement.outerHTML;
    });
    const asked = decodeURIComponent(state);
    for (const word of others) t.expect(!shown.includes(word) || asked.includes(word), `${role} is shown ${word} on ${state}`);
    t.expect(!state.startsWith("#/cases/alder/2023-0117") || shown.includes("2023-0117"), `${role} is not shown its own case`);
  }
  let answers = 0;
  for (const { url, method, status, body } of await t.answers()) {
    if (!url.includes("/v1/")) continue;
    answers++;
    const asked = decodeURIComponent(url) + tried.map(decodeURIComponent).filter((s) => s.includes("?q=")).join();
    for (const word of others) t.expect(!body.includes(word) || asked.includes(word), `${role} is sent ${word} by ${method} ${url}: ${status} ${body.slice(0, 2_000)}`);
  }
  t.expect(answers > 5, `only ${answers} answers`);
}
