// Cases: listed, shown, submitted by dropping files, handed on, deleted.

/** Drops files on the page, as {name, text}. */
async function drop(page, files) {
  const data = await page.evaluateHandle((list) => {
    const d = new DataTransfer();
    for (const f of list) d.items.add(new File([f.text], f.name));
    return d;
  }, files);
  await page.dispatchEvent("main", "drop", { dataTransfer: data });
}

/** A case of somebody who signs in from these addresses. */
function caseOf(tenant, id, addresses) {
  const seen = { firstSeen: "2024-03-04T08:00:00Z", lastSeen: "2024-03-06T09:30:00Z" };
  return {
    tenant,
    id,
    title: `Dropped ${id}`,
    kind: "bec",
    tlp: "amber",
    findings: [
      { id: "login", technique: "T1078.004", operation: "UserLoggedIn", outcome: "FINDING_OUTCOME_SUCCEEDED", ...seen, observables: addresses.map((value) => ({ kind: "ip", value, roles: ["login_source"], ...seen })) },
      { id: "rule", technique: "T1114.003", operation: "New-InboxRule", ...seen, observables: [{ kind: "rule_name", value: `Sorted ${id.slice(0, -1)}`, roles: ["created"] }] },
    ],
  };
}

const submitButton = (page) => page.getByRole("button", { name: /^Submit \d+ case/ });

export async function listsAndShowsACase(t) {
  const page = await t.signedIn("analyst", "#/cases?tenant=alder");
  const table = page.getByRole("table", { name: /Cases alder/ });
  await table.getByRole("link", { name: "alder/2023-0117" }).waitFor();
  t.expect(!(await table.textContent()).includes("birch"), "the list of alder holds birch");
  // As fast as somebody can: the second key is for what the first has shown.
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await t.address(page, (a) => a.startsWith("#/cases/alder/"), "Enter opens a case");
  await t.goto(page, "#/cases/alder/2023-0117");
  const tactics = async () => (await page.locator(".tactic h2").allTextContents()).map((x) => x.replace(/ \d+$/, ""));
  await t.becomes(tactics, ["Initial access", "Persistence", "Defense evasion", "Collection"], "findings by tactic in the order of the matrix");
  t.expect((await page.locator(".facts").textContent()).includes("published facts"), "the source of the case is shown");
  await page.getByText(/^act-/).first().waitFor();
  await t.accessible(page, "a case");
  await page.getByRole("link", { name: /^Observables/ }).click();
  const row = page.getByRole("row").filter({ hasText: "104.161.20.102" });
  await row.getByText(/cases · \d+ tenants/).waitFor();
  await t.until(async () => (await row.textContent()).includes("hosting"), "the class of an address is shown");
  await row.getByRole("button").first().click();
  const value = page.getByRole("dialog", { name: /104\.161\.20\.102/ });
  await value.getByRole("link", { name: "birch/2023-0142" }).waitFor();
  await t.accessible(page, "a value of a case");
  await page.keyboard.press("Escape");
  await value.waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Links", exact: true }).click();
  const link = page.getByRole("row").filter({ hasText: "birch/2023-0142" });
  await link.getByText("strong").waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await t.address(page, (a) => a === "#/links/alder/2023-0117/birch/2023-0142", "Enter on a link explains it");
}
listsAndShowsACase.short = true;

export async function submitsDroppedCases(t) {
  const page = await t.signedIn("lead", "#/cases");
  await t.quiet(page);
  const first = caseOf("cedar", "drop-1", ["45.155.12.7", "91.92.14.3", "185.17.88.21"]);
  await drop(page, [{ name: "one.json", text: JSON.stringify(first, undefined, 1) }]);
  await page.getByText("new", { exact: true }).waitFor();
  await t.address(page, (a) => a === "#/cases/submit", "a drop leads to the check");
  await page.getByRole("button", { name: "Submit 1 case", exact: true }).click();
  await page.getByText("created, revision 1").waitFor();

  // The same text again would replace it; a second case links to it.
  const second = caseOf("dogwood", "drop-2", ["45.155.12.7", "91.92.14.3", "185.17.88.21"]);
  await drop(page, [{ name: "two.ndjson", text: `${JSON.stringify(first)}\n${JSON.stringify(second)}\n` }]);
  await page.getByText("replaces revision 1").waitFor();
  // What is submitted is what was looked through by then.
  await page.getByRole("button", { name: "Submit 2 cases", exact: true }).click();
  await page.getByText("unchanged, revision 1").waitFor();
  await page.getByText("created, revision 1").waitFor();
  await t.goto(page, "#/cases/dogwood/drop-2?tab=links&tier=lead");
  const link = page.getByRole("row").filter({ hasText: "cedar/drop-1" });
  await link.waitFor();
  await link.getByRole("link").first().click();
  await t.address(page, (a) => a === "#/links/dogwood/drop-2/cedar/drop-1", "a link leads to its explanation");
  await page.getByText(/^likelihood of same actor \(model \d+, uncalibrated\)$/).first().waitFor();

  // Deleted only when its id is typed.
  await t.goto(page, "#/cases/dogwood/drop-2");
  await page.getByRole("button", { name: "Delete…" }).click();
  const ask = page.getByRole("dialog");
  t.expect(await ask.getByRole("button", { name: "Delete", exact: true }).isDisabled(), "a case is deleted without its id");
  await ask.getByRole("textbox").fill("drop-2");
  await ask.getByRole("button", { name: "Delete", exact: true }).click();
  await t.address(page, (a) => a === "#/cases?tenant=dogwood", "a deleted case leads to the list");
  await t.goto(page, "#/cases/dogwood/drop-2");
  await page.getByText("NOT_FOUND").waitFor();
  await t.ask("lead", "DELETE", "/v1/cases/cedar/drop-1?allowMissing=true");
}

export async function saysWhereABadFileIsWrong(t) {
  const page = await t.signedIn("submitter", "#/cases/submit");
  await t.quiet(page);
  const text = '{"tenant":"alder","id":"bad",\n "findings":[\n  {"id":"f","technique":"zzz",\n   "observables":[{"kind":"ip","value":"nope"}]}]}';
  await drop(page, [{ name: "bad.json", text }]);
  let told = "";
  for (const word of ["bad.json:3:25", "findings[0].technique", "bad.json:4:40", "findings[0].observables[0].value"])
    await t.until(
      async () => (told = await page.getByRole("alert").textContent()).includes(word),
      () => `${word} is named: ${told}`,
    );
  await t.until(() => submitButton(page).isDisabled(), "a bad case cannot be submitted");
  await t.accessible(page, "a bad case");

  // What is no JSON, or no case, is not even asked about.
  await t.quiet(page);
  const asked = t.traffic.length;
  await drop(page, [{ name: "broken.json", text: '{"tenant":"alder",\n"id" "x", "findings": []}' }]);
  await page.getByText("broken.json:2:6").waitFor();
  await drop(page, [{ name: "other.json", text: '{"tenant":"alder","id":"x","findings":[],"mailbox":"jane"}' }]);
  await page.getByText("other.json:1:42").waitFor();
  await t.quiet(page);
  t.equal(t.traffic.slice(asked).filter((x) => x.method === "POST").length, 0, "questions about what is no case");

  // With what is invalid left out the rest is taken.
  await drop(page, [{ name: "part.json", text: text.replace('"technique":"zzz"', '"technique":"T1078"').replace("]}]}", ',{"kind":"ip","value":"45.155.12.9"}]}]}') }]);
  await page.getByLabel("leave out what is invalid").click();
  await page.getByText("1 left out").waitFor();
  await page.getByText("new", { exact: true }).waitFor();
}
saysWhereABadFileIsWrong.short = true;

export async function aLogIsNeverSent(t) {
  const page = await t.signedIn("analyst", "#/cases");
  await t.quiet(page);
  const before = t.traffic.length;
  const secret = "mona.quill@victim-of-all.example";
  const csv = `RecordId,CreationDate,RecordType,Operation,UserId,AuditData\n1,2023-01-01,1,New-InboxRule,${secret},"{""UserId"":""${secret}""}"\n`;
  const json = JSON.stringify([{ CreationTime: "2023-01-01T00:00:00", Operation: "MailItemsAccessed", UserId: secret, ClientIP: "192.0.2.7", Workload: "Exchange" }]);
  await drop(page, [{ name: "audit log.csv", text: csv }, { name: "audit.json", text: json }]);
  await page.getByText("2 audit logs: nothing was sent").waitFor();
  await page.getByLabel("Tenant").fill("alder");
  await page.getByLabel("Case", { exact: true }).fill("2024-7");
  await page.getByText("elsewhere hunt 'audit log.csv' audit.json --tenant alder --case 2024-7 --submit").waitFor();
  await t.address(page, (a) => a.includes("tenant=alder") && a.includes("case=2024-7"), "the command");
  await t.accessible(page, "a dropped log");
  t.equal(t.traffic.slice(before).filter((x) => x.method !== "GET").map((x) => x.url), [], "requests after a log was dropped");
  t.expect((await t.answers()).every((x) => !x.url.includes("victim") && !x.body.includes(secret)), "something of the log was sent");
}
aLogIsNeverSent.short = true;

export async function showsWhatWouldLeave(t) {
  const page = await t.signedIn("lead", "#/cases/alder/2023-0117?tab=leaves");
  await t.quiet(page);
  await page.getByText("5 indicators and 5 values of context from 1 case would leave.").waitFor();
  await page.getByText("2 never leave: spoofed senders.").waitFor();
  const host = page.getByRole("row").filter({ hasText: "iad3a.emailsrvr.com" });
  await t.until(async () => (await host.textContent()).includes("a host of a mail provider"), "context says why it is no indicator");
  await t.accessible(page, "what would leave");
  await page.getByRole("row").filter({ hasText: "botasso.cl" }).getByRole("button", { name: "Keep back" }).click();
  await page.getByText("4 indicators and 5 values of context from 1 case would leave.").waitFor();
  await t.address(page, (a) => decodeURIComponent(a).includes("botasso.cl"), "what stays");
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export", exact: true }).click()]);
  t.equal(file.suggestedFilename(), "alder-2023-0117.csv", "the name of the file");
  await page.getByLabel("Label").selectOption("green");
  await page.getByRole("alert").getByText("LABEL").waitFor();
}

export async function aTenantSeesItsOwnCasesOnly(t) {
  const page = await t.signedIn("tenant", "#/cases");
  await t.quiet(page);
  for (const at of ["#/cases/alder/2023-0117", "#/cases/alder/2023-0117?tab=observables", "#/cases/alder/2023-0117?tab=links", "#/cases/birch/2023-0142"]) await t.goto(page, at);
  await page.getByText("NOT_FOUND").waitFor();
  await t.goto(page, "#/cases/alder/2023-0117?tab=links");
  await page.getByRole("link", { name: /^Observables/ }).waitFor();
  t.expect((await page.getByRole("link", { name: "Links", exact: true }).count()) === 0, "a tenant has links");
  // What it asked for itself stands in addresses; answers hold nothing of others.
  for (const { url, body } of await t.answers())
    for (const word of ["birch", "elder", "SECRET-77", "dogwood", "act-"])
      t.expect(!body.includes(word) || url.includes("/assets/") || url.includes(word), `${word} in an answer of ${url}`);
}

export async function hostileTextIsText(t) {
  for (const width of [360, 1280]) {
    const page = await t.signedIn("open", "#/cases/dogwood/hostile", { width });
    await t.quiet(page);
    for (const tab of ["findings", "observables", "links", "leaves"]) {
      await t.goto(page, `#/cases/dogwood/hostile?tab=${tab}`);
      await t.fits(page, `the hostile case, ${tab}, ${width} px`);
      t.equal(await page.locator("main script, main img, main svg[onload]").count(), 0, `elements of the hostile case in ${tab}`);
    }
    await t.goto(page, "#/cases/dogwood/hostile?tab=findings");
    t.expect((await page.locator("main").textContent()).includes("\\u{202e}"), "what turns text is not written out");
    await t.accessible(page, `the hostile case, ${width} px`);
    await page.context().close();
  }
}
