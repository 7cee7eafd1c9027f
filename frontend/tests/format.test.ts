import { describe, expect, it } from "vitest";
import { etClock, etDate, etMinute, etOffsetMs, isoDate, nsToMs } from "../src/lib/clock";
import { adaptive, age, count, digitsFor, fixed, ordinal, priceDecimals, signed, thresholdText, ticks } from "../src/lib/format";
import { toYaml } from "../src/lib/yaml";

describe("numbers", () => {
  it("carry a true minus and never a negative zero", () => {
    expect(fixed(-1.25, 1)).toBe("−1.3");
    expect(fixed(-0.04, 1)).toBe("0.0");
    expect(signed(0.67, 2)).toBe("+0.67");
    expect(signed(-0.001, 2)).toBe("0.00");
    expect(signed(-18.44, 1)).toBe("−18.4");
  });

  it("say a dash where there is none", () => {
    expect([fixed(Number.NaN, 2), signed(Number.POSITIVE_INFINITY, 1), count(Number.NaN)]).toEqual(["–", "–", "–"]);
    expect(thresholdText(null)).toBe("–");
  });

  it("group thousands", () => {
    expect([count(0), count(999), count(36000), count(-1234567)]).toEqual(["0", "999", "36,000", "−1,234,567"]);
  });

  it("keep the decimals they need", () => {
    expect([0.25, 0.01, 1, 0.015625, 5].map(priceDecimals)).toEqual([2, 2, 0, 6, 0]);
    expect([0.2, 0.041, 3.11, 0.00012].map(thresholdText)).toEqual(["0.20", "0.041", "3.11", "0.00012"]);
    expect([13.4, 1.3, 0.13, 0].map((x) => digitsFor(x))).toEqual([0, 1, 2, 0]);
    expect([adaptive(1234.5), adaptive(0.01234), adaptive(-2.5, true)]).toEqual(["1235", "0.0123", "−2.50"]);
  });

  it("speak of ages, ticks and tries", () => {
    expect([age(0.84), age(42.4), age(600), age(3 * 3600)]).toEqual(["0.8 s", "42 s", "10 min", "3 h"]);
    expect([ticks(1), ticks(2), ticks(1.5)]).toEqual(["1 tick", "2 ticks", "1.5 ticks"]);
    expect([ordinal(2), ordinal(11)]).toEqual(["second", "11th"]);
  });
});

describe("exchange time", () => {
  const christmas = nsToMs("1703545200000000000"); // 2023-12-25 23:00 UTC

  it("is New York wall time to the tenth", () => {
    expect(etClock(christmas)).toBe("18:00:00.0");
    expect(etClock(nsToMs("1703545275300000000"))).toBe("18:01:15.3");
    expect(etClock(nsToMs("1703545275399000000"))).toBe("18:01:15.3");
    expect(etDate(christmas)).toBe("Mon 25 Dec 2023");
    expect(etMinute(christmas + 60_000)).toBe("18:01");
  });

  it("follows daylight saving within a session", () => {
    const before = Date.UTC(2026, 2, 8, 6, 59, 59);
    expect(etClock(before)).toBe("01:59:59.0");
    expect(etClock(before + 1000)).toBe("03:00:00.0");
    expect(etOffsetMs(before + 1000)).toBe(-4 * 3_600_000);
  });

  it("does not lose a tenth to float error", () => {
    for (let bin = 0; bin < 600; bin += 1) {
      const ns = 1_703_545_200_000_000_000n + BigInt(bin) * 100_000_000n;
      expect(etClock(nsToMs(ns)).at(-1)).toBe(String(bin % 10));
    }
  });

  it("reads plain dates without a zone", () => {
    expect(isoDate("2026-02-06")).toBe("Fri 6 Feb 2026");
    expect(isoDate("soon")).toBe("soon");
  });
});

describe("yaml", () => {
  it("writes specs that read back the same", () => {
    const text = toYaml({ name: "a_b", dt: "2026-02-06", on: true, none: null, text: "yes", signal: { params: { w: [1, 0.5], m: {} } } });
    expect(text).toBe(
      'name: a_b\ndt: "2026-02-06"\n"on": true\nnone: null\ntext: "yes"\nsignal:\n  params:\n    w: [1, 0.5]\n    m: {}\n',
    );
  });
});
