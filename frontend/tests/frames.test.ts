import { describe, expect, it } from "vitest";
import { stretches } from "../src/gl/columnTexture";
import { restAfter } from "../src/view/frames";

describe("frames", () => {
  it("follow each other while they are light, rest for what heavy ones cost, and never for long", () => {
    expect(restAfter(3, 0)).toBe(0);
    expect(restAfter(20, 0)).toBe(30);
    expect(restAfter(2000, 0)).toBe(250);
  });

  it("rest longer while many bins are fetched at once", () => {
    expect(restAfter(3, 300)).toBe(300);
    expect(restAfter(2000, 300)).toBe(300);
  });
});

describe("uploads", () => {
  it("take neighbouring slots in one piece, whatever order they came in and across the ring's end", () => {
    expect(stretches([])).toEqual([]);
    expect(stretches(new Set([7, 5, 6]))).toEqual([[5, 8]]);
    expect(stretches(new Set([98, 99, 0, 1, 40]))).toEqual([[0, 2], [40, 41], [98, 100]]);
  });
});
