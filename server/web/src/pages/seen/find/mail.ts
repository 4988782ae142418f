/**
 * Mail with its headers, as people save or forward it. What is made here is text to look
 * for values in: bodies decoded, ids of messages left out, since they have the form of
 * addresses and are none.
 */

const header = /^([A-Za-z][A-Za-z0-9-]{1,60}):/;
const typical = /^(received|from|to|subject|message-id|return-path|mime-version|dkim-signature|date|delivered-to|authentication-results|received-spf|x-[a-z0-9-]+|arc-seal|content-type|reply-to):/i;
const ids = /^(message-id|in-reply-to|references|content-id|resent-message-id|thread-index|x-ms-exchange-crosstenant-id|x-ms-traffictypediagnostic|x-google-smtp-source|x-gm-message-state|arc-seal|x-ms-exchange-antispam-messagedata[a-z0-9-]*)$/i;

/** Whether text begins like a mail: three lines or more of its first forty are headers of mail. */
export function looksLikeMail(text: string): boolean {
  let n = 0;
  let from = 0;
  for (let i = 0; i < 40 && from < text.length; i++) {
    const end = text.indexOf("\n", from);
    if (typical.test(text.slice(from, Math.min(from + 80, end < 0 ? text.length : end)))) n++;
    if (end < 0) break;
    from = end + 1;
  }
  return n >= 3;
}

/** One part of a mail. */
interface Part {
  encoding: string;
  type: string;
}

/** The texts of a mail, in order: each header unfolded, each body decoded. */
export function mailTexts(text: string): string[] {
  const out: string[] = [];
  let head = true;
  let part: Part = { encoding: "", type: "" };
  let field = "";
  let body: string[] = [];
  const endField = () => {
    const name = header.exec(field)?.[1]?.toLowerCase() ?? "";
    const value = field.slice(name.length + 1).trim().toLowerCase();
    if (name === "content-transfer-encoding") part.encoding = value;
    if (name === "content-type") part.type = value;
    if (field !== "" && !ids.test(name)) out.push(field);
    field = "";
  };
  const endBody = () => {
    const decoded = decodeBody(body, part);
    if (decoded !== "") out.push(decoded);
    body = [];
  };
  for (const line of text.split(/\r?\n/)) {
    if (/^--[^\s-][^\n]{0,100}$|^--[-_=A-Za-z0-9.']{10,100}$/.test(line) && !head) {
      // The boundary of a part: headers come again, unless it is the last.
      endBody();
      head = !line.endsWith("--");
      part = { encoding: "", type: "" };
    } else if (!head) {
      body.push(line);
    } else if (line.trim() === "") {
      endField();
      head = false;
    } else if (/^[ \t]/.test(line)) {
      field += ` ${line.trim()}`;
    } else if (header.test(line)) {
      endField();
      field = line;
    } else {
      // No header after all: people paste what they see.
      endField();
      out.push(line);
    }
  }
  endField();
  endBody();
  return out;
}

function decodeBody(lines: string[], part: Part): string {
  const raw = lines.join("\n");
  if (part.encoding === "quoted-printable") return quotedPrintable(raw);
  if (part.encoding !== "base64") return raw;
  // What is attached is not read.
  if (part.type !== "" && !part.type.startsWith("text/") && !part.type.startsWith("message/")) return "";
  return fromBase64(raw);
}

/** Text of quoted-printable, UTF-8. */
export function quotedPrintable(text: string): string {
  const joined = text.replace(/=[ \t]{0,8}\r?\n/g, "");
  return joined.replace(/(?:=[0-9A-F]{2})+/gi, (run) => {
    const bytes = run.slice(1).split("=").map((h) => parseInt(h, 16));
    return new TextDecoder().decode(Uint8Array.from(bytes));
  });
}

/** Text of base64, UTF-8; what cannot be decoded is no text. */
function fromBase64(text: string): string {
  const clean = text.replace(/[^A-Za-z0-9+/]/g, "");
  try {
    const binary = atob(clean.slice(0, clean.length - (clean.length % 4 === 1 ? 1 : 0)));
    return new TextDecoder().decode(Uint8Array.from(binary, (c) => c.charCodeAt(0)));
  } catch {
    return "";
  }
}

const entity = /&(?:amp|lt|gt|quot|apos|period|commat|colon|sol|nbsp|#\d{1,6}|#x[0-9a-f]{1,5});/gi;
const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", period: ".", commat: "@", colon: ":", sol: "/", nbsp: " " };

/** Text of HTML as it is read, with its tags: addresses stand in them. */
export function unescapeHTML(text: string): string {
  if (!/<(?:a|p|b|br|div|html|body|table|td|span|img)[\s/>]/i.test(text)) return text;
  return text.replace(entity, (e) => {
    const name = e.slice(1, -1).toLowerCase();
    if (!name.startsWith("#")) return entities[name] ?? e;
    const point = name.startsWith("#x") ? parseInt(name.slice(2), 16) : Number(name.slice(1));
    return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : " ";
  });
}
