// Staying signed in with a cookie, and what other sites can do with it.

const form = (page) => page.getByLabel("API key");
const parts = (page) => page.getByRole("navigation", { name: "Parts" }).getByRole("link").first();

/** Who is asked for a key is told first whether one can stay; the form is the same until then. */
async function offered(t, page) {
  await form(page).waitFor();
  await t.quiet(page);
}

async function stay(t, page, key) {
  await form(page).fill(key);
  await page.getByLabel(/Stay signed in/).check();
  await page.getByRole("button", { name: "Sign in" }).click();
  await parts(page).waitFor();
}

export async function oneStaysSignedIn(t) {
  const page = await t.window();
  await page.goto(`${t.services.keyed}/#/cases`);
  await stay(t, page, t.keys.analyst);
  await page.reload();
  await parts(page).waitFor();
  const cookies = await page.context().cookies();
  t.equal(cookies.map((c) => [c.name, c.httpOnly, c.sameSite, c.value.includes("els_")]), [["elsewhere", true, "Strict", false]], "cookies");
  const readable = await page.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }]));
  t.equal(readable, '["",{},{}]', "what a script can read");
  await page.getByRole("button", { name: /Sign out/ }).click();
  await form(page).waitFor();
  await page.reload();
  await form(page).waitFor();
  t.equal(await page.context().cookies(), [], "cookies after signing out");
}

export async function aWrongKeyDoesNotStay(t) {
  const page = await t.window();
  await page.goto(`${t.services.keyed}/`);
  await form(page).fill("els_aaaaaaaaaaaa_" + "a".repeat(52));
  await page.getByLabel(/Stay signed in/).check();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  t.equal(await page.context().cookies(), [], "cookies");
}

export async function sessionsAreOfferedWhereThereAreSome(t) {
  const page = await t.window();
  await page.goto(`${t.services.plain}/`);
  await form(page).fill(t.keys.plain);
  await offered(t, page);
  t.equal(await page.getByLabel(/Stay signed in/).count(), 0, "choices to stay");
  await page.getByRole("button", { name: "Sign in" }).click();
  await parts(page).waitFor();
}

export async function aRevokedKeyEndsItsSession(t) {
  const { key, secret } = await t.ask("admin", "POST", "/v1/keys", { role: "ROLE_ANALYST", allTenants: true, name: "to be revoked" });
  const page = await t.window();
  await page.goto(`${t.services.keyed}/#/cases`);
  await stay(t, page, secret);
  await t.ask("admin", "POST", `/v1/keys/${key.id}/revoke`, {});
  await page.reload();
  await form(page).waitFor();
}

export async function otherSitesHaveNoUseOfIt(t) {
  const page = await t.window({ strict: false });
  await page.goto(`${t.services.keyed}/#/cases`);
  await stay(t, page, t.keys.lead);
  const other = await page.context().newPage();
  await other.goto(t.services.other);
  const at = t.services.keyed;
  const tried = await other.evaluate(async (at) => {
    const written = JSON.stringify({ case: { tenant: "cedar", id: "forged", state: "CASE_STATE_OPEN" } });
    const ask = async (path, init) => {
      try {
        const res = await fetch(at + path, { credentials: "include", ...init });
        return `${res.type} ${res.status} ${await res.text()}`;
      } catch {
        return "failed";
      }
    };
    return [
      await ask("/v1/cases", { method: "POST", mode: "no-cors", body: written }),
      await ask("/v1/cases", { method: "POST", body: written, headers: { "Content-Type": "application/json", "X-Elsewhere-Page": "1" } }),
      await ask("/v1/cases/alder/2023-0117", { method: "DELETE", headers: { "X-Elsewhere-Page": "1" } }),
      await ask("/v1/cases", { headers: { "X-Elsewhere-Page": "1" } }),
      await ask("/v1/cases", {}),
      await ask("/web/session", { method: "DELETE" }),
      await ask("/web/session", { method: "DELETE", headers: { "X-Elsewhere-Page": "1" } }),
    ];
  }, at);
  for (const answer of tried) t.expect(answer === "failed" || answer === "opaque 0 ", `another site is answered ${answer}`);
  // A form needs nobody's leave to be sent, and takes its reader along.
  await Promise.all([
    other.waitForURL(`${at}/**`),
    other.evaluate((at) => {
      const f = document.createElement("form");
      f.method = "POST";
      f.action = at + "/v1/cases";
      f.enctype = "text/plain";
      const field = document.createElement("input");
      field.name = '{"case":{"tenant":"cedar","id":"forged","state":"CASE_STATE_OPEN","source":"';
      field.value = '"}}';
      f.append(field);
      document.body.append(f);
      f.submit();
    }, at),
  ]);
  const forged = await fetch(`${at}/v1/cases/cedar/forged`, { headers: { Authorization: `Bearer ${t.keys.lead}` } });
  t.equal(forged.status, 404, "a case that another site had submitted");
  await t.ask("lead", "GET", "/v1/cases/alder/2023-0117");
  await page.reload();
  await parts(page).waitFor();
}
