import { expect, test } from "vitest";
import { random } from "../actor/random.test-data.ts";
import { readJudged } from "./judged.ts";
import { figure, gain } from "./names.ts";

test("judged pairs are read line by line, and what is wrong is told by its line", () => {
  const { pairs, wrong } = readJudged('{"a":"alder/1","b":"birch/2","same":true}\n\n{"a":"x/1","b":"y/1","same":"yes"}\nnonsense\n{"a":"x/1","b":"y/1","same":false,"weight":2,"c":1}');
  expect(pairs).toEqual([{ a: "alder/1", b: "birch/2", same: true }]);
  expect(wrong).toEqual(["line 3: same is true or false", "line 4: is not JSON", "line 5: has c, which is unknown"]);
});

test("whatever is pasted, it is read or told", () => {
  const bits = ['{"a":"t/1",', '"b":"t/2",', '"same":true', "}", "\n", "[]", "null", '"', "\\", "1e999", "{}", "\u202e"];
  for (let seed = 1; seed <= 500; seed++) {
    const next = random(seed);
    const text = Array.from({ length: Math.floor(next() * 20) }, () => bits[Math.floor(next() * bits.length)]).join("");
    const { pairs, wrong } = readJudged(text);
    const lines = text.split("\n").filter((l) => l.trim() !== "").length;
    expect(pairs.length + wrong.length).toBe(lines);
  }
});

test("figures are short", () => {
  expect([figure(12000), figure(0.0750001), figure(undefined), figure(-3)]).toEqual(["12,000", "0.075", "-", "-3"]);
  expect(gain({ logLossBefore: 0.5, logLossAfter: 0.4 })).toBe("0.5 → 0.4 (better by 0.1)");
  expect(gain({})).toBe("-");
});
