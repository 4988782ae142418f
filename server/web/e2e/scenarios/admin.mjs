// What an admin does: tenants, keys, feeds, the model, the trail, health.

const table = (page, name) => page.getByRole("table", { name });

/** A name that no other scenario has. */
let made = 0;
const fresh = (what) => `${what}-${Date.now().toString(36)}-${made++}`;

export async function aTenantIsMadeAndChanged(t) {
  const page = await t.signedIn("admin", "#/tenants");
  const id = fresh("maple");
  await page.getByText("New tenant").click();
  await page.getByLabel("Id", { exact: true }).fill("Not An Id");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Id", { exact: true }).fill(id);
  await page.getByLabel("Name for people").fill("Maple <i>Mills</i>, Inc.");
  await page.getByLabel("Its own addresses").fill("192.0.2.0/28\n2001:db8::/64");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { level: 1, name: id }).waitFor();
  await page.getByLabel("Trust in its evidence").fill("0.5");
  await page.getByLabel("Days that cases are kept").fill("400");
  await page.getByLabel("Ceiling of disclosure").selectOption("green");
  await page.getByLabel("State").selectOption("TENANT_STATE_CLOSED");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Saved.").waitFor();
  const { tenant } = await t.ask("admin", "GET", `/v1/tenants/${id}`);
  t.equal(
    [tenant.displayName, tenant.egress, tenant.trust, tenant.retentionDays, tenant.tlpCeiling, tenant.state],
    ["Maple <i>Mills</i>, Inc.", ["192.0.2.0/28", "2001:db8::/64"], 0.5, 400, "green", "TENANT_STATE_CLOSED"],
    "the record",
  );
  const shown = async () => [await page.getByLabel("Ceiling of disclosure").inputValue(), await page.getByLabel("State").inputValue()];
  await t.becomes(shown, ["green", "TENANT_STATE_CLOSED"], "what the form shows of it");
  await page.getByLabel("Trust in its evidence").fill("0.25");
  await t.ask("admin", "PATCH", `/v1/tenants/${id}`, { tenant: { region: "north" }, updateMask: "region" });
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByRole("alert").waitFor();
  await t.accessible(page, "a tenant");
}

export async function aTenantIsErased(t) {
  const id = fresh("willow");
  await t.ask("admin", "POST", "/v1/tenants", { id });
  const page = await t.signedIn("admin", `#/tenants/${id}`);
  await page.getByRole("button", { name: `Erase ${id}` }).click();
  const dialog = page.getByRole("dialog");
  const button = dialog.getByRole("button", { name: "Erase it" });
  t.expect(await button.isDisabled(), "a tenant is erased before its id was written");
  await dialog.getByRole("textbox").fill(id);
  await button.click();
  const receipt = page.getByRole("status", { name: "Receipt" });
  await receipt.waitFor();
  t.expect((await receipt.textContent()).includes(`${id} was erased`), "the receipt is of another");
  const [download] = await Promise.all([page.waitForEvent("download"), receipt.getByRole("button", { name: "Save the signed receipt" }).click()]);
  t.equal(download.suggestedFilename(), `erasure-${id}.json`, "the file");
}
aTenantIsErased.short = true;

export async function aKeyIsMadeRotatedAndRevoked(t) {
  const page = await t.signedIn("admin", "#/keys");
  const name = fresh("scanner");
  await page.getByText("New key").click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Role").selectOption("ROLE_SUBMITTER");
  await page.getByLabel("Tenant", { exact: true }).fill("alder");
  await page.getByLabel("Only from").fill("127.0.0.0/8, ::1");
  await page.getByRole("button", { name: "Create" }).click();
  const secret = page.locator(".secret code");
  await secret.waitFor();
  const first = await secret.textContent();
  t.expect(/^els_\w+$/.test(first), "the secret has another form");
  const works = async (key) => (await fetch(`${t.services.keyed}/v1/whoami`, { headers: { Authorization: `Bearer ${key}` } })).status;
  t.equal(await works(first), 200, "the new key");
  await page.getByRole("button", { name: "I have kept it" }).click();
  await secret.waitFor({ state: "detached" });
  t.expect(!(await page.content()).includes(first), "the page still holds the secret");
  const row = table(page, "Keys").getByRole("row").filter({ hasText: name });
  await row.getByRole("button", { name: /^Rotate/ }).click();
  await page.getByLabel("The old secret is taken besides").selectOption({ label: "not at all" });
  await page.getByRole("button", { name: "Rotate it" }).click();
  const again = page.getByRole("status", { name: /^The new secret of/ }).locator(".secret code");
  await again.waitFor();
  const second = await again.textContent();
  t.equal([await works(first), await works(second)], [401, 200], "the old and the new secret");
  await page.getByRole("button", { name: "I have kept it" }).click();
  await secret.waitFor({ state: "detached" });
  await row.getByRole("button", { name: /^Revoke/ }).click();
  await page.getByRole("button", { name: "Revoke it" }).click();
  await row.waitFor({ state: "detached" });
  t.equal(await works(second), 401, "a revoked key");
  await page.getByLabel("also keys that were revoked").click();
  await row.getByText("revoked").waitFor();
  await t.accessible(page, "keys");
}
aKeyIsMadeRotatedAndRevoked.short = true;

export async function theModelIsAppliedAndRolledBack(t) {
  const page = await t.window();
  await page.goto(`${t.services.spare}/#/model`);
  const versions = table(page, "Versions of the model");
  await versions.waitFor();
  const used = await versions.getByRole("row").filter({ hasText: "used" }).getByRole("link").textContent();
  const other = (await versions.getByRole("link").allTextContents()).find((v) => v !== used);
  t.expect(other, `there is no version but ${used}`);
  await versions.getByRole("link", { name: other, exact: true }).click();
  await page.getByLabel("Find").fill("hosting");
  await t.until(async () => (await table(page, `Constants of version ${other}`).textContent()).includes("hosting"), "constants are found");
  await page.getByRole("button", { name: "Use this version" }).click();
  await page.getByRole("button", { name: "Use it" }).click();
  await page.getByRole("button", { name: "Use this version" }).waitFor({ state: "detached" });
  await t.turnTo(page, "#/model");
  await page.getByText(`(model ${other},`).waitFor();
  await page.getByRole("button", { name: "Take the last change back" }).click();
  await page.getByRole("button", { name: "Take it back" }).click();
  await page.getByText(`(model ${used},`).waitFor();
  await page.getByText("came back after").waitFor();
  await page.getByText("Propose a version").click();
  await page.getByLabel("and these pairs").fill("nonsense");
  await page.getByRole("button", { name: "Show what it would learn" }).click();
  await page.getByText("line 1: is not JSON").waitFor();
  await page.getByLabel("and these pairs").fill('{"a": "alder/2023-0117", "b": "birch/2023-0142", "same": true}');
  await page.getByRole("button", { name: "Show what it would learn" }).click();
  await page.getByText("1 judged pairs, 1 of them of one actor").waitFor();
  await t.accessible(page, "the model");
}

export async function theTrailIsReadAndSaved(t) {
  await t.ask("analyst", "POST", "/v1/seen", { observables: [{ kind: "ip", value: "104.161.20.102" }] });
  const page = await t.signedIn("admin", "#/audit");
  const trail = table(page, "Audit trail");
  const methods = async () => [...new Set((await trail.locator("td[data-name=Method]").allTextContents()).map((m) => m.split(".").at(-1)))];
  // Reads are written down within a second: who asks before does not find them, and asks again.
  // Calls that were refused are counted whatever their method.
  let found = [];
  await t.until(
    async () => {
      await page.getByLabel("Method").fill("Seen");
      await page.getByRole("button", { name: "Show", exact: true }).click();
      await t.quiet(page);
      found = await methods();
      return found.filter((m) => m !== "refused").join() === "Seen" && (await trail.getByText("104.161.20.102").count()) > 0;
    },
    () => `the trail tells of questions and of nothing else: ${found}`,
  );
  await t.address(page, (a) => a.includes("method=Seen"), "the filter");
  for (const [button, name] of [["Save as NDJSON", "audit.ndjson"], ["Save the signed lines", "audit-signed.ndjson"]]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: button }).click()]);
    t.equal(download.suggestedFilename(), name, "the file");
  }
  await page.getByLabel("From").fill("yesterday");
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await page.getByRole("alert").waitFor();
  await t.accessible(page, "the trail");
}

export async function feedsAndHealth(t) {
  const page = await t.signedIn("admin", "#/feeds");
  await t.until(async () => (await table(page, "Feeds").getByRole("row").count()) > 3, "there are feeds");
  await t.accessible(page, "feeds");
  await t.goto(page, "#/health");
  await page.getByText("Live cases of customers").waitFor();
  await page.getByText("ready", { exact: true }).waitFor();
  const name = fresh("hook");
  await page.getByText("New webhook").click();
  await page.getByLabel("Address").fill("https://hook.example/elsewhere");
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Both cases in").fill("alder birch");
  await page.getByRole("button", { name: "Create" }).click();
  await page.locator(".secret code").waitFor();
  await page.getByRole("button", { name: "I have kept it" }).click();
  await page.locator(".secret code").waitFor({ state: "detached" });
  await page.getByRole("button", { name: `Remove ${name}` }).click();
  await page.getByRole("button", { name: "Remove it" }).click();
  await page.getByRole("button", { name: `Remove ${name}` }).waitFor({ state: "detached" });
  await t.accessible(page, "health");
}

export async function adminPagesFitEveryWindow(t) {
  for (const width of [360, 2560]) {
    const page = await t.signedIn("admin", "#/tenants", { width, dark: width === 360 });
    for (const part of ["tenants", "tenants?new=1", "tenants/alder", "keys?new=1", "feeds", "model", "model/2", "audit", "health"]) {
      await t.goto(page, `#/${part}`);
      await t.fits(page, `${part} at ${width} px`);
      await t.accessible(page, `${part} at ${width} px`);
    }
    await page.context().close();
  }
}
