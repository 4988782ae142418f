import { expect, test } from "vitest";
import { defang, visible } from "./value.tsx";

test("what cannot be seen, or turns text around, is written out", () => {
  expect(visible("invoice\u202egnp.exe\u200b")).toBe("invoice\\u{202e}gnp.exe\\u{200b}");
  expect(visible("a\nb\u0000")).toBe("a\\u{a}b\\u{0}");
  expect(visible("Grüße <b>日本語</b>")).toBe("Grüße <b>日本語</b>");
});

test("a defanged value is no link any more", () => {
  expect(defang("https://evil.example/a.b")).toBe("hxxps://evil[.]example/a[.]b");
  expect(defang("10.0.0.1")).toBe("10[.]0[.]0[.]1");
  expect(defang("a@b.c")).toBe("a[@]b[.]c");
});
