import { describe, expect, test } from "vitest";
import { defang } from "../../../ui/value.tsx";
import { extract } from "./extract.ts";

/** What is found, as `kind value`, parts behind a +. */
function found(text: string): string[] {
  return extract(text).found.map((f) => `${f.part ? "+" : ""}${f.kind} ${f.value}`);
}

/** What is found in text that is more than one name of a mail rule. */
function running(text: string): string[] {
  return found(`${text}\nseen at 1.2.3.4 too`).filter((v) => v !== "ip 1.2.3.4");
}

describe("lists", () => {
  test("each line is one value, as the command line reads it", () => {
    expect(found("104[.]161[.]20[.]102\n- hxxps://login.example[.]net/\n\n2001:db8::1\nBlock Spoofing\nbob (at) evil (dot) com\n")).toEqual([
      "ip 104.161.20.102",
      "url https://login.example.net/",
      "ip 2001:db8::1",
      "rule_name Block Spoofing",
      "email bob@evil.com",
    ]);
  });
  test("a name in quotes is the name of a mail rule", () => {
    expect(found('"Security: Quarantine Alerts"')).toEqual(["rule_name Security: Quarantine Alerts"]);
    expect(found("'Copy of x'")).toEqual(["rule_name Copy of x"]);
  });
  test("numbers of people are left out", () => {
    const e = extract("+1 202 555-0143\n0044 (0)20 7946.0958\nGB33 BUKB 2020 1555 5555 55\n1.2.3.4");
    expect(e.found.map((f) => f.value)).toEqual(["1.2.3.4"]);
    expect(e.numbers).toBe(3);
  });
  test("many lines without a form are not taken for names", () => {
    const e = extract(Array.from({ length: 30 }, (_, i) => `line of prose number ${i} x`).join("\n"));
    expect([e.found, e.names.length]).toEqual([[], 30]);
  });
  test("a pair with room around its arrow", () => {
    expect(found("boss@a.com → 104.161.20.102/24")).toEqual(["spoof_pair boss@a.com>104.161.20.0/24"]);
  });
  test("the service is asked without a kind where it guesses the same", () => {
    const e = extract("1.2.3.4\nevil.com\nt13d1516h2_8daaf6152771_b186095e22b6 JA4");
    expect(e.found.map((f) => [f.kind, f.given])).toEqual([
      ["ip", false],
      ["domain", false],
      ["ja4", true],
    ]);
  });
});

describe("mail", () => {
  const mail = [
    "Received: from mail.evil.com (mail.evil.com [185.241.149.122])",
    "\tby DM6PR03MB5432.namprd03.prod.outlook.com (2603:10b6:5:1f::21) with Microsoft SMTP",
    "\t Server (version=TLS1_2) id 15.20.254.31; Tue, 13 Jun 2023 10:11:12 +0000",
    "Authentication-Results: spf=pass smtp.mailfrom=bounce@evil.com; dkim=none",
    "Message-ID: <CAF+abc123def456ghi789@mail.gmail.com>",
    "From: =?UTF-8?B?Qm9zcw==?= <boss@victim.example>",
    "X-Originating-IP: [104.161.20.102]",
    "Subject: invoice.pdf is attached",
    "Content-Type: multipart/alternative; boundary=\"----=_Part_1\"",
    "",
    "------=_Part_1",
    "Content-Type: text/html",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    '<p>Pay <a href=3D"https://login.evil-host.net/a?b=3D1&amp;c=',
    '=3D2">here</a></p>',
    "------=_Part_1",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: base64",
    "",
    Buffer.from("see http://second.evil.org/x and call +1 202 555 0143").toString("base64"),
    "------=_Part_1",
    "Content-Type: application/pdf",
    "Content-Transfer-Encoding: base64",
    "",
    Buffer.from("http://inside.pdf.example.com/").toString("base64"),
    "------=_Part_1--",
  ].join("\r\n");
  test("headers unfolded, bodies decoded, ids of messages left out", () => {
    const all = found(mail);
    for (const v of [
      "hostname mail.evil.com",
      "ip 185.241.149.122",
      "ip 2603:10b6:5:1f::21",
      "email bounce@evil.com",
      "email boss@victim.example",
      "ip 104.161.20.102",
      "url https://login.evil-host.net/a?b=1&c=2",
      "+hostname login.evil-host.net",
      "url http://second.evil.org/x",
    ])
      expect(all).toContain(v);
    expect(all.filter((v) => /gmail|15\.20|invoice|inside|202/.test(v))).toEqual([]);
  });
});

describe("text", () => {
  test("lines of logs", () => {
    expect(
      found(
        [
          '104.161.20.102 - - [13/Jun/2023:10:11:12 +0000] "GET /index.html HTTP/1.1" 200 1234 "https://ref.evil.com/a,b" "Mozilla/5.0 (X11; Linux x86_64) Chrome/119.0.0.0"',
          "Jun 13 10:11:12 fw01 kernel: SRC=10.0.0.1 DST=[2001:db8::7]:443 fe80::1%eth0 user.name=bob event.id:x7 host=web.evil.net:8080",
          "10:11:12 connect 1.2.3.4:443->5.6.7.8:80 AS64500 sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ].join("\n"),
      ),
    ).toEqual([
      "user_agent Mozilla/5.0 (X11; Linux x86_64) Chrome/119.0.0.0",
      "ip 104.161.20.102",
      "url https://ref.evil.com/a",
      "+hostname ref.evil.com",
      "ip 10.0.0.1",
      "ip 2001:db8::7",
      "ip fe80::1",
      "hostname web.evil.net",
      "ip 1.2.3.4",
      "ip 5.6.7.8",
      "asn AS64500",
      "file_hash 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ]);
  });
  test("names of files, properties and slips of the keyboard are no names", () => {
    expect(running("see setup.exe, invoice.zip, README.md, lib.so and System.Net; done.In the end e.g. p.m. v1.2.3.4 version 10.0.0.1 Chrome/119.0.0.0 logo@2x.png")).toEqual([]);
    expect(found("see payload.zip[.]evil[.]com, invoice[.]zip and cdn.files.zip or evil.com.")).toEqual([
      "hostname payload.zip.evil.com",
      "domain invoice.zip",
      "hostname cdn.files.zip",
      "domain evil.com",
    ]);
  });
  test("defanged in every way", () => {
    for (const v of ["evil[.]com", "evil(.)com", "evil{.}com", "evil[dot]com", "evil (dot) com", "evil [ . ] com", "evil\\.com", "evil[.com", "evil<.>com", "evil。com", "evil[[.]]com"])
      expect([v, ...found(`look at ${v} now`)]).toEqual([v, "domain evil.com"]);
    for (const v of ["hxxp://evil[.]com/a", "hXXp[:]//evil.com/a", "hxxp[://]evil(.)com/a", "h**p://evil.com/a"])
      expect([v, ...found(`look at ${v} now`)]).toEqual([v, "url http://evil.com/a", "+domain evil.com"]);
    expect(found("from bob[at]evil[.]com and bob[@]evil.org")).toEqual(["email bob@evil.com", "+domain evil.com", "email bob@evil.org", "+domain evil.org"]);
    expect(found("a name under evil[.]unheardof too")).toEqual(["domain evil.unheardof"]);
    expect(running("a name under evil.unheardof too")).toEqual([]);
  });
  test("pairs of the spoof list, and tags that are none", () => {
    expect(found("allowed: impersonated.com>botasso.cl today")).toEqual(["spoof_pair impersonated.com>botasso.cl", "+domain impersonated.com", "+domain botasso.cl"]);
    expect(found("<td>a.com</td><b>b.com</b> Bob <bob@c.com>d.com")).toEqual(["domain a.com", "domain b.com", "email bob@c.com", "+domain c.com", "domain d.com"]);
    expect(found("10.0.0.1:80 -> 8.8.8.8:53 x")).toEqual(["ip 10.0.0.1", "ip 8.8.8.8"]);
  });
  test("wrapped URLs lead on", () => {
    const inner = encodeURIComponent("https://evil.com/login?a=1");
    expect(found(`x https://nam12.safelinks.protection.outlook.com/?url=${inner}&data=05`)).toEqual(["url https://evil.com/login?a=1", "+domain evil.com"]);
    expect(found(`x https://go.example.com/?u=${inner}`)).toEqual([
      `url https://go.example.com/?u=${inner}`,
      "+hostname go.example.com",
      "url https://evil.com/login?a=1",
      "+domain evil.com",
    ]);
  });
  test("names of mail rules in commands", () => {
    expect(found("New-InboxRule -Name 'Block Spoofing' -ForwardTo smtp:drop@evil.com")).toEqual(["rule_name Block Spoofing", "email drop@evil.com", "+domain evil.com"]);
  });
});

describe("JSON and CSV", () => {
  test("observables of a case as it says they are", () => {
    const text = JSON.stringify({ tenant: "alder", findings: [{ observables: [{ kind: "rule_name", value: "evil.com" }, { kind: "phone", value: "+12025550143" }] }] });
    expect(found(text)).toEqual(["rule_name evil.com"]);
  });
  test("an audit log, also as strings within CSV", () => {
    const audit = {
      Operation: "New-TransportRule",
      ClientIP: "[2001:db8::5]:4433",
      UserAgent: "BAV2ROPC",
      AppId: "00000003-0000-0000-c000-000000000000",
      InternetMessageId: "<abc@evil.com>",
      Parameters: [{ Name: "Name", Value: "Anti Spam" }],
    };
    const want = ["rule_name Anti Spam", "ip 2001:db8::5", "user_agent BAV2ROPC", "app_id 00000003-0000-0000-c000-000000000000"];
    expect(found(JSON.stringify(audit))).toEqual(want);
    expect(found(`${JSON.stringify(audit)}\n${JSON.stringify(audit)}\n`)).toEqual(want);
    const field = JSON.stringify(audit).replaceAll('"', '""');
    expect(found(`CreationDate,UserIds,AuditData\r\n2023-06-13,"a@b.com","${field}"\r\n`)).toEqual(["email a@b.com", "+domain b.com", ...want]);
    const spoof = { Operation: "New-TenantAllowBlockListSpoofItems", Parameters: [{ Name: "SpoofedUser", Value: "impersonated.com" }, { Name: "SendingInfrastructure", Value: "botasso.cl" }] };
    expect(found(JSON.stringify(spoof))[0]).toBe("spoof_pair impersonated.com>botasso.cl");
  });
  test("a table with kinds, as the page exports it", () => {
    expect(found("value,kind,status\n'=cmd,rule_name,seen\nevil.com,domain,seen\n")).toEqual(["rule_name =cmd", "domain evil.com"]);
  });
});

describe("whatever the text is", () => {
  const mega = 1 << 20;
  const hostile: Record<string, string> = {
    "no separators": "a".repeat(mega),
    dots: ".".repeat(mega),
    "open brackets": "[".repeat(mega),
    "open brackets and dots": "[.".repeat(mega / 2),
    "half brackets": "[".repeat(mega) + ".",
    "brackets and spaces": `[${" ".repeat(mega)}.`,
    "closing brackets": ".]".repeat(mega / 2),
    schemes: "http://".repeat(mega / 7),
    slashes: "://".repeat(mega / 3),
    "an endless URL": `http://evil.com/${"(".repeat(mega)}`,
    "closing an endless URL": `x http://evil.com/${"(".repeat(mega / 2)}${")".repeat(mega)}`,
    "at signs": "a@".repeat(mega / 2),
    colons: "a:".repeat(mega / 2),
    arrows: "a.com>b.com ".repeat(mega / 12),
    "arrows without room": "a.com>".repeat(mega / 6),
    quotes: '"'.repeat(mega),
    "quotes of CSV": `a,b\n${'"",'.repeat(mega / 3)}`,
    "open JSON": "[".repeat(mega / 2) + "]".repeat(mega / 2),
    "names of rules": "-Name ".repeat(mega / 6) + "InboxRule",
    agents: "Mozilla/5.0 ".repeat(mega / 12),
    joiners: "\u200d".repeat(mega),
    marks: `e${"\u0301".repeat(mega / 4)}`,
    entities: `<p>${"&#x".repeat(mega / 3)}`,
    "soft breaks": `From: a\nTo: b\nSubject: c\nContent-Transfer-Encoding: quoted-printable\n\n${"=".repeat(mega)}`,
    "lone surrogates": "\ud800".repeat(mega / 2),
    digits: "1".repeat(mega),
    hex: "0f".repeat(mega / 2),
    "lines of numbers": "+1 202 555 0143\n".repeat(mega / 16),
    minus: "-".repeat(mega),
    "many short lines": "x\n".repeat(mega / 2),
  };
  for (const [name, text] of Object.entries(hostile)) {
    // What takes the square of the length would take hours.
    test(`1 MB of ${name} is read in linear time`, { timeout: 120_000 }, () => {
      expect(extract(text).found.length).toBeLessThan(20_001);
      extract(`x evil.com ${text}`);
    });
  }

  /** Numbers that look random and are the same in each run. */
  function random(seed: number): (n: number) => number {
    let state = seed >>> 0;
    return (n) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
  }
  const pick = <T,>(r: (n: number) => number, list: readonly T[]): T => list[r(list.length)] as T;
  const make: ((r: (n: number) => number) => string)[] = [
    (r) => `ip ${1 + r(223)}.${r(256)}.${r(256)}.${r(256)}`,
    (r) => `ip 2001:db8::${(1 + r(65535)).toString(16)}`,
    (r) => `domain evil-${r(1e6)}.${pick(r, ["com", "net", "org", "info", "top", "de"])}`,
    (r) => `hostname mx${r(99)}.evil-${r(1e6)}.com`,
    (r) => `email user.${r(1e6)}@evil-${r(1e6)}.org`,
    (r) => `url https://evil-${r(1e6)}.com/p/${r(1e6)}?q=${r(99)}`,
    (r) => `file_hash ${Array.from({ length: pick(r, [32, 40, 64]) }, (_, i) => (i === 0 ? "a" : i === 1 ? "7" : r(16).toString(16))).join("")}`,
  ];
  test("what was put into text is found in it, plain and defanged", { timeout: 120_000 }, () => {
    for (let seed = 1; seed <= 300; seed++) {
      const r = random(seed);
      const values = Array.from({ length: 1 + r(8) }, () => pick(r, make)(r));
      const around = ["(", "[", '"', "'", "<", "", "src=", "ip: ", "- ", "x; "] as const;
      const closing: Record<string, string> = { "(": ")", "[": "]", '"': '"', "'": "'", "<": ">" };
      const text = values.map((v) => {
        const value = v.slice(v.indexOf(" ") + 1);
        const written = r(2) && !value.includes("::") ? defang(value) : value;
        const open = pick(r, around);
        return `word ${open}${written}${closing[open] ?? ""}${pick(r, ["", ",", ";", "."])} then`;
      });
      const all = found(text.join(pick(r, ["\n", " ", "\t", "\r\n"])));
      for (const v of values) expect([seed, text, all.filter((f) => f === v || f === `+${v}`).length]).toEqual([seed, text, 1]);
    }
  });
  test("nothing is found that the text does not hold, and finding it again finds the same", { timeout: 120_000 }, () => {
    const alphabet = "abc.://@[]<>()=-_%'\"\\ \n\t,;0129:>xn--hxp\u200d\u0000é。";
    for (let seed = 1; seed <= 2000; seed++) {
      const r = random(seed);
      const text = Array.from({ length: r(60) }, () => alphabet[r(alphabet.length)]).join("");
      for (const f of extract(text).found) {
        expect(f.value.length).toBeLessThan(4097);
        if (f.kind === "rule_name" || f.kind === "user_agent") continue;
        const again = extract(f.value).found.map((g) => `${g.kind} ${g.value}`);
        expect([text, f.value, again[0]]).toEqual([text, f.value, `${f.kind} ${f.value}`]);
      }
    }
  });
});
