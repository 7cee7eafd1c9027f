import { describe, expect, it } from "vitest";
import { legendTexts } from "../src/view/legend";
import { EasedRange, type Scale, position, quantile, rangeOf, valueAt } from "../src/lib/scale";

const pseudo = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => ((i * 7919) % 1009) - 300);

describe("quantile", () => {
  it("agrees with a full sort at every rank", () => {
    const values = pseudo(257);
    const sorted = [...values].sort((a, b) => a - b);
    for (const q of [0, 0.05, 0.25, 0.5, 0.9, 0.99, 0.995, 1]) {
      const rank = Math.min(256, Math.max(0, Math.ceil(q * 257) - 1));
      expect(quantile(Float32Array.from(values), 257, q)).toBe(sorted[rank]);
    }
  });

  it("handles ties, a prefix and nothing", () => {
    expect(quantile(new Float32Array(100).fill(3), 100, 0.99)).toBe(3);
    expect(quantile(Float32Array.of(1, 2, 3, 99, 99), 3, 1)).toBe(3);
    expect(quantile(new Float32Array(4), 0, 0.5)).toBeNaN();
  });
});

describe("ranges", () => {
  it("clip diverging fields by magnitude, symmetrically", () => {
    const range = rangeOf(Float32Array.of(-8, 1, 2, -3), 4, { diverging: true, lo: 0, hi: 1 });
    expect(range).toEqual({ lo: -8, hi: 8 });
  });

  it("clip amounts between two quantiles", () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => i + 1);
    expect(rangeOf(values, 1000, { diverging: false, lo: 0.05, hi: 0.995 })).toEqual({ lo: 50, hi: 995 });
  });

  it("fall back where there is nothing to see", () => {
    expect(rangeOf(new Float32Array(10), 10, { diverging: true, lo: 0, hi: 0.99 })).toEqual({ lo: -1, hi: 1 });
    expect(rangeOf(new Float32Array(10), 0, { diverging: false, lo: 0, hi: 0.99 })).toEqual({ lo: 0, hi: 1 });
    const rare = new Float32Array(1000);
    rare[3] = 5;
    expect(rangeOf(rare, 1000, { diverging: false, lo: 0, hi: 0.99 })).toEqual({ lo: 0, hi: 5 });
  });
});

describe("positions", () => {
  const scales: Scale[] = [
    { diverging: true, log: true, x0: 1.5, lo: -13, hi: 13 },
    { diverging: true, log: false, x0: 1.5, lo: -13, hi: 13 },
    { diverging: false, log: true, x0: 40, lo: 17, hi: 117 },
    { diverging: false, log: false, x0: 40, lo: 17, hi: 117 },
  ];

  it("put zero of a diverging scale in the middle and clip beyond the ends", () => {
    expect(position(0, scales[0])).toBe(0.5);
    expect(position(-99, scales[0])).toBe(0);
    expect(position(99, scales[0])).toBe(1);
    expect(position(17, scales[2])).toBe(0);
  });

  it("are inverted by valueAt and rise", () => {
    for (const scale of scales) {
      for (const t of [0, 0.2, 0.5, 0.8, 1]) expect(position(valueAt(t, scale), scale)).toBeCloseTo(t, 9);
      expect(valueAt(0.6, scale)).toBeGreaterThan(valueAt(0.4, scale));
    }
  });
});

describe("eased range", () => {
  it("takes the first target at once and later ones within about a second", () => {
    const range = new EasedRange();
    range.aim({ lo: -2, hi: 2 });
    expect(range.hi).toBe(2);
    range.aim({ lo: -10, hi: 10 });
    range.step(16);
    expect(range.hi).toBeGreaterThan(2);
    expect(range.hi).toBeLessThan(3);
    for (let t = 0; t < 1000; t += 16) range.step(16);
    expect(range.hi).toBeGreaterThan(9.6);
    for (let t = 0; t < 4000; t += 16) range.step(16);
    expect(range.hi).toBe(10);
    expect(range.step(16)).toBe(false);
  });

  it("jumps again after a reset", () => {
    const range = new EasedRange();
    range.aim({ lo: 0, hi: 1 });
    range.reset();
    range.aim({ lo: 0, hi: 50 });
    expect(range.hi).toBe(50);
  });
});

describe("legend", () => {
  it("prints both ends, signed where the layer is, and no dust for nothing", () => {
    expect(legendTexts({ diverging: true, log: false, x0: 1, lo: -20, hi: 20 })).toEqual(["−20", "−10", "0", "+10", "+20"]);
    const depth = legendTexts({ diverging: false, log: true, x0: 12, lo: 0.000094, hi: 71 });
    expect([depth[0], depth[4]]).toEqual(["0", "71"]);
    expect(legendTexts({ diverging: false, log: false, x0: 1, lo: 0.02, hi: 0.5 })[0]).toBe("0.020");
  });
});
