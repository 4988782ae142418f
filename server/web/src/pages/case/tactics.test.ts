import { expect, test } from "vitest";
import { byTactic, nameOf, tacticName, tacticsOf } from "./tactics.ts";

test("tactics follow the matrix", () => {
  expect(tacticsOf("T1078.004")).toEqual(["initial-access", "persistence", "privilege-escalation", "defense-evasion"]);
  expect(tacticsOf("T1114.001")).toEqual(["collection"]);
  expect(nameOf("T1114.001")).toBe("Email Collection");
  expect(tacticsOf("T9999")).toEqual(["other"]);
  expect(tacticsOf("")).toEqual(["other"]);
  expect(tacticsOf("constructor")).toEqual(["other"]);
  expect(tacticName("defense-evasion")).toBe("Defense evasion");
});

test("each finding stands once, under the first of its tactics", () => {
  const groups = byTactic(["T1114.003", "", "T1078.004", "T1566"], (t) => t);
  expect(groups).toEqual([
    { tactic: "initial-access", list: ["T1078.004", "T1566"] },
    { tactic: "collection", list: ["T1114.003"] },
    { tactic: "other", list: [""] },
  ]);
});
