// "Seen elsewhere?": whatever is pasted is found, asked for, filtered, exported and shared.
import { readFile } from "node:fs/promises";

const box = (page) => page.getByLabel("Values, or any text that holds some");

/** The lines of the table, each as what its columns hold. */
const table = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll(".seen .rows tr[data-at]")].map((tr) =>
      Object.fromEntries([...tr.cells].map((td) => [td.dataset.name, (td.querySelector("bdi") ?? td).textContent.trim()])),
    ),
  );

/** Pastes text into the box, as the keyboard does. */
async function paste(t, page, text) {
  const before = await hash(page);
  await box(page).focus();
  await page.evaluate((data) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", data);
    const field = document.getElementById("paste");
    field.select();
    field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, text);
  await answeredAll(t, page);
  // The address follows when the values are packed, where there are not too many for one.
  await t.until(async () => (await hash(page)) !== before || (await page.getByText("too many values for an address").count()) > 0, "the address has the values");
}

const hash = (page) => page.evaluate(() => location.hash);

async function answeredAll(t, page) {
  await t.until(() => page.evaluate(() => / answered in /.test(document.querySelector(".seen .summary")?.textContent ?? "")), "all is answered");
}

const mail = `Received: from mail.botasso[.]cl (mail.botasso.cl [104.161.20.102])
	by mx.example.net with ESMTPS id 15.20.1.2; Tue, 13 Jun 2023 10:11:12 +0000
Message-ID: <CAFabcdef0123456789@mail.gmail.com>
From: "Boss" <boss@impersonated.example>
Subject: invoice.pdf
Content-Type: text/plain

Please pay by hxxps://login[.]botasso[.]cl/pay?id=1 or call +1 202 555 0143.
`;

export async function pastesAMail(t) {
  const page = await t.signedIn("analyst");
  await paste(t, page, mail);
  const rows = await table(page);
  const values = rows.map((r) => r.Value);
  for (const v of ["104.161.20.102", "https://login.botasso.cl/pay?id=1", "login.botasso.cl", "boss@impersonated.example"])
    t.expect(values.includes(v), `${v} is not among ${values}`);
  t.expect(!values.some((v) => /gmail|invoice|202|15\.20/.test(v)), `found what is none: ${values}`);
  const ip = rows.find((r) => r.Value === "104.161.20.102");
  t.equal([ip.Kind, ip.Status], ["ip", "seen"], "the address");
  t.expect(Number(ip.Tenants) >= 2 && Number(ip.Cases) >= 2, `the address is in ${ip.Tenants} tenants and ${ip.Cases} cases`);
  await page.locator("tr", { hasText: "104.161.20.102" }).first().getByRole("button", { name: "Open" }).click();
  await page.getByRole("table", { name: "Cases" }).getByRole("link", { name: "alder/2023-0117" }).waitFor();
  await t.accessible(page, "answers");
  await t.fits(page, "answers");
}
pastesAMail.short = true;

export async function answersAsTheCommandLine(t) {
  const page = await t.signedIn("analyst");
  const list = ["104[.]161[.]20[.]102", "evil.unheardof", "2001:DB8::1", "bob (at) botasso (dot) cl", "Block Spoofing", "setup.exe", "AS53755", "hxxp://evil[.]com/a"];
  await paste(t, page, list.join("\n"));
  const shown = (await table(page)).map((r) => [r.Kind, r.Value]);
  const { results } = await t.ask("analyst", "POST", "/v1/seen", { observables: list.map((value) => ({ kind: "", value })) });
  const want = results.map((r) => [r.observable.kind, r.observable.value]);
  t.equal(shown.filter(([k]) => k !== "forward_to"), want, "the page reads values as the service does");
}

export async function filtersSortsAndShares(t) {
  const page = await t.signedIn("analyst");
  await paste(t, page, `${mail}\n185.241.149.122\n9.9.9.9\n`);
  await page.getByLabel("Any status").selectOption("seen");
  await page.getByRole("button", { name: "Cases", exact: true }).click();
  await t.address(page, (a) => /status=seen/.test(a) && /sort=cases/.test(a) && /v=/.test(a), "the filter, the order and the values");
  const address = await page.evaluate(() => location.href);
  const before = await table(page);
  t.expect(before.length > 0 && before.every((r) => r.Status === "seen"), "the filter lets others through");
  // A colleague opens the address.
  const other = await t.window();
  await other.goto(address);
  await t.signIn(other, "analyst");
  await answeredAll(t, other);
  await t.becomes(() => table(other), before, "what the address shows to a colleague");
}

export async function correctsAndDrops(t) {
  const page = await t.signedIn("analyst");
  await paste(t, page, "1.1.1.1\nbotasso.cl\nBlock Spoofing");
  // Each change is behind the back button when the address has it.
  const pasted = await hash(page);
  await page.locator('tr[data-at="2"] .kind').click();
  await page.getByLabel("Kind", { exact: true }).selectOption("account_pattern");
  await t.until(async () => (await table(page))[2]?.Kind === "account_pattern", "the kind is another");
  await t.address(page, (a) => a !== pasted, "the kind");
  const corrected = await hash(page);
  await page.getByRole("button", { name: "Drop 1.1.1.1" }).click();
  await t.until(async () => (await table(page)).length === 2, "the value is gone");
  await t.address(page, (a) => a !== corrected, "the values that are left");
  await page.goBack();
  await t.until(async () => (await table(page)).length === 3, "the step before is behind the back button");
}

export async function exportsWhatIsShown(t) {
  const page = await t.signedIn("analyst");
  await paste(t, page, "104.161.20.102\n=cmd|' /C calc'!A0\n9.9.9.9");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "CSV" }).click();
  const csv = await readFile(await (await download).path(), "utf8");
  const lines = csv.trimEnd().split("\r\n");
  t.equal(lines.length, 4, "lines of the CSV");
  t.expect(lines[0].startsWith("kind,value,status,"), lines[0]);
  t.expect(!/(^|,|")[=+@|]/m.test(csv.replaceAll("'=", "")), `a formula: ${csv}`);
  const json = page.waitForEvent("download");
  await page.getByRole("button", { name: "JSON" }).click();
  const { results } = JSON.parse(await readFile(await (await json).path(), "utf8"));
  t.equal(results[0].observable, { ...results[0].observable, kind: "ip", value: "104.161.20.102" }, "the first answer");
  await page.getByRole("button", { name: "Copy all defanged" }).click();
  await t.until(async () => (await page.evaluate(() => navigator.clipboard.readText())).startsWith("104[.]161[.]20[.]102\n"), "it is copied, and defanged");
}

export async function fiveThousandValues(t) {
  const page = await t.signedIn("analyst");
  await paste(t, page, "104.161.20.102");
  t.note(`one value: ${await took(page)}`);
  const many = Array.from({ length: 5000 }, (_, i) => (i % 3 ? `45.${i >> 8}.${i & 255}.7` : `host-${i}.evil.com`));
  many[4321] = "104.161.20.102";
  const began = performance.now();
  await paste(t, page, many.join("\n"));
  t.note(`5,000 values: ${await took(page)}, ${Math.round(performance.now() - began)} ms from the paste`);
  t.equal((await table(page)).length, 200, "lines that are drawn");
  await page.getByLabel("Values that contain").fill("104.161");
  await t.until(async () => (await table(page))[0]?.Value === "104.161.20.102", "the filter finds the one");
  // Packing takes its time.
  await t.address(page, (a) => /[?&]v=/.test(a) && /text=/.test(a), "values and filter");
  const size = await page.evaluate(() => location.hash.length);
  t.expect(size < 150_100, `the address has ${size} characters`);
  t.note(`the address has ${size} characters`);
}
fiveThousandValues.long = 1;

export async function tooManyForAnAddress(t) {
  const page = await t.signedIn("analyst");
  let state = 1;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0).toString(16).padStart(8, "0");
  const many = (n) => Array.from({ length: n }, () => `${random()}${random()}${random()}${random()}`).join("\n");
  // Twice: the address does not change, and the values do.
  for (const n of [9000, 8500]) {
    await paste(t, page, many(n));
    await t.until(() => page.evaluate((n) => document.querySelector(".seen .summary").textContent.startsWith(`${n} values`), n.toLocaleString("en")), `${n} values`);
    await page.getByText("too many values for an address").waitFor();
    await t.until(() => page.evaluate(() => / answered in /.test(document.querySelector(".seen .summary").textContent)), `${n} answers`);
  }
  t.equal(await hash(page), "#/seen", "the address");
}
tooManyForAnAddress.long = 1;

async function took(page) {
  return page.evaluate(() => /answered in ([\d.]+ m?s)/.exec(document.querySelector(".seen .summary").textContent)?.[1]);
}

export async function hostileValuesAreText(t) {
  const page = await t.signedIn("analyst");
  const markup = `<script>alert(1)</script><img src=x onerror=alert(2)>"'><svg onload=alert(3)>`;
  await paste(t, page, markup);
  const cases = JSON.stringify({ observables: [{ kind: "rule_name", value: markup }, { kind: "rule_name", value: "invoice\u202egnp.exe\u2066\u200b" }, { kind: "rule_name", value: "<b>long</b> ".repeat(340).trim() }] });
  await paste(t, page, cases);
  const rows = await table(page);
  t.equal(rows.map((r) => r.Status), ["seen", "seen", "seen"], "hostile names are found again");
  const main = await page.locator("main").innerText();
  t.expect(!/[\u202a-\u202e\u2066-\u2069\u200b]/.test(main), "text turns its direction");
  t.expect((await page.locator("main script, main img, main b").count()) === 0, "a value became an element");
  await page.getByRole("button", { name: "Open" }).nth(1).click();
  await t.address(page, (a) => a.includes("open="), "what is open");
  await t.fits(page, "hostile values");
  await t.fits(await phone(t, await page.evaluate(() => location.href)), "hostile values on a phone");
}

async function phone(t, url) {
  const page = await t.window({ width: 360, height: 780, touch: true });
  await page.goto(url);
  await t.signIn(page, "analyst");
  await answeredAll(t, page);
  return page;
}

export async function aTenantAsksForInfrastructureOnly(t) {
  const page = await t.signedIn("tenant");
  await paste(t, page, `${mail}\nBlock Spoofing`);
  const rows = await table(page);
  const status = (value) => rows.find((r) => r.Value === value)?.Status;
  t.equal([status("104.161.20.102"), status("boss@impersonated.example")], ["seen", "not asked"], "statuses");
  const sent = (await t.answers()).filter((a) => a.url.includes("/v1/seen"));
  t.expect(sent.length > 0 && sent.every((a) => !/boss@|birch|SECRET|elder/.test(a.body)), "a tenant is told of others");
  const kinds = await page.getByLabel("Read all that is shown as another kind").locator("option").allTextContents();
  t.expect(!kinds.includes("email") && kinds.includes("domain"), `a tenant may choose ${kinds}`);
}
