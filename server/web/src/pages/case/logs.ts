/** What a file that was dropped is, as far as its beginning says. */
export type Nature = "case" | "audit log" | "archive" | "unknown";

/** How much of a file is looked at to tell what it is. */
export const headBytes = 256 << 10;

/** Names of the audit schemas that `elsewhere hunt` reads, folded as `folded` does. */
const audit = new Set(
  ("creationtime operation operations workload recordtype auditlogrecordtype userid usertype userkey organizationname organizationid " +
    "clientip clientipaddress actoripaddress useragent extendedproperties deviceproperties applicationid clientappid clientinfostring " +
    "sessionid appaccesscontext objectid parameters operationproperties modifiedproperties resultstatus mailboxownerupn logontype " +
    "affecteditems destfolder internetmessageid creationdate createddatetime userids ipaddress activitydatetime initiatedby " +
    "targetresources userprincipalname officeid officeworkload officeobjectid timegenerated runspaceid resultindex resultcount " +
    "associatedadminunits userdisplayname conditionalaccessstatus").split(" "),
);

/** Names of which one alone tells an audit log. */
const telling = new Set("auditdata raweventdata activitydisplayname servicesource office365 o365auditoperation o365auditcreationtime".split(" "));

/** Fields of a case, of which nothing else has all. */
const ofCase = ["tenant", "id", "findings"];

/** Fields that little else has. */
const almost = ["tenant", "findings", "observables", "evidencefrom"];

/**
 * Tells from its first bytes what a file is. A log is never sent; what is no log and no
 * case is not sent either.
 */
export function natureOf(head: Uint8Array): Nature {
  if (compressed(head)) return "archive";
  const text = textOf(head).trimStart();
  if (text.startsWith("{") || text.startsWith("[")) return jsonNature(text);
  return tableNature(text);
}

/** Gzip, zstandard, ZIP, 7-Zip, xz and bzip2 by their first bytes. */
function compressed(head: Uint8Array): boolean {
  const begins = (...bytes: number[]) => bytes.every((b, i) => head[i] === b);
  return begins(0x1f, 0x8b) || begins(0x28, 0xb5, 0x2f, 0xfd) || begins(0x50, 0x4b, 3, 4) || begins(0x37, 0x7a, 0xbc, 0xaf) || begins(0xfd, 0x37, 0x7a) || begins(0x42, 0x5a, 0x68);
}

/** The text of bytes in UTF-8, or in UTF-16 with its mark, as PowerShell writes. */
export function textOf(bytes: Uint8Array): string {
  const code = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  return new TextDecoder(code).decode(bytes);
}

function jsonNature(text: string): Nature {
  const names = new Set<string>();
  // Also of JSON within a string, as in AuditData; the end may be cut off.
  for (const [, name] of text.matchAll(/\\?"((?:[^"\\]|\\.){1,80}?)\\?"\s*:/gs)) if (name) names.add(folded(name));
  if (ofCase.every((n) => names.has(n)) && ![...telling].some((n) => names.has(n))) return "case";
  if (isAudit(names)) return "audit log";
  // A case with a fault in it; what has fields that a case has not is not sent.
  return text.startsWith("{") && almost.some((n) => names.has(n)) ? "case" : "unknown";
}

function tableNature(text: string): Nature {
  const lines = text.split(/\r?\n/, 3);
  const header = (lines[0]?.startsWith("#TYPE") ? lines[1] : lines[0]) ?? "";
  for (const delimiter of [",", ";", "\t", "|"]) {
    const names = new Set(header.split(delimiter).map((cell) => folded(cell.replaceAll('"', ""))));
    if (names.size > 1 && isAudit(names)) return "audit log";
  }
  return "unknown";
}

function isAudit(names: ReadonlySet<string>): boolean {
  let known = 0;
  for (const n of names) {
    if (telling.has(n)) return true;
    if (audit.has(n)) known++;
  }
  return known >= 4;
}

/** A name as the reader of logs compares it: letters and digits only, without a unit in brackets. */
function folded(name: string): string {
  return name.replace(/\[.*$/s, "").toLowerCase().replace(/[^a-z0-9]/g, "");
}

/** The command that makes a case of logs where they lie. */
export function huntCommand(files: readonly string[], tenant: string, id: string): string {
  const names = files.map((f) => quoted(f.startsWith("-") ? `./${f}` : f));
  return `elsewhere hunt ${names.join(" ")} --tenant ${quoted(tenant || "TENANT")} --case ${quoted(id || "CASE")} --submit`;
}

/** A word of a command for sh, quoted where it has to be. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
