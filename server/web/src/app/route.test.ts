import { expect, test } from "vitest";
import { caseHref, href, linkHref, parseRoute, splitRef } from "./route.ts";

test("an address is read back as it was written", () => {
  for (const path of [["seen"], ["cases", "alder", "2023-0117"], ["cases", "alder", "a:b.c#d_e"], ["actors", "act-ä/ö?&=%"]]) {
    const query = { q: "a b&c=d#e?f", tab: "links" };
    const route = parseRoute(href(path, query));
    expect(route.path).toEqual(path);
    expect(Object.fromEntries(route.query)).toEqual(query);
  }
});

test("what is unset does not stand in an address", () => {
  expect(href(["seen"], { q: "", tab: undefined })).toBe("#/seen");
});

test("an address that was cut off is read as far as it goes", () => {
  expect(parseRoute("#/seen/%E0%A4%A?q").path).toEqual(["seen", "%E0%A4%A"]);
  expect(parseRoute("").path).toEqual([]);
});

test("refs of cases and links have addresses", () => {
  expect(splitRef("alder/2023-0117")).toEqual(["alder", "2023-0117"]);
  expect(caseHref("alder/a#b")).toBe("#/cases/alder/a%23b");
  expect(linkHref("alder/1", "birch/2")).toBe("#/links/alder/1/birch/2");
});
